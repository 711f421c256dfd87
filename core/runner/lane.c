#include "runner/lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sqltext.h"
#include "runner/work.h"

enum step { STEP_NONE, STEP_OPENING, STEP_WORKING, STEP_ENDING, STEP_UNDOING };

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
    duration load;
    enum step step;
    bool dirty;       /* a text ran since the last wipe */
    bool interrupted; /* an interrupt was sent: the session is not used again */
    char xid[24];
    struct work_result result;
    struct loop_timer *timer; /* attempt_timeout, then cancel_grace */
};

static void start_next(void *data);

static void finish_current(struct lane *lane, enum run_end end, const struct outcome *outcome)
{
    struct run *run = lane->first;
    lane->first = run->next;
    if (lane->first == NULL) {
        lane->last = &lane->first;
    }
    lane->queued--;
    lane->step = STEP_NONE;
    loop_timer_clear(lane->timer);
    run->next = NULL;
    if (lane->queued == 0 && lane->reserved == 0) {
        lane->load = 0;
    }
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
    if (run->timed_out && interrupted) {
        return RUN_TIMED_OUT;
    }
    return run->cancelled && interrupted ? RUN_CANCELLED : RUN_FAILED;
}

static void end_known(struct lane *lane)
{
    struct run *run = lane->first;
    const struct work_result *result = &lane->result;
    struct outcome outcome = {.state = result->ok ? RUN_SUCCEEDED : failed_state(run, result->sqlstate),
                              .started = run->started,
                              .finished = lane->handlers->now(lane->data),
                              .rows = result->rows,
                              .message = result->message,
                              .reason = result->reason};
    if (outcome.state == RUN_TIMED_OUT) {
        outcome.reason = "attempt_timeout";
    } else if (outcome.state == RUN_CANCELLED) {
        outcome.reason = "cancelled on request";
    }
    snprintf(outcome.sqlstate, sizeof outcome.sqlstate, "%s", result->sqlstate);
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

static void end_doubtful(struct lane *lane)
{
    end_without_result(lane, RUN_END_DOUBTFUL, "the session ended without an answer");
}

static void hand_back_unstarted(struct lane *lane)
{
    while (lane->first != NULL && lane->step == STEP_NONE) {
        end_without_result(lane, RUN_END_UNSTARTED, "its session ended before it began");
    }
}

/* Whatever is answered, or nothing: without a COMMIT the work is gone. */
static void undone(void *data, const struct pg_reply *reply)
{
    (void)reply;
    end_known(data);
}

static void undo(struct lane *lane)
{
    static const struct pg_statement rollback = {.sql = "ROLLBACK"};
    lane->step = STEP_UNDOING;
    pg_send(lane->connection, &rollback, 1, undone, lane);
}

static void ended_own(void *data, const struct pg_reply *reply)
{
    struct lane *lane = data;
    if (pg_reply_ok(reply)) {
        struct outcome outcome = {.state = RUN_SUCCEEDED,
                                  .started = lane->first->started,
                                  .finished = lane->handlers->now(lane->data),
                                  .rows = lane->result.rows,
                                  .message = lane->result.message};
        finish_current(lane, RUN_END_RECORDED, &outcome);
    } else if (pg_reply_lost(reply)) {
        end_doubtful(lane);
    } else if (strcmp(pg_reply_sqlstate(reply), WORK_NOT_OURS) == 0) {
        lane->interrupted = true; /* the session is in a failed transaction: not worth saving */
        end_without_result(lane, RUN_END_DISOWNED, pg_reply_message(reply));
    } else {
        work_failed(&lane->result, reply);
        undo(lane);
    }
}

/* --- the steps --------------------------------------------------------------------------------------------------------- */

static void worked(void *data, const struct pg_reply *reply)
{
    struct lane *lane = data;
    const struct run *run = lane->first;
    if (pg_reply_lost(reply)) {
        end_doubtful(lane);
        return;
    }
    bool transactional = run->job->options.delivery == DELIVERY_TRANSACTIONAL;
    work_read(&lane->result, run->job, reply);
    if (lane->result.ok && transactional) {
        if (lane->xid[0] == '\0') {
            work_read_xid(reply, run->job, lane->xid, sizeof lane->xid);
        }
        lane->step = STEP_ENDING;
        work_send_end(lane->connection, lane->token, run->job_id, run->kind, run->slot, lane->xid, run->started,
                      &lane->result, ended_own, lane);
    } else if (pg_is_ready(lane->connection) && pg_in_transaction(lane->connection)) {
        work_left_open(&lane->result, transactional);
        undo(lane);
    } else {
        end_known(lane);
    }
}

static void opened(void *data, const struct pg_reply *reply)
{
    struct lane *lane = data;
    if (pg_reply_lost(reply) || !pg_reply_ok(reply)) {
        worked(data, reply);
        return;
    }
    work_read_xid(reply, lane->first->job, lane->xid, sizeof lane->xid);
    lane->step = STEP_WORKING;
    pg_send_text(lane->connection, lane->first->job->command, worked, lane);
}

static void wiped(void *data, const struct pg_reply *reply)
{
    struct lane *lane = data;
    if (!pg_reply_ok(reply) && !pg_reply_lost(reply)) {
        log_warning("a run session could not be wiped: %s", pg_reply_message(reply));
        lane->interrupted = true;
    }
}

/* Travels with the next text: one flush, no wait. */
static void wipe_if_dirty(struct lane *lane)
{
    static const struct pg_statement wipe = {.sql = "DISCARD ALL"};
    if (lane->dirty) {
        pg_forget_prepared(lane->connection);
        pg_send(lane->connection, &wipe, 1, wiped, lane);
        lane->dirty = false;
    }
}

static void wipe_then_start(void *data, const struct pg_reply *reply)
{
    struct lane *lane = data;
    wiped(data, reply);
    if (!pg_reply_lost(reply)) {
        loop_defer(lane->loop, start_next, lane);
    }
}

/* A text for the simple protocol cannot travel behind something: the session is wiped before it. */
static bool wipe_first(struct lane *lane, const struct job *job)
{
    static const struct pg_statement wipe = {.sql = "DISCARD ALL"};
    if (!lane->dirty || job->work != JOB_COMMAND || sql_is_single_statement(job->command)) {
        return false;
    }
    lane->dirty = false;
    pg_forget_prepared(lane->connection);
    pg_send(lane->connection, &wipe, 1, wipe_then_start, lane);
    return true;
}

static void start_next(void *data)
{
    struct lane *lane = data;
    struct run *run = lane->first;
    if (lane->step != STEP_NONE || !pg_is_ready(lane->connection)) {
        return;
    }
    if (run == NULL) {
        if (lane->reserved == 0) {
            lane->handlers->drained(lane->data, lane);
        }
        return;
    }
    if (lane->interrupted) {
        hand_back_unstarted(lane);
        return;
    }
    if (!lane->handlers->may_start(lane->data)) {
        return; /* the leadership is about to end, and this lane with it */
    }
    if (!pg_is_idle(lane->connection) || wipe_first(lane, run->job)) {
        return; /* a wipe is on its way and comes back here */
    }
    set_state(run, RUN_EVENT_START, RUN_RUNNING);
    run->started = lane->handlers->now(lane->data);
    work_clear(&lane->result);
    lane->xid[0] = '\0';
    wipe_if_dirty(lane);
    if (run->job->options.attempt_timeout > 0) {
        loop_timer_set(lane->timer, run->job->options.attempt_timeout);
    }
    lane->dirty = run->job->work == JOB_COMMAND;
    bool opens = work_send(lane->connection, run->job, opened, worked, lane);
    lane->step = opens ? STEP_OPENING : STEP_WORKING;
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
    if (lane->step == STEP_NONE || lane->first == NULL) {
        return;
    }
    if (!lane->first->cancelled && lane->step != STEP_ENDING) {
        lane->first->timed_out = true;
    }
    interrupt(lane);
}

void lane_cancel(struct lane *lane, struct run *run)
{
    run->cancelled = true;
    if (lane->first == run && lane->step != STEP_NONE) {
        interrupt(lane);
    }
}

void lane_cancel_all(struct lane *lane)
{
    struct run *next;
    for (struct run *run = lane->first; run != NULL; run = next) {
        next = run->next;
        lane_cancel(lane, run);
    }
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
    pool_set_tag(session, lane);
    return lane;
}

static void lane_free(struct lane *lane)
{
    loop_forget(lane->loop, lane);
    loop_timer_destroy(lane->timer);
    work_clear(&lane->result);
    free(lane);
}

void lane_release(struct lane *lane)
{
    if (lane->interrupted) {
        /* An interrupt may still be under way and would hit whatever came next. */
        pool_drop(lane->pool, lane->session);
    } else {
        pool_return(lane->pool, lane->session, lane->dirty);
    }
    lane_free(lane);
}

void lane_broken(struct lane *lane)
{
    if (lane->step != STEP_NONE) {
        end_doubtful(lane);
    }
    hand_back_unstarted(lane);
    pool_drop(lane->pool, lane->session);
    lane_free(lane);
}

void lane_abandon(struct lane *lane)
{
    while (lane->first != NULL) {
        struct run *run = lane->first;
        lane->first = run->next;
        free(run);
    }
    pool_drop(lane->pool, lane->session);
    lane_free(lane);
}

void lane_reserve(struct lane *lane, int change, duration expected)
{
    lane->reserved += change;
    if (change > 0) {
        lane->load += expected;
    } else if (lane->reserved == 0 && lane->first == NULL) {
        lane->load = 0;
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
    loop_defer(lane->loop, start_next, lane);
}

duration lane_load(const struct lane *lane, int *runs)
{
    *runs = lane->queued + lane->reserved;
    return lane->load;
}

bool lane_usable(const struct lane *lane)
{
    return !lane->interrupted && pg_is_ready(lane->connection);
}

const struct pg_identity *lane_identity(const struct lane *lane)
{
    return pool_identity(lane->session);
}
