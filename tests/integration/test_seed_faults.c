/* SPDX-License-Identifier: PostgreSQL */
/* Faults of the seeds that ours do not have: each beside the seed's own way, as a small fixture, which must show the
 * fault. docs/plugins/README.md says where the others are tested. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "calendar/schedule.h"
#include "support/cluster/cluster.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/views/installed.h"

#define INSTALL_SECONDS 60

static struct cluster *cluster;

/* The daemon installs and goes: what is refreshed afterwards, a test refreshes. */
static void make(struct cluster *made)
{
    char *folder = files_make_directory();

    cluster = made;
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/views/tables_submissions.sql");
    plugin_put(folder, "lane_distribution");
    plugin_put(folder, "weakness");
    plugin_put(folder, "progress");
    struct site *site = site_create(cluster, "postgres", 2);
    site_use_plugins(site, folder);
    struct daemon *daemon = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FILTER (WHERE refreshed_at IS NOT NULL) FROM chime.view_refresh", "3",
             INSTALL_SECONDS);
    WAIT_SQL(cluster, "SELECT (SELECT count(*) FROM chime.run) + (SELECT count(*) FROM chime.request)", "0",
             INSTALL_SECONDS);
    site_end(daemon);
    daemon_destroy(daemon);
    site_destroy(site);
    free(folder);
}

static void set_up(void)
{
    static const struct cluster_template installed = {"three-plugins", make, NULL};

    cluster = cluster_create_from(&installed, NULL);
    cluster_execute(cluster, "SET search_path = analytics, public; CREATE SCHEMA seed");
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

static void refresh(void)
{
    cluster_execute(cluster,
                    "SELECT chime.refresh('mv_lane_score_distribution'); SELECT chime.refresh('mv_weakness_patterns');"
                    "SELECT chime.refresh('mv_agent_progress')");
}

/* --- lane scores -------------------------------------------------------------------------------------------------- */

#define SEEDS_LANES                                                                                            \
    "FROM public.submissions s, LATERAL jsonb_each(s.final_lane_scores) AS l (lane_key, lane_value), LATERAL " \
    "(SELECT (lane_value::text)::float AS score) c WHERE s.status = 'scored' AND s.final_lane_scores IS NOT NULL"

START_TEST(one_malformed_score_fails_the_seeds_refresh_and_is_counted_by_ours)
{
    static const char *const malformed[][2] = {{"{\"speed\": \"fast\"}", "22P02"},
                                               {"{\"speed\": null}", "22P02"},
                                               {"{\"speed\": \"NaN\"}", "22P02"},
                                               {"{\"speed\": [1]}", "22P02"},
                                               {"[1, 2]", "22023"},
                                               {"\"none\"", "22023"}};
    char *right = cluster_rows(cluster, "SELECT * FROM mv_lane_score_distribution ORDER BY challenge_id, lane_key");
    ck_assert_str_ne(right, "");
    cluster_execute(cluster, "CREATE MATERIALIZED VIEW seed.lanes AS SELECT s.challenge_id, lane_key, count(*),"
                             " avg(score) " SEEDS_LANES " GROUP BY 1, 2");
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        cluster_execute_format(cluster,

                               "INSERT INTO public.submissions (agent_id, challenge_id, final_lane_scores)"
                               " VALUES (u(1), u(1), '%s')",
                               malformed[i][0]);
        ck_assert_str_eq(cluster_sqlstate(cluster, "REFRESH MATERIALIZED VIEW seed.lanes"), malformed[i][1]);
        EXPECT_SQL(cluster, "SELECT rejected FROM chime.refresh('mv_lane_score_distribution', true)", "1");
        char *now = cluster_rows(cluster, "SELECT * FROM mv_lane_score_distribution ORDER BY challenge_id, lane_key");
        ck_assert_str_eq(now, right);
        cluster_execute(cluster, "DELETE FROM public.submissions WHERE composite_score IS NULL");
        free(now);
    }
    free(right);
}
END_TEST

START_TEST(percentiles_do_not_mix_challenges)
{
    static const char best_of_the_hard[] =
        "SELECT count(*) FROM public.submissions s, %s t WHERE s.challenge_id = u(10) AND s.composite_score >= t.p90%s";
    char *mixed = files_path(best_of_the_hard, "seed.lanes", "");
    char *apart = files_path(best_of_the_hard, "mv_lane_score_distribution", " AND t.challenge_id = u(10)");

    cluster_execute(cluster, "CREATE VIEW seed.lanes AS SELECT lane_key, percentile_cont(0.9) WITHIN GROUP (ORDER BY"
                             " score) AS p90 " SEEDS_LANES " GROUP BY lane_key");
    EXPECT_SQL(cluster, mixed, "0"); /* nobody is among the best tenth of a hard challenge */
    EXPECT_SQL(cluster, apart, "1");
    free(mixed);
    free(apart);
}
END_TEST

START_TEST(few_samples_are_held_back)
{
    cluster_execute(cluster, "DELETE FROM public.submissions WHERE agent_id = u(5) AND challenge_id = u(1)");
    refresh();
    EXPECT_SQL(cluster, "SELECT sample_count FROM mv_lane_score_distribution WHERE challenge_id = u(1)",
               "4"); /* a reader without the guard */
    EXPECT_SQL(cluster, "SELECT count(*) FROM lane_distributions(u(1))", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM lane_distributions(u(1), NULL)", "0");
    EXPECT_SQL(cluster, "SELECT sample_count FROM lane_distributions(u(1), 4)", "4");
    EXPECT_SQL(cluster, "SELECT sample_count FROM lane_distributions(u(10))", "5");
}
END_TEST

/* --- weakness ----------------------------------------------------------------------------------------------------- */

START_TEST(one_attempt_has_no_trend_and_one_instant_has_no_slope)
{
    cluster_execute(cluster, "INSERT INTO public.submissions (agent_id, challenge_id, final_lane_scores, created_at)"
                             " SELECT u(2), u(1), '{\"speed\": 7}', created_at FROM public.submissions"
                             " WHERE agent_id = u(2) AND challenge_id = u(1)");
    cluster_execute(cluster, "CREATE VIEW seed.patterns AS SELECT agent_id, challenge_id, lane_key, count(*) AS"
                             " attempt_count, regr_slope(score, extract(epoch FROM created_at)) AS slope " SEEDS_LANES
                             " GROUP BY 1, 2, 3");
    refresh();
    EXPECT_SQL(cluster, "SELECT count(*) FROM seed.patterns WHERE attempt_count < 2", "9");
    EXPECT_SQL(cluster, "SELECT count(*) FROM mv_weakness_patterns WHERE attempt_count < 2", "0");
    EXPECT_SQL(cluster, "SELECT attempt_count || coalesce(' ' || score_trend_slope, '') FROM mv_weakness_patterns",
               "2");
    EXPECT_SQL(cluster, "SELECT count(*) FROM weakness_patterns(u(2)) WHERE score_trend_slope IS NULL", "1");
}
END_TEST

START_TEST(filling_weakness_patterns_twice_duplicates_nothing)
{
    cluster_execute(cluster, "INSERT INTO public.submissions (agent_id, challenge_id, final_lane_scores, created_at)"
                             " SELECT agent_id, challenge_id, '{\"speed\": 3}', now() FROM public.submissions;"
                             "CREATE TABLE seed.patterns AS TABLE mv_weakness_patterns__live");
    refresh();
    cluster_execute(cluster, "INSERT INTO seed.patterns TABLE mv_weakness_patterns__live");
    EXPECT_SQL(cluster,
               "SELECT max(n) FROM (SELECT count(*) AS n FROM seed.patterns GROUP BY agent_id, challenge_id, lane_key) "
               "d",
               "2");
    EXPECT_SQL(cluster, "SELECT inserted + updated + deleted FROM chime.refresh('mv_weakness_patterns', true)", "0");
    /* Broken off in the middle and begun again. */
    cluster_execute(cluster, "DELETE FROM mv_weakness_patterns WHERE agent_id <= u(2)");
    EXPECT_SQL(
        cluster,
        "SELECT concat_ws(' ', inserted, updated, deleted, rows) FROM chime.refresh('mv_weakness_patterns', true)",
        "4 0 0 10");
}
END_TEST

/* --- progress ----------------------------------------------------------------------------------------------------- */

START_TEST(weeks_are_those_of_utc)
{
    static const char seeds[] = "SELECT count(DISTINCT date_trunc('week', created_at)) FROM public.submissions"
                                " WHERE agent_id = u(9)";
    static const char ours[] = "SELECT string_agg(week::date || ' ' || submission_count, ', ' ORDER BY week)"
                               " FROM mv_agent_progress__live WHERE agent_id = u(9)";
    /* Sunday evening and Monday morning in UTC; in Auckland both are Monday. */
    cluster_execute(cluster, "INSERT INTO public.submissions (agent_id, challenge_id, composite_score, created_at)"
                             " VALUES (u(9), u(1), 1, '2026-03-08 20:00+00'), (u(9), u(1), 2, '2026-03-09 08:00+00');"
                             "SET timezone = 'UTC'");
    EXPECT_SQL(cluster, seeds, "2");
    EXPECT_SQL(cluster, ours, "2026-03-02 1, 2026-03-09 1");
    cluster_execute(cluster, "SET timezone = 'Pacific/Auckland'");
    EXPECT_SQL(cluster, seeds, "1");
    EXPECT_SQL(cluster, ours, "2026-03-02 1, 2026-03-09 1");
    refresh();
    EXPECT_SQL(cluster, "SELECT string_agg(week::date::text, ' ' ORDER BY week) FROM agent_progress(u(9), u(1))",
               "2026-03-02 2026-03-09");
}
END_TEST

START_TEST(a_limit_of_weeks_gives_the_latest)
{
    cluster_execute(cluster, "INSERT INTO public.submissions (agent_id, challenge_id, composite_score, created_at)"
                             " SELECT u(9), u(1), n, timestamptz '2026-03-02 12:00+00' + n * interval '7 days'"
                             " FROM generate_series(0, 4) AS n");
    refresh();
    EXPECT_SQL(cluster,
               "SELECT string_agg(week::date::text, ' ') FROM (SELECT week FROM mv_agent_progress WHERE agent_id = u(9)"
               " ORDER BY week ASC LIMIT 2) AS seeds",
               "2026-03-02 2026-03-09");
    EXPECT_SQL(cluster, "SELECT string_agg(week::date::text, ' ') FROM agent_progress(u(9), u(1), 2)",
               "2026-03-23 2026-03-30");
}
END_TEST

/* --- notifications ------------------------------------------------------------------------------------------------ */

/* How many notifications each of these brings: scored at last, arriving scored, scored again, deleted. */
static char *heard_of_scores(PGconn *listener)
{
    static const char *const writes[] = {"UPDATE public.submissions SET status = 'scored' WHERE agent_id = u(21)",
                                         "INSERT INTO public.submissions (agent_id, challenge_id) VALUES (u(22), u(1))",
                                         "UPDATE public.submissions SET composite_score = 5 WHERE agent_id = u(22)",
                                         "DELETE FROM public.submissions WHERE agent_id IN (u(21))"};
    int counts[sizeof(writes) / sizeof(writes[0])] = {0};

    cluster_execute(cluster,
                    "INSERT INTO public.submissions (agent_id, challenge_id, status) VALUES (u(21), u(1), 'pending')");
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        cluster_execute(cluster, writes[i]);
        PQclear(PQexec(listener, "SELECT 1")); /* what was committed before comes with the answer */
        for (PGnotify *told = PQnotifies(listener); told != NULL; told = PQnotifies(listener)) {
            counts[i]++;
            PQfreemem(told);
        }
    }
    return files_path("%d %d %d %d", counts[0], counts[1], counts[2], counts[3]);
}

START_TEST(inserted_rescored_and_deleted_submissions_are_told)
{
    PGconn *listener = cluster_connect(cluster, "postgres");

    PQclear(PQexec(listener, "LISTEN submission_scored"));
    cluster_execute(
        cluster, "CREATE FUNCTION seed.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.status = 'scored'"
                 " AND OLD.status IS DISTINCT FROM 'scored' THEN PERFORM pg_notify('submission_scored', NEW.id::text);"
                 " END IF; RETURN NEW; END $$; CREATE TRIGGER seed AFTER UPDATE OF status ON public.submissions"
                 " FOR EACH ROW EXECUTE FUNCTION seed.tell()");
    char *seeds = heard_of_scores(listener);
    ck_assert_str_eq(seeds, "1 0 0 0");
    cluster_execute(cluster, "DROP TRIGGER seed ON public.submissions");
    installed_section(cluster, "lane_distribution", "submission_scored");
    cluster_execute(cluster, "DELETE FROM public.submissions WHERE agent_id = u(22)");
    PQclear(PQexec(listener, "SELECT 1"));
    PQfreemem(PQnotifies(listener)); /* of that row, which goes */
    char *ours = heard_of_scores(listener);
    ck_assert_str_eq(ours, "1 1 1 1");
    PQfinish(listener);
    free(seeds);
    free(ours);
}
END_TEST

/* --- what a write costs ------------------------------------------------------------------------------------------- */

/* Rows of the source that an INSERT of one row reads, in its own transaction. */
static const char rows_read[] =
    "SELECT coalesce(seq_tup_read + coalesce(idx_tup_fetch, 0), 0) FROM pg_stat_xact_user_tables"
    " WHERE relid = 'public.submissions'::regclass";

static int64_t rows_read_by_a_write(void)
{
    cluster_execute(cluster, "BEGIN; INSERT INTO public.submissions (agent_id, challenge_id, final_lane_scores)"
                             " VALUES (u(1), u(1), '{\"speed\": 1}')");
    int64_t count = cluster_integer(cluster, rows_read);
    cluster_execute(cluster, "ROLLBACK");
    return count;
}

START_TEST(a_write_reads_nothing_of_its_table)
{
    cluster_execute(cluster, "INSERT INTO public.submissions (agent_id, challenge_id) SELECT u(n), u(n) FROM"
                             " generate_series(100, 1099) AS n");
    ck_assert_int_eq(rows_read_by_a_write(), 0);
    cluster_execute(cluster,
                    "CREATE MATERIALIZED VIEW seed.lanes AS SELECT s.challenge_id, lane_key, avg(score) " SEEDS_LANES
                    " GROUP BY 1, 2; CREATE UNIQUE INDEX ON seed.lanes (challenge_id, lane_key);"
                    "CREATE FUNCTION seed.refresh() RETURNS trigger LANGUAGE plpgsql AS"
                    " 'BEGIN REFRESH MATERIALIZED VIEW CONCURRENTLY seed.lanes; RETURN NULL; END';"
                    "CREATE TRIGGER seed AFTER INSERT ON public.submissions EXECUTE FUNCTION seed.refresh()");
    ck_assert_int_gt(rows_read_by_a_write(), 1000);
}
END_TEST

/* --- what the seeds look for and is not there --------------------------------------------------------------------- */

START_TEST(the_seeds_questions_to_the_server_fail_and_ours_are_answered)
{
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT relname, last_refresh FROM pg_stat_user_tables"), "42703");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT count(*) FROM pg_notification_queue"), "42P01");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view_status WHERE refreshed_at > now() - interval '1 hour'", "3");
    EXPECT_SQL(cluster, "SELECT pg_notification_queue_usage() < 0.5", "t");
    /* pg_cron's own columns. */
    cluster_execute(cluster, "CREATE TABLE seed.job (jobid bigint, schedule text, command text, nodename text, nodeport"
                             " integer, database text, username text, active boolean, jobname text)");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT jobid, jobname, schedule, active, lastruntime FROM seed.job"),
                     "42703");
    EXPECT_SQL(cluster,
               "SELECT string_agg(name || ' ' || last_outcome, ', ' ORDER BY name) FROM chime.job_status"
               " WHERE active AND last_start > now() - interval '1 hour' AND last_end >= last_start"
               " AND plugin = 'progress'",
               "refresh-agent-progress succeeded");
}
END_TEST

/* No silent refresh that blocks: an error, and who asks ours gets a key. */
START_TEST(without_a_unique_index_concurrently_is_an_error_and_every_kept_relation_has_one)
{
    cluster_execute(cluster, "CREATE MATERIALIZED VIEW seed.keyless AS SELECT 1 AS one");
    ck_assert_str_eq(cluster_sqlstate(cluster, "REFRESH MATERIALIZED VIEW CONCURRENTLY seed.keyless"), "55000");
    EXPECT_SQL(cluster,
               "SELECT string_agg(v.relation, ' ') FROM chime.view v WHERE NOT EXISTS (SELECT FROM pg_index i WHERE"
               " i.indrelid = to_regclass(format('%I.%I', v.view_schema, v.relation)) AND i.indisunique"
               " AND i.indpred IS NULL AND i.indnkeyatts = cardinality(v.key))",
               NULL);
    ck_assert_str_eq(cluster_sqlstate(cluster, "INSERT INTO mv_agent_progress SELECT * FROM mv_agent_progress"),
                     "23505");
}
END_TEST

/* --- schedules ---------------------------------------------------------------------------------------------------- */

static int64_t slots_in_an_hour(const char *text)
{
    struct error err = {0};
    struct schedule schedule;
    instant noon = 0, last;

    ck_assert(instant_parse("2026-03-10T12:00:00Z", &noon, &err));
    ck_assert(schedule_parse(text, &schedule, &err));
    return schedule_count(&schedule, noon, noon + USEC_PER_HOUR, 1000, &last);
}

/* pg_cron read five fields of the six and left the last. */
START_TEST(six_fields_mean_seconds)
{
    ck_assert_int_eq(slots_in_an_hour("*/30 * * * *"), 2); /* what the seeds got */
    ck_assert_int_eq(slots_in_an_hour("*/30 * * * * *"), 120);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("seed_faults");
    TCase *views = tcase_create("views");
    TCase *schedules = tcase_create("schedules");

    tcase_add_checked_fixture(views, set_up, tear_down);
    tcase_set_timeout(views, 180);
    tcase_add_test(views, one_malformed_score_fails_the_seeds_refresh_and_is_counted_by_ours);
    tcase_add_test(views, percentiles_do_not_mix_challenges);
    tcase_add_test(views, few_samples_are_held_back);
    tcase_add_test(views, one_attempt_has_no_trend_and_one_instant_has_no_slope);
    tcase_add_test(views, filling_weakness_patterns_twice_duplicates_nothing);
    tcase_add_test(views, weeks_are_those_of_utc);
    tcase_add_test(views, a_limit_of_weeks_gives_the_latest);
    tcase_add_test(views, inserted_rescored_and_deleted_submissions_are_told);
    tcase_add_test(views, a_write_reads_nothing_of_its_table);
    tcase_add_test(views, the_seeds_questions_to_the_server_fail_and_ours_are_answered);
    tcase_add_test(views, without_a_unique_index_concurrently_is_an_error_and_every_kept_relation_has_one);
    tcase_add_test(schedules, six_fields_mean_seconds);
    suite_add_tcase(all, views);
    suite_add_tcase(all, schedules);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
