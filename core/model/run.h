/* SPDX-License-Identifier: PostgreSQL */
/* A run: one job at one slot, its states and kinds. What happens to it when is decided by the scheduler
 * (schedule/phase.c) and, while it has a session, by runner/run_queue.c. */
#ifndef CHIME_MODEL_RUN_H
#define CHIME_MODEL_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"

enum run_state {
    RUN_DUE,       /* decided, not yet in the ledger */
    RUN_CLAIMED,   /* in the ledger for a named session; its text has not gone out */
    RUN_RUNNING,   /* its text is on the wire */
    RUN_FINISHING, /* its outcome is on the way to the ledger */
    RUN_RETRYING,  /* an attempt failed; waits for its back-off */
    /* final states; exactly one of these ends every slot */
    RUN_SUCCEEDED,
    RUN_FAILED,
    RUN_TIMED_OUT,
    RUN_CANCELLED,
    RUN_SKIPPED, /* a policy decided against it; the reason says which */
    RUN_MISSED,  /* nothing led when it was due, and catch-up did not take it */
    RUN_LOST,    /* its outcome cannot be known */
    RUN_STATE_COUNT
};

enum run_kind {
    RUN_SCHEDULE,
    RUN_DEPENDENCY,
    RUN_EVENT,
    RUN_CHANGE,
    RUN_MANUAL,
    RUN_INSTALL,
    RUN_BACKFILL,
    RUN_KIND_COUNT
};

/* How an attempt ended. */
struct outcome {
    enum run_state state; /* final */
    instant started;      /* INSTANT_NONE: it never started */
    instant finished;
    int64_t rows; /* -1 unknown */
    char sqlstate[6];
    const char *message; /* NULL none */
    const char *reason;  /* what decided, where it was not the command itself; NULL */
};

const char *run_state_name(enum run_state state); /* "succeeded", "timed_out", ... as in the ledger */
bool run_state_parse(const char *name, enum run_state *state);
const char *run_kind_name(enum run_kind kind); /* "schedule", "dependency", "event", "change", "manual", "install",
                                                    * "backfill" */
/* RUN_BACKFILL is a slot of long ago that is done again: nothing of the job's schedule, its outcome or what comes after
 * it follows from that. Its slot in the ledger is the schedule's, and some microseconds more where an earlier backfill
 * did that one already. */
/* Whether the run moves its job's cursor: slots of a schedule and decisions of a join. */
bool run_kind_moves(enum run_kind kind);
/* Whether it was asked for: it has a row in chime.request until it is claimed. What neither moves nor was asked for, an
 * event or a change, is known to the leader alone. */
bool run_kind_asked(enum run_kind kind);

#endif
