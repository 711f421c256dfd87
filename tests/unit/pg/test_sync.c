/* SPDX-License-Identifier: PostgreSQL */
/* How a catalog goes to the ledger, part by part, and what comes back of it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ledger/sync.h"
#include "support/libpq/libpq_script.h"
#include "support/process/instants.h"
#include "support/process/suite.h"

#define TOKEN "6f1d0b9e-0000-4000-8000-000000000001"
#define SYNC_JOBS                                                                                                    \
    "QUERY SELECT name, job_id, version, last_slot, last_outcome, last_duration_us, outcome_at, last_end, "          \
    "cursor_skipped, consecutive_failures, suspended, missed_at, missed_after, mended FROM chime.sync_jobs($1, $2, " \
    "$3, $4, $5)(" TOKEN ", "
#define REMOVE_OTHERS(jobs) \
    "QUERY SELECT chime.remove_others($1, $2, $3, $4)(" TOKEN ", " jobs ", 2026-03-27T01:30:00Z, f)"
#define FRESH(name, job_id) \
    name, job_id, "1", "2026-03-27 01:30:00+00", NULL, NULL, NULL, NULL, "f", "0", "f", NULL, "f", NULL

static struct loop *loop;
static PGconn *server;
static struct ledger ledger;
static struct ledger_sync *sync_under_way;
static int calls;
static bool succeeded;
static struct ledger_synced *synced;
static size_t synced_count;

static void on_ready(void *unused)
{
    (void)unused;
}

static void on_closed(void *unused, const struct error *reason)
{
    (void)unused;
    (void)reason;
}

static const struct pg_handlers handlers = {.ready = on_ready, .closed = on_closed};

static void on_synced(void *data, const struct pg_reply *reply, const struct ledger_synced *jobs, size_t count)
{
    ck_assert_ptr_eq(data, &calls);
    calls++;
    succeeded = pg_reply_ok(reply);
    synced = xcalloc(count + 1, sizeof(*synced));
    memcpy(synced, jobs, count * sizeof(*synced));
    synced_count = count;
}

static void set_up(void)
{
    static const struct pg_target target = {
        .conninfo = "host=/run", .application_name = "pgchime", .connect_timeout = USEC_PER_SEC};
    script_start();
    calls = 0;
    synced = NULL;
    loop = loop_create();
    ledger = (struct ledger){.token = TOKEN, .epoch = 7};
    ledger.connection = pg_open(loop, NULL, &target, &handlers, NULL);
    settle(loop);
    server = script_connection(0);
}

static void tear_down(void)
{
    pg_close(ledger.connection);
    settle(loop);
    loop_destroy(loop);
    free(synced);
    script_finish();
}

static struct job job_named(const char *name, const char *command)
{
    static struct job_options defaults;
    struct job job = {.name = name,
                      .database = "app",
                      .origin = JOB_FROM_CONFIG,
                      .schedule_text = "*/30 * * * *",
                      .work = JOB_COMMAND,
                      .command = command,
                      .active = true,
                      .options = &defaults};
    options_defaults(&defaults, false);
    return job;
}

static void start(const struct job *const *jobs, size_t count)
{
    sync_under_way = ledger_sync_start(&ledger, jobs, count, at("2026-03-27T01:30:00Z"), false, on_synced, &calls);
}

/* Starts with jobs a, b and c, of which two fit into a part. */
static void start_large_ones(char **command)
{
    static struct job jobs[3];
    static const struct job *const all[] = {&jobs[0], &jobs[1], &jobs[2]};
    size_t length = (size_t)100 * 1024;
    *command = xmalloc(length + 1);
    memset(*command, 'x', length);
    (*command)[length] = '\0';
    jobs[0] = job_named("a", *command);
    jobs[1] = job_named("b", *command);
    jobs[2] = job_named("c", *command);
    start(all, 3);
}

static void expect_told(bool success, size_t count)
{
    settle(loop);
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(succeeded, success);
    ck_assert_uint_eq(synced_count, count);
    expect_nothing_sent(server);
}

START_TEST(jobs_go_as_json_and_come_back_with_what_is_known_of_them)
{
    static const char *const views[] = {"public.a", "public.\"b\""};
    static const char *const after[] = {"nightly"};
    struct job nightly = job_named("nightly", "SELECT 1");
    static const char *const channels[] = {"scored", "a \"b\""};
    nightly.on = channels;
    nightly.on_count = 2;
    struct job refresh = job_named("views", "");
    refresh.plugin = "shop";
    refresh.origin = JOB_FROM_PLUGIN;
    refresh.work = JOB_REFRESH;
    refresh.views = views;
    refresh.view_count = 2;
    refresh.after = after;
    refresh.after_count = 1;
    refresh.active = false;
    const struct job *const both[] = {&nightly, &refresh};
    start(both, 2);
    expect_sent(server,
                SYNC_JOBS "[{\"name\":\"nightly\",\"origin\":\"config\",\"plugin\":null,\"active\":true,"
                          "\"schedule\":\"*/30 * * * *\",\"command\":\"SELECT 1\",\"views\":[],\"after\":[],"
                          "\"channels\":[\"scored\",\"a \\\"b\\\"\"],\"options\":{...",
                "SYNC");
    answer_rows(server, 14, FRESH("views", "43"), "nightly", "42", "3", "2026-03-27 01:30:00+00", "timed_out",
                "1500000", "2026-03-27 01:30:02+00", "2026-03-27 01:30:03+00", "t", "4", "t", "2026-03-27 01:30:04+00",
                "t", "its cursor was gone: it begins anew");
    settle(loop);
    ck_assert_int_eq(calls, 0);
    expect_sent(server, REMOVE_OTHERS("{43,42}"), "SYNC");
    answer_row(server, "");
    expect_told(true, 2);
    ck_assert_ptr_eq(synced[0].job, &refresh);
    ck_assert_int_eq(synced[0].memory.job_id, 43);
    ck_assert(!synced[0].memory.has_outcome);
    ck_assert_int_eq(synced[0].memory.last_duration, 0);
    ck_assert_int_eq(synced[0].memory.last_end, INSTANT_NONE);
    ck_assert(!synced[0].memory.suspended);
    ck_assert_ptr_eq(synced[1].job, &nightly);
    ck_assert_int_eq(synced[1].memory.job_id, 42);
    ck_assert_int_eq(synced[1].memory.version, 3);
    ck_assert_int_eq(synced[1].memory.cursor, at("2026-03-27T01:30:00Z"));
    ck_assert(synced[1].memory.has_outcome);
    ck_assert_int_eq(synced[1].memory.last_outcome, RUN_TIMED_OUT);
    ck_assert_int_eq(synced[1].memory.last_duration, 1500000);
    ck_assert_int_eq(synced[1].memory.outcome_at, at("2026-03-27T01:30:02Z"));
    ck_assert_int_eq(synced[1].memory.last_end, at("2026-03-27T01:30:03Z"));
    ck_assert(synced[1].memory.cursor_skipped);
    ck_assert_int_eq(synced[1].memory.failures, 4);
    ck_assert(synced[1].memory.suspended);
    ck_assert_int_eq(synced[1].memory.missed_at, at("2026-03-27T01:30:04Z"));
    ck_assert(synced[1].memory.missed_after && !synced[0].memory.missed_after);
}
END_TEST

START_TEST(a_part_goes_when_the_one_before_is_answered_and_what_is_in_none_is_switched_off_last)
{
    char *command;
    start_large_ones(&command);
    expect_sent(server, SYNC_JOBS "[{\"name\":\"a\",...", "SYNC");
    expect_nothing_sent(server);
    answer_rows(server, 14, FRESH("a", "1"), FRESH("b", "2"));
    settle(loop);
    expect_sent(server, SYNC_JOBS "[{\"name\":\"c\",...", "SYNC");
    expect_nothing_sent(server);
    answer_rows(server, 14, FRESH("c", "3"));
    settle(loop);
    expect_sent(server, REMOVE_OTHERS("{1,2,3}"), "SYNC");
    answer_row(server, "");
    expect_told(true, 3);
    ck_assert_str_eq(synced[2].job->name, "c");
    free(command);
}
END_TEST

START_TEST(a_heartbeat_passes_between_two_parts)
{
    char *command;
    start_large_ones(&command);
    script_skip_sent(server);
    ledger_heartbeat(&ledger, NULL, NULL);
    script_skip_sent(server);
    answer_rows(server, 14, FRESH("a", "1"), FRESH("b", "2"));
    answer_row(server, "2026-03-27 01:30:00+00", "t");
    answer_no_rows(server);
    settle(loop);
    expect_sent(server, SYNC_JOBS "[{\"name\":\"c\",...", "SYNC");
    ledger_sync_abandon(sync_under_way);
    free(command);
}
END_TEST

START_TEST(a_part_that_fails_is_the_end_and_is_told_without_jobs)
{
    char *command;
    start_large_ones(&command);
    answer_rows(server, 14, FRESH("a", "1"), FRESH("b", "2"));
    settle(loop);
    answer_error(server, LEDGER_NOT_LEADER, "leadership of this database is over");
    script_skip_sent(server);
    expect_told(false, 0);
    free(command);
}
END_TEST

START_TEST(a_last_step_that_fails_is_told_without_jobs)
{
    struct job job = job_named("a", "SELECT 1");
    const struct job *const one[] = {&job};
    start(one, 1);
    answer_rows(server, 14, FRESH("a", "1"));
    settle(loop);
    answer_error(server, "57014", "canceling statement due to statement timeout");
    script_skip_sent(server);
    expect_told(false, 0);
}
END_TEST

START_TEST(a_connection_that_breaks_between_two_parts_is_told)
{
    char *command;
    start_large_ones(&command);
    answer_rows(server, 14, FRESH("a", "1"), FRESH("b", "2"));
    settle(loop);
    server_closes(server, "gone");
    settle(loop);
    script_skip_sent(server);
    expect_told(false, 0);
    free(command);
}
END_TEST

START_TEST(an_empty_catalog_switches_everything_off)
{
    start(NULL, 0);
    expect_sent(server, REMOVE_OTHERS("{}"), "SYNC");
    answer_row(server, "");
    expect_told(true, 0);
}
END_TEST

START_TEST(a_job_that_nobody_asked_about_is_passed_over)
{
    struct job job = job_named("b", "SELECT 1");
    const struct job *const one[] = {&job};
    start(one, 1);
    script_skip_sent(server);
    answer_rows(server, 14, FRESH("a", "1"), FRESH("b", "2"), FRESH("c", "3"));
    settle(loop);
    expect_sent(server, REMOVE_OTHERS("{2}"), "SYNC");
    answer_row(server, "");
    expect_told(true, 1);
}
END_TEST

START_TEST(nothing_is_told_of_an_abandoned_one)
{
    struct job job = job_named("a", "SELECT 1");
    const struct job *const one[] = {&job};
    start(one, 1);
    script_skip_sent(server);
    ledger_sync_abandon(sync_under_way);
    ledger_sync_abandon(NULL);
    answer_rows(server, 14, FRESH("a", "1"));
    settle(loop);
    ck_assert_int_eq(calls, 0);
    expect_nothing_sent(server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sync");
    TCase *tests = tcase_create("sync");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, jobs_go_as_json_and_come_back_with_what_is_known_of_them);
    tcase_add_test(tests, a_part_goes_when_the_one_before_is_answered_and_what_is_in_none_is_switched_off_last);
    tcase_add_test(tests, a_heartbeat_passes_between_two_parts);
    tcase_add_test(tests, a_part_that_fails_is_the_end_and_is_told_without_jobs);
    tcase_add_test(tests, a_last_step_that_fails_is_told_without_jobs);
    tcase_add_test(tests, a_connection_that_breaks_between_two_parts_is_told);
    tcase_add_test(tests, an_empty_catalog_switches_everything_off);
    tcase_add_test(tests, a_job_that_nobody_asked_about_is_passed_over);
    tcase_add_test(tests, nothing_is_told_of_an_abandoned_one);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
