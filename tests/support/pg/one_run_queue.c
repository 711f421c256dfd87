/* SPDX-License-Identifier: PostgreSQL */
#include "support/pg/one_run_queue.h"

#include <check.h>
#include <stdio.h>

#include "base/log.h"

struct pool *pool;
struct pool_session *session;
struct run_queue *queue;
struct job job;
instant now;
bool allowed;
bool release_when_drained;
struct end ends[ENDS_MAX];
int end_count;
int drained;
int interrupts;
int terminations;
int complaints;

/* --- what the queue and its pool tell ----------------------------------------------------------------------------- */

static void on_available(void *unused)
{
    (void)unused;
}

static void on_lost(void *unused, struct pool_session *gone, const struct error *why)
{
    (void)unused;
    (void)why;
    ck_assert_ptr_eq(pool_tag(gone), queue);
    run_queue_broken(queue);
    queue = NULL;
}

static void on_failed(void *unused, const struct error *why)
{
    (void)unused;
    ck_abort_msg("no session: %s", why->message);
}

static const struct pool_handlers pool_handlers = {.available = on_available, .lost = on_lost, .failed = on_failed};

static instant on_now(void *unused)
{
    (void)unused;
    return now;
}

static bool on_may_start(void *unused)
{
    (void)unused;
    return allowed;
}

static void on_ended(void *data, struct run_queue *from, struct run *run, enum run_end how,
                     const struct outcome *outcome)
{
    ck_assert_ptr_eq(data, &queue);
    ck_assert_ptr_eq(from, queue);
    ck_assert_int_lt(end_count, ENDS_MAX);
    struct end *end = &ends[end_count++];
    *end = (struct end){.run = run, .owner = run->owner, .how = how, .outcome = *outcome};
    snprintf(end->message, sizeof(end->message), "%s", outcome->message != NULL ? outcome->message : "");
    snprintf(end->reason, sizeof(end->reason), "%s", outcome->reason != NULL ? outcome->reason : "");
    run_free(run);
}

static void on_interrupt(void *unused, const struct pg_identity *identity, bool terminate)
{
    (void)unused;
    ck_assert_int_eq(identity->pid, 1000);
    interrupts += !terminate;
    terminations += terminate;
}

static void on_drained(void *data, struct run_queue *from)
{
    ck_assert_ptr_eq(data, &queue);
    ck_assert_ptr_eq(from, queue);
    ck_assert(run_queue_is_drained(queue));
    drained++;
    if (release_when_drained) {
        run_queue_release(queue);
        queue = NULL;
    }
}

static const struct run_queue_handlers run_queue_handlers = {
    .now = on_now, .may_start = on_may_start, .ended = on_ended, .interrupt = on_interrupt, .drained = on_drained};

static void count_line(const char *line, void *unused)
{
    (void)line;
    (void)unused;
    complaints++;
}

/* --- one queue over one session ----------------------------------------------------------------------------------- */

/* A test defines no more than two jobs. */
static struct job_options *next_options(void)
{
    static struct job_options options[2];
    static size_t given;
    return &options[given++ % COUNT_OF(options)];
}

void define_command(struct job *defined, const char *text, enum delivery delivery)
{
    *defined = (struct job){.name = "nightly", .database = "app", .work = JOB_COMMAND, .command = text, .active = true};
    defined->options = next_options();
    options_defaults(defined->options, false);
    defined->options->delivery = delivery;
    defined->options->attempt_timeout = 0;
    defined->options->cancel_grace = GRACE;
    defined->options->lock_timeout = 0;
}

void become_command(const char *text, enum delivery delivery)
{
    define_command(&job, text, delivery);
}

void become_scheduled(const char *schedule)
{
    struct error err = {.kind = ERROR_NONE};
    ck_assert_msg(schedule_parse(schedule, &job.schedule, &err), "%s", err.message);
}

void define_refresh(struct job *defined)
{
    static const char *const two_views[] = {"public.a", "public.b"};
    *defined = (struct job){.name = "views", .work = JOB_REFRESH, .command = "", .views = two_views, .view_count = 2};
    defined->options = next_options();
    options_defaults(defined->options, true);
    defined->options->attempt_timeout = 0;
    defined->options->lock_timeout = 0;
}

static void forget_what_was_told(void)
{
    end_count = drained = interrupts = terminations = complaints = 0;
}

void run_queue_set_up(void)
{
    static const struct pool_settings settings = {.conninfo = "host=/run", .application_name = "pgchime", .limit = 1};
    script_start();
    log_capture(count_line, NULL);
    forget_what_was_told();
    now = NOW;
    allowed = true;
    release_when_drained = false;
    loop = loop_create();
    pool = pool_create(loop, NULL, &settings, &pool_handlers, NULL);
    pool_want(pool, 1);
    settle(loop);
    server = script_connection(0);
    answer_row(server, "1000", "2026-03-27T01:30:00Z", "f", "15s", "1s", "origin", "2026-01-01T00:00:00.000000Z");
    settle(loop);
    pool_want(pool, 0);
    session = pool_borrow(pool);
    script_skip_sent(server);
    queue = run_queue_create(loop, pool, session, TOKEN, &run_queue_handlers, &queue);
    become_command("UPDATE t SET a = 1", DELIVERY_AT_MOST_ONCE);
}

void run_queue_tear_down(void)
{
    if (queue != NULL) {
        run_queue_abandon(queue);
        queue = NULL;
    }
    pool_destroy(pool);
    settle(loop);
    loop_destroy(loop);
    log_capture(NULL, NULL);
    script_finish();
}

struct run *claimed_run(const struct job *of)
{
    struct run *run = xcalloc(1, sizeof(*run));
    run->job = job_hold(of);
    run->job_id = 42;
    run->run_id = 17;
    run->kind = RUN_SCHEDULE;
    run->slot = 600 * USEC_PER_SEC;
    run->attempt = 1;
    run->expected = USEC_PER_SEC;
    run->state = RUN_CLAIMED;
    return run;
}

struct run *push_of(const struct job *of)
{
    struct run *run = claimed_run(of);
    run_queue_push(queue, run);
    return run;
}

struct run *push(void)
{
    return push_of(&job);
}

struct run *push_and_start(void)
{
    struct run *run = push();
    settle(loop);
    return run;
}

void expect_end(int number, enum run_end how, enum run_state state, const char *why)
{
    ck_assert_int_gt(end_count, number);
    ck_assert_int_eq(ends[number].how, how);
    ck_assert_msg(ends[number].outcome.state == state, "end %d is %s", number,
                  run_state_name(ends[number].outcome.state));
    ck_assert_str_eq(ends[number].reason, why);
    ck_assert_int_eq(ends[number].outcome.finished, NOW);
}
