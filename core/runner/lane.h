/* A lane: one run session and the runs claimed for it, executed one after the other.
 *
 * Does: the steps of a run over a connection (runner/work.h), its timeouts and its
 *   cancellation, wiping the session between texts, and saying how it ended.
 * Does not: claim, retry, or write the leader's side of the ledger.
 *
 *   step       sends                                    then
 *   WIPING     the wipe that a text of several statements has to wait for   the next run, which may be another by then
 *   OPENING    the lock timeout of a text, where it has one   WORKING
 *   WORKING    the text, or chime.perform / perform_refresh   over, or UNDOING when the text left a transaction open
 *   UNDOING    ROLLBACK                                 over
 *
 * Ownership: the lane borrows its session from the pool and gives it back by lane_release; runs pushed are the lane's
 * until `ended` hands them back. */
#ifndef CHIME_RUNNER_LANE_H
#define CHIME_RUNNER_LANE_H

#include <stdbool.h>
#include <stddef.h>

#include "model/job.h"
#include "model/run.h"
#include "pg/pool.h"

struct lane;

/* One attempt of one run. */
struct run {
    struct run *next; /* the lane's */
    void *owner;      /* the caller's */
    const struct job *job;
    struct job *own_job; /* what `job` is once its catalog has gone; NULL */
    int64_t job_id;
    enum run_kind kind;
    instant slot;
    int attempt;
    char *payload;     /* of the notification that woke it; freed with it; NULL: none */
    duration expected; /* how long it takes, as far as known */
    enum run_state state;
    bool cancelled;      /* somebody asked for its end */
    char *cancel_reason; /* who, in words; NULL */
    bool timed_out;
    instant started; /* INSTANT_NONE until its text goes out */
};

void run_free(struct run *run);

enum run_end {
    RUN_END_KNOWN,     /* the outcome is to be recorded by the leader (a transactional success is marked already) */
    RUN_END_DOUBTFUL,  /* the session went without an answer */
    RUN_END_TOO_LARGE, /* likewise, for the size of what it was sent: another attempt would be sent it again */
    RUN_END_DISOWNED,  /* the ledger says that the run is not ours */
    RUN_END_UNSTARTED, /* claimed, but its text never went out: it may go to another session */
};

struct lane_handlers {
    instant (*now)(void *data); /* the database's clock */
    /* Whether a claimed run may still be started; asked just before its text goes out. */
    bool (*may_start)(void *data);
    /* The caller takes the run back. Its texts are valid during the call. */
    void (*ended)(void *data, struct lane *lane, struct run *run, enum run_end end, const struct outcome *outcome);
    /* Interrupt what the session executes. */
    void (*interrupt)(void *data, const struct pg_identity *session, bool terminate);
    /* Nothing is left to do: push more, or release. */
    void (*drained)(void *data, struct lane *lane);
};

struct lane *lane_create(struct loop *loop, struct pool *pool, struct pool_session *session, const char *token,
                         const struct lane_handlers *handlers, void *data);
/* Gives the session back and frees the lane, which must be drained. */
void lane_release(struct lane *lane);
/* Nothing is left to do, and no answer to be waited for. */
bool lane_is_drained(const struct lane *lane);
/* The session ended: the current run is doubtful, those behind it are unstarted; all come back through `ended`. Frees
 * the lane. */
void lane_broken(struct lane *lane);
/* Ends its connection, so that the server may notice; lane_broken follows. */
void lane_cut(struct lane *lane);
/* Frees the lane and its runs without a word: leadership is over. The session is closed. */
void lane_abandon(struct lane *lane);

/* A claim is on its way for this lane (+1), or was answered (-1), with the same `expected`: a lane with reservations is
 * not drained. */
void lane_reserve(struct lane *lane, int change, duration expected);
void lane_push(struct lane *lane, struct run *run);
/* How long what is claimed or reserved will take, as far as known, and how many runs that are. A run that takes longer
 * than expected counts for as long as it has run. */
duration lane_load(const struct lane *lane, int *runs);
/* False once its session was interrupted: it takes no more runs. */
bool lane_usable(const struct lane *lane);
const struct pg_identity *lane_identity(const struct lane *lane);
/* Asks for the end of the run that executes now, if one does. It has its cancel_grace from the first time on. */
void lane_cancel_current(struct lane *lane, const char *reason);
/* Likewise for the run of that owner, if it is here: one that has not started ends at once, as cancelled. */
bool lane_cancel(struct lane *lane, const void *owner, const char *reason);
/* The catalog that runs were made from is about to go: each keeps a copy of its job. */
void lane_own_jobs(struct lane *lane);
void lane_own_job(struct lane *lane, const void *owner); /* likewise the runs of that owner */
/* From now on nothing is started: what has not been comes back through `ended` as unstarted. */
void lane_hand_back(struct lane *lane);
/* Looks again whether the next run may start, after may_start had said no. */
void lane_wake(struct lane *lane);

#endif
