/* SPDX-License-Identifier: PostgreSQL */
/* Keyed only where that is proven: a corpus of definitions (support/keyed/keyed_corpus.sql) under a random writer. Each
 * is keyed and equal to its definition after each refresh, or full with its reason; none is keyed and wrong.
 * PGCHIME_TEST_SEED repeats what is written. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/files.h"
#include "support/process/suite.h"

/* Every third one writes more at once. */
#define ROUNDS_AGAIN 3
#define ROUNDS 9
#define ROUNDS_SOAK 1000

START_TEST(no_definition_is_keyed_and_wrong)
{
    int rounds = suite_rounds(ROUNDS_AGAIN, ROUNDS, ROUNDS_SOAK);
    PGconn *writer = cluster_connect(cluster, "postgres");
    double seed = (double)(suite_seed() % 1000000) / 1000000;
    char *sow = files_path("SELECT setseed(%f), app.put_rows(300)", seed);
    char *wrong = NULL;

    session_execute(writer, sow);
    session_execute(writer, "ANALYZE; SELECT app.install_corpus()");
    keyed_tend(cluster);
    cluster_execute(cluster, "SELECT chime.refresh('kept.' || name) FROM app.corpus WHERE verdict = 'keyed'");
    /* As upkeep does: else each refresh vets its view anew. */
    cluster_execute(cluster, "SELECT chime.note_vetted(view_schema, relation) FROM chime.view");
    for (int round = 0; round < rounds; round++) {
        session_execute(writer,
                        round % 3 == 2 ? "SELECT app.write() FROM generate_series(1, 6)" : "SELECT app.write()");
        wrong = cluster_value(cluster, "SELECT app.wrong_ones()");
        if (wrong != NULL)
            printf("round %d: keyed and wrong: %s\n", round, wrong);
        free(wrong);
    }
    fflush(stdout);
    PQfinish(writer);
    free(sow);
    EXPECT_SQL(cluster, "SELECT string_agg(name, ', ' ORDER BY n) FROM app.corpus WHERE verdict = 'WRONG'", NULL);
    EXPECT_SQL(cluster, "SELECT count(*) >= 150 AND count(*) FILTER (WHERE verdict = 'keyed') >= 60 FROM app.corpus",
               "t");
    EXPECT_SQL(cluster,
               "SELECT string_agg(name || ': ' || verdict, '; ' ORDER BY n) FROM app.corpus"
               " WHERE (verdict = 'keyed') <> (expected = 'keyed')",
               NULL);
}
END_TEST

/* But for one, whose grain the corpus names otherwise: here grain and sources are derived. */
START_TEST(by_keep_view_the_verdicts_are_the_same)
{
    cluster_execute(cluster, "ANALYZE; SELECT app.install_corpus()");
    cluster_execute(
        cluster,
        "CREATE TABLE app.told AS SELECT c.n, c.name, c.verdict, app.key_of(c)::text[] AS key, NULL::text AS words"
        " FROM app.corpus c WHERE c.revisit IS NULL");
    cluster_execute(
        cluster,
        "CREATE FUNCTION app.keep(p_name text, p_definition text, p_key text[]) RETURNS text LANGUAGE plpgsql AS $$"
        " BEGIN RETURN chime.keep_view(p_name, p_definition, p_key, view_schema => 'by_sql', source_schema => 'app');"
        " EXCEPTION WHEN cardinality_violation THEN RETURN 'two rows with one key'; END $$");
    cluster_execute(
        cluster,
        "UPDATE app.told t SET words = app.keep(t.name, c.definition, t.key) FROM app.corpus c WHERE c.n = t.n");
    EXPECT_SQL(cluster, "SELECT count(*) < 5 FROM app.told WHERE words = 'two rows with one key'", "t");
    EXPECT_SQL(cluster, "SELECT count(*) >= 140 FROM app.told", "t");
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(c.definition || ': ' || t.words, '; ' ORDER BY t.n)"
        " FROM app.told t JOIN app.corpus c USING (n)"
        " WHERE (t.words ~ '^\\d+ rows; keyed by') <> (t.verdict = 'keyed') AND t.words <> 'two rows with one key'",
        "SELECT DISTINCT ON (shop) shop, kind, id FROM ord ORDER BY shop, id: 0 rows; keyed by shop");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("keyed corpus");
    TCase *corpus = tcase_create("keyed corpus");
    TCase *kept = tcase_create("keep view");

    tcase_add_checked_fixture(corpus, keyed_stage_set_corpus, served_tear_down);
    tcase_set_timeout(corpus, 900);
    tcase_add_test(corpus, no_definition_is_keyed_and_wrong);
    suite_add_tcase(all, corpus);
    tcase_add_checked_fixture(kept, keyed_stage_set_corpus, served_tear_down);
    tcase_set_timeout(kept, 300);
    tcase_add_test(kept, by_keep_view_the_verdicts_are_the_same);
    suite_add_tcase(all, kept);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
