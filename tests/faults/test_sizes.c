/* SPDX-License-Identifier: PostgreSQL */
/* Texts whose sessions are sent more than anybody has memory for: one message, or many at once. They cost themselves,
 * and the daemon lives in 512 MB with 10,000 jobs. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/daemon/authority.h"
#include "support/daemon/served.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define LARGE "repeat('0123456789', 10000000)"
#define NINETY_MB "repeat('0123456789', 9000000)"
#define UNKNOWN "lost it sent a message above 16 MB: its session was ended, and its outcome is unknown"
#define UNDONE "lost it sent a message above 16 MB: its session was ended, and its transaction with it"

static const struct {
    const char *name;
    const char *members;
    const char *end; /* of its one run; NULL: it succeeds */
} jobs[] = {
    {"row", "command = \"SELECT " LARGE "\";", UNKNOWN},
    {"notice", "command = \"DO $x$ BEGIN RAISE NOTICE '%', " LARGE "; END $x$\";", UNKNOWN},
    {"error", "command = \"DO $x$ BEGIN RAISE EXCEPTION '%', " LARGE "; END $x$\";", UNKNOWN},
    {"copy", "command = \"COPY (SELECT " LARGE ") TO STDOUT\";", UNKNOWN},
    {"text", "command = \"SELECT 1; SELECT " LARGE "\";", UNKNOWN},
    {"own", "command = \"DO $x$ BEGIN RAISE NOTICE '%', " LARGE "; END $x$\"; delivery = \"transactional\";", UNDONE},
    {"again", "command = \"SELECT " LARGE "\"; delivery = \"at_least_once\"; max_attempts = 5;", UNKNOWN},
    {"rows", "command = \"SELECT repeat('0123456789', 200000) FROM generate_series(1, 40)\";", NULL},
    {"notices",
     "command = \"DO $x$ BEGIN FOR i IN 1..40 LOOP RAISE NOTICE '%', repeat('0123456789', 200000); END LOOP; END "
     "$x$\";",
     NULL},
};

static char *address; /* of this test alone, so that its port is free */

/* Its memory is what a small machine has. A sanitizer takes more for itself. */
static void limit_memory(void)
{
    if (getenv("PGCHIME_TEST_SLOWNESS") != NULL)
        return;
    char *folder = files_make_directory();
    char *program = files_path("%s/pgchime", folder);

    files_write(program, "#!/bin/sh\nulimit -v 524288\nexec " PGCHIME_BINARY " \"$@\"\n");
    ck_assert_int_eq(chmod(program, 0755), 0);
    setenv("PGCHIME_TEST_BINARY", program, 1);
    free(program);
    free(folder);
}

static void make_jobs(void)
{
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        char *members = files_path(NEVER_DUE "%s", jobs[i].members);
        site_job(site, jobs[i].name, members);
        free(members);
    }
    site_job(site, "beside", "schedule = \"* * * * * *\"; command = \"SELECT 1\"; catchup = \"none\";");
}

static void set_up(void)
{
    char *listen;

    limit_memory();
    address = files_path("127.%d.%d.%d", 64 + (int)(getpid() >> 16) % 64, (int)(getpid() >> 8) % 256,
                         (int)getpid() % 256);
    listen = files_path("listen_addresses=%s", address);
    cluster = ledger_sql_install((const char *const[]){listen, NULL});
    site = site_create(cluster, "postgres", 4);
    free(listen);
    make_jobs();
}

static void tear_down(void)
{
    served_tear_down();
    unsetenv("PGCHIME_TEST_BINARY");
    free(address);
}

static void expect_ends(void)
{
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
        runs_ask(cluster, jobs[i].name);
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        runs_await(cluster, jobs[i].name, 1);
        EXPECT_RUN(cluster, jobs[i].name, "concat_ws(' ', state, reason)",
                   jobs[i].end != NULL ? jobs[i].end : "succeeded");
    }
}

/* It leads as ever, and runs what is due. */
static void expect_alive(void)
{
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    cluster_execute(cluster, "CREATE TABLE seen AS SELECT clock_timestamp() AS at");
    WAIT_SQL(cluster,
             "SELECT count(*) > 1 FROM chime.run_history JOIN chime.job USING (job_id), seen"
             " WHERE name = 'beside' AND state = 'succeeded' AND slot > at",
             "t", 30);
    if (getenv("PGCHIME_TEST_SLOWNESS") == NULL) {
        printf("peak of the daemon: %ld kB\n", process_peak_kb(daemon_pid(served)));
        ck_assert_int_lt(process_peak_kb(daemon_pid(served)), 150 * 1024);
    }
}

START_TEST(one_message_above_16_mb_ends_its_session_alone)
{
    served = site_lead(site);
    expect_ends();
    expect_alive();
}
END_TEST

START_TEST(so_it_does_over_tls)
{
    char *folder = files_make_directory();

    if (!authority_is_possible() ||
        !cluster_true(cluster, "SELECT setting <> '' FROM pg_settings WHERE name = 'ssl_library'")) {
        fprintf(stderr, "no openssl, or a server without: nothing is tested\n");
        return;
    }
    authority_make(folder);
    authority_certify(folder, "server", address);
    cluster_execute_format(cluster, "ALTER SYSTEM SET ssl_cert_file = '%s/server.crt'", folder);
    cluster_execute_format(cluster, "ALTER SYSTEM SET ssl_key_file = '%s/server.key'", folder);
    cluster_execute(cluster, "ALTER SYSTEM SET ssl = on");
    char *hba = files_path("%s/data/pg_hba.conf", cluster_directory(cluster));
    files_write(hba, "local all all trust\nhostssl all all all trust\n");
    cluster_restart(cluster);
    char *conninfo = files_path("host=%s dbname=postgres user=postgres sslmode=require", address);
    site_use_conninfo(site, conninfo);
    served = site_lead(site);
    EXPECT_SQL(cluster,
               "SELECT bool_and(s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)"
               " WHERE a.application_name LIKE 'pgchime%'",
               "t");
    expect_ends();
    expect_alive();
    free(conninfo);
    free(hba);
    free(folder);
}
END_TEST

/* Each of the thirteen is one message, and together they are more than a gigabyte. */
START_TEST(with_10000_jobs_it_lives_in_512_mb)
{
    cluster_execute(
        cluster, "SELECT chime.schedule('job ' || n, '0 0 29 2 *', 'SELECT ' || n) FROM generate_series(1, 10000) AS n;"
                 " SELECT chime.schedule('large ' || n, '0 0 29 2 *', $x$SELECT " NINETY_MB "$x$)"
                 " FROM generate_series(1, 13) AS n");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job_state JOIN chime.job USING (job_id) WHERE job_name LIKE 'job %'",
             "10000", 120);
    cluster_execute(cluster, "SELECT chime.run_now('large ' || n) FROM generate_series(1, 13) AS n");
    WAIT_SQL(cluster,
             "SELECT count(*) || ' ' || min(state || ' ' || reason) || max(state || ' ' || reason)"
             " FROM chime.run_history JOIN chime.job USING (job_id) WHERE job_name LIKE 'large %'",
             "13 " UNKNOWN UNKNOWN, 120);
    expect_ends();
    expect_alive();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sizes");
    TCase *cases = tcase_create(SUITE_IN_FULL);

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, one_message_above_16_mb_ends_its_session_alone);
    tcase_add_test(cases, so_it_does_over_tls);
    if (getenv("PGCHIME_TEST_SLOWNESS") == NULL) /* a sanitizer is not limited; what comes is cut as in the others */
        tcase_add_test(cases, with_10000_jobs_it_lives_in_512_mb);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
