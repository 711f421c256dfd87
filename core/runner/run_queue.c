/* SPDX-License-Identifier: PostgreSQL */
#include "runner/run_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "runner/work.h"

#define NO_ANSWER "the session ended without an answer"
#define QUEUE_PATIENCE (250 * USEC_PER_MSEC)

enum step { STEP_NONE, STEP_RESETTING, STEP_OPENING, STEP_WORKING, STEP_UNDOING };

struct run_queue {
    struct loop *loop;
    struct pool *pool;
    struct pool_session *session;
    struct pg_connection *connection;
    const char *token;
    const struct run_queue_handlers *handlers;
    void *data;
    struct run *first; /* the current one, once started */
    struct run **last;
    int reserved;
    int queued;
    duration load; /* of what is queued and reserved */
    enum step step;
    enum session_reset reset; /* what the session needs before the next text */
    bool closing;             /* what has not started is handed back */
    bool interrupted;         /* an interrupt was sent: it may still be under way when the run is over */
    bool unclean;             /* a reset failed */
    struct work_result result;
    struct loop_timer *timer; /* attempt_timeout, then cancel_grace */
    struct loop_timer *queue_timer;
};

static void start_next(void *data);

void run_free(struct run *run)
{
    job_drop(run->job);
    free(run->cancel_reason);
    free(run->payload);
    free(run);
}

/* The run that the session executes; NULL: none. */
static struct run *executing(const struct run_queue *queue)
{
    return queue->step >= STEP_OPENING ? queue->first : NULL;
}

static void finish_current(struct run_queue *queue, enum run_end end, const struct outcome *outcome)
{
    struct run *run = queue->first;
    queue->first = run->next;
    if (queue->first == NULL) {
        queue->last = &queue->first;
    }
    queue->queued--;
    queue->load -= run->expected;
    queue->step = STEP_NONE;
    loop_timer_clear(queue->timer);
    loop_timer_clear(queue->queue_timer);
    run->next = NULL;
    loop_defer(queue->loop, start_next, queue);
    queue->handlers->ended(queue->data, queue, run, end, outcome);
}

/* --- the end of an attempt ---------------------------------------------------------------------------------------- */

static enum run_state failed_state(const struct run *run, const char *sqlstate)
{
    bool interrupted = strcmp(sqlstate, "57014") == 0 || strcmp(sqlstate, "57P01") == 0;
    if (run->job->work == JOB_REFRESH && strcmp(sqlstate, WORK_HELD) == 0) {
        return RUN_SKIPPED;
    }
    if (run->timed_out && interrupted) {
        return RUN_TIMED_OUT;
    }
    return run->cancelled && interrupted ? RUN_CANCELLED : RUN_FAILED;
}

/* Somebody asked for the end while the chunk was committed: it is not begun again. */
static void end_chunk(struct run_queue *queue, struct outcome *outcome)
{
    const struct run *run = queue->first;
    enum run_end end = RUN_END_MORE;
    if (run->cancelled) {
        end = RUN_END_KNOWN;
        outcome->state = RUN_CANCELLED;
        outcome->reason = run->cancel_reason;
    }
    finish_current(queue, end, outcome);
}

static void end_with_result(struct run_queue *queue)
{
    struct run *run = queue->first;
    const struct work_result *result = &queue->result;
    struct outcome outcome = {.state = result->ok ? RUN_SUCCEEDED : failed_state(run, result->sqlstate),
                              .started = run->started,
                              .finished = queue->handlers->now(queue->data),
                              .rows = result->rows,
                              .message = result->message};
    if (outcome.state == RUN_TIMED_OUT) {
        outcome.reason = "attempt_timeout";
    } else if (outcome.state == RUN_CANCELLED) {
        outcome.reason = run->cancel_reason;
    } else if (outcome.state == RUN_SKIPPED) {
        outcome.reason = result->message;
        outcome.message = NULL;
    }
    snprintf(outcome.sqlstate, sizeof(outcome.sqlstate), "%s", result->sqlstate);
    queue->reset = result->reset;
    if (result->more) {
        end_chunk(queue, &outcome);
    } else {
        finish_current(queue, RUN_END_KNOWN, &outcome);
    }
}

static void end_without_result(struct run_queue *queue, enum run_end end, const char *reason)
{
    struct outcome outcome = {.state = RUN_LOST,
                              .started = queue->first->started,
                              .finished = queue->handlers->now(queue->data),
                              .rows = -1,
                              .reason = reason};
    finish_current(queue, end, &outcome);
}

static void end_unknown(struct run_queue *queue, const char *reason)
{
    end_without_result(queue, RUN_END_UNKNOWN, reason);
}

/* The reply says nothing, or not enough, of whether the text was committed. */
static void end_open(struct run_queue *queue, const struct pg_reply *reply)
{
    if (pg_reply_too_large(reply)) {
        end_without_result(queue, RUN_END_TOO_LARGE, pg_reply_message(reply));
    } else {
        end_unknown(queue, pg_reply_lost(reply) ? NO_ANSWER
                                                : "the session ended before it said whether its text was committed");
    }
}

/* Hands back what has not started: everything behind the current run. */
static void hand_back_unstarted(struct run_queue *queue)
{
    struct run **link = executing(queue) != NULL ? &queue->first->next : &queue->first;
    struct run *run;
    queue->last = link;
    while ((run = *link) != NULL) {
        struct outcome outcome = {.state = RUN_LOST,
                                  .started = INSTANT_NONE,
                                  .rows = -1,
                                  .finished = queue->handlers->now(queue->data),
                                  .reason = "it was not started"};
        *link = run->next;
        run->next = NULL;
        queue->queued--;
        queue->load -= run->expected;
        queue->handlers->ended(queue->data, queue, run, RUN_END_UNSTARTED, &outcome);
    }
}

/* The current run takes much longer than the queue behind it was promised: that may go to other sessions. */
static void queue_waited(void *data)
{
    hand_back_unstarted(data);
}

/* Whatever is answered, or nothing: without a COMMIT the work is gone. */
static void undone(void *data, const struct pg_reply *reply)
{
    (void)reply;
    end_with_result(data);
}

static void undo(struct run_queue *queue)
{
    static const struct pg_statement rollback = {.sql = "ROLLBACK"};
    queue->step = STEP_UNDOING;
    work_left_open(&queue->result);
    pg_send(queue->connection, &rollback, 1, undone, queue);
}

/* --- the steps ---------------------------------------------------------------------------------------------------- */

static void worked(void *data, const struct pg_reply *reply)
{
    struct run_queue *queue = data;
    if (work_is_open(queue->first->job, reply)) {
        end_open(queue, reply);
    } else if (strcmp(pg_reply_sqlstate(reply), WORK_NOT_OURS) == 0) {
        end_without_result(queue, RUN_END_DISOWNED, pg_reply_message(reply));
    } else {
        work_read(&queue->result, queue->first->job, reply);
        if (pg_is_ready(queue->connection) && pg_in_transaction(queue->connection)) {
            undo(queue);
        } else {
            end_with_result(queue);
        }
    }
}

static struct work_order order_of(const struct run_queue *queue)
{
    const struct run *run = queue->first;
    return (struct work_order){.token = queue->token,
                               .job_id = run->job_id,
                               .run_id = run->run_id,
                               .kind = run->kind,
                               .slot = run->slot,
                               .attempt = run->attempt,
                               .payload = run->payload};
}

static void send_work(struct run_queue *queue)
{
    const struct run *run = queue->first;
    struct work_order order = order_of(queue);
    queue->step = STEP_WORKING;
    work_send(queue->connection, run->job, &order, worked, queue);
}

static void opened(void *data, const struct pg_reply *reply)
{
    struct run_queue *queue = data;
    if (pg_reply_ok(reply)) {
        send_work(queue);
    } else {
        worked(data, reply);
    }
}

static void was_reset(void *data, const struct pg_reply *reply)
{
    struct run_queue *queue = data;
    if (!pg_reply_ok(reply) && !pg_reply_lost(reply)) {
        log_warning("a run session could not be reset: %s", pg_reply_message(reply));
        queue->unclean = true;
    }
}

static void reset_then_start(void *data, const struct pg_reply *reply)
{
    struct run_queue *queue = data;
    queue->step = STEP_NONE;
    was_reset(data, reply);
    if (!pg_reply_lost(reply)) {
        loop_defer(queue->loop, start_next, queue);
    }
}

/* A reset travels with the next work: one flush, no wait. Only a text for the simple protocol cannot travel behind it:
 * then this returns true, and comes back when the session is clean. */
static bool reset_before(struct run_queue *queue, const struct job *job)
{
    bool waits = queue->reset != RESET_NONE && work_is_text(job);
    queue->step = waits ? STEP_RESETTING : STEP_NONE;
    pg_reset_session(queue->connection, queue->reset, waits ? reset_then_start : was_reset, queue);
    queue->reset = RESET_NONE;
    return waits;
}

static bool may_start(struct run_queue *queue)
{
    if (!run_queue_usable(queue) || queue->closing) {
        hand_back_unstarted(queue);
        loop_defer(queue->loop, start_next, queue);
        return false;
    }
    return pg_is_idle(queue->connection) && queue->handlers->may_start(queue->data);
}

static void start_next(void *data)
{
    struct run_queue *queue = data;
    struct run *run = queue->first;
    if (queue->step != STEP_NONE || !pg_is_ready(queue->connection)) {
        return;
    }
    if (run == NULL) {
        if (run_queue_is_drained(queue)) {
            queue->handlers->drained(queue->data, queue);
        }
        return;
    }
    if (!may_start(queue) || reset_before(queue, run->job)) {
        return;
    }
    if (run->state != RUN_CLAIMED) {
        fatal("run of %s: its text would go out in state %s", run->job->name, run_state_name(run->state));
    }
    run->state = RUN_RUNNING;
    run->started = queue->handlers->now(queue->data);
    if (run->job->options->attempt_timeout > 0) {
        loop_timer_set(queue->timer, run->job->options->attempt_timeout);
    }
    if (run->next != NULL) {
        loop_timer_set(queue->queue_timer, QUEUE_PATIENCE);
    }
    struct work_order order = order_of(queue);
    if (!work_open(queue->connection, run->job, &order, opened, queue)) {
        send_work(queue);
    } else {
        queue->step = STEP_OPENING;
    }
}

/* --- interrupting ------------------------------------------------------------------------------------------------- */

static void interrupt(struct run_queue *queue)
{
    bool again = queue->interrupted;
    queue->interrupted = true;
    queue->handlers->interrupt(queue->data, pool_identity(queue->session), again);
    loop_timer_set(queue->timer, queue->first->job->options->cancel_grace);
}

static void timer_due(void *data)
{
    struct run_queue *queue = data;
    struct run *run = executing(queue);
    if (run != NULL) {
        run->timed_out = run->timed_out || !run->cancelled;
        interrupt(queue);
    }
}

void run_queue_cancel_current(struct run_queue *queue, const char *reason)
{
    struct run *run = executing(queue);
    if (run == NULL) {
        return;
    }
    if (!run->cancelled) {
        run->cancelled = true;
        run->cancel_reason = xstrdup(reason);
    }
    if (!queue->interrupted) { /* else its grace has begun, and the timer ends it */
        interrupt(queue);
    }
}

static void end_unstarted(struct run_queue *queue, struct run **link, const char *reason)
{
    struct run *run = *link;
    struct outcome outcome = {.state = RUN_CANCELLED,
                              .started = INSTANT_NONE,
                              .rows = -1,
                              .finished = queue->handlers->now(queue->data),
                              .reason = reason};
    *link = run->next;
    if (queue->last == &run->next) {
        queue->last = link;
    }
    run->next = NULL;
    queue->queued--;
    queue->load -= run->expected;
    loop_defer(queue->loop, start_next, queue);
    queue->handlers->ended(queue->data, queue, run, RUN_END_KNOWN, &outcome);
}

bool run_queue_cancel(struct run_queue *queue, const void *owner, const char *reason)
{
    for (struct run **link = &queue->first; *link != NULL; link = &(*link)->next) {
        if ((*link)->owner != owner) {
            continue;
        }
        if (*link == executing(queue)) {
            run_queue_cancel_current(queue, reason);
        } else {
            end_unstarted(queue, link, reason);
        }
        return true;
    }
    return false;
}

void run_queue_hand_back(struct run_queue *queue)
{
    queue->closing = true;
    hand_back_unstarted(queue);
    loop_defer(queue->loop, start_next, queue);
}

void run_queue_wake(struct run_queue *queue)
{
    loop_defer(queue->loop, start_next, queue);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct run_queue *run_queue_create(struct loop *loop, struct pool *pool, struct pool_session *session,
                                   const char *token, const struct run_queue_handlers *handlers, void *data)
{
    struct run_queue *queue = xcalloc(1, sizeof(*queue));
    queue->loop = loop;
    queue->pool = pool;
    queue->session = session;
    queue->connection = pool_connection(session);
    queue->token = token;
    queue->handlers = handlers;
    queue->data = data;
    queue->last = &queue->first;
    queue->timer = loop_timer_create(loop, timer_due, queue);
    queue->queue_timer = loop_timer_create(loop, queue_waited, queue);
    pool_set_tag(session, queue);
    return queue;
}

static void run_queue_free(struct run_queue *queue)
{
    loop_forget(queue->loop, queue);
    loop_timer_destroy(queue->timer);
    loop_timer_destroy(queue->queue_timer);
    work_clear(&queue->result);
    free(queue);
}

void run_queue_release(struct run_queue *queue)
{
    if (queue->interrupted || queue->unclean) {
        /* An interrupt may still be under way and would hit whatever came next. */
        pool_drop(queue->pool, queue->session);
    } else {
        pool_return(queue->pool, queue->session, queue->reset);
    }
    run_queue_free(queue);
}

void run_queue_broken(struct run_queue *queue)
{
    if (executing(queue) != NULL) {
        end_unknown(queue, NO_ANSWER);
    }
    hand_back_unstarted(queue);
    pool_drop(queue->pool, queue->session);
    run_queue_free(queue);
}

void run_queue_cut(struct run_queue *queue)
{
    pg_cut(queue->connection);
}

void run_queue_abandon(struct run_queue *queue)
{
    while (queue->first != NULL) {
        struct run *run = queue->first;
        queue->first = run->next;
        run_free(run);
    }
    pool_drop(queue->pool, queue->session);
    run_queue_free(queue);
}

void run_queue_reserve(struct run_queue *queue, int change, duration expected)
{
    queue->reserved += change;
    queue->load += change * expected;
    if (queue->reserved == 0 && queue->first == NULL) {
        loop_defer(queue->loop, start_next, queue);
    }
}

void run_queue_push(struct run_queue *queue, struct run *run)
{
    run->next = NULL;
    run->started = INSTANT_NONE;
    *queue->last = run;
    queue->last = &run->next;
    queue->queued++;
    queue->load += run->expected;
    if (executing(queue) != NULL && queue->first->next == run) {
        loop_timer_set(queue->queue_timer, QUEUE_PATIENCE);
    }
    loop_defer(queue->loop, start_next, queue);
}

/* What nobody knew to be long shows it by going on. */
static duration overdue(const struct run_queue *queue)
{
    const struct run *run = executing(queue);
    duration taken = run != NULL ? queue->handlers->now(queue->data) - run->started : 0;
    return run != NULL && taken > run->expected ? taken - run->expected : 0;
}

duration run_queue_load(const struct run_queue *queue, int *runs)
{
    *runs = queue->queued + queue->reserved;
    return queue->load + overdue(queue);
}

bool run_queue_is_drained(const struct run_queue *queue)
{
    return queue->first == NULL && queue->reserved == 0 && queue->step == STEP_NONE;
}

bool run_queue_usable(const struct run_queue *queue)
{
    return !queue->interrupted && !queue->unclean && pg_is_ready(queue->connection);
}

const struct pg_identity *run_queue_identity(const struct run_queue *queue)
{
    return pool_identity(queue->session);
}
