/* SPDX-License-Identifier: PostgreSQL */
/* More notifications than anybody can use, and a server that takes no more of them. Jobs that wait for events run all
 * the same, the schedule is kept, and no session of the daemon keeps the server's queue from moving on. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/daemon/commands.h"
#include "support/daemon/stage.h"
#include "support/keyed/keyed.h"
#include "support/ledger/ledger_oracle.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0

static void begin(const char *const *settings)
{
    stage_set(settings);
    cluster_execute(cluster, "CREATE TABLE public.heard (payload text, at timestamptz DEFAULT clock_timestamp())");
    site_job(site, "listener", "on = [\"storm\"]; command = \"INSERT INTO public.heard VALUES ($1)\";");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM public.heard WHERE payload IS NULL", "1", PATIENCE);
    oracle_await_load(cluster);
}

/* --- a storm ------------------------------------------------------------------------------------------------------ */

static bool at_full_size(void)
{
    return getenv("PGCHIME_TEST_FAULTS") != NULL;
}

/* So many notifications, each a transaction of its own, by two sessions at once. */
static void send_storm(int thousands)
{
    PGconn *senders[2];

    cluster_execute(cluster, "CREATE PROCEDURE public.storm(p_count int) LANGUAGE plpgsql AS $$ BEGIN"
                             " FOR i IN 1..p_count LOOP PERFORM pg_notify('storm', i::text); COMMIT; END LOOP; END $$");
    char *call = files_path("CALL public.storm(%d)", thousands * 500);
    for (int i = 0; i < 2; i++) {
        senders[i] = cluster_connect(cluster, "postgres");
        session_send(senders[i], call);
    }
    for (int i = 0; i < 2; i++) {
        session_await(senders[i]);
        PQfinish(senders[i]);
    }
    free(call);
}

START_TEST(a_storm_of_notifications_is_heard_as_few_and_holds_nothing_up)
{
    static const char *const settings[] = {"synchronous_commit=off", NULL};
    int thousands = at_full_size() ? 300 : 30;
    begin(settings);
    char *from = cluster_value(cluster, "SELECT clock_timestamp()");
    send_storm(thousands);
    char *rate = files_path("SELECT (%d000 / extract(epoch FROM clock_timestamp() - '%s'))::int", thousands, from);
    char *found = cluster_value(cluster, rate);
    printf("%d,000 notifications, %s a second\n", thousands, found);
    fflush(stdout);
    cluster_execute(cluster, "NOTIFY storm, 'the last'");
    WAIT_SQL(cluster, "SELECT count(*) FROM public.heard WHERE payload = 'the last'", "1", PATIENCE);
    WAIT_SQL(cluster, "SELECT pg_notification_queue_usage()", "0", PATIENCE);
    /* Those that came while it ran, or before it could, are one run. */
    ck_assert_int_lt(cluster_integer(cluster, "SELECT count(*) FROM public.heard"), thousands * 1000);
    EXPECT_SQL(cluster, "SELECT state FROM chime.listener", "listening");
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    oracle_expect_sound(cluster);
    if (getenv("PGCHIME_TEST_SLOWNESS") == NULL)
        ck_assert_int_lt(process_peak_kb(daemon_pid(served)), 64 * 1024);
    free(from);
    free(rate);
    free(found);
}
END_TEST

/* --- a queue that stands ------------------------------------------------------------------------------------------ */

/* A stopped listener takes nothing from the queue: the server ends it by the lease. (One that the server waits to send
 * to, which takes more than the socket holds, has no timeout: whoever leads next ends it.) */
START_TEST(a_daemon_that_stands_still_keeps_the_queue_for_its_lease_only)
{
    begin(NULL);
    daemon_signal(served, SIGSTOP);
    cluster_execute(cluster, "SELECT pg_notify('storm', n || repeat('x', 1000)) FROM generate_series(1, 20) n");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgchime listener'", "0",
             PATIENCE);
    cluster_execute(cluster, "NOTIFY storm"); /* nobody is there to hear it */
    WAIT_SQL(cluster, "SELECT pg_notification_queue_usage()", "0", PATIENCE);
    daemon_signal(served, SIGCONT);
    WAIT_SQL(cluster, "SELECT count(*) > 1 FROM public.heard WHERE payload IS NULL", "t", PATIENCE);
    oracle_expect_sound(cluster);
}
END_TEST

#define FILL "SELECT pg_notify('other', n || repeat('x', 7000)) FROM generate_series(1, 100) n"

/* Before 17 the queue has 8 GB, which no test can fill. NULL: there is no such server here. */
static const char *newer_server(void)
{
    static const char *const folders[] = {"/usr/lib/postgresql/18/bin", "/usr/lib/postgresql/17/bin",
                                          PGCHIME_SOURCE_DIR
                                          "/tests/support/postgres/node_modules/postgres-18/native/bin"};

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char *initdb = files_path("%s/initdb", folders[i]);
        bool there = access(initdb, X_OK) == 0;

        free(initdb);
        if (there)
            return folders[i];
    }
    return NULL;
}

/* Somebody else's listener, which stays in its transaction. */
static PGconn *hold_and_fill(void)
{
    PGconn *holder = cluster_connect(cluster, "postgres");

    session_execute(holder, "LISTEN other");
    session_execute(holder, "BEGIN; SELECT 1");
    while (cluster_sqlstate(cluster, FILL)[0] == '\0') {
    }
    ck_assert_str_eq(cluster_sqlstate(cluster, FILL), "54000");
    return holder;
}

/* Notifications that failed for want of room wake no session, so those that listen would hold the queue full for
 * ever. */
START_TEST(a_full_queue_moves_on_although_sessions_of_ours_listen)
{
    static const char *const settings[] = {"max_notify_queue_pages=64", NULL};
    PGconn *holder;

    setenv("PGCHIME_TEST_PGBIN", newer_server(), 1);
    begin(settings);
    holder = hold_and_fill();
    PQfinish(holder);
    WAIT_SQL(cluster, "SELECT pg_notification_queue_usage() < 0.1", "t", 2 * PATIENCE);
    /* Again and again: what is said while a session of ours begins anew wakes the job, but without these words. */
    WAIT_SQL(cluster,
             "SELECT pg_notify('storm', 'there is room')::text = ''"
             " AND EXISTS (SELECT FROM public.heard WHERE payload = 'there is room')",
             "t", 2 * PATIENCE); /* its pauses have grown */
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    oracle_await_load(cluster);
    oracle_expect_sound(cluster);
}
END_TEST

START_TEST(a_queue_that_others_hold_full_is_named_and_waited_for)
{
    static const char *const settings[] = {"max_notify_queue_pages=64", NULL};
    PGconn *holder;

    setenv("PGCHIME_TEST_PGBIN", newer_server(), 1);
    begin(settings);
    holder = hold_and_fill();
    oracle_await_load(cluster); /* the ledger needs no notification */
    cluster_execute(cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                             " WHERE application_name = 'pgchime listener'");
    daemon_await(
        served, "events are not heard: the session could not notify itself: too many notifications in the NOTIFY queue",
        PATIENCE);
    WAIT_SQL(cluster, "SELECT count(*) > 1 FROM public.heard WHERE payload IS NULL", "t", PATIENCE); /* polled */
    commands_expect(8, site_config(site), (const char *const[]){"status", NULL}, &output, &errors);
    commands_has(errors, "too many notifications in the NOTIFY queue");
    PQfinish(holder);
    WAIT_SQL(cluster, "SELECT state FROM chime.listener", "listening", 2 * PATIENCE); /* its pauses have grown */
    cluster_execute(cluster, "NOTIFY storm, 'heard again'");
    WAIT_SQL(cluster, "SELECT count(*) FROM public.heard WHERE payload = 'heard again'", "1", PATIENCE);
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    oracle_expect_sound(cluster);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("notify");
    TCase *cases = tcase_create("notify");

    tcase_add_checked_fixture(cases, NULL, stage_clear);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, a_daemon_that_stands_still_keeps_the_queue_for_its_lease_only);
    if (newer_server() != NULL) {
        tcase_add_test(cases, a_full_queue_moves_on_although_sessions_of_ours_listen);
        tcase_add_test(cases, a_queue_that_others_hold_full_is_named_and_waited_for);
    } else
        printf("a full queue is not tested: script/bootstrap --all-versions installs PostgreSQL 18, whose queue can be "
               "small\n");
    suite_add_tcase(all, cases);
    TCase *in_full = tcase_create(SUITE_IN_FULL);
    tcase_add_checked_fixture(in_full, NULL, stage_clear);
    tcase_set_timeout(in_full, 300);
    tcase_add_test(in_full, a_storm_of_notifications_is_heard_as_few_and_holds_nothing_up);
    suite_add_tcase(all, in_full);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
