/* SPDX-License-Identifier: PostgreSQL */
/* Keyed only where that is proven: random definitions over three tables (support/keyed/keyed_generated.sql). What the
 * proof lets through is refreshed by its groups under a random writer and equals its definition after each refresh; no
 * error is ours.
 *
 * A few; 10,000 under PGCHIME_TEST_SOAK. PGCHIME_TEST_SEED repeats them: each batch has a seed of its own, the first
 * this one. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define BATCH 50 /* definitions that live at the same time */
#define ROUNDS 8
#define BATCHES_SOAK 200

static void set_up(void)
{
    keyed_stage_set();
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/keyed/keyed_corpus.sql");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/keyed/keyed_generated.sql");
}

/* The writer has a session of its own, or what a refresh draws would be missing there. */
static void drive(PGconn *writer)
{
    cluster_execute(cluster, "SELECT app.install_generated()");
    keyed_tend(cluster);
    cluster_execute(cluster, "SELECT app.judge_generated()");
    for (int round = 0; round < ROUNDS; round++) {
        session_execute(writer, "SELECT app.write_generated() FROM generate_series(1, 1 + app.below(3))");
        cluster_execute(cluster, "SELECT app.judge_generated()");
    }
}

struct verdicts {
    int64_t keyed;
    int64_t wrong;
};

static void try_batch(unsigned long seed, struct verdicts *verdicts)
{
    PGconn *writer = cluster_connect(cluster, "postgres");
    char *sow = files_path("SELECT setseed(%f), app.generate(%d)", (double)(seed * 7919 % 1000000) / 1000000, BATCH);

    session_execute(writer, sow);
    drive(writer);
    char *wrong = cluster_rows(cluster, "SELECT verdict, reason, grain, definition FROM app.generated"
                                        " WHERE verdict IN ('WRONG', 'ERROR')");
    int64_t keyed = cluster_integer(cluster, "SELECT count(*) FROM app.generated WHERE verdict = 'keyed'");
    printf("PGCHIME_TEST_SEED=%lu: %lld of %d definitions keyed\n%s", seed, (long long)keyed, BATCH, wrong);
    fflush(stdout);
    verdicts->keyed += keyed;
    verdicts->wrong += cluster_integer(cluster,
                                       "SELECT count(*) FROM app.generated WHERE verdict IN ('WRONG', 'ERROR')");
    cluster_execute(cluster, "SELECT app.drop_generated()");
    PQfinish(writer);
    free(sow);
    free(wrong);
}

START_TEST(no_random_definition_is_keyed_and_wrong)
{
    int batches = getenv("PGCHIME_TEST_SOAK") != NULL ? BATCHES_SOAK : 1;
    unsigned long seed = suite_seed();
    struct verdicts verdicts = {0};

    for (int batch = 0; batch < batches; batch++)
        try_batch(seed + (unsigned long)batch, &verdicts);
    ck_assert_int_eq(verdicts.wrong, 0);
    ck_assert_int_gt(verdicts.keyed, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("keyed generated");
    TCase *cases = tcase_create("keyed generated");

    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, getenv("PGCHIME_TEST_SOAK") != NULL ? 4 * 3600 : 300);
    tcase_add_test(cases, no_random_definition_is_keyed_and_wrong);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
