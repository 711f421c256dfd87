/* SPDX-License-Identifier: PostgreSQL */
/* What plugin retention leaves alone, and tells: what it did not make, what takes other rows along, what would change
 * values, and a clock that may be wrong. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/session.h"
#include "support/cluster/stepped_cluster.h"
#include "support/ledger/retained.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define SECONDS 60
#define DAY INT64_C(86400000000)
/* Row n is n days and an hour old: with the usual settings 30 to 89 become cold, and the older ones go. */
#define ROWS(table)                                                                                     \
    "INSERT INTO " table " (id, created_at) SELECT n, now() - n * interval '1 day' - interval '1 hour'" \
    " FROM generate_series(0, 149) AS n;"
#define HOT "SELECT count(*) FROM agent_queries"
#define COLD "SELECT count(*) FROM analytics.cold_agent_queries"

static struct cluster *cluster;

static void set_up(void)
{
    cluster = retained_create();
    cluster_execute(cluster, ROWS("agent_queries"));
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

/* --- what is not ours --------------------------------------------------------------------------------------------- */

/* As like ours as anybody can make it: of our role, with our columns, our comment, and rows long past their time. */
START_TEST(a_table_under_a_cold_tables_name_loses_no_row)
{
    cluster_execute(
        cluster,
        "CREATE TABLE analytics.cold_agent_queries (LIKE agent_queries INCLUDING ALL);"
        "ALTER TABLE analytics.cold_agent_queries OWNER TO pgchime;"
        "COMMENT ON TABLE analytics.cold_agent_queries IS 'pgchime retention: cold rows of public.agent_queries';"
        "INSERT INTO analytics.cold_agent_queries (id, created_at) SELECT id, created_at FROM agent_queries");
    retained_run_badly(cluster,
                       "expire analytics.cold_agent_queries: analytics.cold_agent_queries is not retention's own");
    EXPECT_SQL(cluster, COLD, "150");
    EXPECT_SQL(cluster, HOT, "150");
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(concat(action, ' ', rows, left(obstacle, 47)), ', ' ORDER BY action)"
        " FROM analytics.retention_dry_run() WHERE source = 'agent_queries'",
        "expire analytics.cold_agent_queries is not retention's, move analytics.cold_agent_queries is not retention's");
}
END_TEST

START_TEST(a_partitioned_table_in_the_place_of_a_cold_one_loses_no_row)
{
    retained_run_well(cluster);
    cluster_execute(cluster,
                    "ALTER TABLE analytics.cold_agent_queries RENAME TO mine;"
                    "CREATE TABLE analytics.cold_agent_queries (LIKE agent_queries) PARTITION BY RANGE (created_at);"
                    "ALTER TABLE analytics.cold_agent_queries OWNER TO pgchime;"
                    "CREATE TABLE analytics.old PARTITION OF analytics.cold_agent_queries FOR VALUES FROM (MINVALUE) "
                    "TO ('2020-01-01');"
                    "CREATE TABLE analytics.young PARTITION OF analytics.cold_agent_queries FOR VALUES FROM "
                    "('2020-01-01') TO (MAXVALUE);"
                    "INSERT INTO analytics.cold_agent_queries (id, created_at) VALUES (1, now()), (2, '2019-01-01')");
    retained_run_badly(cluster, "analytics.cold_agent_queries is not retention's own");
    EXPECT_SQL(cluster, COLD, "2");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mine", "60");
}
END_TEST

/* A row of the parent and one of a child may have the same place in their files. */
START_TEST(rows_of_a_table_that_inherits_from_a_cold_one_stay)
{
    retained_run_well(cluster);
    cluster_execute(
        cluster,
        "CREATE TABLE analytics.child () INHERITS (analytics.cold_agent_queries);"
        "INSERT INTO analytics.child (id, created_at) SELECT n, now() FROM generate_series(1, 60) AS n;"
        "UPDATE analytics.cold_agent_queries SET created_at = created_at - interval '100 days' WHERE id >= 30");
    cluster_execute(cluster, "VACUUM FULL analytics.cold_agent_queries");
    char *message = retained_run(cluster);
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.child", "60");
    ck_assert_ptr_nonnull(strstr(message, "inherits, is inherited from, or is a partition"));
    free(message);
    cluster_execute(cluster, "ALTER TABLE analytics.child NO INHERIT analytics.cold_agent_queries");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, COLD, "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.child", "60");
}
END_TEST

START_TEST(a_source_that_others_inherit_from_is_left)
{
    cluster_execute(cluster, "CREATE TABLE newer () INHERITS (agent_queries);"
                             "INSERT INTO newer (id, created_at) SELECT id, now() FROM agent_queries");
    retained_run_badly(cluster, "move public.agent_queries: public.newer inherits from it, and its rows would stay");
    EXPECT_SQL(cluster, HOT, "300");
}
END_TEST

/* A row that becomes young while its deletion waits for it. */
START_TEST(a_cold_row_that_has_just_become_young_stays)
{
    retained_run_well(cluster);
    cluster_execute(cluster,
                    "UPDATE analytics.cold_agent_queries SET created_at = now() - interval '100 days' WHERE id = 40");
    PGconn *user = cluster_connect(cluster, "postgres");
    PGconn *job = retained_connect(cluster);
    char *text = retained_job(cluster);
    session_execute(user, "BEGIN; UPDATE analytics.cold_agent_queries SET created_at = now() WHERE id = 40");
    session_send(job, text);
    session_await_blocked(cluster, job);
    session_execute(user, "COMMIT");
    session_await(job);
    EXPECT_SQL(cluster, COLD " WHERE id = 40", "1");
    PQfinish(user);
    PQfinish(job);
    free(text);
}
END_TEST

/* --- what takes other rows along ---------------------------------------------------------------------------------- */

static void make_notes(void)
{
    cluster_execute(
        cluster, "CREATE TABLE notes (query_id bigint); INSERT INTO notes SELECT id FROM agent_queries;"
                 "CREATE FUNCTION take_notes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                 " DELETE FROM public.notes WHERE query_id = OLD.id; RETURN OLD; END $$; GRANT ALL ON notes TO pgchime;"
                 "CREATE TRIGGER notes_too AFTER DELETE ON agent_queries FOR EACH ROW EXECUTE FUNCTION take_notes()");
}

START_TEST(a_trigger_that_takes_other_rows_along_is_asked_about_first)
{
    make_notes();
    cluster_execute(cluster, ROWS("agent_feedback") "UPDATE agent_feedback SET updated_at = created_at");
    retained_run_badly(cluster,
                       "move public.agent_queries: trigger notes_too of public.agent_queries would run at each DELETE: "
                       "where that is wanted, allow it by triggers = \"agent_queries.notes_too\"");
    EXPECT_SQL(cluster,
               "SELECT concat_ws(' ', (SELECT count(*) FROM notes), (" HOT "), (SELECT count(*) FROM agent_feedback))",
               "150 150 30");
    retained_set(cluster, "{\"triggers\": \"agent_feedback.notes_too, other\"}");
    retained_run_badly(cluster, "trigger notes_too");
    retained_set(cluster, "{\"triggers\": \"other , agent_queries.notes_too\"}");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', (SELECT count(*) FROM notes), (" HOT "), (" COLD "))", "30 30 60");
}
END_TEST

START_TEST(a_trigger_that_is_off_or_of_another_event_hinders_nothing)
{
    make_notes();
    cluster_execute(
        cluster,
        "ALTER TABLE agent_queries DISABLE TRIGGER notes_too;"
        "CREATE TRIGGER others AFTER INSERT OR UPDATE ON agent_queries FOR EACH ROW EXECUTE FUNCTION take_notes()");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', (SELECT count(*) FROM notes), (" HOT "), (" COLD "))", "150 30 60");
}
END_TEST

/* One that swallows rows on their way in would have them nowhere. */
START_TEST(triggers_and_rules_of_a_cold_table_hinder_too)
{
    retained_run_well(cluster);
    cluster_execute(
        cluster,
        "INSERT INTO agent_queries (id, created_at) VALUES (900, now() - interval '40 days');"
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER swallow BEFORE INSERT ON analytics.cold_agent_queries FOR EACH ROW EXECUTE FUNCTION swallow()");
    retained_run_badly(cluster, "allow it by triggers = \"cold_agent_queries.swallow\"");
    EXPECT_SQL(cluster, HOT " WHERE id = 900", "1");
    retained_set(cluster, "{\"triggers\": \"cold_agent_queries.swallow\"}");
    retained_run_badly(cluster, "1 of 1 rows did not arrive in the cold table");
    EXPECT_SQL(cluster, HOT " WHERE id = 900", "1");
    cluster_execute(cluster, "DROP TRIGGER swallow ON analytics.cold_agent_queries;"
                             "CREATE RULE nothing AS ON DELETE TO analytics.cold_agent_queries DO INSTEAD NOTHING");
    retained_run_badly(cluster, "rule nothing of analytics.cold_agent_queries would act at each DELETE");
}
END_TEST

/* A trigger that comes while the job is between two batches. */
START_TEST(what_is_made_in_the_middle_of_a_run_ends_it_there)
{
    cluster_execute(cluster, "INSERT INTO agent_queries (id, created_at) SELECT n, now() - interval '40 days'"
                             " FROM generate_series(200, 899) AS n");
    PGconn *user = cluster_connect(cluster, "postgres");
    PGconn *job = retained_connect(cluster);
    char *text = retained_job(cluster);
    session_execute(user, "BEGIN; SELECT FROM agent_queries WHERE id = 450 FOR UPDATE");
    session_send(job, text);
    session_await_blocked(cluster, job);
    make_notes(); /* waits for the batch */
    session_execute(user, "COMMIT");
    PGresult *result = PQgetResult(job);
    ck_assert_ptr_nonnull(strstr(PQresultErrorMessage(result), "trigger notes_too of public.agent_queries would run"));
    PQclear(result);
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM notes) = (" HOT ")", "t");
    PQfinish(user);
    PQfinish(job);
    free(text);
}
END_TEST

START_TEST(a_constraint_that_is_checked_late_ends_the_turn_of_its_table_alone)
{
    cluster_execute(
        cluster, ROWS("agent_approvals")
                     ROWS("agent_feedback") "UPDATE agent_approvals SET status = 'approved', updated_at = created_at;"
                                            "UPDATE agent_feedback SET updated_at = created_at;"
                                            "CREATE TABLE reviews (approval_id bigint REFERENCES agent_approvals "
                                            "DEFERRABLE INITIALLY DEFERRED);"
                                            "INSERT INTO reviews VALUES (60)");
    retained_run_badly(
        cluster, "move public.agent_approvals: update or delete on table \"agent_approvals\" violates foreign key");
    EXPECT_SQL(cluster,
               "SELECT concat_ws(' ', (SELECT count(*) FROM agent_approvals), (" HOT
               "), (SELECT count(*) FROM agent_feedback))",
               "150 30 30");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.retention_log WHERE note LIKE 'update or delete on table%'",
               "1");
}
END_TEST

/* --- the clock ---------------------------------------------------------------------------------------------------- */

START_TEST(a_step_of_the_clock_takes_nothing_until_somebody_confirms_it)
{
    retained_run_well(cluster);
    cluster_execute(
        cluster, "INSERT INTO agent_queries (id, created_at) VALUES (900, now() - interval '40 days');"
                 "UPDATE analytics.cold_agent_queries SET created_at = created_at - interval '90 days' WHERE id = 50;"
                 "UPDATE analytics.retention_log SET at = at - interval '8 days 1 minute'");
    for (int i = 0; i < 2; i++) { /* What a run writes down with that clock confirms nothing. */
        retained_run_badly(cluster, "where the clock is right, run pgchime retention confirm");
        EXPECT_SQL(cluster, "SELECT concat_ws(' ', (" HOT "), (" COLD "))", "31 60");
    }
    EXPECT_SQL(cluster, "SELECT count(DISTINCT obstacle) FROM analytics.retention_dry_run()", "1");
    cluster_execute(cluster, "SELECT analytics.retention_confirm()");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', (" HOT "), (" COLD "))", "30 60");
}
END_TEST

/* Reporting runs do not make a wrong clock right, and a wrong clock does not empty the log. */
START_TEST(runs_that_only_report_confirm_nothing)
{
    retained_run_well(cluster);
    cluster_execute(cluster, "UPDATE analytics.retention_log SET at = at - interval '500 days'");
    retained_set(cluster, "{\"enforce\": \"false\"}");
    retained_run_well(cluster);
    retained_set(cluster, "{\"enforce\": \"true\"}");
    retained_run_badly(cluster, "run pgchime retention confirm");
    EXPECT_SQL(cluster, "SELECT count(*) > 0 FROM analytics.retention_log WHERE at < now() - interval '400 days'", "t");
}
END_TEST

START_TEST(a_log_that_was_emptied_says_nothing_of_the_clock)
{
    cluster_execute(cluster,
                    "TRUNCATE analytics.retention_log; UPDATE chime.plugin SET changed_at = now() - interval '9 days'");
    retained_run_badly(cluster, "run pgchime retention confirm");
    EXPECT_SQL(cluster, HOT, "150");
}
END_TEST

static void step_clock(void)
{
    cluster_destroy(cluster);
    cluster = stepped_cluster_create(NULL);
    retained_install(cluster);
    cluster_execute(cluster, ROWS("agent_queries"));
}

START_TEST(a_server_whose_clock_goes_a_year_ahead_loses_no_row)
{
    step_clock();
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', (" HOT "), (" COLD "))", "30 60");
    stepped_cluster_set(365 * DAY);
    retained_run_badly(cluster, "where the clock is right, run pgchime retention confirm");
    retained_run_badly(cluster, "where the clock is right, run pgchime retention confirm");
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', (" HOT "), (" COLD "))", "30 60");
    stepped_cluster_set(DAY);
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', (" HOT "), (" COLD "))", "29 60");
}
END_TEST

#define YOUNG "SELECT count(*) FROM agent_queries WHERE id < 30"
#define YOUNG_ENOUGH                                                                                               \
    "SELECT count(*) FROM (SELECT id FROM agent_queries UNION ALL SELECT id FROM analytics.cold_agent_queries) t " \
    "WHERE id < 90"

/* What a run writes down after the step says nothing of the clock, though the run began well. */
START_TEST(a_clock_that_goes_ahead_in_the_middle_of_a_run_is_not_believed_by_the_next)
{
    step_clock();
    PGconn *user = cluster_connect(cluster, "postgres");
    PGconn *job = retained_connect(cluster);
    char *text = retained_job(cluster);
    session_execute(user, "BEGIN; SELECT FROM agent_queries WHERE id = 120 FOR UPDATE");
    session_send(job, text);
    session_await_blocked(cluster, job);
    stepped_cluster_set(365 * DAY);
    session_execute(user, "COMMIT");
    PQclear(PQgetResult(job));
    PQfinish(user);
    PQfinish(job);
    free(text);
    EXPECT_SQL(cluster, YOUNG_ENOUGH, "90");
    retained_run_badly(cluster, "where the clock is right, run pgchime retention confirm");
    EXPECT_SQL(cluster, YOUNG_ENOUGH, "90");
    EXPECT_SQL(cluster, YOUNG, "30");
    stepped_cluster_set(DAY);
    retained_run_well(cluster);
    EXPECT_SQL(cluster, YOUNG, "29");
}
END_TEST

/* Confirmed by somebody who was mistaken, put right, and then as wrong as before: the last run counts, not the latest
 * instant. */
START_TEST(a_clock_that_was_wrong_once_is_not_believed_when_it_is_so_again)
{
    step_clock();
    stepped_cluster_set(365 * DAY);
    cluster_execute(cluster, "SELECT analytics.retention_confirm()");
    for (int i = 1; i < 3; i++) {
        stepped_cluster_set(i * INT64_C(3600000000));
        retained_run_well(cluster);
        EXPECT_SQL(cluster, YOUNG_ENOUGH, "90");
        stepped_cluster_set(365 * DAY + i * INT64_C(3600000000));
        retained_run_badly(cluster, "where the clock is right, run pgchime retention confirm");
        EXPECT_SQL(cluster, YOUNG_ENOUGH, "90");
    }
    EXPECT_SQL(cluster, YOUNG, "30");
}
END_TEST

/* --- counts ------------------------------------------------------------------------------------------------------- */

START_TEST(what_a_dry_run_counts_is_what_the_run_takes)
{
    static const char steps[] = "source, action, object, rows";
    make_notes();
    cluster_execute(cluster, ROWS("agent_feedback") "UPDATE agent_feedback SET updated_at = created_at;"
                                                    "CREATE TABLE newer () INHERITS (agent_feedback); INSERT INTO "
                                                    "newer (id, created_at) SELECT id, created_at FROM agent_feedback;"
                                                    "CREATE TABLE m1 PARTITION OF action_results FOR VALUES FROM "
                                                    "('2000-01-01') TO ('2000-02-01');"
                                                    "CREATE TABLE m2 PARTITION OF action_results DEFAULT; ALTER TABLE "
                                                    "m1 OWNER TO pgchime; ALTER TABLE m2 OWNER TO pgchime;"
                                                    "INSERT INTO action_results (id, action_type, status, executed_at) "
                                                    "VALUES (1, 'a', 's', '2000-01-05'),"
                                                    " (2, 'a', 's', '2001-01-01'), (3, 'a', 's', now() - interval '50 "
                                                    "days'), (4, 'a', 's', now())");
    for (int i = 0; i < 3; i++) {
        char *sql = files_path("SELECT %s FROM analytics.retention_dry_run()", steps);
        char *would = cluster_rows(cluster, sql);
        free(sql);
        free(retained_run(cluster));
        sql = files_path(
            "SELECT %s FROM analytics.retention_log WHERE at > (SELECT max(at) FROM analytics.retention_log) -"
            " interval '1 hour' AND at > coalesce(current_setting('test.since', true), '-infinity')::timestamptz"
            " ORDER BY at",
            steps);
        char *did = cluster_rows(cluster, sql);
        EXPECT_SQL(cluster,
                   "SELECT note FROM analytics.retention_log WHERE action IN ('detach', 'drop') AND note IS NOT NULL",
                   NULL);
        ck_assert_str_eq(did, would);
        ck_assert_ptr_nonnull(strstr(did, i == 0   ? "detach|public.m1|1"
                                          : i == 1 ? "drop|public.m1|1"
                                                   : "move|public.m2|0"));
        ck_assert(i < 2 || strstr(did, "expire|analytics.cold_action_results|1") != NULL);
        free(sql);
        free(did);
        free(would);
        cluster_execute(cluster, "SELECT set_config('test.since', clock_timestamp()::text, false)");
        if (i == 1) {
            retained_set(cluster, "{\"triggers\": \"agent_queries.notes_too\"}");
            cluster_execute(cluster, "UPDATE analytics.cold_action_results SET executed_at = '2001-01-01';"
                                     "TRUNCATE agent_feedback CASCADE");
        }
    }
    EXPECT_SQL(cluster, HOT, "30");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("retention_refusals");
    TCase *cases = tcase_create("retention_refusals");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, a_table_under_a_cold_tables_name_loses_no_row);
    tcase_add_test(cases, a_partitioned_table_in_the_place_of_a_cold_one_loses_no_row);
    tcase_add_test(cases, rows_of_a_table_that_inherits_from_a_cold_one_stay);
    tcase_add_test(cases, a_source_that_others_inherit_from_is_left);
    tcase_add_test(cases, a_cold_row_that_has_just_become_young_stays);
    tcase_add_test(cases, a_trigger_that_takes_other_rows_along_is_asked_about_first);
    tcase_add_test(cases, a_trigger_that_is_off_or_of_another_event_hinders_nothing);
    tcase_add_test(cases, triggers_and_rules_of_a_cold_table_hinder_too);
    tcase_add_test(cases, what_is_made_in_the_middle_of_a_run_ends_it_there);
    tcase_add_test(cases, a_constraint_that_is_checked_late_ends_the_turn_of_its_table_alone);
    tcase_add_test(cases, a_step_of_the_clock_takes_nothing_until_somebody_confirms_it);
    tcase_add_test(cases, runs_that_only_report_confirm_nothing);
    tcase_add_test(cases, a_log_that_was_emptied_says_nothing_of_the_clock);
    tcase_add_test(cases, a_server_whose_clock_goes_a_year_ahead_loses_no_row);
    tcase_add_test(cases, a_clock_that_goes_ahead_in_the_middle_of_a_run_is_not_believed_by_the_next);
    tcase_add_test(cases, a_clock_that_was_wrong_once_is_not_believed_when_it_is_so_again);
    tcase_add_test(cases, what_a_dry_run_counts_is_what_the_run_takes);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
