/* SPDX-License-Identifier: PostgreSQL */
/* What each role tries against the deployment of `pgchime init --sql`: scripts beside this file, each run by psql as
 * the role it names, and what must be true afterwards. docs/security.md has a line for each. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/init_role.h"
#include "support/cluster/psql.h"
#include "support/daemon/commands.h"
#include "support/daemon/logins.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

struct attack {
    const char *script;
    const char *role;
    const char *said;   /* by psql: it got as far as that */
    const char *judge;  /* a query, as superuser */
    const char *answer; /* of the query, where the attack failed */
};

#define OTHERS_BUSINESS                                                                                       \
    "SELECT concat_ws(' ', (SELECT count(*) FROM chime.silence), (SELECT count(*) FROM chime.alert_rule"      \
    " WHERE NOT enabled OR condition = 'SELECT true'), (SELECT count(*) FROM chime.alert WHERE subject = 'x'" \
    " OR acknowledged_by IS NOT NULL), (SELECT count(*) FROM chime.trusted_owner))"

static const struct attack attacks[] = {
    {"temporary_names", "mallory", "refreshed", "SELECT string_agg(DISTINCT who, ' ') FROM loot WHERE who <> 'mallory'",
     NULL},
    {"too_large", "mallory", "its channels are 101, more than 100",
     "SELECT count(*) || ' ' || count(problem) || ' ' || count(keep) FROM chime.jobs WHERE username = 'mallory'",
     "1 0 0"},
    {"reader", "reader", "reads|0", "SELECT count(*) FROM chime.job WHERE owner = 'reader'", "0"},
    {"monitor", "watcher", "sees 1, status of 1 leader, runs: true, views: true",
     "SELECT concat_ws(' ', count(*), count(*) FILTER (WHERE active), (SELECT count(*) FROM chime.request"
     " WHERE requested_by = 'watcher'), (SELECT count(*) FROM chime.silence), (SELECT count(*) FROM chime.alert_rule"
     " WHERE NOT enabled), has_column_privilege('watcher', 'chime.leader', 'token', 'SELECT'),"
     " has_column_privilege('watcher', 'chime.run', 'token', 'SELECT'))"
     " FROM chime.job WHERE origin = 'sql' AND owner = 'victim'",
     "1 1 0 0 0 f f"},
    {"others_business", "mallory", "tried", OTHERS_BUSINESS, "0 0 0 0"},
    {"others_business", "reader", "tried", OTHERS_BUSINESS, "0 0 0 0"},
};
#define ATTACKS ((int)(sizeof(attacks) / sizeof(attacks[0])))
static char *plugins;

static void make_roles(void)
{
    cluster_execute(cluster,
                    "CREATE ROLE mallory LOGIN; CREATE ROLE victim LOGIN; CREATE ROLE reader LOGIN IN ROLE "
                    "analytics_reader; CREATE ROLE watcher LOGIN IN ROLE pgchime_monitor;"
                    " CREATE ROLE greedy LOGIN IN ROLE pgchime_jobs; CREATE ROLE quick LOGIN IN ROLE pgchime_jobs;"
                    " GRANT pgchime_jobs TO mallory, victim;"
                    " CREATE TABLE loot (who text); GRANT INSERT ON loot TO PUBLIC");
    logins_use(cluster, "scram-sha-256");
}

/* Those whose functions, views and sources are attacked here. */
static void use_plugins(void)
{
    plugins = files_make_directory();
    plugin_put(plugins, "agent_performance");
    plugin_put(plugins, "approval_queue");
    plugin_put(plugins, "progress");
    site_use_plugins(site, plugins);
}

/* One server and one daemon for all. */
static void start(void)
{
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", 4);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    init_role_make(cluster, "pgchime", "postgres");
    make_roles();
    use_plugins();
    char *conninfo = logins_conninfo(cluster, "pgchime", "postgres");
    site_use_conninfo(site, conninfo);
    site_use_entries(site, "roles = ( { name = \"greedy\"; max_jobs = 5; }, { name = \"quick\"; max_starts = 1; } );");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.plugin WHERE state = 'installed'", "3", 60);
    cluster_execute(cluster, "GRANT USAGE ON SCHEMA analytics TO mallory;"
                             " GRANT EXECUTE ON FUNCTION analytics.refresh_realtime_metrics() TO mallory;"
                             " SET ROLE victim; SELECT chime.schedule('kept', '0 0 29 2 *', 'SELECT 1'); RESET ROLE");
    free(conninfo);
}

static void finish(void)
{
    served_tear_down();
    files_remove_tree(plugins);
    free(plugins);
}

/* What psql says, errors included; caller frees. */
static char *run_script(const char *script, const char *role, const char *database)
{
    char *log = files_path("%s/%s.log", cluster_directory(cluster), script);
    char *path = files_path(PGCHIME_SOURCE_DIR "/tests/security/%s.sql", script);
    char *conninfo = cluster_conninfo_as(cluster, role, database);

    process_must_run(
        (const char *const[]){psql_program(), "-XqAt", "-v", "VERBOSITY=terse", "-d", conninfo, "-f", path, NULL}, log);
    char *said = files_read(log);
    free(conninfo);
    free(path);
    free(log);
    return said;
}

/* By each way in which the server may let in who attacks. */
START_TEST(an_attack_comes_to_nothing)
{
    const struct attack *attack = &attacks[_i % ATTACKS];
    logins_use(cluster, logins_methods[_i / ATTACKS]);
    char *said = run_script(attack->script, attack->role, "postgres");

    if (strstr(said, attack->said) == NULL)
        support_fail("%s did not get as far as \"%s\":\n%s", attack->script, attack->said, said);
    if (strcmp(attack->script, "others_business") == 0 && strchr(said, '|') != NULL) /* a row of something */
        support_fail("%s as %s was given something:\n%s", attack->script, attack->role, said);
    WAIT_SQL(cluster, attack->judge, attack->answer, 20);
    EXPECT_SQL(cluster, "SELECT epoch::text || chime.backend_alive(pid, backend_start) FROM chime.leader", "1true");
    free(said);
}
END_TEST

/* In a database whose texts are any bytes. The second is there by other ways than ours, and is told; the third runs
 * on. */
START_TEST(a_job_that_cannot_be_read_is_nobody_elses_problem)
{
    cluster_execute(cluster,
                    "CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'");
    init_role_make(cluster, "pgchime", "bytes");
    struct site *other = site_create(cluster, "bytes", 2);
    site_use_role(other, "pgchime");
    struct daemon *daemon = site_lead(other);
    cluster_use(cluster, "bytes");
    cluster_execute(cluster, "SET SESSION AUTHORIZATION mallory");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.schedule('bad', '1 second', E'SELECT ''\\xff''')"),
                     "54000");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.schedule(E'\\xff', '1 second', 'SELECT 1')"), "54000");
    /* Long, so its key has the first bytes of it, which end within a character. */
    cluster_execute(cluster, "SELECT chime.schedule('x' || repeat(E'\\xc3\\xa9', 60), '1 second', 'SELECT 1')");
    cluster_execute(cluster, "SELECT chime.schedule('turns bad', '1 second', 'SELECT 1'); RESET SESSION AUTHORIZATION;"
                             " SET ROLE victim; SELECT chime.schedule('good', '1 second', 'SELECT 1'); RESET ROLE");
    cluster_execute(cluster,
                    "SET session_replication_role = replica; UPDATE chime.job SET command = E'\\xff', version = 2,"
                    " changed = pg_current_xact_id() WHERE job_name = 'turns bad'; NOTIFY chime_jobs;"
                    " SET session_replication_role = origin");
    WAIT_SQL(
        cluster,
        "SELECT problem LIKE 'it cannot be read: it has a character%' FROM chime.jobs WHERE job_name = 'turns bad'",
        "t", 30);
    cluster_execute(cluster, "CREATE TABLE told AS SELECT clock_timestamp() AS at");
    WAIT_SQL(
        cluster,
        "SELECT count(*) > 1 FROM chime.job_runs, told WHERE job_name = 'good' AND state = 'succeeded' AND slot > at",
        "t", 30);
    daemon_destroy(daemon);
    site_destroy(other);
}
END_TEST

static void refuses(int status, const char *configuration, const char *option, const char *reason)
{
    const char *const words[] = {"migrate", option, NULL};
    char *output = NULL;
    char *errors = NULL;

    commands_expect(status, configuration, words, &output, &errors);
    commands_has(errors, reason);
    free(output);
    free(errors);
}

START_TEST(who_makes_our_schemas_first_gains_nothing)
{
    const char *const sql[] = {"init", "--sql", "--database", "squatted", NULL};
    char *folder = files_make_directory();
    char *text;

    cluster_create_database(cluster, "squatted");
    cluster_use(cluster, "squatted");
    cluster_execute(cluster, "CREATE TABLE loot (who text); GRANT INSERT ON loot TO PUBLIC;"
                             " GRANT CREATE ON DATABASE squatted TO mallory, pgchime");
    free(run_script("squat", "mallory", "squatted"));
    char *ours = commands_configure(cluster, "pgchime", "squatted", folder, "");
    refuses(6, ours, NULL, "schema chime belongs to mallory, and pgchime has not that role's rights");
    char *superuser = commands_configure(cluster, "postgres", "squatted", folder, "");
    refuses(6, superuser, NULL, "schema chime belongs to mallory");
    ck_assert_int_eq(daemon_run(sql, &text, NULL), 0);
    ck_assert_str_eq(cluster_sqlstate(cluster, strstr(strstr(text, "\\connect"), "DO $roles$")), "P0001");
    EXPECT_SQL(cluster, "SELECT count(*) FROM loot", "0");
    cluster_execute(cluster, "DROP SCHEMA chime CASCADE");
    free(ours);
    ours = commands_configure(cluster, "pgchime", "squatted", folder, "");
    refuses(1, ours, "--with-cron", "there is a schema cron that pgchime did not make");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.migration WHERE number = 1", "1");
    free(text);
    free(superuser);
    free(ours);
    files_remove_tree(folder);
    free(folder);
}
END_TEST

START_TEST(a_new_owner_sees_no_run_of_the_one_before)
{
    cluster_execute(cluster, "SET ROLE victim; SELECT chime.schedule('told', '0 0 29 2 *', 'SELECT 1 / 0');"
                             " SELECT chime.run_now('told'); RESET ROLE");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job_runs WHERE job_name = 'told' AND state = 'failed'", "1", 30);
    cluster_execute(cluster,
                    "SELECT chime.alter_job(job_id, username => 'mallory') FROM chime.jobs WHERE job_name = 'told';"
                    " SET ROLE mallory");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.jobs WHERE job_name = 'told'", "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job_runs WHERE job_name = 'told'", "0");
    cluster_execute(cluster, "SET ROLE victim");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job_runs WHERE job_name = 'told'", "1");
    cluster_execute(cluster, "RESET ROLE; SELECT chime.unschedule(job_id) FROM chime.jobs WHERE job_name = 'told'");
}
END_TEST

static PGconn *connect_as(const char *role)
{
    char *conninfo = cluster_conninfo_as(cluster, role, "postgres");
    PGconn *connection = PQconnectdb(conninfo);
    ck_assert_msg(PQstatus(connection) == CONNECTION_OK, "%s", PQerrorMessage(connection));
    free(conninfo);
    return connection;
}

/* "" when it went well. */
static void expect_of(PGconn *connection, const char *sql, const char *sqlstate)
{
    PGresult *result = PQexec(connection, sql);
    const char *found = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    ck_assert_msg(strcmp(found != NULL ? found : "", sqlstate) == 0, "%s: %s%s", sql, found != NULL ? found : "done",
                  PQresultErrorMessage(result));
    PQclear(result);
}

#define MAKE(name) "SELECT chime.schedule('" name "', '0 0 29 2 *', 'SELECT 1')"

/* Also in two transactions at once that do not see each other's. A superuser makes as many for it as he likes. */
START_TEST(a_role_has_no_more_active_jobs_than_its_quota)
{
    PGconn *one = connect_as("greedy");
    PGconn *other = connect_as("greedy");

    expect_of(one, MAKE("1") ";" MAKE("2") ";" MAKE("3") ";" MAKE("4"), "");
    expect_of(other, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM chime.jobs", "");
    expect_of(one, MAKE("5"), "");
    expect_of(other, MAKE("6"), "40001");
    expect_of(other, "ROLLBACK", "");
    expect_of(other, MAKE("6"), "53400");
    expect_of(other, MAKE("5"), "");
    expect_of(other, "SELECT chime.alter_job(job_id, active => false) FROM chime.jobs WHERE job_name = '5'", "");
    expect_of(other, MAKE("6"), "");
    expect_of(other, "SELECT chime.alter_job(job_id, active => true) FROM chime.jobs WHERE job_name = '5'", "53400");
    expect_of(other, "SELECT chime.schedule('5', '0 0 29 2 *', 'SELECT 1', active => true)", "53400");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.jobs WHERE username = 'greedy' AND active", "5");
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', role, jobs, all_jobs, max_jobs) FROM chime.full_quotas()",
               "greedy 5 6 5");
    cluster_execute(cluster, "SELECT chime.schedule('7', '0 0 29 2 *', 'SELECT 1', username => 'greedy')");
    PQfinish(one);
    PQfinish(other);
}
END_TEST

/* What is not active any more stays in the ledger for as long as its history. */
START_TEST(a_role_fills_the_ledger_with_no_more_jobs_than_ten_times_its_quota)
{
    PGconn *one = connect_as("greedy");

    expect_of(one,
              "DO $$ BEGIN FOR i IN 1 .. 200 LOOP PERFORM chime.unschedule(chime.schedule('gone', '0 0 29 2 *', "
              "'SELECT 1', active => false)); END LOOP; END $$",
              "53400");
    expect_of(one,
              "DO $$ BEGIN FOR i IN 1 .. 40 LOOP PERFORM chime.unschedule(chime.schedule('gone', '0 0 29 2 *', "
              "'SELECT 1', active => false)); END LOOP; END $$",
              "");
    EXPECT_SQL(cluster, "SELECT count(*) BETWEEN 40 AND 50 FROM chime.job WHERE owner = 'greedy'", "t");
    PQfinish(one);
}
END_TEST

#define STARTED "chime.job_runs WHERE job_name LIKE 'quick %' AND started_at IS NOT NULL"

START_TEST(a_role_starts_no_more_runs_than_its_quota)
{
    PGconn *quick = connect_as("quick");

    expect_of(quick, "SELECT chime.schedule('quick ' || n, '1 second', 'SELECT 1') FROM generate_series(1, 8) AS n",
              "");
    daemon_await(served, "runs of role quick wait: it starts more than 1 a second (max_starts)", 60);
    WAIT_SQL(cluster, "SELECT max(started_at) - min(started_at) > interval '4 s' FROM " STARTED, "t", 60);
    EXPECT_SQL(cluster,
               "SELECT count(*) BETWEEN 10 AND 12 + extract(epoch FROM max(started_at) - min(slot)) FROM " STARTED,
               "t");
    expect_of(quick, "SELECT chime.unschedule(job_id) FROM chime.jobs", "");
    PQfinish(quick);
}
END_TEST

START_TEST(an_open_cancel_holds_up_nobody_elses)
{
    PGconn *owner = connect_as("victim");
    PGconn *administrator = connect_as("postgres");

    expect_of(owner,
              "SELECT chime.schedule('sleeps', '0 0 29 2 *', 'SELECT pg_sleep(600)'); SELECT chime.run_now('sleeps')",
              "");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job_runs WHERE job_name = 'sleeps' AND state = 'running'", "1", 60);
    expect_of(owner, "BEGIN; SELECT chime.cancel(run_id) FROM chime.job_runs WHERE job_name = 'sleeps'", "");
    expect_of(administrator,
              "SET lock_timeout = '20s'; SELECT chime.cancel(run_id) FROM chime.job_runs WHERE job_name = 'sleeps'",
              "");
    WAIT_SQL(cluster, "SELECT state FROM chime.job_runs WHERE job_name = 'sleeps'", "cancelled", 60);
    expect_of(owner, "COMMIT; SELECT chime.unschedule('sleeps')", "");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.request WHERE verb = 'cancel'", "0", 60);
    PQfinish(owner);
    PQfinish(administrator);
}
END_TEST

/* Of a table that a view reads, with parts that have no triggers yet. */
START_TEST(locks_on_many_parts_hold_up_no_other_job)
{
    PGconn *owner = connect_as("mallory");
    char *epoch = cluster_value(cluster, "SELECT epoch FROM chime.leader");

    cluster_execute(cluster, "ALTER TABLE agent_approvals OWNER TO mallory; GRANT CREATE ON SCHEMA public TO mallory;"
                             " SET ROLE victim; SELECT chime.schedule('steady', '1 second', 'SELECT 1'); RESET ROLE");
    expect_of(owner,
              "BEGIN; DO $$ BEGIN FOR i IN 1 .. 130 LOOP EXECUTE 'CREATE TABLE part_' || i || ' () INHERITS "
              "(agent_approvals)'; END LOOP; END $$; COMMIT",
              "");
    expect_of(owner, "BEGIN; DO $$ BEGIN FOR i IN 1 .. 130 LOOP EXECUTE 'LOCK TABLE part_' || i; END LOOP; END $$", "");
    daemon_await(served, "agent_approvals: canceling statement due to lock timeout", 120);
    WAIT_SQL(cluster, "SELECT count(*) > 3 FROM chime.job_runs WHERE job_name = 'steady'", "t", 60);
    EXPECT_SQL(cluster, "SELECT max(started_at - slot) < interval '10 s' FROM chime.job_runs WHERE job_name = 'steady'",
               "t");
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", epoch);
    expect_of(owner, "ROLLBACK; DO $$ BEGIN FOR i IN 1 .. 130 LOOP EXECUTE 'DROP TABLE part_' || i; END LOOP; END $$",
              "");
    cluster_execute(cluster,
                    "REVOKE CREATE ON SCHEMA public FROM mallory; ALTER TABLE agent_approvals OWNER TO postgres;"
                    " SET ROLE victim; SELECT chime.unschedule('steady'); RESET ROLE");
    free(epoch);
    PQfinish(owner);
}
END_TEST

static void expect_alive(const char *name)
{
    cluster_execute_format(cluster,
                           "SET ROLE victim; SELECT chime.schedule('%s', '0 0 29 2 *', 'SELECT 1');"
                           " SELECT chime.run_now('%s'); RESET ROLE",
                           name, name);
    char *sql = files_path("SELECT count(*) FROM chime.job_runs WHERE job_name = '%s' AND state = 'succeeded'", name);
    WAIT_SQL(cluster, sql, "1", 60);
    free(sql);
}

/* The owner of the ledger may write anything into it, also what no function of ours would: one database's ledger ends
 * no process, which may serve others. */
START_TEST(times_without_end_end_no_process)
{
    cluster_execute(cluster, "SET ROLE victim; SELECT chime.schedule('endless', '* * * * *', 'SELECT 1'); RESET ROLE");
    ck_assert_str_eq(cluster_sqlstate(cluster,
                                      "INSERT INTO chime.request (job_id, slot) SELECT job_id, 'infinity' FROM "
                                      "chime.jobs WHERE job_name = 'endless'"),
                     "23514");
    cluster_execute(cluster, "SET ROLE pgchime; ALTER TABLE chime.request DROP CONSTRAINT request_slot_check;"
                             " INSERT INTO chime.request (job_id, slot) SELECT job_id, s::timestamptz FROM chime.jobs,"
                             " unnest('{infinity,-infinity,10000-01-01,4000-01-01 BC}'::text[]) AS s WHERE job_name ="
                             " 'endless'; RESET ROLE");
    expect_alive("after requests");
    cluster_execute(cluster, "SET ROLE pgchime; UPDATE chime.job_state s SET last_end = 'infinity', outcome_at = "
                             "'-infinity', missed_at = 'infinity' FROM chime.jobs j WHERE j.job_id = s.job_id AND "
                             "job_name = 'endless'; RESET ROLE;"
                             " SELECT pg_terminate_backend(pid) FROM chime.leader");
    WAIT_SQL(cluster, "SELECT epoch > 1 FROM chime.leader", "t", 60);
    expect_alive("after states");
    cluster_execute(cluster, "SET ROLE victim; SELECT chime.unschedule('endless')");
    cluster_execute(cluster, "RESET ROLE; DELETE FROM chime.request");
}
END_TEST

/* A dump that gives a job the last number there is would leave none for others. */
START_TEST(an_imported_number_leaves_others_for_jobs_to_come)
{
    cluster_execute(cluster, "SET ROLE pgchime");
    EXPECT_SQL(cluster, "SELECT chime.import_job_id(9223372036854775807) < 1000000", "t");
    cluster_execute(cluster, "SET ROLE victim; " MAKE("after import") "; RESET ROLE");
}
END_TEST

/* What an administrator ordinarily writes for a role that is to use whatever comes: none of it is meant for the ledger,
 * or for what changed in tables. With TRIGGER alone that role would run code as the daemon. Cold tables:
 * test_retention_cold. */
START_TEST(default_privileges_open_nothing)
{
    static const char given
        [] = "SELECT string_agg(DISTINCT concat_ws(' ', o.object, a.grantee::regrole, a.privilege_type), ', ') FROM ("
             "SELECT relnamespace AS schema, oid::regclass::text AS object, relacl AS privileges FROM pg_class"
             " UNION ALL SELECT pronamespace, oid::regprocedure::text, proacl FROM pg_proc"
             " UNION ALL SELECT oid, nspname, nspacl FROM pg_namespace) AS o, aclexplode(o.privileges) AS a"
             " WHERE o.schema = ANY ('{chime,analytics,cron}'::regnamespace[]) AND (a.grantee = 'app'::regrole"
             " OR a.privilege_type IN ('TRIGGER', 'TRUNCATE', 'REFERENCES', 'CREATE') AND a.grantee NOT IN "
             "('pgchime'::regrole,"
             " 'postgres'::regrole) OR a.grantee = 0 AND o.schema <> 'cron'::regnamespace)"
             " AND o.object !~ "
             "'^cron.(schedule|unschedule|job_call|check_node|insert_job|update_job|delete_job|redacted|refuse_run)[(]"
             "'"; /* PUBLIC's */
    char *folder = files_make_directory();
    char *settings = files_path("plugin_dir = \"%s\";", folder);
    char *ours = commands_configure(cluster, "pgchime", "open", folder, settings);

    plugin_put(folder, "query_performance");
    plugin_put(folder, "lane_distribution");
    cluster_create_database(cluster, "open");
    cluster_use(cluster, "open");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    cluster_execute(cluster,
                    "GRANT CREATE ON DATABASE open TO pgchime; CREATE ROLE app;"
                    "GRANT SELECT, TRIGGER ON ALL TABLES IN SCHEMA public TO pgchime;"
                    "SET ROLE pgchime;"
                    "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, app, pgchime_jobs, analytics_reader;"
                    "ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC, app, pgchime_jobs;"
                    "ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO app, pgchime_jobs;"
                    "ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO PUBLIC, app; RESET ROLE");
    struct daemon *daemon = daemon_start((const char *const[]){"serve", "--config", ours, NULL});
    daemon_await(daemon, "leading as epoch 1", 60);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.plugin WHERE state = 'installed'", "2", 60);
    EXPECT_SQL(cluster,
               "SELECT count(*) FILTER (WHERE relname ~ '^change_1_') > 0 AND count(*) FILTER (WHERE relname ~ "
               "'__live$') > 1 FROM pg_class",
               "t");
    WAIT_SQL(cluster, "SELECT count(*) > 1 FROM pg_inherits WHERE inhparent = 'chime.run_history'::regclass", "t", 60);
    daemon_destroy(daemon);
    cluster_execute(cluster, "SET ROLE pgchime; SELECT chime.add_part(source_id, 99) FROM chime.source; RESET ROLE");
    refuses(0, ours, "--with-cron", "");
    EXPECT_SQL(cluster, given, NULL);
    EXPECT_SQL(cluster,
               "SELECT concat_ws(' ', has_function_privilege('mallory', 'chime.schedule_valid(text)', 'EXECUTE'),"
               " has_table_privilege('mallory', 'chime.job', 'SELECT'),"
               " has_table_privilege('mallory', 'chime.jobs', 'SELECT'),"
               " has_function_privilege('mallory', 'chime.resign(uuid)', 'EXECUTE'),"
               " has_table_privilege('reader', 'chime.change_1', 'SELECT'),"
               " has_function_privilege('reader', 'chime.as_of()', 'EXECUTE'))",
               "t f t f f t");
    cluster_use(cluster, "postgres");
    free(settings);
    free(ours);
    files_remove_tree(folder);
    free(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("security");
    TCase *cases = tcase_create("security");

    tcase_add_unchecked_fixture(cases, start, finish);
    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, an_attack_comes_to_nothing, 0, LOGINS_METHODS * ATTACKS);
    tcase_add_test(cases, a_job_that_cannot_be_read_is_nobody_elses_problem);
    tcase_add_test(cases, who_makes_our_schemas_first_gains_nothing);
    tcase_add_test(cases, a_new_owner_sees_no_run_of_the_one_before);
    tcase_add_test(cases, a_role_has_no_more_active_jobs_than_its_quota);
    tcase_add_test(cases, a_role_fills_the_ledger_with_no_more_jobs_than_ten_times_its_quota);
    tcase_add_test(cases, a_role_starts_no_more_runs_than_its_quota);
    tcase_add_test(cases, default_privileges_open_nothing);
    tcase_add_test(cases, an_open_cancel_holds_up_nobody_elses);
    tcase_add_test(cases, locks_on_many_parts_hold_up_no_other_job);
    tcase_add_test(cases, an_imported_number_leaves_others_for_jobs_to_come);
    tcase_add_test(cases, times_without_end_end_no_process); /* another leadership begins */
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
