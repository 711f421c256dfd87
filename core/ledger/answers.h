/* SPDX-License-Identifier: PostgreSQL */
/* Reads the values that the ledger's functions return, and what they return about a job. */
#ifndef CHIME_LEDGER_ANSWERS_H
#define CHIME_LEDGER_ANSWERS_H

#include "base/instant.h"
#include "model/run.h"
#include "pg/connection.h"
#include "schedule/scheduler.h"

/* What an answer of the ledger means to its leader: the one place that decides. */
enum ledger_answer {
    ANSWER_TAKEN,
    ANSWER_LOST,  /* the session is gone: nobody knows */
    ANSWER_AGAIN, /* nothing was written, since somebody is in the way or cancelled it: the same may be asked again */
    ANSWER_NOT_LEADER, /* the leader lock is another's */
    ANSWER_REFUSED,    /* nothing was written, and asking again would change nothing */
};
enum ledger_answer answer_of(const struct pg_reply *reply);

instant answer_instant(const char *text); /* INSTANT_NONE for NULL; one out of our years is the nearest within */
bool answer_is_true(const char *text);    /* false for NULL */
/* False, with the way out: a word that this program does not know, as a newer one may have written it. */
bool answer_kind(const char *text, enum run_kind *kind, struct error *err);
bool answer_unknown(const char *what, const char *text, struct error *err); /* false; the error for such a word */

#define ANSWER_MEMORY_COLUMNS 10
/* What is known of a job, from these columns beginning with `first`: last slot, last outcome, how long it took in us,
 * when that was, the end of its last run, whether the cursor was skipped to, failures in a row, whether it is
 * suspended, when slots were missed last, whether slots after that of its last outcome were missed before it came
 * about. */
struct job_memory answer_memory(const struct pg_reply *reply, size_t row, int first, int64_t job_id, int version);
/* False, with the way out: its last outcome is a word that this program does not know. It is not to be scheduled. */
bool answer_memory_known(const struct job_memory *memory, const char *job, struct error *err);

#endif
