/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pg/pool.h"
#include "support/libpq/libpq_script.h"
#include "support/process/suite.h"

#define LIMIT 3
#define PING_EVERY (5 * USEC_PER_SEC)
#define UNUSED (60 * USEC_PER_SEC)
#define FIRST_BACK_OFF_AT_MOST (250 * USEC_PER_MSEC)

static struct loop *loop;
static struct pool *pool;
static int available;
static int failed;
static int lost;
static struct pool_session *lost_session;
static struct error reason;
static int log_lines;
static char log_line[512];

static void on_available(void *data)
{
    ck_assert_ptr_eq(data, &pool);
    available++;
}

static void on_lost(void *data, struct pool_session *session, const struct error *why)
{
    ck_assert_ptr_eq(data, &pool);
    lost++;
    lost_session = session;
    reason = *why;
}

static void on_failed(void *data, const struct error *why)
{
    ck_assert_ptr_eq(data, &pool);
    failed++;
    reason = *why;
}

static const struct pool_handlers handlers = {.available = on_available, .lost = on_lost, .failed = on_failed};

static void keep_line(const char *line, void *unused)
{
    (void)unused;
    log_lines++;
    snprintf(log_line, sizeof(log_line), "%s", line);
}

static void set_up(void)
{
    char conninfo[] = "host=/run dbname=app";
    struct pool_settings settings = {.conninfo = conninfo, .application_name = "pgchime run", .limit = LIMIT};
    script_start();
    log_capture(keep_line, NULL);
    available = failed = lost = log_lines = 0;
    loop = loop_create();
    pool = pool_create(loop, NULL, &settings, &handlers, &pool);
    memset(conninfo, 'x', sizeof(conninfo) - 1); /* a reload takes the caller's away */
}

static void tear_down(void)
{
    pool_destroy(pool);
    settle(loop);
    loop_destroy(loop);
    log_capture(NULL, NULL);
    script_finish();
}

/* Answers the check of a session that was just opened. */
static PGconn *admit(int number)
{
    char pid[12];
    PGconn *server = script_connection(number);
    snprintf(pid, sizeof(pid), "%d", PQbackendPID(server));
    expect_request_with(server, "pg_backend_pid()");
    answer_row(server, pid, "2026-03-27T01:30:00.5Z", "f", "15s", "1s", "origin", "2026-01-01T00:00:00.000000Z");
    settle(loop);
    return server;
}

static PGconn *open_one(void)
{
    pool_want(pool, pool_idle(pool) + 1);
    settle(loop);
    PGconn *server = admit(script_connections() - 1);
    pool_want(pool, 0);
    return server;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

START_TEST(nothing_is_open_until_it_is_wanted)
{
    settle(loop);
    ck_assert_int_eq(script_connections(), 0);
    ck_assert_ptr_null(pool_borrow(pool));
    ck_assert_int_eq(pool_open_count(pool), 0);
}
END_TEST

START_TEST(a_session_becomes_available_once_it_was_checked)
{
    pool_want(pool, 1);
    settle(loop);
    ck_assert_int_eq(pool_open_count(pool), 1);
    ck_assert_int_eq(pool_idle(pool), 0);
    ck_assert_ptr_null(pool_borrow(pool));
    PGconn *server = admit(0);
    ck_assert_int_eq(available, 1);
    ck_assert_int_eq(pool_idle(pool), 1);
    ck_assert_str_eq(script_parameter(server, "application_name"), "pgchime run");
    ck_assert_ptr_nonnull(strstr(script_parameter(server, "options"), "-c idle_session_timeout=15s"));
}
END_TEST

START_TEST(a_session_is_lent_with_its_identity_to_one_borrower)
{
    open_one();
    struct pool_session *session = pool_borrow(pool);
    ck_assert_ptr_nonnull(session);
    ck_assert_int_eq(pool_identity(session)->pid, 1000);
    ck_assert_str_eq(pool_identity(session)->backend_start, "2026-03-27T01:30:00.5Z");
    ck_assert(pg_is_idle(pool_connection(session)));
    ck_assert_ptr_null(pool_borrow(pool));
    ck_assert_ptr_null(pool_tag(session));
    pool_set_tag(session, &pool);
    ck_assert_ptr_eq(pool_tag(session), &pool);
    pool_return(pool, session, RESET_NONE);
    ck_assert_ptr_null(pool_tag(session));
}
END_TEST

START_TEST(wanting_more_than_the_limit_opens_the_limit)
{
    pool_want(pool, LIMIT + 5);
    settle(loop);
    ck_assert_int_eq(script_connections(), LIMIT);
    pool_want(pool, LIMIT + 5);
    settle(loop);
    ck_assert_int_eq(script_connections(), LIMIT);
}
END_TEST

START_TEST(idle_and_opening_sessions_count_towards_what_is_wanted)
{
    open_one();
    pool_want(pool, 2);
    pool_want(pool, 2);
    settle(loop);
    ck_assert_int_eq(script_connections(), 2);
}
END_TEST

START_TEST(the_pids_of_sessions_that_are_open_are_told)
{
    int *pids;
    open_one();
    open_one();
    pool_borrow(pool);
    pool_want(pool, 2);
    settle(loop); /* a third is opening */
    ck_assert_uint_eq(pool_pids(pool, &pids), 2);
    ck_assert_int_eq(pids[0] + pids[1], 1000 + 1001);
    free(pids);
}
END_TEST

/* --- failing to open ---------------------------------------------------------------------------------------------- */

START_TEST(a_refused_session_is_told_and_tried_again_after_a_while)
{
    script_refuses("connection refused");
    pool_want(pool, 2);
    settle(loop);
    ck_assert_int_eq(failed, 1);
    ck_assert_str_eq(reason.message, "connection refused");
    ck_assert_int_eq(script_connections(), 2); /* both were under way */
    ck_assert_int_eq(pool_open_count(pool), 1);
    pool_want(pool, 2);
    settle(loop);
    ck_assert_int_eq(script_connections(), 2);
    pass_time(loop, FIRST_BACK_OFF_AT_MOST);
    ck_assert_int_eq(script_connections(), 3);
}
END_TEST

START_TEST(a_session_that_the_check_refuses_is_closed_and_told)
{
    pool_want(pool, 1);
    settle(loop);
    answer_row(script_connection(0), "1", "2026-03-27T01:30:00Z", "f", "15s", "1s", "origin",
               "2026-01-01T00:00:00.000000Z");
    settle(loop);
    ck_assert_int_eq(failed, 1);
    ck_assert_ptr_nonnull(strstr(reason.message, "a pooler is in between"));
    ck_assert(script_finished(script_connection(0)));
    ck_assert_int_eq(pool_open_count(pool), 0);
}
END_TEST

START_TEST(a_session_that_ends_during_its_check_is_told_once)
{
    pool_want(pool, 1);
    settle(loop);
    server_closes(script_connection(0), "gone");
    settle(loop);
    ck_assert_int_eq(failed, 1);
    ck_assert_str_eq(reason.message, "gone");
    ck_assert_int_eq(pool_open_count(pool), 0);
}
END_TEST

START_TEST(the_wait_grows_with_every_failure_and_ends_with_a_success)
{
    int before = 0;
    duration waits[4];
    for (int i = 0; i < 4; i++) {
        script_refuses("no");
        if (i == 0) {
            pool_want(pool, 1);
            settle(loop);
        }
        before = script_connections();
        for (waits[i] = 0; script_connections() == before; waits[i] += 10 * USEC_PER_MSEC) {
            script_refuses("no");
            pass_time(loop, 10 * USEC_PER_MSEC);
        }
        ck_assert(i == 0 || waits[i] > waits[i - 1]);
    }
    script_polls("wro", "");
    pass_time(loop, 10 * USEC_PER_SEC);
    admit(script_connections() - 1);
    ck_assert_int_eq(pool_idle(pool), 1);
    pool_drop(pool, pool_borrow(pool));
    script_refuses("no");
    settle(loop);
    before = script_connections();
    pool_want(pool, 1);
    settle(loop);
    pass_time(loop, FIRST_BACK_OFF_AT_MOST);
    ck_assert_int_gt(script_connections(), before);
}
END_TEST

START_TEST(nothing_is_opened_again_when_nothing_is_wanted)
{
    script_refuses("no");
    pool_want(pool, 1);
    settle(loop);
    pool_want(pool, 0);
    pass_time(loop, USEC_PER_SEC);
    ck_assert_int_eq(script_connections(), 1);
    ck_assert_int_eq(available, 0);
}
END_TEST

/* --- returning ---------------------------------------------------------------------------------------------------- */

START_TEST(a_clean_session_is_available_at_once)
{
    PGconn *server = open_one();
    pool_return(pool, pool_borrow(pool), RESET_NONE);
    ck_assert_int_eq(available, 2);
    ck_assert_int_eq(pool_idle(pool), 1);
    expect_nothing_sent(server);
}
END_TEST

START_TEST(a_session_is_available_again_once_it_was_reset)
{
    PGconn *server = open_one();
    pool_return(pool, pool_borrow(pool), RESET_ALL);
    expect_sent(server, "QUERY DISCARD ALL()", "SYNC");
    settle(loop);
    ck_assert_int_eq(pool_idle(pool), 0);
    ck_assert_int_eq(available, 1);
    answer_done(server, "DISCARD ALL");
    settle(loop);
    ck_assert_int_eq(pool_idle(pool), 1);
    ck_assert_int_eq(available, 2);
}
END_TEST

START_TEST(a_session_that_needs_only_its_settings_reset_keeps_the_rest)
{
    PGconn *server = open_one();
    pool_return(pool, pool_borrow(pool), RESET_SETTINGS);
    expect_request_with(server, "RESET ALL");
    answer_done(server, "RESET");
    answer_done(server, "SET");
    settle(loop);
    ck_assert_int_eq(pool_idle(pool), 1);
    ck_assert_int_eq(available, 2);
}
END_TEST

START_TEST(a_session_that_cannot_be_reset_is_closed)
{
    PGconn *server = open_one();
    pool_return(pool, pool_borrow(pool), RESET_ALL);
    answer_error(server, "42501", "permission denied");
    settle(loop);
    ck_assert(script_finished(server));
    ck_assert_int_eq(pool_open_count(pool), 0);
    ck_assert_int_eq(log_lines, 1);
    ck_assert_ptr_nonnull(strstr(log_line, "a run session could not be reset and is closed: permission denied"));
}
END_TEST

START_TEST(a_session_that_ends_while_it_is_reset_is_forgotten)
{
    PGconn *server = open_one();
    pool_return(pool, pool_borrow(pool), RESET_ALL);
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(pool_open_count(pool), 0);
    ck_assert_int_eq(lost + failed, 0);
}
END_TEST

START_TEST(a_dropped_session_is_closed_and_replaced_where_one_is_wanted)
{
    PGconn *server = open_one();
    struct pool_session *session = pool_borrow(pool);
    pool_drop(pool, session);
    ck_assert(script_finished(server));
    settle(loop);
    ck_assert_int_eq(script_connections(), 1);
    open_one();
    session = pool_borrow(pool);
    pool_want(pool, 1);
    settle(loop);
    admit(script_connections() - 1);
    int before = script_connections();
    pool_want(pool, 2);
    pool_drop(pool, session);
    settle(loop);
    ck_assert_int_eq(script_connections(), before + 1);
}
END_TEST

/* --- ending ------------------------------------------------------------------------------------------------------- */

START_TEST(a_lent_session_that_ends_is_told_to_its_borrower_who_drops_it)
{
    PGconn *server = open_one();
    struct pool_session *session = pool_borrow(pool);
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(lost, 1);
    ck_assert_ptr_eq(lost_session, session);
    ck_assert_str_eq(reason.message, "gone");
    ck_assert_int_eq(pool_open_count(pool), 1);
    pool_drop(pool, session);
    ck_assert_int_eq(pool_open_count(pool), 0);
}
END_TEST

START_TEST(an_idle_session_that_ends_is_forgotten)
{
    PGconn *server = open_one();
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(pool_idle(pool), 0);
    ck_assert_int_eq(pool_open_count(pool), 0);
    ck_assert_int_eq(lost + failed, 0);
}
END_TEST

START_TEST(destroying_closes_every_session_and_calls_nobody)
{
    open_one();
    pool_borrow(pool);
    pool_want(pool, 2);
    settle(loop);
    admit(1);
    int before = available;
    pool_destroy(pool);
    pool_destroy(NULL);
    pool = NULL;
    settle(loop);
    for (int i = 0; i < script_connections(); i++) {
        ck_assert(script_finished(script_connection(i)));
    }
    ck_assert_int_eq(available, before);
    ck_assert_int_eq(lost + failed, 0);
}
END_TEST

/* --- another limit ------------------------------------------------------------------------------------------------ */

START_TEST(sessions_beyond_a_lower_limit_go_as_they_come_back)
{
    struct pool_session *lent[LIMIT];
    for (int i = 0; i < LIMIT; i++) {
        open_one();
        lent[i] = pool_borrow(pool);
    }
    pool_resize(pool, 1);
    ck_assert_int_eq(pool_open_count(pool), LIMIT);
    for (int i = 0; i < LIMIT; i++) {
        pool_return(pool, lent[i], RESET_NONE);
    }
    ck_assert_int_eq(pool_open_count(pool), 1);
    ck_assert_int_eq(pool_idle(pool), 1);
}
END_TEST

/* Lent ones stay, however few the limit allows. */
START_TEST(a_limit_that_is_raised_again_loses_no_lent_session)
{
    enum { MANY = 24 };
    struct pool_session *lent[MANY];
    int *pids;
    pool_resize(pool, MANY);
    for (int i = 0; i < MANY; i++) {
        open_one();
        lent[i] = pool_borrow(pool);
    }
    pool_resize(pool, 1);
    pool_resize(pool, 2);
    ck_assert_uint_eq(pool_pids(pool, &pids), MANY);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(pids[i], 1000 + i);
        pool_return(pool, lent[i], RESET_NONE);
    }
    ck_assert_int_eq(pool_open_count(pool), 2);
    free(pids);
    pool_resize(pool, LIMIT);
    pool_want(pool, LIMIT);
    settle(loop);
    ck_assert_int_eq(pool_open_count(pool), LIMIT);
}
END_TEST

/* --- the lease ---------------------------------------------------------------------------------------------------- */

START_TEST(idle_sessions_are_pinged_inside_their_lease_and_not_lent_meanwhile)
{
    PGconn *server = open_one();
    pass_time(loop, PING_EVERY);
    expect_sent(server, "QUERY SELECT()", "SYNC");
    ck_assert_int_eq(pool_idle(pool), 0);
    ck_assert_ptr_null(pool_borrow(pool));
    answer_row(server, "");
    settle(loop);
    ck_assert_int_eq(available, 2);
    ck_assert_int_eq(pool_idle(pool), 1);
    pass_time(loop, PING_EVERY);
    expect_sent(server, "QUERY SELECT()", "SYNC");
    ck_assert_int_lt(PING_EVERY, PG_LEASE);
}
END_TEST

START_TEST(lent_sessions_are_their_borrowers_to_keep_alive)
{
    PGconn *server = open_one();
    pool_borrow(pool);
    pass_time(loop, PING_EVERY);
    expect_nothing_sent(server);
}
END_TEST

START_TEST(a_ping_that_is_not_answered_is_not_repeated_and_its_end_forgets_the_session)
{
    PGconn *server = open_one();
    pass_time(loop, PING_EVERY);
    expect_sent(server, "QUERY SELECT()", "SYNC");
    pass_time(loop, PING_EVERY);
    expect_nothing_sent(server);
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(pool_open_count(pool), 0);
}
END_TEST

START_TEST(sessions_unused_for_long_are_closed_but_for_one)
{
    PGconn *servers[LIMIT];
    for (int i = 0; i < LIMIT; i++) {
        servers[i] = open_one();
    }
    for (duration passed = 0; passed <= UNUSED; passed += PING_EVERY) {
        ck_assert_int_eq(pool_open_count(pool), LIMIT);
        pass_time(loop, PING_EVERY);
        for (int i = 0; i < LIMIT; i++) {
            if (!script_finished(servers[i])) {
                answer_row(servers[i], "");
            }
        }
        settle(loop);
    }
    ck_assert_int_eq(pool_open_count(pool), 1);
    ck_assert_int_eq(pool_idle(pool), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tests = tcase_create("pool");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, nothing_is_open_until_it_is_wanted);
    tcase_add_test(tests, a_session_becomes_available_once_it_was_checked);
    tcase_add_test(tests, a_session_is_lent_with_its_identity_to_one_borrower);
    tcase_add_test(tests, wanting_more_than_the_limit_opens_the_limit);
    tcase_add_test(tests, idle_and_opening_sessions_count_towards_what_is_wanted);
    tcase_add_test(tests, the_pids_of_sessions_that_are_open_are_told);
    tcase_add_test(tests, a_refused_session_is_told_and_tried_again_after_a_while);
    tcase_add_test(tests, a_session_that_the_check_refuses_is_closed_and_told);
    tcase_add_test(tests, a_session_that_ends_during_its_check_is_told_once);
    tcase_add_test(tests, the_wait_grows_with_every_failure_and_ends_with_a_success);
    tcase_add_test(tests, nothing_is_opened_again_when_nothing_is_wanted);
    tcase_add_test(tests, a_clean_session_is_available_at_once);
    tcase_add_test(tests, a_session_is_available_again_once_it_was_reset);
    tcase_add_test(tests, a_session_that_needs_only_its_settings_reset_keeps_the_rest);
    tcase_add_test(tests, a_session_that_cannot_be_reset_is_closed);
    tcase_add_test(tests, a_session_that_ends_while_it_is_reset_is_forgotten);
    tcase_add_test(tests, a_dropped_session_is_closed_and_replaced_where_one_is_wanted);
    tcase_add_test(tests, a_lent_session_that_ends_is_told_to_its_borrower_who_drops_it);
    tcase_add_test(tests, an_idle_session_that_ends_is_forgotten);
    tcase_add_test(tests, destroying_closes_every_session_and_calls_nobody);
    tcase_add_test(tests, sessions_beyond_a_lower_limit_go_as_they_come_back);
    tcase_add_test(tests, a_limit_that_is_raised_again_loses_no_lent_session);
    tcase_add_test(tests, idle_sessions_are_pinged_inside_their_lease_and_not_lent_meanwhile);
    tcase_add_test(tests, lent_sessions_are_their_borrowers_to_keep_alive);
    tcase_add_test(tests, a_ping_that_is_not_answered_is_not_repeated_and_its_end_forgets_the_session);
    tcase_add_test(tests, sessions_unused_for_long_are_closed_but_for_one);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
