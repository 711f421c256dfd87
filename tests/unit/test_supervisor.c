/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop/supervisor.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static int manager;
static struct loop *loop;
static struct supervisor *supervisor;

static void set_up(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *folder = files_make_directory();
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", folder);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(manager, (const struct sockaddr *)&address, sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    free(folder);
    loop = loop_create();
}

static void tear_down(void)
{
    supervisor_destroy(supervisor);
    loop_destroy(loop);
    close(manager);
}

static void expect(const char *message)
{
    char heard[512] = "";
    ssize_t length = recv(manager, heard, sizeof(heard) - 1, 0);
    ck_assert_msg(message == NULL ? length < 0 : length >= 0, "heard \"%s\"", heard);
    if (message != NULL) {
        ck_assert_str_eq(heard, message);
    }
}

START_TEST(what_is_said_is_heard_once)
{
    supervisor = supervisor_create(loop);
    supervisor_status(supervisor, "leads 1 database");
    supervisor_status(supervisor, "leads 1 database");
    supervisor_ready(supervisor);
    supervisor_stopping(supervisor);
    expect("STATUS=leads 1 database");
    expect("READY=1");
    expect("STOPPING=1");
    expect(NULL);
}
END_TEST

START_TEST(a_line_break_begins_no_other_message)
{
    supervisor = supervisor_create(loop);
    supervisor_status(supervisor, "a\nMAINPID=1");
    expect("STATUS=a MAINPID=1");
}
END_TEST

START_TEST(children_inherit_neither_socket_nor_watchdog)
{
    setenv("WATCHDOG_USEC", "1000000", 1);
    supervisor = supervisor_create(loop);
    ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
    ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
    supervisor_ready(supervisor);
    ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
    expect("READY=1");
    expect("WATCHDOG=1");
}
END_TEST

START_TEST(the_watchdog_of_another_process_is_not_fed)
{
    setenv("WATCHDOG_USEC", "1000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    supervisor = supervisor_create(loop);
    supervisor_ready(supervisor);
    expect("READY=1");
    expect(NULL);
}
END_TEST

START_TEST(where_nobody_listens_nothing_happens)
{
    unsetenv("NOTIFY_SOCKET");
    supervisor = supervisor_create(loop);
    supervisor_ready(supervisor);
    supervisor_reloading(supervisor);
    supervisor_status(supervisor, "leads");
    supervisor_stopping(supervisor);
    expect(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("supervisor");
    TCase *tests = tcase_create("supervisor");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_is_said_is_heard_once);
    tcase_add_test(tests, a_line_break_begins_no_other_message);
    tcase_add_test(tests, children_inherit_neither_socket_nor_watchdog);
    tcase_add_test(tests, the_watchdog_of_another_process_is_not_fed);
    tcase_add_test(tests, where_nobody_listens_nothing_happens);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
