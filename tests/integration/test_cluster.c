/* SPDX-License-Identifier: PostgreSQL */
/* The harness itself: what other integration tests rely on. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cluster/cluster.h"
#include "support/daemon/daemon.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *cluster;

static void set_up(void)
{
    cluster = cluster_create(NULL);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

static void assert_text(char *found, const char *expected)
{
    ck_assert_str_eq(found, expected);
    free(found);
}

START_TEST(a_cluster_answers_on_its_socket_alone)
{
    ck_assert_int_ge(cluster_version(cluster), 15);
    assert_text(cluster_value(cluster, "SHOW listen_addresses"), "");
    assert_text(cluster_value(cluster, "SHOW fsync"), "off");
    assert_text(cluster_value(cluster, "SHOW max_connections"), "200");
    assert_text(cluster_value(cluster, "SELECT inet_server_addr() IS NULL"), "t");
    assert_text(cluster_value(cluster, "SHOW server_encoding"), "UTF8");
}
END_TEST

START_TEST(settings_of_the_test_win)
{
    struct cluster *other = cluster_create((const char *const[]){"max_connections=17", "fsync=on", NULL});

    assert_text(cluster_value(other, "SHOW max_connections"), "17");
    assert_text(cluster_value(other, "SHOW fsync"), "on");
    cluster_destroy(other);
}
END_TEST

START_TEST(values_and_rows_come_back_as_text)
{
    ck_assert_ptr_null(cluster_value(cluster, "SELECT NULL::text"));
    ck_assert_ptr_null(cluster_value(cluster, "SELECT 1 WHERE false"));
    ck_assert_int_eq(cluster_integer(cluster, "SELECT -9007199254740993"), INT64_C(-9007199254740993));
    ck_assert(cluster_true(cluster, "SELECT true"));
    ck_assert(!cluster_true(cluster, "SELECT NULL::boolean"));
    assert_text(cluster_rows(cluster, "SELECT i, NULLIF(i, 2), 'x' FROM generate_series(1, 2) i"), "1|1|x\n2||x\n");
    assert_text(cluster_rows(cluster, "SELECT 1 WHERE false"), "");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT 1/0"), "22012");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT 1"), "");
}
END_TEST

START_TEST(databases_are_apart)
{
    cluster_create_database(cluster, "app");
    assert_text(cluster_value(cluster, "SELECT current_database()"), "postgres");
    cluster_use(cluster, "app");
    cluster_execute(cluster, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    assert_text(cluster_value(cluster, "SELECT count(*) FROM t"), "1");
    cluster_use(cluster, "postgres");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT count(*) FROM t"), "42P01");
}
END_TEST

START_TEST(committed_rows_outlive_every_kind_of_stop)
{
    cluster_execute(cluster, "CREATE TABLE t (a int)");
    cluster_execute(cluster, "INSERT INTO t VALUES (1)");
    cluster_restart(cluster);
    cluster_execute(cluster, "INSERT INTO t VALUES (2)");
    cluster_stop(cluster, CLUSTER_IMMEDIATE);
    ck_assert(!cluster_is_ready(cluster));
    cluster_start(cluster);
    cluster_execute(cluster, "INSERT INTO t VALUES (3)");
    pid_t killed = cluster_pid(cluster);
    cluster_kill(cluster);
    ck_assert_int_eq(kill(killed, 0), -1);
    cluster_start(cluster);
    assert_text(cluster_value(cluster, "SELECT string_agg(a::text, ',' ORDER BY a) FROM t"), "1,2,3");
}
END_TEST

START_TEST(waiting_for_sql_sees_a_change_made_elsewhere)
{
    PGconn *writer = cluster_connect(cluster, "postgres");

    cluster_execute(cluster, "CREATE TABLE t (a int)");
    WAIT_SQL(cluster, "SELECT a FROM t", NULL, 10);
    ck_assert_int_eq(PQsendQuery(writer, "SELECT pg_sleep(0.1); INSERT INTO t VALUES (1)"), 1);
    WAIT_SQL(cluster, "SELECT a FROM t", "1", 10);
    PQfinish(writer);
}
END_TEST

START_TEST(waiting_for_sql_looks_past_an_absent_server)
{
    cluster_stop(cluster, CLUSTER_FAST);
    cluster_start_nowait(cluster);
    WAIT_SQL(cluster, "SELECT 1", "1", 30);
}
END_TEST

START_TEST(waiting_in_vain_fails_the_test)
{
    WAIT_SQL(cluster, "SELECT 1", "2", 0.05);
}
END_TEST

static bool is_never_true(void *data)
{
    ++*(int *)data;
    return false;
}

START_TEST(a_wait_ends_at_its_deadline)
{
    int looks = 0;

    ck_assert(!wait_until(is_never_true, &looks, 0.05));
    ck_assert_int_gt(looks, 1);
}
END_TEST

struct unfinished {
    pid_t server;
    pid_t daemon;
    char directory[200];
};

/* In a child: starts what needs cleaning, tells of it, and dies without any chance to clean. */
static void die_with_a_cluster(int output)
{
    struct cluster *mine = cluster_create(NULL);
    struct daemon *daemon = daemon_start((const char *const[]){"-c", "trap '' TERM; while :; do sleep 60; done", NULL});
    struct unfinished unfinished = {.server = cluster_pid(mine), .daemon = daemon_pid(daemon)};

    strncpy(unfinished.directory, cluster_directory(mine), sizeof(unfinished.directory) - 1);
    if (write(output, &unfinished, sizeof(unfinished)) == sizeof(unfinished))
        kill(getpid(), SIGKILL);
    _exit(1);
}

/* Gone, or dead and waiting for whoever inherited it. */
static bool is_gone(pid_t pid)
{
    char *path = files_path("/proc/%ld/stat", (long)pid);
    char *text = files_read(path);
    const char *state = strrchr(text, ')');
    bool gone = state == NULL || state[2] == 'Z';

    free(path);
    free(text);
    return gone;
}

START_TEST(a_killed_test_leaves_nothing_behind)
{
    struct unfinished unfinished;
    int ends[2];

    ck_assert_int_eq(setenv("PGCHIME_TEST_BINARY", "/bin/sh", 1), 0);
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        die_with_a_cluster(ends[1]);
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &unfinished, sizeof(unfinished)), sizeof(unfinished));
    ck_assert_int_eq(process_wait(child, 10), 128 + SIGKILL);
    WAIT_FOR(is_gone(unfinished.server), 20);
    WAIT_FOR(is_gone(unfinished.daemon), 20);
    WAIT_FOR(!files_exist(unfinished.directory), 20);
}
END_TEST

START_TEST(a_test_that_ends_does_not_wait_for_its_helpers)
{
    pid_t child = fork();
    if (child == 0) {
        free(files_make_directory()); /* the guard knows it */
        if (process_fork() == 0)
            pause();
        exit(3);
    }
    ck_assert_int_eq(process_wait(child, 20), 3);
}
END_TEST

START_TEST(a_program_is_run_to_its_end_with_its_output)
{
    char *output = NULL;
    char *errors = NULL;

    ck_assert_int_eq(setenv("PGCHIME_TEST_BINARY", "/bin/sh", 1), 0);
    ck_assert_int_eq(daemon_run((const char *const[]){"-c", "echo out; echo err >&2; exit 3", NULL}, &output, &errors),
                     3);
    assert_text(output, "out\n");
    assert_text(errors, "err\n");
}
END_TEST

START_TEST(a_program_is_signalled_and_waited_for)
{
    ck_assert_int_eq(setenv("PGCHIME_TEST_BINARY", "/bin/sh", 1), 0);
    struct daemon *daemon = daemon_start(
        (const char *const[]){"-c", "trap 'exit 7' TERM; echo ready >&2; while :; do sleep 0.01; done", NULL});
    WAIT_FOR(daemon_said(daemon, "ready"), 10);
    ck_assert(daemon_is_running(daemon));
    daemon_signal(daemon, SIGTERM);
    ck_assert_int_eq(daemon_wait(daemon, 10), 7);
    ck_assert(!daemon_is_running(daemon));
    daemon_destroy(daemon);
}
END_TEST

START_TEST(a_program_that_does_not_end_fails_the_test)
{
    setenv("PGCHIME_TEST_BINARY", "/bin/sh", 1);
    daemon_wait(daemon_start((const char *const[]){"-c", "sleep 60", NULL}), 0.05);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cluster");
    TCase *with_cluster = tcase_create("with a cluster");
    TCase *alone = tcase_create("alone");

    tcase_set_timeout(with_cluster, 120);
    tcase_add_checked_fixture(with_cluster, set_up, tear_down);
    tcase_add_test(with_cluster, a_cluster_answers_on_its_socket_alone);
    tcase_add_test(with_cluster, settings_of_the_test_win);
    tcase_add_test(with_cluster, values_and_rows_come_back_as_text);
    tcase_add_test(with_cluster, databases_are_apart);
    tcase_add_test(with_cluster, committed_rows_outlive_every_kind_of_stop);
    tcase_add_test(with_cluster, waiting_for_sql_sees_a_change_made_elsewhere);
    tcase_add_test(with_cluster, waiting_for_sql_looks_past_an_absent_server);
    tcase_add_exit_test(with_cluster, waiting_in_vain_fails_the_test, EXIT_FAILURE);
    suite_add_tcase(suite, with_cluster);
    tcase_set_timeout(alone, 120);
    tcase_add_test(alone, a_wait_ends_at_its_deadline);
    tcase_add_test(alone, a_killed_test_leaves_nothing_behind);
    tcase_add_test(alone, a_test_that_ends_does_not_wait_for_its_helpers);
    tcase_add_test(alone, a_program_is_run_to_its_end_with_its_output);
    tcase_add_test(alone, a_program_is_signalled_and_waited_for);
    tcase_add_exit_test(alone, a_program_that_does_not_end_fails_the_test, EXIT_FAILURE);
    suite_add_tcase(suite, alone);
    return suite;
}

int main(void)
{
    return suite_run(make_suite());
}
