/* SPDX-License-Identifier: PostgreSQL */
/* Each rule of the oracle that judges the fault tests (ledger_oracle.sql) sees its fault, and no other rule takes it
 * for one of its own: in a sound ledger one row is made wrong, and taken back. */
#include <check.h>
#include <stdlib.h>

#include "support/cluster/cluster.h"
#include "support/ledger/ledger_oracle.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define HISTORY(job, slot) " WHERE job_id = public.id_of('" job "') AND slot = public.at(" slot ")"
#define EFFECT(job, slot) " WHERE job = '" job "' AND slot = public.at(" slot ")"
#define JOINED(slot) "(public.at(" slot ") + interval '1 second')"

static const struct {
    const char *rule;
    const char *plant;
} plants[] = {
    {"absent", "DELETE FROM chime.run_history" HISTORY("own", "7") "; DELETE FROM public.effect" EFFECT("own", "7")},
    {"absent of an edited job",
     "DELETE FROM chime.run_history" HISTORY("edited", "7") "; DELETE FROM public.effect" EFFECT("edited", "7")},
    {"recorded more than once",
     "SELECT public.slots_missed('again', 5, 5);"
     " UPDATE chime.job_state SET last_slot = public.at(30) WHERE job_id = public.id_of('again')"},
    {"not due",
     "UPDATE chime.run_history SET kind = 'schedule', slot = slot + interval '3 seconds'" HISTORY(
         "again",
         "5") "; UPDATE public.effect SET slot = slot + interval '3 seconds'" EFFECT("again",
                                                                                     "5") "; SELECT "
                                                                                          "public.slots_missed('again',"
                                                                                          " 5, 5);"
                                                                                          " UPDATE chime.job_state SET "
                                                                                          "last_slot = public.at(30) "
                                                                                          "WHERE job_id = "
                                                                                          "public.id_of('again')"},
    {"missed slots do not add up", "UPDATE chime.missed SET slots = slots + 1 WHERE job_id = public.id_of('once')"},
    {"missed although every slot is to be caught up",
     "DELETE FROM chime.run_history" HISTORY("own", "7") "; DELETE FROM public.effect" EFFECT(
         "own", "7") "; SELECT public.slots_missed('own', 7, 7);"
                     " UPDATE chime.job_state SET last_slot = public.at(30) WHERE job_id = public.id_of('own')"},
    {"ran unclaimed", "INSERT INTO public.effect (job) VALUES ('once')"},
    {"took effect more than once", "INSERT INTO public.effect SELECT * FROM public.effect" EFFECT("own", "7")},
    {"repeated without being lost", "UPDATE chime.attempt SET state = 'failed'"},
    {"took effect and did not succeed",
     "UPDATE chime.run_history SET state = 'failed', reason = 'x'" HISTORY("again", "5")},
    {"took effect after it was declared lost",
     "UPDATE public.effect SET at = at + interval '1 minute'" EFFECT("once", "20")},
    {"took effect after it was declared lost",
     "UPDATE public.effect SET at = at + interval '1 minute'" EFFECT("again", "25") " AND attempt = 1"},
    {"succeeded without effect", "DELETE FROM public.effect" EFFECT("own", "7")},
    {"attempts do not add up", "UPDATE chime.run_history SET attempt = 2" HISTORY("own", "7")},
    {"ended without a reason", "UPDATE chime.run_history SET reason = NULL" HISTORY("once", "20")},
    {"live without a backend", "INSERT INTO chime.run (job_id, kind, slot, token, epoch, pid, backend_start)"
                               " VALUES (public.id_of('once'), 'event', now(), gen_random_uuid(), 1, 999999, now())"},
    {"the cursor is not at the last decided slot",
     "UPDATE chime.job_state SET last_slot = last_slot + interval '1 second' WHERE job_id = public.id_of('own')"},
    {"went before its upstream", "UPDATE public.effect SET at = at - interval '1 minute'" EFFECT("after-once", "7")},
    {"ran although its upstream did not succeed",
     "UPDATE chime.run_history SET state = 'lost', reason = 'x'" HISTORY("once", "7")},
    {"ran although its upstream did not succeed",
     "DELETE FROM chime.missed WHERE job_id = public.id_of('after-once');"
     " SELECT public.run_ended('after-once', public.at(n)) FROM generate_series(10, 12) n;"
     " UPDATE chime.job_state SET last_slot = public.at(30) WHERE job_id = public.id_of('after-once')"},
    {"ran on an outcome that was no success",
     "UPDATE public.outcome SET state = 'skipped' WHERE job_id = public.id_of('own') AND at = " JOINED("7")},
    {"ran on an outcome that was no success",
     "DELETE FROM public.outcome WHERE job_id = public.id_of('own') AND at = " JOINED(
         "1") ";"
              " UPDATE public.effect e SET served = public.outcomes_served(j, e.slot) FROM chime.job j"
              " WHERE j.name = e.job AND e.job = 'join'"},
    {"served an outcome twice",
     "SELECT public.run_ended('join', " JOINED("7") " + interval '1 millisecond', p_kind => 'dependency')"},
    {"ran before the outcome was on record",
     "UPDATE public.effect SET served = '{1,2}' WHERE job = 'join' AND slot = " JOINED("7")},
    {"hardly anything succeeded",
     "SELECT public.run_ended('again', public.at(n)) FROM generate_series(31, 140) n;"
     " UPDATE chime.run_history SET state = 'lost', reason = 'x' WHERE job_id = public.id_of('again')"},
};
#define PLANTS (sizeof(plants) / sizeof(plants[0]))

static struct cluster *cluster;

static void set_up(void)
{
    cluster = cluster_create(NULL);
    oracle_install(cluster, NULL);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/ledger/ledger_oracle_sound.sql");
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

START_TEST(nothing_is_found_in_a_sound_ledger)
{
    EXPECT_SQL(cluster, "SELECT string_agg(fault, E'\\n') FROM public.oracle", NULL);
}
END_TEST

START_TEST(a_fault_is_seen_by_its_rule_alone)
{
    for (size_t i = 0; i < PLANTS; i++) {
        cluster_execute(cluster, "BEGIN");
        cluster_execute(cluster, plants[i].plant);
        char *seen = cluster_rows(cluster, "SELECT DISTINCT rule FROM public.oracle");
        char *wanted = files_path("%s\n", plants[i].rule);
        cluster_execute(cluster, "ROLLBACK");
        ck_assert_str_eq(seen, wanted);
        free(wanted);
        free(seen);
    }
}
END_TEST

/* The rules are read from the view. */
START_TEST(no_rule_is_without_a_planted_fault)
{
    cluster_execute(cluster, "CREATE TEMP TABLE planted (rule text)");
    for (size_t i = 0; i < PLANTS; i++)
        cluster_execute_format(cluster, "INSERT INTO planted VALUES ('%s')", plants[i].rule);
    EXPECT_SQL(cluster,
               "SELECT string_agg(coalesce(p.rule, r.rule), ', ') FROM (SELECT DISTINCT rule FROM planted) p"
               " FULL JOIN (SELECT m[1] AS rule FROM regexp_matches(pg_get_viewdef('public.oracle_rules'),"
               " 'SELECT ''([a-z ]+)''::text', 'g') AS m) r USING (rule) WHERE p.rule IS NULL OR r.rule IS NULL",
               NULL);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("ledger_oracle");
    TCase *cases = tcase_create("ledger_oracle");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, nothing_is_found_in_a_sound_ledger);
    tcase_add_test(cases, a_fault_is_seen_by_its_rule_alone);
    tcase_add_test(cases, no_rule_is_without_a_planted_fault);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
