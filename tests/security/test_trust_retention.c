/* SPDX-License-Identifier: PostgreSQL */
/* Who owns an event table, or gave away what hangs on it, tries to have code run as the daemon's role by what plugin
 * retention reads, deletes and puts back. Nothing of it may ever run as pgchime. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/session.h"
#include "support/ledger/retained.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"

#define AS_DAEMON "SET SESSION AUTHORIZATION pgchime; "
#define AS_MALLORY "SET SESSION AUTHORIZATION mallory; SET search_path = public; "
#define AS_DBA "; RESET SESSION AUTHORIZATION; RESET search_path"
#define HOT "SELECT count(*) FROM agent_queries"
#define COLD "SELECT count(*) FROM analytics.cold_agent_queries"
#define UNTRUSTED " as pgchime, and its owner mallory is not trusted"

static struct cluster *cluster;

/* Row n is n days and an hour old. */
static void set_up(void)
{
    cluster = retained_create();
    cluster_execute(
        cluster,
        "CREATE ROLE mallory; GRANT CREATE, USAGE ON SCHEMA public TO mallory;"
        " CREATE SEQUENCE loot; GRANT ALL ON SEQUENCE loot TO PUBLIC;"
        " INSERT INTO agent_queries (id, created_at) SELECT n, now() - n * interval '1 day' - interval '1 hour'"
        " FROM generate_series(0, 149) AS n;"
        " ALTER TABLE agent_queries OWNER TO mallory;" AS_MALLORY
        "CREATE FUNCTION took() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_user = 'pgchime' THEN PERFORM nextval('public.loot'); END IF; RETURN 1; END $$;"
        " CREATE FUNCTION one() RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.took(); END $$;"
        " CREATE DOMAIN code AS integer CHECK (public.one() = 1);"
        " CREATE TYPE mood AS ENUM ('calm', 'wild');"
        " CREATE FUNCTION words(mood) RETURNS text LANGUAGE plpgsql IMMUTABLE AS"
        " $$ BEGIN RETURN public.took()::text; END $$;"
        " CREATE FUNCTION pull() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.took(); RETURN OLD; END "
        "$$" AS_DBA);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

static void as_mallory(const char *statements)
{
    char *sql = files_path(AS_MALLORY "%s" AS_DBA, statements);
    cluster_execute(cluster, sql);
    free(sql);
}

static void expect_no_loot(const char *what)
{
    if (cluster_true(cluster, "SELECT is_called FROM loot"))
        support_fail("it ran as pgchime: %s", what);
}

static const struct {
    const char *change;
    const char *mend;
    const char *code;
} changes[] = {
    {"CREATE INDEX changed ON agent_queries ((id + one()))", "DROP INDEX changed", "function public.one()"},
    {"CREATE STATISTICS changed ON (id + one()), agent FROM agent_queries", "DROP STATISTICS changed",
     "function public.one()"},
    {"ALTER TABLE agent_queries ADD CONSTRAINT changed CHECK (id + one() > 0)",
     "ALTER TABLE agent_queries DROP CONSTRAINT changed", "function public.one()"},
    {"ALTER TABLE agent_queries DROP CONSTRAINT agent_queries_pkey, ADD changed code NOT NULL DEFAULT 1;"
     " ALTER TABLE agent_queries ADD PRIMARY KEY (id, changed)",
     "ALTER TABLE agent_queries DROP changed; ALTER TABLE agent_queries ADD PRIMARY KEY (id)", "function public.one()"},
    {"CREATE TRIGGER allowed BEFORE DELETE ON agent_queries FOR EACH ROW EXECUTE FUNCTION pull()",
     "DROP TRIGGER allowed ON agent_queries", "function public.pull()"},
    {"ALTER TABLE agent_queries DROP CONSTRAINT agent_queries_pkey, ADD changed mood NOT NULL DEFAULT 'calm';"
     " ALTER TABLE agent_queries ADD PRIMARY KEY (id, changed);"
     " CREATE CAST (mood AS text) WITH FUNCTION words(mood) AS IMPLICIT",
     "DROP CAST (mood AS text)", "function public.words(public.mood)"},
};

/* Counted by the dry run, the report and a run that is not enforced; then moved. */
START_TEST(retention_runs_no_code_of_others)
{
    retained_set(cluster, "{\"triggers\": \"agent_queries.allowed\"}");
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        as_mallory(changes[i].change);
        retained_set(cluster, "{\"enforce\": \"false\"}");
        cluster_execute(cluster, AS_DAEMON "SELECT * FROM analytics.retention_dry_run() AS d,"
                                           " analytics.retention_tiers() AS t" AS_DBA);
        expect_no_loot(changes[i].change);
        retained_run_well(cluster);
        expect_no_loot(changes[i].change);
        retained_set(cluster, "{\"enforce\": \"true\"}");
        char *said = files_path("%s as pgchime, and its owner mallory is not trusted", changes[i].code);
        retained_run_badly(cluster, said);
        expect_no_loot(changes[i].change);
        free(said);
        EXPECT_SQL(cluster, HOT, "150");
        as_mallory(changes[i].mend);
    }
    retained_run_well(cluster); /* a table and an enum may be anybody's */
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', (" HOT "), (" COLD "))", "30 60");
    expect_no_loot("a table and an enum of mallory's");
}
END_TEST

/* A table that is not read says so in the report, and keeps no other from it. */
START_TEST(a_report_leaves_out_what_it_may_not_read)
{
    as_mallory("CREATE INDEX changed ON agent_queries ((id + one()))");
    cluster_execute(cluster, AS_DAEMON);
    EXPECT_SQL(cluster,
               "SELECT string_agg(concat_ws(' ', tier, kept_in, rows), ', ') FROM analytics.retention_tiers()"
               " WHERE source = 'agent_queries'",
               "not read public.agent_queries");
    cluster_execute(cluster, "RESET SESSION AUTHORIZATION");
    expect_no_loot("retention_tiers()");
}
END_TEST

/* What is made between the look and the deletion of the first batch, which waits for it. */
START_TEST(a_trigger_that_comes_before_a_batch_does_not_run)
{
    cluster_execute(cluster, "INSERT INTO agent_queries (id, created_at) SELECT n, now() - interval '40 days'"
                             " FROM generate_series(200, 1899) AS n");
    retained_run_well(cluster);
    cluster_execute(cluster, "INSERT INTO agent_queries (id, created_at) SELECT n, now() - interval '40 days'"
                             " FROM generate_series(2000, 3899) AS n");
    PGconn *user = cluster_connect(cluster, "postgres");
    PGconn *job = retained_connect(cluster);
    char *text = retained_job(cluster);
    session_execute(user, AS_MALLORY "BEGIN; CREATE TRIGGER late BEFORE DELETE ON agent_queries FOR EACH ROW EXECUTE"
                                     " FUNCTION pull()");
    session_send(job, text);
    session_await_blocked(cluster, job);
    session_execute(user, "COMMIT");
    PQclear(PQgetResult(job)); /* it saw the trigger, or waited too long for the lock */
    expect_no_loot("a trigger that came after the look");
    retained_run_badly(cluster, "trigger late of public.agent_queries would run");
    expect_no_loot("a trigger that was there");
    PQfinish(user);
    PQfinish(job);
    free(text);
}
END_TEST

static const char *const written[] = {
    "ALTER TABLE agent_queries ADD changed integer GENERATED ALWAYS AS (one()) STORED",
    "ALTER TABLE agent_queries ADD changed integer DEFAULT took()",
    "ALTER TABLE agent_queries ADD changed integer, ADD CONSTRAINT made CHECK (changed IS NULL OR one() = 1)",
};

/* Putting rows back writes to the table, which is its owner's. */
START_TEST(rows_that_come_back_run_no_code_of_others)
{
    retained_run_well(cluster);
    retained_set(cluster, "{\"enforce\": \"false\"}");
    cluster_execute(cluster, "GRANT INSERT ON agent_queries TO pgchime");
    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        as_mallory(written[i]);
        cluster_execute(cluster, AS_DAEMON);
        EXPECT_SQL(cluster,
                   "SELECT obstacle LIKE '% as pgchime, and its owner mallory is not trusted%'"
                   " FROM analytics.retention_restorable('agent_queries', NULL, NULL)",
                   "t");
        ck_assert_str_eq(
            cluster_sqlstate(cluster, "SELECT * FROM analytics.retention_restore('agent_queries', NULL, NULL)"),
            "55000");
        cluster_execute(cluster, "RESET SESSION AUTHORIZATION");
        expect_no_loot(written[i]);
        as_mallory("ALTER TABLE agent_queries DROP changed");
    }
    cluster_execute(cluster, AS_DAEMON);
    EXPECT_SQL(cluster, "SELECT rows FROM analytics.retention_restore('agent_queries', NULL, NULL)", "60");
    cluster_execute(cluster, "RESET SESSION AUTHORIZATION");
    expect_no_loot("a table of mallory's");
}
END_TEST

/* A partition and a cold table whose owner is another by now: one of whom the daemon's role is a member. */
START_TEST(what_was_given_away_runs_no_code_of_its_owner)
{
    cluster_execute(cluster,
                    "CREATE TABLE first PARTITION OF action_results FOR VALUES FROM ('2001-01-01') TO ('2001-02-01');"
                    "CREATE TABLE second PARTITION OF action_results FOR VALUES FROM ('2001-02-01') TO ('2001-03-01');"
                    "ALTER TABLE first OWNER TO pgchime; ALTER TABLE second OWNER TO mallory; GRANT mallory TO pgchime;"
                    "INSERT INTO action_results (id, action_type, status, executed_at) VALUES"
                    " (1, 'a', 'completed', '2001-01-05'), (2, 'a', 'completed', '2001-02-05')");
    as_mallory("ALTER TABLE second ADD CONSTRAINT made CHECK (id + one() > 0)");
    retained_run_badly(cluster, "detach public.second: it would run function public.one()" UNTRUSTED);
    expect_no_loot("a partition before it is detached");
    EXPECT_SQL(cluster, "SELECT string_agg(name, ' ') FROM analytics.retention_detached", "public.first");

    cluster_execute(cluster, "ALTER TABLE first OWNER TO mallory;"
                             "ALTER TABLE analytics.cold_agent_queries OWNER TO mallory;"
                             "GRANT USAGE ON SCHEMA analytics TO mallory");
    as_mallory("ALTER TABLE first ADD CONSTRAINT made CHECK (id + one() > 0); ALTER TABLE second DROP CONSTRAINT made;"
               " ALTER TABLE analytics.cold_agent_queries ADD CONSTRAINT made CHECK (id + one() > 0)");
    char *message = retained_run(cluster);
    expect_no_loot("a detached partition, or a cold table");
    ck_assert_msg(strstr(message, "drop public.first: it would run function public.one()" UNTRUSTED) != NULL &&
                      strstr(message, "expire analytics.cold_agent_queries: it would run function public.one()") !=
                          NULL,
                  "%s", message);
    free(message);

    /* By its name something else is read than was looked at. */
    char *guard = cluster_value(cluster, "SELECT guard FROM analytics.retention_steps() WHERE action = 'drop'");
    as_mallory("ALTER TABLE first DROP CONSTRAINT made; ALTER TABLE first RENAME TO before;"
               " CREATE VIEW first AS SELECT * FROM before WHERE one() = 1; GRANT SELECT ON first TO pgchime");
    cluster_execute(cluster, AS_DAEMON);
    char *said = cluster_value(cluster, guard);
    cluster_execute(cluster, "RESET SESSION AUTHORIZATION");
    expect_no_loot("a view by the name of a detached partition");
    ck_assert_msg(said != NULL && strstr(said, "and its owner mallory is not trusted") != NULL, "%s", said);
    free(said);
    free(guard);
    cluster_execute(cluster, AS_DAEMON "SELECT * FROM analytics.retention_tiers() AS t,"
                                       " analytics.retention_restorable('action_results', NULL, NULL) AS a,"
                                       " analytics.retention_restorable('agent_queries', NULL, NULL) AS b" AS_DBA);
    expect_no_loot("what is reported");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trust_retention");
    TCase *cases = tcase_create("trust_retention");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, retention_runs_no_code_of_others);
    tcase_add_test(cases, a_report_leaves_out_what_it_may_not_read);
    tcase_add_test(cases, a_trigger_that_comes_before_a_batch_does_not_run);
    tcase_add_test(cases, rows_that_come_back_run_no_code_of_others);
    tcase_add_test(cases, what_was_given_away_runs_no_code_of_its_owner);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
