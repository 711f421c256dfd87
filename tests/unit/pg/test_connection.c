/* How a connection comes to be and how it ends; what it carries is in test_requests.c. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "loop/resolve.h"
#include "pg/connection.h"
#include "support/libpq_script.h"
#include "support/suite.h"

/* --- a resolver that answers when the test says so ------------------------------------------------------------------- */

struct resolver_query {
    char host[64];
    resolve_callback *callback;
    void *data;
};

static struct resolver_query *asked;
static int cancelled;

struct resolver_query *resolve(struct resolver *resolver, const char *host, resolve_callback *callback, void *data)
{
    ck_assert_ptr_null(resolver);
    ck_assert_msg(asked == NULL, "two names are looked up at once");
    asked = xcalloc(1, sizeof *asked);
    snprintf(asked->host, sizeof asked->host, "%s", host);
    asked->callback = callback;
    asked->data = data;
    return asked;
}

void resolver_query_cancel(struct resolver_query *query)
{
    ck_assert_ptr_eq(query, asked);
    free(query);
    asked = NULL;
    cancelled++;
}

static void answer_name(const char *host, const char *address)
{
    ck_assert_msg(asked != NULL, "nobody asked for %s", host);
    struct resolver_query query = *asked;
    ck_assert_str_eq(query.host, host);
    free(asked);
    asked = NULL;
    query.callback(query.data, &address, address != NULL ? 1 : 0,
                   address != NULL ? NULL : "nodename nor servname provided, or not known");
}

/* --- a connection whose events are counted ---------------------------------------------------------------------------- */

static struct loop *loop;
static struct pg_connection *connection;
static int ready;
static int closed;
static struct error reason;
static int notified;
static char channel[32];
static char payload[32];
static bool close_when_ready;
static bool close_when_closed;
static bool close_when_notified;
static int log_lines;
static char log_line[1024];

static void close_it(void)
{
    pg_close(connection);
    connection = NULL;
}

static void on_ready(void *data)
{
    ck_assert_ptr_eq(data, &connection);
    ready++;
    if (close_when_ready) {
        close_it();
    }
}

static void on_closed(void *data, const struct error *why)
{
    ck_assert_ptr_eq(data, &connection);
    closed++;
    reason = *why;
    if (close_when_closed) {
        close_it();
    }
}

static void on_notified(void *data, const char *from, const char *what)
{
    ck_assert_ptr_eq(data, &connection);
    notified++;
    snprintf(channel, sizeof channel, "%s", from);
    snprintf(payload, sizeof payload, "%s", what);
    if (close_when_notified) {
        close_it();
    }
}

static const struct pg_handlers handlers = {.ready = on_ready, .closed = on_closed, .notified = on_notified};
static const struct pg_handlers deaf = {.ready = on_ready, .closed = on_closed};

static void keep_line(const char *line, void *unused)
{
    (void)unused;
    log_lines++;
    snprintf(log_line, sizeof log_line, "%s", line);
}

static void set_up(void)
{
    script_start();
    ready = closed = notified = cancelled = log_lines = 0;
    close_when_ready = close_when_closed = close_when_notified = false;
    log_capture(keep_line, NULL);
    loop = loop_create();
}

static void tear_down(void)
{
    close_it();
    settle(loop);
    loop_destroy(loop);
    ck_assert_ptr_null(asked);
    log_capture(NULL, NULL);
    script_finish();
}

static void open_as(const char *conninfo, const struct pg_handlers *with)
{
    struct pg_target target = {
        .conninfo = conninfo, .application_name = "pgchime", .connect_timeout = 10 * USEC_PER_SEC};
    connection = pg_open(loop, NULL, &target, with, &connection);
    ck_assert_msg(ready == 0 && closed == 0, "an event came before pg_open returned");
    settle(loop);
}

static PGconn *open_ready(void)
{
    open_as("host=/run dbname=app", &handlers);
    ck_assert_int_eq(ready, 1);
    ck_assert(pg_is_ready(connection));
    return script_connection(0);
}

static void expect_closed(const char *message)
{
    ck_assert_int_eq(closed, 1);
    ck_assert_int_eq(reason.kind, ERROR_UNREACHABLE);
    ck_assert_str_eq(reason.message, message);
    ck_assert(!pg_is_ready(connection));
}

/* --- opening ---------------------------------------------------------------------------------------------------------- */

START_TEST(it_is_ready_once_libpq_says_so)
{
    script_is_server(4711, 160002);
    open_ready();
    ck_assert(pg_is_idle(connection));
    ck_assert_int_eq(pg_backend_pid(connection), 4711);
    ck_assert_int_eq(pg_server_version(connection), 160002);
    ck_assert(!pg_in_transaction(connection));
}
END_TEST

START_TEST(before_it_is_ready_it_has_neither_pid_nor_version_nor_transaction)
{
    script_polls("s", "");
    open_as("host=/run", &handlers);
    ck_assert(!pg_is_ready(connection));
    ck_assert(!pg_is_idle(connection));
    ck_assert_int_eq(pg_backend_pid(connection), 0);
    ck_assert_int_eq(pg_server_version(connection), 0);
    ck_assert(!pg_in_transaction(connection));
}
END_TEST

START_TEST(the_conninfo_and_what_is_added_reach_libpq)
{
    static const struct pg_setting settings[] = {{"search_path", ""}, {"TimeZone", "UTC"}};
    struct pg_target target = {.conninfo = "host=/run dbname=app options=-cjit=off",
                               .application_name = "pgchime leader",
                               .settings = settings,
                               .setting_count = 2,
                               .connect_timeout = USEC_PER_SEC};
    connection = pg_open(loop, NULL, &target, &handlers, &connection);
    settle(loop);
    const PGconn *server = script_connection(0);
    ck_assert_str_eq(script_parameter(server, "dbname"), "app");
    ck_assert_str_eq(script_parameter(server, "application_name"), "pgchime leader");
    ck_assert_str_eq(script_parameter(server, "options"), "-cjit=off -c search_path= -c TimeZone=UTC");
    ck_assert_str_eq(script_parameter(server, "client_encoding"), "UTF8");
}
END_TEST

START_TEST(a_refusal_closes_it_with_the_first_line_and_where_it_tried)
{
    script_refuses("connection to server on socket failed: No such file\n\tIs the server running?\n");
    open_as("host=/run port=5433 dbname=app user=chime password=secret", &handlers);
    ck_assert_int_eq(ready, 0);
    expect_closed("connection to server on socket failed: No such file");
    ck_assert_str_eq(reason.hint, "is the server running, and is the conninfo right? (tried host /run port 5433 "
                                  "database app user chime)");
}
END_TEST

START_TEST(a_failure_while_connecting_closes_it)
{
    script_polls("wrf", "FATAL:  password authentication failed for user \"chime\"\n");
    open_as("host=/run dbname=app", &handlers);
    expect_closed("FATAL:  password authentication failed for user \"chime\"");
    ck_assert_str_eq(reason.hint, "give the role's password in the conninfo, or in its passfile, which is ~/.pgpass "
                                  "where it names none (tried host "
                                  "/run database app)");
    ck_assert(script_finished(script_connection(0)));
}
END_TEST

START_TEST(a_failure_without_words_gets_some)
{
    script_polls("f", "");
    open_as("", &handlers);
    expect_closed("the server closed the connection");
    ck_assert_str_eq(reason.hint, "is the server running, and is the conninfo right? (tried host default database "
                                  "default)");
}
END_TEST

START_TEST(a_server_that_says_nothing_is_given_up_after_the_timeout)
{
    script_polls("ws", "");
    open_as("host=/run dbname=app", &handlers);
    pass_time(loop, 10 * USEC_PER_SEC - 1);
    ck_assert_int_eq(closed, 0);
    pass_time(loop, 1);
    expect_closed("no connection in time to host /run database app");
    ck_assert(script_finished(script_connection(0)));
}
END_TEST

START_TEST(the_timeout_ends_with_the_connecting)
{
    open_ready();
    pass_time(loop, USEC_PER_DAY);
    ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(a_conninfo_that_cannot_be_read_closes_it_later_as_a_configuration_error)
{
    open_as("host=/run nonsense", &handlers);
    ck_assert_int_eq(closed, 1);
    ck_assert_int_eq(reason.kind, ERROR_CONFIG);
    ck_assert_str_eq(reason.message, "conninfo: missing \"=\" after \"nonsense\" in connection info string");
    ck_assert_str_eq(reason.hint, "write it as in conninfo = \"host=/run/postgresql dbname=app\"");
    ck_assert_int_eq(script_connections(), 0);
}
END_TEST

START_TEST(a_conninfo_that_libpq_has_no_memory_for_says_that)
{
    open_as("out-of-memory", &handlers);
    ck_assert_int_eq(closed, 1);
    ck_assert_str_eq(reason.message, "conninfo: out of memory");
}
END_TEST

START_TEST(a_conninfo_with_too_many_parameters_is_refused)
{
    char text[1024] = "";
    for (int i = 0; i < 57; i++) {
        char word[16];
        snprintf(word, sizeof word, "k%d=v ", i);
        strcat(text, word);
    }
    open_as(text, &handlers);
    ck_assert_int_eq(closed, 1);
    ck_assert_int_eq(reason.kind, ERROR_CONFIG);
    ck_assert_str_eq(reason.message, "conninfo has too many parameters");
}
END_TEST

START_TEST(notices_go_to_the_debug_log_by_their_first_line)
{
    PGconn *server = open_ready();
    log_set_level(LOG_LEVEL_DEBUG);
    script_notices(server, "NOTICE:  relation exists, skipping\nDETAIL:  more\n");
    log_set_level(LOG_LEVEL_INFO);
    ck_assert_int_eq(log_lines, 1);
    ck_assert_ptr_nonnull(strstr(log_line, "server: NOTICE:  relation exists, skipping\n"));
}
END_TEST

START_TEST(it_may_be_closed_at_every_step_of_its_opening)
{
    struct pg_target target = {.conninfo = "host=db", .application_name = "a", .connect_timeout = USEC_PER_SEC};
    connection = pg_open(loop, NULL, &target, &handlers, &connection);
    close_it(); /* before anything was done */
    settle(loop);
    target.conninfo = "nonsense";
    connection = pg_open(loop, NULL, &target, &handlers, &connection);
    close_it(); /* before the error was told */
    settle(loop);
    open_as("host=db", &handlers);
    close_it(); /* while the name is looked up */
    ck_assert_int_eq(cancelled, 1);
    settle(loop);
    script_polls("s", "");
    open_as("host=/run", &handlers);
    close_it(); /* while it connects */
    settle(loop);
    ck_assert_int_eq(ready + closed, 0);
    ck_assert_int_eq(script_connections(), 1);
}
END_TEST

START_TEST(it_may_be_closed_from_ready)
{
    close_when_ready = true;
    open_as("host=/run", &handlers);
    ck_assert_int_eq(ready, 1);
    ck_assert_ptr_null(connection);
    ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(it_may_be_closed_from_closed)
{
    close_when_closed = true;
    script_refuses("no");
    open_as("host=/run", &handlers);
    ck_assert_int_eq(closed, 1);
    ck_assert_ptr_null(connection);
}
END_TEST

START_TEST(closing_nothing_is_allowed)
{
    pg_close(NULL);
    ck_assert_int_eq(closed, 0);
}
END_TEST

/* --- names ------------------------------------------------------------------------------------------------------------ */

START_TEST(a_name_is_looked_up_before_libpq_would)
{
    open_as("host=db.example port=5433", &handlers);
    ck_assert_int_eq(script_connections(), 0);
    answer_name("db.example", "192.0.2.7");
    settle(loop);
    ck_assert_int_eq(ready, 1);
    ck_assert_str_eq(script_parameter(script_connection(0), "host"), "db.example");
    ck_assert_str_eq(script_parameter(script_connection(0), "hostaddr"), "192.0.2.7");
}
END_TEST

/* The next connection leads there. */
static void expect_place(int number, const char *host, const char *address, const char *port)
{
    const PGconn *server = script_connection(number);
    ck_assert_str_eq(script_parameter(server, "host"), host);
    ck_assert_str_eq(script_parameter(server, "hostaddr"), address);
    ck_assert_str_eq(script_parameter(server, "port"), port);
}

START_TEST(hosts_are_tried_one_after_the_other_and_only_names_are_looked_up)
{
    script_refuses("refused 1\n");
    open_as("host=192.0.2.1,one,/run,two hostaddr=,,, port=1,2,3,4", &handlers);
    expect_place(0, "192.0.2.1", "", "1");
    script_polls("wf", "refused 3\n");
    answer_name("one", NULL);
    settle(loop);
    expect_place(1, "/run", "", "3");
    ck_assert(script_finished(script_connection(1)));
    answer_name("two", "192.0.2.2");
    settle(loop);
    expect_place(2, "two", "192.0.2.2", "4");
    ck_assert_int_eq(ready, 1);
    ck_assert_uint_eq(pg_host_in_use(connection), 3);
}
END_TEST

START_TEST(each_address_of_a_name_is_tried)
{
    static const char *const addresses[] = {"2001:db8::1", "192.0.2.1"};
    open_as("host=db port=1", &handlers);
    script_refuses("refused\n");
    struct resolver_query query = *asked;
    free(asked);
    asked = NULL;
    query.callback(query.data, addresses, 2, NULL);
    settle(loop);
    expect_place(0, "db", "2001:db8::1", "1");
    expect_place(1, "db", "192.0.2.1", "1");
    ck_assert_int_eq(ready, 1);
}
END_TEST

START_TEST(a_host_that_hangs_keeps_the_others_waiting_three_seconds)
{
    script_polls("ws", "");
    open_as("host=/a,/b", &handlers);
    pass_time(loop, 3 * USEC_PER_SEC - 1);
    ck_assert_int_eq(script_connections(), 1);
    pass_time(loop, 1);
    ck_assert(script_finished(script_connection(0)));
    ck_assert_int_eq(ready, 1);
    ck_assert_uint_eq(pg_host_in_use(connection), 1);
}
END_TEST

START_TEST(a_name_that_is_not_answered_keeps_the_others_waiting_no_longer)
{
    open_as("host=db,/b", &handlers);
    pass_time(loop, 3 * USEC_PER_SEC);
    ck_assert_int_eq(cancelled, 1);
    ck_assert_int_eq(ready, 1);
}
END_TEST

START_TEST(the_conninfos_own_timeout_counts_for_each_host)
{
    script_polls("ws", "");
    open_as("host=/a,/b connect_timeout=5", &handlers);
    pass_time(loop, 5 * USEC_PER_SEC - 1);
    ck_assert_int_eq(ready, 0);
    script_polls("ws", "");
    pass_time(loop, 1);
    pass_time(loop, 5 * USEC_PER_SEC);
    expect_closed("no connection in time to host /a; no connection in time to host /b");
}
END_TEST

START_TEST(when_no_host_takes_us_each_says_why)
{
    script_refuses("refused\n\tIs it running?\n");
    open_as("host=/a,two", &handlers);
    answer_name("two", NULL);
    expect_closed("refused; host \"two\" has no address: nodename nor servname provided, or not known");
    ck_assert_str_eq(reason.hint,
                     "is the server running, and is the conninfo right? (tried host /a,two database default)");
}
END_TEST

static void open_target(const struct pg_target *target)
{
    connection = pg_open(loop, NULL, target, &handlers, &connection);
    settle(loop);
}

START_TEST(another_host_may_be_the_first)
{
    struct pg_target target = {.conninfo = "host=/a,/b,/c port=1,2,3",
                               .application_name = "a",
                               .connect_timeout = USEC_PER_SEC,
                               .first_host = 5};
    script_refuses("refused\n");
    open_target(&target);
    ck_assert_str_eq(script_parameter(script_connection(0), "host"), "/c");
    ck_assert_str_eq(script_parameter(script_connection(1), "host"), "/a");
    ck_assert_uint_eq(pg_host_in_use(connection), 0);
}
END_TEST

START_TEST(a_server_that_is_named_is_the_only_place)
{
    struct pg_server server;
    open_as("host=/a port=1", &handlers);
    pg_place(connection, &server);
    ck_assert_str_eq(server.host, "/a");
    ck_assert_str_eq(server.address, "");
    ck_assert_str_eq(server.port, "1");
    close_it();
    settle(loop);
    snprintf(server.host, sizeof server.host, "db");
    snprintf(server.address, sizeof server.address, "192.0.2.2");
    snprintf(server.started, sizeof server.started, "then");
    struct pg_target target = {.conninfo = "host=/a,/b hostaddr=, port=7,8",
                               .application_name = "a",
                               .connect_timeout = USEC_PER_SEC,
                               .server = &server};
    script_refuses("refused\n");
    open_target(&target);
    expect_place(1, "db", "192.0.2.2", "1");
    ck_assert_int_eq(script_connections(), 2);
    ck_assert_str_eq(pg_server_wanted(connection), "then");
    expect_closed("refused");
}
END_TEST

START_TEST(a_pooler_is_told_by_its_name)
{
    script_polls("wf", "connection to server failed: FATAL:  unsupported startup parameter: options\n");
    open_as("host=/run", &handlers);
    expect_closed(
        "a pooler (PgBouncer) is in between: connection to server failed: FATAL:  unsupported startup parameter: "
        "options");
    ck_assert_ptr_nonnull(strstr(reason.hint, "connect to the server itself"));
}
END_TEST

START_TEST(the_timeout_covers_the_lookup)
{
    open_as("host=db", &handlers);
    pass_time(loop, 10 * USEC_PER_SEC);
    expect_closed("no connection in time to host db database default");
    ck_assert_int_eq(cancelled, 1);
}
END_TEST

/* --- ending ----------------------------------------------------------------------------------------------------------- */

START_TEST(a_server_that_goes_closes_it_with_its_first_line)
{
    PGconn *server = open_ready();
    server_closes(server, "server closed the connection unexpectedly\n\tThis probably means ...\n");
    settle(loop);
    expect_closed("server closed the connection unexpectedly");
    ck_assert_str_eq(reason.hint, "");
    ck_assert(script_finished(server));
}
END_TEST

START_TEST(a_connection_that_libpq_gives_up_while_reading_is_closed)
{
    PGconn *server = open_ready();
    server_goes_bad(server, "lost synchronization with server: got message type \"x\"");
    settle(loop);
    expect_closed("lost synchronization with server: got message type \"x\"");
}
END_TEST

START_TEST(a_cut_tells_nobody_and_may_be_repeated)
{
    PGconn *server = open_ready();
    pg_cut(connection);
    pg_cut(connection);
    ck_assert(!pg_is_ready(connection));
    ck_assert(script_finished(server));
    settle(loop);
    ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(a_cut_while_connecting_ends_the_connecting)
{
    script_polls("s", "");
    open_as("host=/run", &handlers);
    pg_cut(connection);
    pass_time(loop, USEC_PER_MINUTE);
    ck_assert_int_eq(ready + closed, 0);
    ck_assert(script_finished(script_connection(0)));
}
END_TEST

START_TEST(a_cut_before_the_first_turn_leaves_nothing_to_do)
{
    struct pg_target target = {.conninfo = "host=/run", .application_name = "a", .connect_timeout = USEC_PER_SEC};
    connection = pg_open(loop, NULL, &target, &handlers, &connection);
    pg_cut(connection);
    settle(loop);
    close_it();
    target.conninfo = "nonsense";
    connection = pg_open(loop, NULL, &target, &handlers, &connection);
    pg_cut(connection);
    settle(loop);
    ck_assert_int_eq(ready + closed, 0);
    ck_assert_int_eq(script_connections(), 0);
}
END_TEST

/* --- notifications ---------------------------------------------------------------------------------------------------- */

START_TEST(notifications_are_passed_on)
{
    PGconn *server = open_ready();
    server_notifies(server, "chime", "one");
    server_notifies(server, "chime_request", "two");
    settle(loop);
    ck_assert_int_eq(notified, 2);
    ck_assert_str_eq(channel, "chime_request");
    ck_assert_str_eq(payload, "two");
}
END_TEST

START_TEST(notifications_that_nobody_wants_are_dropped)
{
    open_as("host=/run", &deaf);
    server_notifies(script_connection(0), "chime", "one");
    settle(loop);
    ck_assert_int_eq(notified, 0);
    ck_assert(pg_is_ready(connection));
}
END_TEST

START_TEST(it_may_be_closed_from_a_notification)
{
    PGconn *server = open_ready();
    close_when_notified = true;
    server_notifies(server, "chime", "one");
    server_notifies(server, "chime", "two");
    settle(loop);
    ck_assert_int_eq(notified, 1);
    ck_assert_str_eq(payload, "one");
    ck_assert_ptr_null(connection);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("connection");
    TCase *tests = tcase_create("connection");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, it_is_ready_once_libpq_says_so);
    tcase_add_test(tests, before_it_is_ready_it_has_neither_pid_nor_version_nor_transaction);
    tcase_add_test(tests, the_conninfo_and_what_is_added_reach_libpq);
    tcase_add_test(tests, a_refusal_closes_it_with_the_first_line_and_where_it_tried);
    tcase_add_test(tests, a_failure_while_connecting_closes_it);
    tcase_add_test(tests, a_failure_without_words_gets_some);
    tcase_add_test(tests, a_server_that_says_nothing_is_given_up_after_the_timeout);
    tcase_add_test(tests, the_timeout_ends_with_the_connecting);
    tcase_add_test(tests, a_conninfo_that_cannot_be_read_closes_it_later_as_a_configuration_error);
    tcase_add_test(tests, a_conninfo_that_libpq_has_no_memory_for_says_that);
    tcase_add_test(tests, a_conninfo_with_too_many_parameters_is_refused);
    tcase_add_test(tests, notices_go_to_the_debug_log_by_their_first_line);
    tcase_add_test(tests, it_may_be_closed_at_every_step_of_its_opening);
    tcase_add_test(tests, it_may_be_closed_from_ready);
    tcase_add_test(tests, it_may_be_closed_from_closed);
    tcase_add_test(tests, closing_nothing_is_allowed);
    tcase_add_test(tests, a_name_is_looked_up_before_libpq_would);
    tcase_add_test(tests, hosts_are_tried_one_after_the_other_and_only_names_are_looked_up);
    tcase_add_test(tests, each_address_of_a_name_is_tried);
    tcase_add_test(tests, a_host_that_hangs_keeps_the_others_waiting_three_seconds);
    tcase_add_test(tests, a_name_that_is_not_answered_keeps_the_others_waiting_no_longer);
    tcase_add_test(tests, the_conninfos_own_timeout_counts_for_each_host);
    tcase_add_test(tests, when_no_host_takes_us_each_says_why);
    tcase_add_test(tests, another_host_may_be_the_first);
    tcase_add_test(tests, a_server_that_is_named_is_the_only_place);
    tcase_add_test(tests, a_pooler_is_told_by_its_name);
    tcase_add_test(tests, the_timeout_covers_the_lookup);
    tcase_add_test(tests, a_server_that_goes_closes_it_with_its_first_line);
    tcase_add_test(tests, a_connection_that_libpq_gives_up_while_reading_is_closed);
    tcase_add_test(tests, a_cut_tells_nobody_and_may_be_repeated);
    tcase_add_test(tests, a_cut_while_connecting_ends_the_connecting);
    tcase_add_test(tests, a_cut_before_the_first_turn_leaves_nothing_to_do);
    tcase_add_test(tests, notifications_are_passed_on);
    tcase_add_test(tests, notifications_that_nobody_wants_are_dropped);
    tcase_add_test(tests, it_may_be_closed_from_a_notification);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
