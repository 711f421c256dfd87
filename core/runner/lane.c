#include "runner/lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "runner/work.h"

#define NO_ANSWER "the session ended without an answer"
#define QUEUE_PATIENCE (250 * USEC_PER_MSEC)

enum step { STEP_NONE, STEP_WIPING, STEP_OPENING, STEP_WORKING, STEP_UNDOING };

struct lane {
    struct loop *loop;
    struct pool *pool;
    struct pool_session *session;
    struct pg_connection *connection;
    const char *token;
    const struct lane_handlers *handlers;
    void *data;
    struct run *first; /* the current one, once started */
    struct run **last;
    int reserved;
    int queued;
    duration load; /* of what is queued and reserved */
    enum step step;
    enum wipe wipe;   /* what the session needs before the next text */
    bool closing;     /* what has not started is handed back */
    bool interrupted; /* an interrupt was sent: it may still be under way when the run is over */
    bool unclean;     /* a wipe failed */
    struct work_result result;
    struct loop_timer *timer; /* attempt_timeout, then cancel_grace */
    struct loop_timer *queue_timer;
};

static void start_next(void *data);

void run_free(struct run *run)
{
    job_free(run->own_job);
    free(run->cancel_reason);
    free(run->payload);
    free(run);
}

/* The run that the session executes; NULL: none. */
static struct run *executing(const struct lane *lane)
{
    return lane->step >= STEP_OPENING ? lane->first : NULL;
}

static void finish_current(struct lane *lane, enum run_end end, const struct outcome *outcome)
{
    struct run *run = lane->first;
    lane->first = run->next;
    if (lane->first == NULL) {
        lane->last = &lane->first;
    }
    lane->queued--;
    lane->load -= run->expected;
    lane->step = STEP_NONE;
    loop_timer_clear(lane->timer);
    loop_timer_clear(lane->queue_timer);
    run->next = NULL;
    loop_defer(lane->loop, start_next, lane);
    lane->handlers->ended(lane->data, lane, run, end, outcome);
}

static void set_state(struct run *run, enum run_event event, enum run_state state)
{
    if (!run_may(run->state, event)) {
        fatal("run of %s: no event %d in state %s", run->job->name, event, run_state_name(run->state));
    }
    run->state = state;
}

/* --- the end of an attempt --------------------------------------------------------------------------------------------- */

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

static void end_with_result(struct lane *lane)
{
    struct run *run = lane->first;
    const struct work_result *result = &lane->result;
    struct outcome outcome = {.state = result->ok ? RUN_SUCCEEDED : failed_state(run, result->sqlstate),
                              .started = run->started,
                              .finished = lane->handlers->now(lane->data),
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
    snprintf(outcome.sqlstate, sizeof outcome.sqlstate, "%s", result->sqlstate);
    lane->wipe = result->wipe;
    finish_current(lane, RUN_END_KNOWN, &outcome);
}

static void end_without_result(struct lane *lane, enum run_end end, const char *reason)
{
    struct outcome outcome = {.state = RUN_LOST,
                              .started = lane->first->started,
                              .finished = lane->handlers->now(lane->data),
                              .rows = -1,
                              .reason = reason};
    finish_current(lane, end, &outcome);
}

static void end_doubtful(struct lane *lane, const char *reason)
{
    end_without_result(lane, RUN_END_DOUBTFUL, reason);
}

/* The reply says nothing, or not enough, of whether the text was committed. */
static void end_open(struct lane *lane, const struct pg_reply *reply)
{
    if (pg_reply_too_large(reply)) {
        end_without_result(lane, RUN_END_TOO_LARGE, pg_reply_message(reply));
    } else {
        end_doubtful(lane, pg_reply_lost(reply) ? NO_ANSWER
                                                : "the session ended before it said whether its text was committed");
    }
}

/* Hands back what has not started: everything behind the current run. */
static void hand_back_unstarted(struct lane *lane)
{
    struct run **link = executing(lane) != NULL ? &lane->first->next : &lane->first;
    struct run *run;
    lane->last = link;
    while ((run = *link) != NULL) {
        struct outcome outcome = {.state = RUN_LOST,
                                  .started = INSTANT_NONE,
                                  .rows = -1,
                                  .finished = lane->handlers->now(lane->data),
                                  .reason = "it was not started"};
        *link = run->next;
        run->next = NULL;
        lane->queued--;
        lane->load -= run->expected;
        lane->handlers->ended(lane->data, lane, run, RUN_END_UNSTARTED, &outcome);
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

static void undo(struct lane *lane)
{
    static const struct pg_statement rollback = {.sql = "ROLLBACK"};
    lane->step = STEP_UNDOING;
    work_left_open(&lane->result);
    pg_send(lane->connection, &rollback, 1, undone, lane);
}

/* --- the steps --------------------------------------------------------------------------------------------------------- */

static void worked(void *data, const struct pg_reply *reply)
{
    struct lane *lane = data;
    if (work_is_open(lane->first->job, reply)) {
        end_open(lane, reply);
    } else if (strcmp(pg_reply_sqlstate(reply), WORK_NOT_OURS) == 0) {
        end_without_result(lane, RUN_END_DISOWNED, pg_reply_message(reply));
    } else {
        work_read(&lane->result, lane->first->job, reply);
        if (pg_is_ready(lane->connection) && pg_in_transaction(lane->connection)) {
            undo(lane);
        } else {
            end_with_result(lane);
        }
    }
}

static void send_work(struct lane *lane)
{
    const struct run *run = lane->first;
    struct work_order order = {
        .token = lane->token, .job_id = run->job_id, .kind = run->kind, .slot = run->slot, .payload = run->payload};
    lane->step = STEP_WORKING;
    work_send(lane->connection, run->job, &order, worked, lane);
}

static void opened(void *data, const struct pg_reply *reply)
{
    struct lane *lane = data;
    if (pg_reply_ok(reply)) {
        send_work(lane);
    } else {
        worked(data, reply);
    }
}

static void wiped(void *data, const struct pg_reply *reply)
{
    struct lane *lane = data;
    if (!pg_reply_ok(reply) && !pg_reply_lost(reply)) {
        log_warning("a run session could not be wiped: %s", pg_reply_message(reply));
        lane->unclean = true;
    }
}

static void wipe_then_start(void *data, const struct pg_reply *reply)
{
    struct lane *lane = data;
    lane->step = STEP_NONE;
    wiped(data, reply);
    if (!pg_reply_lost(reply)) {
        loop_defer(lane->loop, start_next, lane);
    }
}

/* A wipe travels with the next work: one flush, no wait. Only a text for the simple protocol cannot travel behind it:
 * then this returns true, and comes back when the session is clean. */
static bool wipe_before(struct lane *lane, const struct job *job)
{
    bool waits = lane->wipe != WIPE_NONE && work_is_text(job);
    lane->step = waits ? STEP_WIPING : STEP_NONE;
    pg_wipe(lane->connection, lane->wipe, waits ? wipe_then_start : wiped, lane);
    lane->wipe = WIPE_NONE;
    return waits;
}

static bool may_start(struct lane *lane)
{
    if (!lane_usable(lane) || lane->closing) {
        hand_back_unstarted(lane);
        loop_defer(lane->loop, start_next, lane);
        return false;
    }
    return pg_is_idle(lane->connection) && lane->handlers->may_start(lane->data);
}

static void start_next(void *data)
{
    struct lane *lane = data;
    struct run *run = lane->first;
    if (lane->step != STEP_NONE || !pg_is_ready(lane->connection)) {
        return;
    }
    if (run == NULL) {
        if (lane_is_drained(lane)) {
            lane->handlers->drained(lane->data, lane);
        }
        return;
    }
    if (!may_start(lane) || wipe_before(lane, run->job)) {
        return;
    }
    set_state(run, RUN_EVENT_START, RUN_RUNNING);
    run->started = lane->handlers->now(lane->data);
    if (run->job->options.attempt_timeout > 0) {
        loop_timer_set(lane->timer, run->job->options.attempt_timeout);
    }
    if (run->next != NULL) {
        loop_timer_set(lane->queue_timer, QUEUE_PATIENCE);
    }
    if (!work_open(lane->connection, run->job, opened, lane)) {
        send_work(lane);
    } else {
        lane->step = STEP_OPENING;
    }
}

/* --- interrupting ------------------------------------------------------------------------------------------------------ */

static void interrupt(struct lane *lane)
{
    bool again = lane->interrupted;
    lane->interrupted = true;
    lane->handlers->interrupt(lane->data, pool_identity(lane->session), again);
    loop_timer_set(lane->timer, lane->first->job->options.cancel_grace);
}

static void timer_due(void *data)
{
    struct lane *lane = data;
    struct run *run = executing(lane);
    if (run != NULL) {
        run->timed_out = run->timed_out || !run->cancelled;
        interrupt(lane);
    }
}

void lane_cancel_current(struct lane *lane, const char *reason)
{
    struct run *run = executing(lane);
    if (run == NULL) {
        return;
    }
    if (!run->cancelled) {
        run->cancelled = true;
        run->cancel_reason = xstrdup(reason);
    }
    if (!lane->interrupted) { /* else its grace has begun, and the timer ends it */
        interrupt(lane);
    }
}

static void end_unstarted(struct lane *lane, struct run **link, const char *reason)
{
    struct run *run = *link;
    struct outcome outcome = {.state = RUN_CANCELLED,
                              .started = INSTANT_NONE,
                              .rows = -1,
                              .finished = lane->handlers->now(lane->data),
                              .reason = reason};
    *link = run->next;
    if (lane->last == &run->next) {
        lane->last = link;
    }
    run->next = NULL;
    lane->queued--;
    lane->load -= run->expected;
    loop_defer(lane->loop, start_next, lane);
    lane->handlers->ended(lane->data, lane, run, RUN_END_KNOWN, &outcome);
}

bool lane_cancel(struct lane *lane, const void *owner, const char *reason)
{
    for (struct run **link = &lane->first; *link != NULL; link = &(*link)->next) {
        if ((*link)->owner != owner) {
            continue;
        }
        if (*link == executing(lane)) {
            lane_cancel_current(lane, reason);
        } else {
            end_unstarted(lane, link, reason);
        }
        return true;
    }
    return false;
}

static void own_job(struct run *run)
{
    if (run->own_job == NULL) {
        run->own_job = job_copy(run->job);
        run->job = run->own_job;
    }
}

void lane_own_jobs(struct lane *lane)
{
    for (struct run *run = lane->first; run != NULL; run = run->next) {
        own_job(run);
    }
}

void lane_own_job(struct lane *lane, const void *owner)
{
    for (struct run *run = lane->first; run != NULL; run = run->next) {
        if (run->owner == owner) {
            own_job(run);
        }
    }
}

void lane_hand_back(struct lane *lane)
{
    lane->closing = true;
    hand_back_unstarted(lane);
    loop_defer(lane->loop, start_next, lane);
}

void lane_wake(struct lane *lane)
{
    loop_defer(lane->loop, start_next, lane);
}

/* --- life -------------------------------------------------------------------------------------------------------------- */

struct lane *lane_create(struct loop *loop, struct pool *pool, struct pool_session *session, const char *token,
                         const struct lane_handlers *handlers, void *data)
{
    struct lane *lane = xcalloc(1, sizeof *lane);
    lane->loop = loop;
    lane->pool = pool;
    lane->session = session;
    lane->connection = pool_connection(session);
    lane->token = token;
    lane->handlers = handlers;
    lane->data = data;
    lane->last = &lane->first;
    lane->timer = loop_timer_create(loop, timer_due, lane);
    lane->queue_timer = loop_timer_create(loop, queue_waited, lane);
    pool_set_tag(session, lane);
    return lane;
}

static void lane_free(struct lane *lane)
{
    loop_forget(lane->loop, lane);
    loop_timer_destroy(lane->timer);
    loop_timer_destroy(lane->queue_timer);
    work_clear(&lane->result);
    free(lane);
}

void lane_release(struct lane *lane)
{
    if (lane->interrupted || lane->unclean) {
        /* An interrupt may still be under way and would hit whatever came next. */
        pool_drop(lane->pool, lane->session);
    } else {
        pool_return(lane->pool, lane->session, lane->wipe);
    }
    lane_free(lane);
}

void lane_broken(struct lane *lane)
{
    if (executing(lane) != NULL) {
        end_doubtful(lane, NO_ANSWER);
    }
    hand_back_unstarted(lane);
    pool_drop(lane->pool, lane->session);
    lane_free(lane);
}

void lane_cut(struct lane *lane)
{
    pg_cut(lane->connection);
}

void lane_abandon(struct lane *lane)
{
    while (lane->first != NULL) {
        struct run *run = lane->first;
        lane->first = run->next;
        run_free(run);
    }
    pool_drop(lane->pool, lane->session);
    lane_free(lane);
}

void lane_reserve(struct lane *lane, int change, duration expected)
{
    lane->reserved += change;
    lane->load += change * expected;
    if (lane->reserved == 0 && lane->first == NULL) {
        loop_defer(lane->loop, start_next, lane);
    }
}

void lane_push(struct lane *lane, struct run *run)
{
    run->next = NULL;
    run->started = INSTANT_NONE;
    *lane->last = run;
    lane->last = &run->next;
    lane->queued++;
    lane->load += run->expected;
    if (executing(lane) != NULL && lane->first->next == run) {
        loop_timer_set(lane->queue_timer, QUEUE_PATIENCE);
    }
    loop_defer(lane->loop, start_next, lane);
}

/* What nobody knew to be long shows it by going on. */
static duration overdue(const struct lane *lane)
{
    const struct run *run = executing(lane);
    duration taken = run != NULL ? lane->handlers->now(lane->data) - run->started : 0;
    return run != NULL && taken > run->expected ? taken - run->expected : 0;
}

duration lane_load(const struct lane *lane, int *runs)
{
    *runs = lane->queued + lane->reserved;
    return lane->load + overdue(lane);
}

bool lane_is_drained(const struct lane *lane)
{
    return lane->first == NULL && lane->reserved == 0 && lane->step == STEP_NONE;
}

bool lane_usable(const struct lane *lane)
{
    return !lane->interrupted && !lane->unclean && pg_is_ready(lane->connection);
}

const struct pg_identity *lane_identity(const struct lane *lane)
{
    return pool_identity(lane->session);
}
