/* SPDX-License-Identifier: PostgreSQL */
/* Jobs that are made by SQL, as the leader hears of them, and what it writes back (sql_jobs.sql).
 *
 * Does: ask for all of them in parts, later for those that changed since; tell which the leader cannot run, when each
 *   is due next, and which had their only slot.
 * Does not: read a job's texts (catalog/sql_job.h), or hold anything. */
#ifndef CHIME_LEDGER_CHANGES_H
#define CHIME_LEDGER_CHANGES_H

#include "catalog/sql_job.h"
#include "ledger/ledger.h"

#define CHANGES_CHANNEL "chime_jobs"
#define CHANGES_PART 1000

struct changed_job {
    const char *changed;    /* the transaction that did it; borrowed from the reply */
    struct sql_job_row row; /* borrowed from the reply */
    struct job_memory memory;
    bool removed;
    bool has_problem; /* one was written down for this version */
};

/* The leader's session is to hear of changes. Said again now and then, since it also lets the server's queue move on,
 * which whoever listens may hold up: a session is not told of notifications whose transaction failed, such as for want
 * of room in the queue, and so never passes them. What was notified meanwhile is not heard. */
void changes_listen(const struct ledger *ledger, pg_callback *callback, void *data);
/* All that are there, by number, beyond job `from`; or those that changed since `seen`, by transaction and number,
 * beyond job `from` of transaction `changed` (NULL: of none). CHANGES_PART at most, fewer where they are large. */
void changes_ask(const struct ledger *ledger, const char *seen, const char *changed, int64_t from,
                 pg_callback *callback, void *data);
/* Jobs that name no zone count by this one from `now` on: what was due by another one ended. */
void changes_follow_zone(const struct ledger *ledger, const char *timezone, instant now, pg_callback *callback,
                         void *data);
/* Schedules that ended, of which no leader has said yet what was due by them. */
struct expired_schedule {
    int64_t job_id;
    int version;
    const char *name; /* of the job; these three are borrowed from the reply */
    const char *schedule;
    const char *options;
    instant cursor;      /* what is on record ends here, or the schedule began */
    instant last_end;    /* of a run; INSTANT_NONE: there was none */
    instant until;       /* for changes_end_expired: INSTANT_NONE leaves the job's cursor alone */
    instant first, last; /* likewise: slots that were due, `count` of them */
    int64_t count;
};
/* The CHANGES_PART that follow this one by job and version; of these jobs, or of all where there are none. */
void changes_ask_expired(const struct ledger *ledger, const int64_t *of, size_t of_count, int64_t job_id, int version,
                         pg_callback *callback, void *data);
struct expired_schedule changes_read_expired(const struct pg_reply *reply, size_t index);
void changes_end_expired(const struct ledger *ledger, const struct expired_schedule *expired, size_t count, instant at,
                         pg_callback *callback, void *data);
/* No slot of these up to then is due any more. */
void changes_restart(const struct ledger *ledger, const int64_t *job_ids, const instant *at, size_t count,
                     pg_callback *callback, void *data);
size_t changes_count(const struct pg_reply *reply);
bool changes_more(const struct pg_reply *reply); /* a part follows the last of these */
/* By job id. */
struct changed_job changes_read(const struct pg_reply *reply, size_t index);
/* What to ask from the next time; borrowed from the reply. */
const char *changes_seen(const struct pg_reply *reply);

/* `problem` NULL: there is none any more. */
void changes_note_problem(const struct ledger *ledger, int64_t job_id, int version, const char *problem,
                          pg_callback *callback, void *data);
#define CHANGES_SLOTS 30
struct next_slots {
    int64_t job_id;
    instant slots[CHANGES_SLOTS];
    size_t count; /* 0: none is known */
};
void changes_note_next(const struct ledger *ledger, const struct next_slots *jobs, size_t count, pg_callback *callback,
                       void *data);
/* Their only slot is decided and has run. */
void changes_note_done(const struct ledger *ledger, const int64_t *job_ids, const int *versions, size_t count,
                       pg_callback *callback, void *data);

#endif
