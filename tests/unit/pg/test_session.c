/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/session.h"
#include "support/libpq/libpq_script.h"
#include "support/process/suite.h"

#define PID 4711

static struct loop *loop;
static struct pg_connection *connection;
static PGconn *server;
static enum pg_purpose purpose;
static bool accepted;
static int checks;
static struct pg_identity identity;
static struct error err;

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

static void on_checked(void *data, const struct pg_reply *reply)
{
    ck_assert_ptr_eq(data, &checks);
    checks++;
    accepted = pg_read_check(connection, reply, purpose, &identity, &err);
}

static void ask(enum pg_purpose as, int version)
{
    purpose = as;
    script_is_server(PID, version);
    struct pg_target target = {.conninfo = "host=/run", .application_name = "pgchime", .connect_timeout = USEC_PER_SEC};
    connection = pg_open(loop, NULL, &target, &handlers, NULL);
    settle(loop);
    server = script_connection(0);
    pg_check(connection, on_checked, &checks);
}

static void expect_refused(const char *message, const char *hint)
{
    settle(loop);
    ck_assert_int_eq(checks, 1);
    ck_assert(!accepted);
    ck_assert_int_eq(err.kind, ERROR_REFUSED);
    ck_assert_str_eq(err.message, message);
    ck_assert_str_eq(err.hint, hint);
}

static void set_up(void)
{
    script_start();
    loop = loop_create();
    checks = 0;
    connection = NULL;
}

static void tear_down(void)
{
    pg_close(connection);
    settle(loop);
    loop_destroy(loop);
    script_finish();
}

#define STARTED "2026-03-01T00:00:00.000001Z"
#define START "2026-03-27T01:30:00.123456Z"

START_TEST(a_session_that_is_what_was_ordered_says_who_it_is)
{
    ask(_i == 0 ? PG_LEADER : PG_WORKER, 150000);
    expect_sent(server, "QUERY SELECT pg_catalog.pg_backend_pid(), ...", "SYNC");
    answer_row(server, "4711", START, "f", "15s", "1s", "origin", STARTED);
    settle(loop);
    ck_assert(accepted);
    ck_assert_int_eq(identity.pid, PID);
    ck_assert_str_eq(identity.backend_start, START);
}
END_TEST

START_TEST(a_worker_has_its_roles_replication_role)
{
    ask(PG_WORKER, 180000);
    answer_row(server, "4711", START, "f", "15s", "1s", "replica", STARTED);
    settle(loop);
    ck_assert(accepted);
}
END_TEST

START_TEST(a_server_that_is_too_old_is_refused)
{
    ask(PG_WORKER, 149999);
    answer_row(server, "4711", START, "f", "15s", "1s", "origin", STARTED);
    expect_refused("the server is PostgreSQL 14; 15 is the oldest that works", "");
}
END_TEST

#define POOLER                                                                                            \
    "the session that answers is not the one connected to: a pooler is in between, such as PgBouncer in " \
    "transaction mode"
#define POOLER_HINT "connect to the server itself, past the pooler: pgchime needs few sessions, each of its own"

START_TEST(a_pooler_that_mixes_sessions_is_refused)
{
    ask(PG_WORKER, 150000);
    answer_row(server, "4712", START, "f", "15s", "1s", "origin", STARTED);
    expect_refused(POOLER, POOLER_HINT);
}
END_TEST

START_TEST(a_session_that_does_not_see_itself_is_refused)
{
    ask(PG_LEADER, 150000);
    answer_no_rows(server);
    expect_refused(POOLER, POOLER_HINT);
}
END_TEST

START_TEST(a_server_that_hides_the_start_of_the_session_is_refused)
{
    ask(PG_WORKER, 150000);
    answer_row(server, "4711", NULL, "f", "15s", "1s", "origin", STARTED);
    expect_refused("the server hides when this very session began",
                   "it acts as another role than it logged in as: ALTER ROLE ... RESET role");
}
END_TEST

START_TEST(a_standby_is_refused)
{
    ask(_i == 0 ? PG_LEADER : PG_WORKER, 150000);
    answer_row(server, "4711", START, "t", "15s", "1s", "origin", STARTED);
    expect_refused("the server is a standby",
                   "list all hosts in the conninfo, as in host=db1,db2: the primary among them is found");
}
END_TEST

#define DROPPED "a pooler may drop session settings: connect to the server itself"

static void ask_on(const char *started)
{
    struct pg_server wanted = {.host = "/run"};
    snprintf(wanted.started, sizeof(wanted.started), "%s", started);
    purpose = PG_WORKER;
    script_is_server(PID, 150000);
    struct pg_target target = {
        .conninfo = "host=/run", .application_name = "pgchime", .connect_timeout = USEC_PER_SEC, .server = &wanted};
    connection = pg_open(loop, NULL, &target, &handlers, NULL);
    settle(loop);
    server = script_connection(0);
    pg_check(connection, on_checked, &checks);
    answer_row(server, "4711", START, "f", "15s", "1s", "origin", STARTED);
}

START_TEST(a_session_on_the_server_that_was_named_is_accepted)
{
    ask_on(STARTED);
    settle(loop);
    ck_assert_msg(accepted, "%s", err.message);
}
END_TEST

START_TEST(a_session_on_another_server_than_was_named_is_refused)
{
    ask_on("2026-03-02T00:00:00.000000Z");
    expect_refused("the session is on a server started at " STARTED ", the leader's on one started at "
                   "2026-03-02T00:00:00.000000Z",
                   "one address leads to several servers: list each host in the conninfo instead");
}
END_TEST

static struct pg_lineage lineage;

static void on_lineage(void *unused, const struct pg_reply *reply)
{
    (void)unused;
    pg_read_lineage(reply, &lineage);
}

static void ask_lineage(void)
{
    ask(PG_LEADER, 150000);
    answer_row(server, "4711", START, "f", "15s", "1s", "origin", STARTED);
    settle(loop);
    pg_ask_lineage(connection, on_lineage, NULL);
}

START_TEST(a_server_tells_its_system_and_timeline)
{
    ask_lineage();
    answer_row(server, "7312345678901234567", "0000001A");
    settle(loop);
    ck_assert_str_eq(lineage.system, "7312345678901234567");
    ck_assert_int_eq(lineage.timeline, 26);
}
END_TEST

static struct pg_lineage highest;

static bool left_behind(const char *system, int timeline, const struct pg_lineage *led)
{
    static const struct pg_server db1 = {.host = "db1", .port = "5432"};
    struct error why = {.kind = ERROR_NONE};
    struct pg_lineage here = {.timeline = timeline};
    snprintf(here.system, sizeof(here.system), "%s", system);
    bool left = pg_left_behind(&highest, &here, led, &db1, &why);
    ck_assert_int_eq(why.kind, left ? ERROR_REFUSED : ERROR_NONE);
    return left;
}

START_TEST(who_is_on_a_lower_timeline_than_was_seen_is_left_behind)
{
    static const struct pg_lineage nobody = {"", 0};
    ck_assert(!left_behind("7001", 3, &nobody));
    ck_assert(left_behind("7001", 2, &nobody));
    ck_assert(!left_behind("7001", 4, &nobody));
    ck_assert(left_behind("7001", 3, &nobody));
    ck_assert(!left_behind("7001", 0, &nobody)); /* it did not say */
    ck_assert(!left_behind("7002", 1, &nobody));
}
END_TEST

START_TEST(where_it_was_led_before_counts_for_the_same_system)
{
    static const struct pg_lineage led = {"7001", 5};
    ck_assert(!left_behind("7002", 1, &led));
    ck_assert(left_behind("7001", 4, &led));
    ck_assert(!left_behind("7001", 5, &led));
}
END_TEST

START_TEST(a_server_may_not_tell_them)
{
    ask_lineage();
    answer_error(server, "42501", "permission denied for function pg_control_system");
    settle(loop);
    ck_assert_str_eq(lineage.system, "");
    ck_assert_int_eq(lineage.timeline, 0);
}
END_TEST

START_TEST(a_lease_that_did_not_take_is_refused)
{
    ask(PG_WORKER, 150000);
    answer_row(server, "4711", START, "f", "0", "1s", "origin", STARTED);
    expect_refused("idle_session_timeout is 0 in a session that asked for 15s", DROPPED);
}
END_TEST

START_TEST(a_client_check_that_did_not_take_is_refused)
{
    ask(PG_WORKER, 150000);
    answer_row(server, "4711", START, "f", "15s", "0", "origin", STARTED);
    expect_refused("client_connection_check_interval is 0 in a session that asked for 1s", DROPPED);
}
END_TEST

START_TEST(a_leader_in_another_replication_role_is_refused)
{
    ask(PG_LEADER, 150000);
    answer_row(server, "4711", START, "f", "15s", "1s", "replica", STARTED);
    expect_refused("session_replication_role is replica in a session that asked for origin", DROPPED);
}
END_TEST

START_TEST(a_check_that_fails_gives_the_servers_error)
{
    ask(PG_WORKER, 150000);
    answer_error(server, "42501", "permission denied for view pg_stat_activity");
    settle(loop);
    ck_assert(!accepted);
    ck_assert_str_eq(err.sqlstate, "42501");
    ck_assert_str_eq(err.message, "permission denied for view pg_stat_activity");
}
END_TEST

static const char *setting(const struct pg_setting *settings, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(settings[i].name, name) == 0) {
            return settings[i].value;
        }
    }
    return NULL;
}

START_TEST(both_kinds_hold_the_lease_and_only_the_leader_pins_what_a_role_may_override)
{
    ck_assert_str_eq(setting(pg_leader_settings, pg_leader_setting_count, "idle_session_timeout"), "15s");
    ck_assert_str_eq(setting(pg_worker_settings, pg_worker_setting_count, "idle_session_timeout"), "15s");
    ck_assert_str_eq(setting(pg_worker_settings, pg_worker_setting_count, "tcp_user_timeout"), "10s");
    ck_assert_int_eq(PG_LEASE, 15 * USEC_PER_SEC);
    ck_assert_str_eq(setting(pg_leader_settings, pg_leader_setting_count, "search_path"), "");
    ck_assert_ptr_null(setting(pg_worker_settings, pg_worker_setting_count, "search_path"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *tests = tcase_create("session");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_session_that_is_what_was_ordered_says_who_it_is, 0, 2);
    tcase_add_test(tests, a_worker_has_its_roles_replication_role);
    tcase_add_test(tests, a_server_that_is_too_old_is_refused);
    tcase_add_test(tests, a_pooler_that_mixes_sessions_is_refused);
    tcase_add_test(tests, a_session_that_does_not_see_itself_is_refused);
    tcase_add_test(tests, a_server_that_hides_the_start_of_the_session_is_refused);
    tcase_add_loop_test(tests, a_standby_is_refused, 0, 2);
    tcase_add_test(tests, a_session_on_the_server_that_was_named_is_accepted);
    tcase_add_test(tests, a_session_on_another_server_than_was_named_is_refused);
    tcase_add_test(tests, a_server_tells_its_system_and_timeline);
    tcase_add_test(tests, a_server_may_not_tell_them);
    tcase_add_test(tests, a_lease_that_did_not_take_is_refused);
    tcase_add_test(tests, a_client_check_that_did_not_take_is_refused);
    tcase_add_test(tests, a_leader_in_another_replication_role_is_refused);
    tcase_add_test(tests, who_is_on_a_lower_timeline_than_was_seen_is_left_behind);
    tcase_add_test(tests, where_it_was_led_before_counts_for_the_same_system);
    tcase_add_test(tests, a_check_that_fails_gives_the_servers_error);
    tcase_add_test(tests, both_kinds_hold_the_lease_and_only_the_leader_pins_what_a_role_may_override);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
