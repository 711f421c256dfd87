/* SPDX-License-Identifier: PostgreSQL */
/* What plugin training_quality keeps: right after every mix of writes, by groups; tile 4, and the feedback channel. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/views/installed.h"

#define NOON "2026-03-10 12:00:00+00"
#define NEXT_DAY "2026-03-11 12:30:00+00"
#define NEXT_MONTH "2026-04-10 12:00:00+00"

static struct cluster *cluster;

static void set_up(void)
{
    cluster = installed_create("training_quality", "tests/support/views/tables_training.sql", NOON);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

static void is_right_after(const char *as_of, const char *sql)
{
    static const char *const views[] = {"mv_training_quality_snapshot", "mv_annotator_activity",
                                        "mv_agent_feedback_quality", NULL};

    cluster_execute(cluster, sql);
    installed_refresh(cluster, as_of, views);
    installed_is_right(cluster, "training", as_of);
}

/* --- what is there ------------------------------------------------------------------------------------------------ */

START_TEST(relations_have_the_seeds_columns_and_are_refreshed_by_groups)
{
    EXPECT_SQL(cluster,
               "SELECT string_agg(name, ' ') FROM unnest(ARRAY['total_annotations', 'avg_clarity', 'avg_accuracy',"
               "'flagged_unsafe', 'quality_score', 'score_distribution', 'label_distribution', 'active_annotators',"
               "'refreshed_at']) AS name WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attname = name AND"
               " a.attrelid = 'analytics.mv_training_quality_snapshot'::regclass)",
               NULL);
    EXPECT_SQL(cluster,
               "SELECT string_agg(relation || coalesce(': ' || full_reason, ''), ', ' ORDER BY relation)"
               " FROM chime.view",
               "mv_agent_feedback_quality: it has no grain, mv_annotator_activity, mv_training_quality_snapshot");
    EXPECT_SQL(cluster,
               "SELECT string_agg(name || ' ' || schedule, ', ' ORDER BY name COLLATE \"C\") FROM chime.job"
               " WHERE origin = 'plugin'",
               "refresh-agent-feedback-quality */15 * * * *, refresh_training_quality */30 * * * *");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.plugin_function WHERE plugin = 'training_quality'", "4");
}
END_TEST

START_TEST(a_write_costs_its_table_and_its_annotator)
{
    cluster_execute(cluster, "INSERT INTO agent_feedback (annotator, created_at) VALUES ('new', '" NOON
                             "'), (NULL, '" NOON "')");
    EXPECT_SQL(cluster,
               "SELECT method || ' ' || keys || ' ' || updated FROM"
               " chime.refresh('mv_training_quality_snapshot', p_revisit => false)",
               "keyed 1 1");
    EXPECT_SQL(cluster,
               "SELECT method || ' ' || keys || ' ' || inserted FROM"
               " chime.refresh('mv_annotator_activity', p_revisit => false)",
               "keyed 2 1"); /* that of no annotator has no row */
}
END_TEST

/* That group differs where a mark leads to it that this refresh takes, or where only time moved it. */
START_TEST(a_group_that_is_watched_is_not_refreshed_for_that)
{
    const char *watch = "UPDATE chime.view_refresh SET watch_owed_us = 0";

    for (int i = 0; i < 12; i++) {
        cluster_execute(cluster, "INSERT INTO agent_feedback (annotator, created_at) VALUES ('new', '" NOON "')");
        cluster_execute(cluster, watch);
        EXPECT_SQL(cluster,
                   "SELECT method || ' ' || keys || ' ' || updated FROM"
                   " chime.refresh('mv_training_quality_snapshot', p_revisit => false)",
                   "keyed 1 1");
    }
    cluster_execute(cluster, "SET chime.as_of = '" NEXT_DAY "'");
    for (int i = 0; i < 4; i++) {
        cluster_execute(cluster, watch);
        EXPECT_SQL(cluster,
                   "SELECT method || ' ' || keys || ' ' || updated FROM"
                   " chime.refresh('mv_training_quality_snapshot', p_revisit => false)",
                   "keyed 0 0");
    }
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view WHERE found_wrong IS NOT NULL", "0");
}
END_TEST

/* --- what they hold ----------------------------------------------------------------------------------------------- */

START_TEST(the_relations_are_right_after_every_mix_of_writes)
{
    is_right_after(NOON, "SELECT 1");
    is_right_after(NOON, "INSERT INTO agent_feedback (annotator, safe_to_send, labels, rubric, created_at)"
                         " SELECT 'qa_team_' || n % 9, n % 2 = 0, ARRAY['label ' || n % 70],"
                         " jsonb_build_object('clarity', n % 5 + 0.5, 'tone', '' || n % 3), timestamptz '" NOON
                         "' - n * interval '1 minute' FROM generate_series(1, 200) n");
    is_right_after(NOON,
                   "UPDATE agent_feedback SET safe_to_send = NOT safe_to_send WHERE id % 7 = 0;"
                   "UPDATE agent_feedback SET annotator = 'somebody else' WHERE id % 13 = 0;"
                   "UPDATE agent_feedback SET annotator = NULL WHERE id % 17 = 0;"
                   "UPDATE \"AgentFeedback\" SET rubric = rubric || '{\"accuracy\": 5}' WHERE jsonb_typeof(rubric) = "
                   "'object'; UPDATE agent_feedback SET created_at = created_at - interval '8 days' WHERE id % 19 = 0");
    is_right_after(NOON, "DELETE FROM agent_feedback WHERE id % 3 = 0; DELETE FROM \"AgentFeedback\" WHERE annotator = "
                         "'qa_team_1'");
    is_right_after(NOON, "INSERT INTO \"AgentFeedback\" (id, annotator, \"createdAt\") SELECT 'late' || n, 'late', "
                         "timestamptz '2026-03-04 00:00+00' FROM generate_series(1, 5) n");
    cluster_execute(cluster, "TRUNCATE \"AgentFeedback\"");
    installed_begin(cluster, NOON);
    is_right_after(NOON, "SELECT 1");
    EXPECT_SQL(cluster,
               "SELECT total_annotations || ' ' || label_distribution || coalesce(quality_score::text, '')"
               " FROM training_quality('AgentFeedback')",
               "0 {}");
}
END_TEST

START_TEST(time_alone_moves_the_windows)
{
    is_right_after(NEXT_DAY, "SELECT 1");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT annotations_24h::text, ' ') FROM mv_training_quality_snapshot",
               "0");
    is_right_after(NEXT_MONTH, "SELECT 1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM mv_annotator_activity", "0");
    EXPECT_SQL(cluster, "SELECT sum(total_annotations) FROM mv_training_quality_snapshot", "0");
}
END_TEST

#define FAILED(source, check)                                                                                         \
    "SELECT concat_ws(' of ', failed_count, checked_count) FROM agent_feedback_quality(true) WHERE source = '" source \
    "' AND check_name = '" check "'"

START_TEST(what_is_wrong_with_feedback_is_counted_by_table)
{
    cluster_execute(
        cluster,
        "DELETE FROM agent_feedback; DELETE FROM \"AgentFeedback\";"
        "INSERT INTO agent_feedback (id, conversation_id, safe_to_send, labels, annotator, rubric, created_at)"
        " SELECT n, 'c' || n, true, '{tone}', 'qa', '{\"clarity\": 4}', timestamptz '" NOON
        "' - n * interval '1 minute' FROM generate_series(1, 9) AS n;"
        "INSERT INTO \"AgentFeedback\" SELECT id::text, conversation_id, safe_to_send, rubric, labels, annotator,"
        " created_at FROM agent_feedback");
    is_right_after(NOON, "SELECT 1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM agent_feedback_quality(true)", "0");
    is_right_after(NOON, "DELETE FROM agent_feedback WHERE id IN (4, 6);"
                         "UPDATE agent_feedback SET conversation_id = ' ' WHERE id = 1;"
                         "UPDATE agent_feedback SET annotator = NULL WHERE id = 2;"
                         "UPDATE agent_feedback SET safe_to_send = false, labels = NULL WHERE id = 3;"
                         "UPDATE agent_feedback SET created_at = created_at - interval '91 days' WHERE id = 5;"
                         "UPDATE \"AgentFeedback\" SET rubric = '{\"clarity\": \"good\"}' WHERE id IN ('7', '8');"
                         "UPDATE \"AgentFeedback\" SET \"safeToSend\" = NULL WHERE id = '9'");
    EXPECT_SQL(cluster, FAILED("agent_feedback", "missing_events"), "2 of 9");
    EXPECT_SQL(cluster, FAILED("agent_feedback", "conversation_missing"), "1 of 6");
    EXPECT_SQL(cluster, FAILED("agent_feedback", "annotator_missing"), "1 of 6");
    EXPECT_SQL(cluster, FAILED("agent_feedback", "label_missing"), "1 of 1");
    EXPECT_SQL(cluster, FAILED("agent_feedback", "kept_too_long"), "1");
    EXPECT_SQL(cluster, FAILED("AgentFeedback", "rubric_invalid"), "2 of 9");
    EXPECT_SQL(cluster, FAILED("AgentFeedback", "judgement_missing"), "1 of 9");
    EXPECT_SQL(cluster, "SELECT count(*) FROM agent_feedback_quality(true)", "7");
}
END_TEST

START_TEST(a_row_that_is_the_same_keeps_its_stamp)
{
    static const char stamps[] =
        "SELECT string_agg(refreshed_at::text, ' ' ORDER BY source) FROM mv_training_quality_snapshot";
    char *before = cluster_value(cluster, stamps);
    cluster_execute(cluster, "SET chime.as_of = '2026-03-10 12:00:01+00'");
    EXPECT_SQL(cluster,
               "SELECT method || ' ' || updated"
               " FROM chime.refresh('mv_training_quality_snapshot', p_revisit => false)",
               "keyed 0");
    EXPECT_SQL(cluster, stamps, before);
    /* A refresh by schedule or by hand stamps all rows of a small view (chime.stamp_rows). */
    EXPECT_SQL(cluster, "SELECT method || ' ' || updated FROM chime.refresh('mv_training_quality_snapshot')",
               "keyed 0");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT refreshed_at::text, ' ') FROM mv_training_quality_snapshot",
               "2026-03-10 12:00:01+00");
    free(before);
}
END_TEST

/* --- the seed's fault --------------------------------------------------------------------------------------------- */

#define SEEDS_TILE                                                                                                     \
    "SELECT concat_ws(' ', count(*), round(avg((rubric->>'clarity')::int), 2), round(avg((rubric->>'accuracy')::int)," \
    " 2), count(*) FILTER (WHERE \"safeToSend\" = false)) FROM \"AgentFeedback\""                                      \
    " WHERE \"createdAt\" > chime.as_of() - interval '7 days'"
#define OUR_TILE                                                                                        \
    "SELECT concat_ws(' ', t.total_annotations, t.avg_clarity, t.avg_accuracy, t.flagged_unsafe) FROM " \
    "training_data_quality() t"

START_TEST(one_odd_score_fails_the_seeds_tile_and_not_ours)
{
    ck_assert_str_eq(cluster_sqlstate(cluster, SEEDS_TILE), "22P02");
    EXPECT_SQL(cluster, "SELECT total_annotations > 100 AND avg_clarity BETWEEN 1 AND 5 FROM training_data_quality()",
               "t");
    EXPECT_SQL(cluster,
               "SELECT rejected > 0 AND rejected = (SELECT sum(CASE n WHEN 4 THEN 2 WHEN 6 THEN 2 ELSE 1 END)"
               " FROM (SELECT CASE WHEN rubric ->> 'clarity' = 'good' THEN 4 WHEN rubric ? 'tone' THEN 6"
               " WHEN jsonb_typeof(rubric) <> 'object' THEN 1 END AS n FROM (SELECT rubric FROM agent_feedback"
               " UNION ALL SELECT rubric FROM \"AgentFeedback\") r) odd WHERE n IS NOT NULL)"
               " FROM chime.refresh('mv_training_quality_snapshot', true)",
               "t");
    /* Where every score is a whole number the two agree. */
    cluster_execute(cluster,
                    "DELETE FROM \"AgentFeedback\" WHERE rubric @? '$.* ? (@.type() != \"number\")' OR rubric ? "
                    "'tone' OR jsonb_typeof(rubric) <> 'object';"
                    "SELECT chime.refresh('mv_training_quality_snapshot')");
    char *seeds = cluster_value(cluster, SEEDS_TILE);
    EXPECT_SQL(cluster, OUR_TILE, seeds);
    free(seeds);
}
END_TEST

START_TEST(readers_may_read_and_nothing_else)
{
    static const char *const readable[] = {"TABLE mv_training_quality_snapshot",
                                           "TABLE mv_annotator_activity",
                                           "TABLE mv_agent_feedback_quality",
                                           "SELECT * FROM agent_feedback_quality()",
                                           "SELECT * FROM training_data_quality()",
                                           "SELECT * FROM training_quality()",
                                           "SELECT * FROM annotator_activity(max_rows => 3)"};
    static const char *const forbidden[] = {"TABLE agent_feedback", "TABLE \"AgentFeedback\"",
                                            "TABLE mv_annotator_activity__live"};
    EXPECT_SQL(cluster, "SELECT count(*) FROM annotator_activity(max_rows => 3)", "3");
    EXPECT_SQL(cluster,
               "SELECT array_agg(annotations_7d) = array_agg(annotations_7d ORDER BY annotations_7d DESC)"
               " FROM annotator_activity('agent_feedback')",
               "t");
    cluster_execute(cluster, "SET ROLE analytics_reader");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM annotator_activity('agent_feedbck')"), "22023");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM training_quality('feedback')"), "22023");
    for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
        ck_assert_str_eq(cluster_sqlstate(cluster, readable[i]), "");
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        ck_assert_str_eq(cluster_sqlstate(cluster, forbidden[i]), "42501");
    cluster_execute(cluster, "RESET ROLE");
}
END_TEST

/* --- the channel -------------------------------------------------------------------------------------------------- */

static PGconn *listener(void)
{
    PGconn *session = cluster_connect(cluster, "postgres");

    PQclear(PQexec(session, "LISTEN training_feedback_stream"));
    installed_section(cluster, "training_quality", "training_feedback_stream");
    return session;
}

static void heard(PGconn *session, const char *expected)
{
    char *payload = installed_heard(session);
    char *literal = PQescapeLiteral(session, payload, strlen(payload));
    char *sql = files_path(
        "SELECT concat_ws('|', p ->> 'event', p ->> 'id', p ->> 'conversation_id', p ->> 'safe_to_send',"
        " p ->> 'labels', p ->> 'annotator', p ? 'created_at') FROM (SELECT %s::jsonb) AS j (p)",
        literal);

    EXPECT_SQL(cluster, sql, expected);
    free(sql);
    PQfreemem(literal);
    free(payload);
}

START_TEST(new_feedback_and_annotations_are_told)
{
    PGconn *session = listener();
    cluster_execute(cluster, "INSERT INTO agent_feedback (id, conversation_id, safe_to_send, labels, annotator) VALUES"
                             " (9001, 'conv-xyz', false, '{risky,requires_review}', 'qa_team_1')");
    heard(session, "new_feedback|9001|conv-xyz|false|[\"risky\", \"requires_review\"]|qa_team_1|t");
    cluster_execute(cluster, "UPDATE agent_feedback SET safe_to_send = true WHERE id = 9001");
    heard(session, "annotation|9001|conv-xyz|true|[\"risky\", \"requires_review\"]|qa_team_1|t");
    cluster_execute(cluster, "UPDATE agent_feedback SET labels = NULL, annotator = NULL WHERE id = 9001");
    heard(session, "annotation|9001|conv-xyz|true|t");
    cluster_execute(cluster, "UPDATE agent_feedback SET updated_at = now(), labels = labels WHERE id = 9001;"
                             "DELETE FROM agent_feedback WHERE id = 9001");
    installed_heard_nothing(session);
    PQfinish(session);
}
END_TEST

/* Characters that take one byte in the row and six in JSON, four-byte ones, arrays of arrays: a write never fails. */
START_TEST(a_payload_is_never_too_long)
{
    static const char *const characters[] = {"chr(1)", "chr(128512)", "'\"'", "'x'"};
    PGconn *session = listener();
    cluster_execute(cluster, "DROP INDEX agent_feedback_annotator"); /* it would not take them */
    for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
        cluster_execute_format(
            cluster,
            "INSERT INTO agent_feedback (conversation_id, labels, annotator) SELECT t, ARRAY[labels, labels],"
            " t FROM (SELECT repeat(%s, 100000) AS t) x, LATERAL (SELECT array_agg(t || n) AS labels"
            " FROM generate_series(1, 30) n) y",
            characters[i]);
        char *payload = installed_heard(session);
        ck_assert_uint_gt(strlen(payload), 1000);
        ck_assert_uint_lt(strlen(payload), 7900);
        free(payload);
    }
    PQfinish(session);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("views_training");
    TCase *cases = tcase_create("views_training");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, relations_have_the_seeds_columns_and_are_refreshed_by_groups);
    tcase_add_test(cases, a_write_costs_its_table_and_its_annotator);
    tcase_add_test(cases, a_group_that_is_watched_is_not_refreshed_for_that);
    tcase_add_test(cases, the_relations_are_right_after_every_mix_of_writes);
    tcase_add_test(cases, time_alone_moves_the_windows);
    tcase_add_test(cases, what_is_wrong_with_feedback_is_counted_by_table);
    tcase_add_test(cases, a_row_that_is_the_same_keeps_its_stamp);
    tcase_add_test(cases, one_odd_score_fails_the_seeds_tile_and_not_ours);
    tcase_add_test(cases, readers_may_read_and_nothing_else);
    tcase_add_test(cases, new_feedback_and_annotations_are_told);
    tcase_add_test(cases, a_payload_is_never_too_long);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
