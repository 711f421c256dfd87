/* SPDX-License-Identifier: PostgreSQL */
/* A ledger that came to another database by a dump: nobody's there, held until somebody says so, and served where it
 * was restored in place. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/dump.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define EVERY_SECOND "schedule = \"1 seconds\"; command = \"INSERT INTO t DEFAULT VALUES\"; catchup = \"all\";"

static struct cluster *cluster;
static struct cluster *other;
static struct site *site;
static struct site *copy_site;
static struct daemon *first;
static struct daemon *second;
static char *output;
static char *errors;

static void set_up(void)
{
    cluster = cluster_create(NULL);
    cluster_execute(cluster, "CREATE ROLE analytics_reader; CREATE ROLE pgchime_jobs; "
                             "CREATE ROLE pgchime_monitor; CREATE ROLE pgchime_operator");
    cluster_create_database(cluster, "app");
    cluster_use(cluster, "app");
    cluster_execute(cluster, "CREATE TABLE t (at timestamptz DEFAULT clock_timestamp())");
    site = site_create(cluster, "app", 4);
    site_job(site, "job", EVERY_SECOND);
    site_job(site, "slow",
             NEVER_DUE "command = \"SELECT pg_sleep(600)\"; delivery = \"at_least_once\"; max_attempts = 3;");
}

static void tear_down(void)
{
    daemon_destroy(first);
    daemon_destroy(second);
    site_destroy(site);
    site_destroy(copy_site);
    cluster_destroy(other);
    cluster_destroy(cluster);
    free(output);
    free(errors);
}

#define ASSERT_COPY_RUN(status, ...) \
    commands_expect(status, site_config(copy_site), (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

/* Led, and a few runs of `job` have ended. */
static void lead_original(void)
{
    first = site_serve(site, "first", NULL);
    site_await_leading(first);
    WAIT_SQL(cluster, "SELECT count(*) > 1 FROM t", "t", 30);
}

/* With a daemon of its own, whose configuration has the same jobs. */
static void serve_copy(struct cluster *at, const char *database, const char *members)
{
    copy_site = site_create(at, database, 4);
    site_job(copy_site, "job", EVERY_SECOND);
    site_job(copy_site, "slow",
             NEVER_DUE "command = \"SELECT pg_sleep(600)\"; delivery = \"at_least_once\"; max_attempts = 3;");
    if (members != NULL) {
        site_use_members(copy_site, members);
    }
    second = site_serve(copy_site, "second", NULL);
}

static void assert_original_untouched(void)
{
    cluster_use(cluster, "app");
    EXPECT_SQL(cluster, "SELECT alive AND instance = 'first' AND epoch = 1 FROM chime.leader_status", "t");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run r JOIN chime.job j USING (job_id) WHERE j.name = 'slow'"
               " AND r.attempt = 1 AND chime.backend_alive(r.pid, r.backend_start)",
               "1");
}

static void assert_led_by_second(struct cluster *at)
{
    WAIT_SQL(at, "SELECT alive AND instance = 'second' FROM chime.leader_status", "t", 30);
}

/* --- held --------------------------------------------------------------------------------------------------------- */

START_TEST(a_copy_on_the_same_server_is_held_until_somebody_adopts_it)
{
    lead_original();
    runs_ask(cluster, "slow");
    runs_await_running(cluster, "slow");
    dump_copy(cluster, "app", cluster, "copy");
    cluster_use(cluster, "copy");
    char *rows = cluster_value(cluster, "SELECT count(*) FROM t");
    serve_copy(cluster, "copy", NULL);
    daemon_await(second, "database main: this is a copy of database app on this server, made about 20", 20);
    WAIT_FOR(daemon_said(second, "pgchime adopt-copy --database main"), 20);
    EXPECT_SQL(cluster, "SELECT alive FROM chime.leader_status", "f");
    ASSERT_COPY_RUN(8, "status");
    commands_has(errors, "database \"main\": this is a copy of database app on this server, made about 20");
    commands_has(errors, "HINT:  pgchime adopt-copy --database main");
    ck_assert_ptr_null(strstr(output, "LEADER")); /* that of the original */
    ASSERT_COPY_RUN(8, "doctor", "-o", "json");
    commands_has(output, "this is a copy of database app on this server, made about 20");
    ASSERT_COPY_RUN(6, "run", "job");
    commands_has(errors, "HINT:  pgchime adopt-copy --database main");
    ASSERT_COPY_RUN(0, "why", "job");
    commands_has(output, "this is a copy of database app");
    char *still = cluster_value(cluster, "SELECT count(*) FROM t");
    ck_assert_str_eq(rows, still);
    ASSERT_COPY_RUN(0, "why", "slow");
    commands_has(output, "this is a copy of database app");
    /* And maybe a run of `job`. */
    char *live = cluster_value(cluster, "SELECT '\"lost_runs\": ' || count(*) FROM chime.run WHERE done_at IS NULL");
    ASSERT_COPY_RUN(0, "adopt-copy", "-o", "json");
    commands_has(output, live);
    assert_led_by_second(cluster);
    EXPECT_RUN(cluster, "slow", "state", "lost");
    EXPECT_RUN(cluster, "slow", "reason", "it was live in the database that this is a copy of");
    WAIT_SQL(cluster,
             "SELECT reason LIKE 'resumed by postgres: this was a copy of database app%' AND slots > 0"
             " FROM chime.missed JOIN chime.job USING (job_id) WHERE name = 'job' ORDER BY first_slot LIMIT 1",
             "t", 30);
    char *more = files_path("SELECT count(*) > %s FROM t", rows);
    WAIT_SQL(cluster, more, "t", 30);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history WHERE slot > (SELECT first_slot FROM chime.missed"
               " ORDER BY 1 LIMIT 1) AND slot <= (SELECT last_slot FROM chime.missed ORDER BY 1 LIMIT 1)",
               "0");
    ASSERT_COPY_RUN(0, "status");
    ASSERT_COPY_RUN(0, "adopt-copy");
    commands_has(errors, "no database is a copy");
    assert_original_untouched();
    free(rows);
    free(still);
    free(live);
    free(more);
}
END_TEST

START_TEST(a_copy_on_another_server_is_held_though_its_numbers_are_the_same)
{
    lead_original();
    other = cluster_create(NULL);
    cluster_execute(other, "CREATE ROLE analytics_reader; CREATE ROLE pgchime_jobs; "
                           "CREATE ROLE pgchime_monitor; CREATE ROLE pgchime_operator");
    dump_copy(cluster, "app", other, "app");
    cluster_use(other, "app");
    EXPECT_SQL(other, "SELECT database = (SELECT oid FROM pg_database WHERE datname = 'app') FROM chime.leader", "t");
    cluster_execute(other, "UPDATE chime.leader SET system = '1'"); /* all clusters of the tests are copies of one */
    serve_copy(other, "app", NULL);
    daemon_await(second, "this is a copy of database app on another server, made about 20", 20);
    EXPECT_SQL(other, "SELECT epoch FROM chime.leader", "1");
}
END_TEST

/* What logical replication leaves at a subscriber: rows, and sequences that never moved. */
START_TEST(a_promoted_subscriber_gives_no_number_twice)
{
    lead_original();
    cluster_execute(cluster, "SELECT chime.schedule('before', '1 seconds', 'SELECT 1')");
    WAIT_SQL(cluster, "SELECT count(*) > 4 FROM chime.run_history", "t", 30);
    dump_copy(cluster, "app", cluster, "copy");
    cluster_use(cluster, "copy");
    cluster_execute(cluster,
                    "DO $$ DECLARE s regclass; BEGIN FOR s IN SELECT oid FROM pg_class WHERE relkind = 'S'"
                    " AND relnamespace = 'chime'::regnamespace LOOP EXECUTE 'ALTER SEQUENCE ' || s || ' RESTART'; "
                    "END LOOP; END $$");
    serve_copy(cluster, "copy", "copies = \"adopt\";");
    assert_led_by_second(cluster);
    cluster_execute(cluster, "SELECT chime.schedule('after', '1 seconds', 'SELECT 1')");
    WAIT_SQL(cluster, "SELECT count(*) > 1 FROM chime.runs WHERE job LIKE '%after' AND state = 'succeeded'", "t", 30);
    EXPECT_SQL(cluster, "SELECT run_id FROM chime.run_history GROUP BY 1 HAVING count(*) > 1 LIMIT 1", NULL);
}
END_TEST

START_TEST(a_database_cloned_on_purpose_is_adopted_by_its_configuration)
{
    lead_original();
    site_end(first);
    cluster_use(cluster, "postgres");
    cluster_execute(cluster, "CREATE DATABASE clone TEMPLATE app");
    cluster_use(cluster, "clone");
    serve_copy(cluster, "clone", "copies = \"adopt\";");
    assert_led_by_second(cluster);
    WAIT_FOR(daemon_said(second, "this is a copy of database app on this server, made about 20"), 20);
    WAIT_FOR(daemon_said(second, "adopted, as copies = \"adopt\" says"), 20);
}
END_TEST

/* What chime.keep_view made is in the database, so it comes along: by a dump, and by a copy of all its files. */
START_TEST(a_view_kept_by_sql_goes_on_in_a_copy)
{
    cluster_execute(cluster, "CREATE TABLE orders (id serial PRIMARY KEY, day date); CREATE INDEX ON orders (day);"
                             "INSERT INTO orders (day) SELECT date '2026-11-01' + i % 5 FROM generate_series(1, 50) i");
    lead_original();
    cluster_execute(cluster,
                    "SELECT chime.keep_view('daily', 'SELECT day, count(*) AS n FROM orders GROUP BY day',"
                    " target_lag => 'downstream');"
                    "SELECT chime.keep_view('days', 'SELECT count(*) AS days, sum(n) AS n FROM analytics.daily',"
                    " '{days}', target_lag => '500ms', mode => 'full')");
    site_end(first);
    if (_i == 0) {
        dump_copy(cluster, "app", cluster, "copy");
    } else {
        cluster_use(cluster, "postgres");
        cluster_execute(cluster, "CREATE DATABASE copy TEMPLATE app");
    }
    cluster_use(cluster, "copy");
    EXPECT_SQL(cluster, "SELECT n FROM analytics.days", "50");
    serve_copy(cluster, "copy", "copies = \"adopt\";");
    assert_led_by_second(cluster);
    cluster_execute(cluster, "INSERT INTO orders (day) VALUES ('2026-12-24')");
    WAIT_SQL(cluster, "SELECT days || ' ' || n FROM analytics.days", "6 51", 60);
    EXPECT_SQL(cluster, "SELECT target_lag || ' ' || target_lag_from FROM chime.view_status WHERE relation = 'daily'",
               "00:00:00.25 analytics.days");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT state, ' ') FROM chime.plugin WHERE by_sql", "installed");
    EXPECT_SQL(cluster, "SELECT chime.alter_view('days', target_lag => '1min')",
               "1 rows; refreshed as a whole: its mode is full");
    EXPECT_SQL(cluster, "SELECT chime.drop_view('days') AND chime.drop_view('daily')", "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_class WHERE relnamespace = 'analytics'::regnamespace", "0");
    cluster_use(cluster, "app");
    EXPECT_SQL(cluster, "SELECT days || ' ' || n FROM analytics.days", "5 50");
}
END_TEST

/* What a role keeps is told by the role's OID in its own ledger, and elsewhere by its name. */
START_TEST(a_view_that_a_role_keeps_goes_on_in_a_copy)
{
    cluster_execute(cluster, "CREATE ROLE keeper LOGIN; GRANT pgchime_jobs TO keeper; CREATE SCHEMA reports;"
                             "GRANT USAGE, CREATE ON SCHEMA reports TO keeper;"
                             "CREATE TABLE orders (id serial PRIMARY KEY, day date); CREATE INDEX ON orders (day);"
                             "INSERT INTO orders (day) SELECT date '2026-11-01' + i % 5 FROM generate_series(1, 50) i;"
                             "GRANT SELECT, TRIGGER ON orders TO keeper; CREATE ROLE shop;"
                             "ALTER TABLE orders OWNER TO shop");
    lead_original();
    cluster_execute(cluster, "SET ROLE keeper; SELECT chime.keep_view('daily', 'SELECT day, count(*) AS n FROM orders"
                             " GROUP BY day', view_schema => 'reports'); RESET ROLE");
    WAIT_SQL(cluster, "SELECT fingerprint IS NOT NULL FROM chime.role_view_refresh", "t", 60);
    site_end(first);
    struct cluster *at = cluster;
    if (_i == 0) {
        dump_copy(cluster, "app", cluster, "copy");
    } else if (_i == 1) {
        cluster_use(cluster, "postgres");
        cluster_execute(cluster, "CREATE DATABASE copy TEMPLATE app");
    } else { /* where another role has the number that the keeper had */
        at = other = cluster_create(NULL);
        cluster_execute(other, "CREATE ROLE a LOGIN; CREATE ROLE b LOGIN; CREATE ROLE c LOGIN; CREATE ROLE d LOGIN;"
                               "CREATE ROLE e LOGIN; CREATE ROLE f LOGIN; CREATE ROLE keeper LOGIN; CREATE ROLE shop;"
                               "CREATE ROLE analytics_reader; CREATE ROLE pgchime_jobs; CREATE ROLE pgchime_monitor;"
                               "CREATE ROLE pgchime_operator; GRANT pgchime_jobs TO keeper, a, b, c, d, e, f");
        dump_copy(cluster, "app", other, "copy");
    }
    cluster_use(at, "copy");
    EXPECT_SQL(at, "SELECT sum(n) FROM reports.daily", "50");
    serve_copy(at, "copy", "copies = \"adopt\";");
    assert_led_by_second(at);
    cluster_execute(at, "INSERT INTO orders (day) VALUES ('2026-12-24')");
    WAIT_SQL(at, "SELECT sum(n) FROM reports.daily", "51", 60);
    WAIT_SQL(at,
             "SELECT fingerprint IS NOT NULL AND full_reason IS NULL FROM chime.role_view JOIN"
             " chime.role_view_refresh USING (view_id)",
             "t", 60);
    cluster_execute(at, "UPDATE orders SET day = '2026-12-25' WHERE id = 1");
    WAIT_SQL(at, "SELECT n FROM reports.daily WHERE day = '2026-12-25'", "1", 60);
    EXPECT_SQL(at,
               "SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE j.name LIKE '%daily%'"
               " AND h.state = 'failed'",
               "0");
    cluster_execute(at, "SET ROLE keeper");
    EXPECT_SQL(at, "SELECT relation || coalesce(' ' || full_reason, ' keyed') FROM chime.kept_views", "daily keyed");
    EXPECT_SQL(at, "SELECT chime.alter_view('daily', target_lag => '1min')", "7 rows; keyed by day");
    EXPECT_SQL(at, "SELECT chime.drop_view('daily')", "t");
    cluster_execute(at, "RESET ROLE");
    EXPECT_SQL(at, "SELECT count(*) FROM pg_class WHERE relnamespace = 'reports'::regnamespace", "0");
    cluster_use(cluster, "app");
    EXPECT_SQL(cluster, "SELECT sum(n) FROM reports.daily", "50");
}
END_TEST

/* A server that does not tell who it is (a hosted one) is known by the numbers of database and table alone. */
START_TEST(a_copy_is_known_without_the_servers_identifier)
{
    cluster_execute(cluster, "CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE app TO plain; GRANT ALL ON t TO plain;"
                             "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    char *conninfo = cluster_conninfo_as(cluster, "plain", "app");
    site_use_conninfo(site, conninfo);
    lead_original();
    EXPECT_SQL(cluster, "SELECT system IS NULL FROM chime.leader", "t");
    dump_copy(cluster, "app", cluster, "copy");
    cluster_use(cluster, "copy");
    cluster_execute(cluster, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    char *copy = cluster_conninfo_as(cluster, "plain", "copy");
    copy_site = site_create(cluster, "copy", 4);
    site_use_conninfo(copy_site, copy);
    second = site_serve(copy_site, "second", NULL);
    daemon_await(second, "database main: this is a copy of database app", 20);
    daemon_kill(first);
    daemon_destroy(first);
    cluster_use(cluster, "app");
    first = site_lead(site);
    free(conninfo);
    free(copy);
}
END_TEST

/* --- in place ----------------------------------------------------------------------------------------------------- */

static char *dump_app(const char *option)
{
    char *file = files_path("%s/app.sql", cluster_directory(cluster));
    lead_original();
    site_end(first);
    ck_assert(dump_write(cluster, "postgres", "app", option, file));
    return file;
}

/* The database, which was dropped and made again; or schema chime alone. */
START_TEST(a_dump_restored_in_place_is_led_again)
{
    char *file = dump_app(_i == 0 ? NULL : "--schema=chime");
    if (_i == 0) {
        cluster_use(cluster, "postgres");
        cluster_execute(cluster, "DROP DATABASE app");
        cluster_create_database(cluster, "app");
    } else {
        cluster_execute(cluster, "DROP SCHEMA chime CASCADE");
    }
    dump_restore(cluster, "app", file);
    cluster_use(cluster, "app");
    second = site_serve(site, "second", NULL);
    assert_led_by_second(cluster);
    free(file);
}
END_TEST

/* What pg_upgrade leaves: another identifier of the server, and the same numbers. And a new name, by ALTER DATABASE. */
START_TEST(a_database_that_was_upgraded_or_renamed_is_itself)
{
    lead_original();
    site_end(first);
    cluster_execute(cluster, "UPDATE chime.leader SET system = '1'");
    cluster_use(cluster, "postgres");
    cluster_execute(cluster, "ALTER DATABASE app RENAME TO renamed");
    cluster_use(cluster, "renamed");
    char *conninfo = cluster_conninfo(cluster, "renamed");
    site_use_conninfo(site, conninfo);
    second = site_serve(site, "second", NULL);
    assert_led_by_second(cluster);
    EXPECT_SQL(cluster, "SELECT database_name FROM chime.leader", "renamed");
    free(conninfo);
}
END_TEST

START_TEST(a_dump_restored_beside_its_renamed_original_is_held)
{
    char *file = dump_app(NULL);
    cluster_use(cluster, "postgres");
    cluster_execute(cluster, "ALTER DATABASE app RENAME TO app_old");
    cluster_create_database(cluster, "app");
    dump_restore(cluster, "app", file);
    cluster_use(cluster, "app");
    second = site_serve(site, "second", NULL);
    daemon_await(second, "this is a copy of database app_old on this server", 20);
    free(file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("copies");
    TCase *tests = tcase_create("copies");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, a_copy_on_the_same_server_is_held_until_somebody_adopts_it);
    tcase_add_test(tests, a_copy_on_another_server_is_held_though_its_numbers_are_the_same);
    tcase_add_test(tests, a_database_cloned_on_purpose_is_adopted_by_its_configuration);
    tcase_add_loop_test(tests, a_view_kept_by_sql_goes_on_in_a_copy, 0, 2);
    tcase_add_test(tests, a_copy_is_known_without_the_servers_identifier);
    tcase_add_loop_test(tests, a_dump_restored_in_place_is_led_again, 0, 2);
    tcase_add_test(tests, a_database_that_was_upgraded_or_renamed_is_itself);
    tcase_add_test(tests, a_dump_restored_beside_its_renamed_original_is_held);
    TCase *roles = tcase_create("views of roles");
    TCase *numbers = tcase_create("numbers");
    tcase_add_checked_fixture(roles, set_up, tear_down);
    tcase_set_timeout(roles, 120);
    tcase_add_loop_test(roles, a_view_that_a_role_keeps_goes_on_in_a_copy, 0, 3);
    suite_add_tcase(suite, roles);
    tcase_add_checked_fixture(numbers, set_up, tear_down);
    tcase_set_timeout(numbers, 240);
    tcase_add_test(numbers, a_promoted_subscriber_gives_no_number_twice);
    suite_add_tcase(suite, numbers);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
