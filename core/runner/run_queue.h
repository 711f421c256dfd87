/* SPDX-License-Identifier: PostgreSQL */
/* A queue: one run session and the runs claimed for it, executed one after the other.
 *
 * Does: the steps of a run over a connection (runner/work.h), its timeouts and its
 *   cancellation, resetting the session between texts, and saying how it ended.
 * Does not: claim, retry, or write the leader's side of the ledger.
 *
 *   step       sends                                    then
 *   RESETTING  the reset that a text of several statements has to wait for   the next run, which may be another by then
 *   OPENING    the lock timeout of a text, where it has one   WORKING
 *   WORKING    the text, or chime.perform / perform_refresh   over, or UNDOING when the text left a transaction open
 *   UNDOING    ROLLBACK                                 over
 *
 * Ownership: the queue borrows its session from the pool and gives it back by run_queue_release; runs pushed are the
 * queue's until `ended` hands them back. */
#ifndef CHIME_RUNNER_RUN_QUEUE_H
#define CHIME_RUNNER_RUN_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "model/job.h"
#include "model/run.h"
#include "pg/pool.h"

struct run_queue;

/* One attempt of one run. */
struct run {
    struct run *next;      /* the queue's */
    void *owner;           /* the caller's */
    const struct job *job; /* held: others may have another by that name while it runs */
    int64_t job_id;
    int64_t run_id; /* as the ledger counts */
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
    RUN_END_UNKNOWN,   /* the session went without an answer */
    RUN_END_TOO_LARGE, /* likewise, for the size of what it was sent: another attempt would be sent it again */
    RUN_END_DISOWNED,  /* the ledger says that the run is not ours */
    RUN_END_MORE,      /* a chunk is committed, and the run goes on in another transaction */
    RUN_END_UNSTARTED, /* claimed, but its text never went out: it may go to another session */
};

struct run_queue_handlers {
    instant (*now)(void *data); /* the database's clock */
    /* Whether a claimed run may still be started; asked just before its text goes out. */
    bool (*may_start)(void *data);
    /* The caller takes the run back. Its texts are valid during the call. */
    void (*ended)(void *data, struct run_queue *queue, struct run *run, enum run_end end,
                  const struct outcome *outcome);
    /* Interrupt what the session executes. */
    void (*interrupt)(void *data, const struct pg_identity *session, bool terminate);
    /* Nothing is left to do: push more, or release. */
    void (*drained)(void *data, struct run_queue *queue);
};

struct run_queue *run_queue_create(struct loop *loop, struct pool *pool, struct pool_session *session,
                                   const char *token, const struct run_queue_handlers *handlers, void *data);
/* Gives the session back and frees the queue, which must be drained. */
void run_queue_release(struct run_queue *queue);
/* Nothing is left to do, and no answer to be waited for. */
bool run_queue_is_drained(const struct run_queue *queue);
/* The session ended: the current run has an unknown outcome, those behind it are unstarted; all come back through
 * `ended`. Frees the queue. */
void run_queue_broken(struct run_queue *queue);
/* Ends its connection, so that the server may notice; run_queue_broken follows. */
void run_queue_cut(struct run_queue *queue);
/* Frees the queue and its runs without a word: leadership is over. The session is closed. */
void run_queue_abandon(struct run_queue *queue);

/* A claim is on its way for this queue (+1), or was answered (-1), with the same `expected`: a queue with reservations
 * is not drained. */
void run_queue_reserve(struct run_queue *queue, int change, duration expected);
void run_queue_push(struct run_queue *queue, struct run *run);
/* How long what is claimed or reserved will take, as far as known, and how many runs that are. A run that takes longer
 * than expected counts for as long as it has run. */
duration run_queue_load(const struct run_queue *queue, int *runs);
/* False once its session was interrupted: it takes no more runs. */
bool run_queue_usable(const struct run_queue *queue);
const struct pg_identity *run_queue_identity(const struct run_queue *queue);
/* Asks for the end of the run that executes now, if one does. It has its cancel_grace from the first time on. */
void run_queue_cancel_current(struct run_queue *queue, const char *reason);
/* Likewise for the run of that owner, if it is here: one that has not started ends at once, as cancelled. */
bool run_queue_cancel(struct run_queue *queue, const void *owner, const char *reason);
/* From now on nothing is started: what has not been comes back through `ended` as unstarted. */
void run_queue_hand_back(struct run_queue *queue);
/* Looks again whether the next run may start, after may_start had said no. */
void run_queue_wake(struct run_queue *queue);

#endif
