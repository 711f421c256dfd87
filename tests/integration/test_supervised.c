/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime serve` under a service manager: this test is the manager, and hears what the daemon tells it. */
#define _GNU_SOURCE 1

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "support/cluster/cluster.h"
#include "support/daemon/daemon.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"

#define SECONDS 30.0
#define WORD_MAX 2048

static char *folder;
static char *configuration;
static char *notify;
static int manager; /* the socket that the daemon tells */
static struct daemon *served;
static char heard[WORD_MAX]; /* the last message */

static void write_configuration(const char *databases)
{
    char *text = files_path("databases: { %s };\n", databases);
    files_write(configuration, text);
    free(text);
}

static void listen_as_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    notify = files_path("%s/notify", folder);
    ck_assert_uint_lt(strlen(notify), sizeof(address.sun_path));
    memcpy(address.sun_path, notify, strlen(notify));
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(manager, (const struct sockaddr *)&address, sizeof(address)), 0);
}

static void set_up(void)
{
    folder = files_make_directory();
    configuration = files_path("%s/pgchime.conf", folder);
    write_configuration("");
    listen_as_manager();
}

static void tear_down(void)
{
    daemon_destroy(served);
    close(manager);
    free(folder);
    free(configuration);
    free(notify);
}

/* The daemon alone knows the socket: PostgreSQL says READY=1, too, where it finds one. */
static void serve(void)
{
    setenv("NOTIFY_SOCKET", notify, 1);
    served = daemon_start((const char *const[]){"serve", "--config", configuration, NULL});
    unsetenv("NOTIFY_SOCKET");
}

static double monotonic_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The next message, into `heard`; false when none came in time. */
static bool hear(double until)
{
    struct pollfd ready = {.fd = manager, .events = POLLIN};
    double left = until - monotonic_seconds();
    if (left <= 0 || poll(&ready, 1, (int)(left * 1000) + 1) != 1) {
        return false;
    }
    ssize_t length = recv(manager, heard, sizeof(heard) - 1, 0);
    ck_assert_int_ge(length, 0);
    heard[length] = '\0';
    return true;
}

/* Passes over other messages. */
static void await_message(const char *beginning)
{
    double until = monotonic_seconds() + SECONDS;
    while (hear(until)) {
        if (strncmp(heard, beginning, strlen(beginning)) == 0) {
            return;
        }
    }
    char *errors = daemon_errors(served);
    support_fail("never heard \"%s\"; the last was \"%s\"; its log: %s", beginning, heard, errors);
}

static void expect_reload(int expected)
{
    char *errors = NULL;
    int status = daemon_run((const char *const[]){"reload", "--config", configuration, NULL}, NULL, &errors);
    if (status != expected) {
        support_fail("reload: %d instead of %d: %s; the daemon's log: %s", status, expected, errors,
                     daemon_errors(served));
    }
    free(errors);
}

START_TEST(without_a_database_it_is_ready_idles_and_says_what_to_do)
{
    serve();
    await_message("READY=1");
    await_message("STATUS=idle: no database is configured; write databases: {");
    ck_assert_msg(strstr(heard, configuration) != NULL, "%s", heard);
    ck_assert_msg(strstr(heard, "systemctl reload pgchime") != NULL, "%s", heard);
    ck_assert(daemon_is_running(served));
}
END_TEST

START_TEST(a_database_that_is_configured_while_it_idles_is_led_after_a_reload)
{
    struct cluster *cluster = cluster_create(NULL);
    char *conninfo = cluster_conninfo(cluster, "postgres");
    char *database = files_path("main: { conninfo = \"%s\"; };", conninfo);
    serve();
    await_message("READY=1");
    write_configuration(database);
    double before = monotonic_seconds();
    expect_reload(0);
    await_message("RELOADING=1\nMONOTONIC_USEC=");
    double told = strtod(strchr(heard, '\n') + strlen("\nMONOTONIC_USEC="), NULL) / 1e6;
    ck_assert_double_ge(told, before - 0.001);
    ck_assert_double_le(told, monotonic_seconds());
    await_message("READY=1");
    await_message("STATUS=leads 1 database");
    ck_assert_str_eq(heard, "STATUS=leads 1 database");
    ck_assert_int_eq(cluster_integer(cluster, "SELECT count(*) FROM chime.leadership"), 1);
    free(database);
    free(conninfo);
    cluster_destroy(cluster);
}
END_TEST

START_TEST(a_database_that_cannot_be_reached_is_named_with_the_reason)
{
    write_configuration("shop: { conninfo = \"host=/nonexistent dbname=shop\"; };");
    serve();
    await_message("READY=1");
    await_message("STATUS=cannot serve 1 database; database shop: ");
    ck_assert_msg(strstr(heard, "/nonexistent") != NULL, "%s", heard);
}
END_TEST

START_TEST(a_reload_that_is_refused_ends_too_and_is_told)
{
    serve();
    await_message("READY=1");
    files_write(configuration, "databases: { main: { coninfo = \"dbname=app\"; }; };\n");
    expect_reload(3);
    await_message("RELOADING=1");
    await_message("READY=1");
    await_message("STATUS=idle: ");
    ck_assert_msg(strstr(heard, "; the last reload was refused, the log says why") != NULL, "%s", heard);
    write_configuration("");
    daemon_signal(served, SIGHUP);
    await_message("RELOADING=1");
    await_message("READY=1");
    await_message("STATUS=idle: ");
    ck_assert_msg(strstr(heard, "refused") == NULL, "%s", heard);
}
END_TEST

START_TEST(the_watchdog_is_fed_by_the_loop_and_only_by_it)
{
    setenv("WATCHDOG_USEC", "400000", 1);
    serve();
    await_message("READY=1");
    double since = monotonic_seconds();
    for (int i = 0; i < 6; i++) {
        await_message("WATCHDOG=1");
    }
    ck_assert_double_ge(monotonic_seconds() - since, 0.9); /* at half its time: 0, 0.2, 0.4, 0.6, 0.8, 1.0 s */
    daemon_signal(served, SIGSTOP);
    while (hear(monotonic_seconds() + 1.0)) {
        /* what was under way; a second of silence follows, or this test never ends */
    }
    daemon_signal(served, SIGCONT);
    await_message("WATCHDOG=1");
}
END_TEST

START_TEST(without_a_watchdog_none_is_fed)
{
    serve();
    await_message("READY=1");
    await_message("STATUS=idle");
    daemon_signal(served, SIGTERM);
    while (hear(monotonic_seconds() + SECONDS) && strcmp(heard, "STOPPING=1") != 0) {
        ck_assert_str_ne(heard, "WATCHDOG=1");
    }
    ck_assert_str_eq(heard, "STOPPING=1");
}
END_TEST

START_TEST(at_its_end_it_says_that_it_stops)
{
    serve();
    await_message("READY=1");
    daemon_signal(served, SIGTERM);
    await_message("STOPPING=1");
    ck_assert_int_eq(daemon_wait(served, SECONDS), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("supervised");
    TCase *tests = tcase_create("supervised");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, without_a_database_it_is_ready_idles_and_says_what_to_do);
    tcase_add_test(tests, a_database_that_is_configured_while_it_idles_is_led_after_a_reload);
    tcase_add_test(tests, a_database_that_cannot_be_reached_is_named_with_the_reason);
    tcase_add_test(tests, a_reload_that_is_refused_ends_too_and_is_told);
    tcase_add_test(tests, the_watchdog_is_fed_by_the_loop_and_only_by_it);
    tcase_add_test(tests, without_a_watchdog_none_is_fed);
    tcase_add_test(tests, at_its_end_it_says_that_it_stops);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
