/* SPDX-License-Identifier: PostgreSQL */
/* Run sessions that are opened ahead of the slots that need them (core/daemon/warm_up.c): of which roles, how many, and
 * when not. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/daemon/sql_jobs.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define ROLE_LIMIT "4" /* half of role_sessions */

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    cluster_execute(cluster, "CREATE TABLE seen (who name, pid int, since timestamptz, slot timestamptz);"
                             "GRANT INSERT ON seen TO PUBLIC;"
                             "DO $$ BEGIN FOR i IN 0..9 LOOP EXECUTE format('CREATE ROLE r%s LOGIN', i); END LOOP; "
                             "END $$");
    site = site_create(cluster, "postgres", 6);
    site_use_members(site, "role_sessions = 8;");
    served = site_lead(site);
}

static void tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
}

/* So many jobs of a role at one instant, some seconds from now. Each writes down since when its session is there. */
static void make_at(const char *role, int count, const char *slot)
{
    cluster_execute_format(
        cluster,
        "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command)"
        " SELECT '', 'job ' || n, '%s', 'sql', '@at %s', 'INSERT INTO seen SELECT session_user, a.pid, "
        "a.backend_start, ''%s'' FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()' FROM generate_series(1, %d) n",
        role, slot, slot, count);
}

static char *soon(void)
{
    return cluster_value(cluster, "SELECT to_char((clock_timestamp() + interval '3 s') AT TIME ZONE 'UTC',"
                                  " 'YYYY-MM-DD HH24:MI:SS\"Z\"')");
}

static void await_seen(const char *role, const char *count)
{
    char *sql = files_path("SELECT count(*) FROM seen WHERE who = '%s'", role);
    WAIT_SQL(cluster, sql, count, 30);
    free(sql);
}

/* Three jobs of a role that has no session: each runs on one of its own, which was there before the slot. A session
 * that is opened when the slot is due never was. A machine that is busy may open one too late: another role, then. */
static bool were_there(int role)
{
    char *name = files_path("r%d", role);
    char *slot = soon();
    make_at(name, 3, slot);
    await_seen(name, "3");
    char *sql = files_path("SELECT count(DISTINCT pid) = 3 AND bool_and(since < slot) FROM seen WHERE who = '%s'",
                           name);
    char *value = cluster_value(cluster, sql);
    bool were = strcmp(value, "t") == 0;
    free(value);
    free(sql);
    free(slot);
    free(name);
    return were;
}

START_TEST(sessions_are_there_before_the_slot)
{
    bool were = false;
    for (int role = 0; role < 6 && !were; role++) {
        were = were_there(role);
    }
    ck_assert_msg(were, "no session was there before the slot that it was for");
}
END_TEST

#define OF(role) "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgchime run' AND usename = '" role "'"

/* Sessions that nobody uses stay for a minute: what was opened too many is still there. */
START_TEST(no_more_than_the_limit_and_none_for_what_is_not_due)
{
    char *slot = soon();
    make_at("r1", 50, slot);
    make_at("postgres", 50, slot);
    make_at("r2", 5, slot);
    cluster_execute(cluster, "SELECT chime.suspend(job_id) FROM chime.job WHERE owner = 'r2'");
    sql_jobs_make(cluster, "r3", "later", YEARLY, "SELECT 1", NULL);
    await_seen("r1", "50");
    await_seen("postgres", "50");
    EXPECT_SQL(cluster, OF("r1"), ROLE_LIMIT);
    EXPECT_SQL(cluster, OF("postgres") " AND backend_type = 'client backend'", "6");
    EXPECT_SQL(cluster, OF("r2"), "0");
    EXPECT_SQL(cluster, OF("r3"), "0");
    free(slot);
}
END_TEST

/* Sessions that were opened ahead for some roles do not keep the others out. */
START_TEST(more_roles_than_sessions_all_run)
{
    char *slot = soon();
    for (int role = 0; role < 8; role++) {
        char *name = files_path("r%d", role);
        make_at(name, 3, slot);
        free(name);
    }
    WAIT_SQL(cluster, "SELECT count(*) FROM seen", "24", 30);
    EXPECT_SQL(
        cluster,
        "SELECT count(*) <= 8 FROM pg_stat_activity WHERE application_name = 'pgchime run' AND usename LIKE 'r_'", "t");
    free(slot);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("warm_up");
    TCase *cases = tcase_create("warm_up");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 240);
    tcase_add_test(cases, sessions_are_there_before_the_slot);
    tcase_add_test(cases, no_more_than_the_limit_and_none_for_what_is_not_due);
    tcase_add_test(cases, more_roles_than_sessions_all_run);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
