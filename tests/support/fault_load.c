#include "support/fault_load.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/files.h"
#include "support/ledger_oracle.h"
#include "support/process.h"
#include "support/wait.h"

/* Twenty outages of 16 s leave "long" 160 slots of half a second, one after the other, and new ones fall due meanwhile. */
#define CATCH_UP_SECONDS 300.0

/* --- the load ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int copies; /* named NAME-1, NAME-2, ...; 1: NAME */
    int seconds;
    const char *members; /* with the name for %s */
} load[] = {
    {"quick", 4, 1, "command = \"SELECT public.effect('%s')\"; catchup = \"latest\";"},
    {"quick-own", 4, 1, "command = \"SELECT public.effect('%s')\"; delivery = \"transactional\"; catchup = \"all\";"},
    {"brief", 2, 1,
     "command = \"SELECT public.effect('%s', 0.3)\"; overlap_policy = \"buffer_one\"; catchup = \"none\";"},
    {"brief-own", 2, 1,
     "command = \"SELECT public.effect('%s', 0.3)\"; delivery = \"transactional\"; catchup = \"none\";"},
    {"long", 1, 2,
     "command = \"SELECT public.effect('%s', 0.5)\"; catchup = \"all\"; overlap_policy = \"buffer_one\";"},
    {"long-own", 2, 3,
     "command = \"SELECT public.effect('%s', 0.5)\"; delivery = \"transactional\"; catchup = \"all\";"
     " max_attempts = 9; backoff: { initial = \"10ms\"; coefficient = 1.0; };"},
    {"over", 1, 1, "command = \"SELECT public.effect('%s', 1.3)\"; overlap_policy = \"skip\";"},
    {"over-own", 1, 1,
     "command = \"SELECT public.effect('%s', 1.3)\"; overlap_policy = \"buffer_one\"; delivery = \"transactional\";"},
    {"rows", 1, 1, "command = \"SELECT public.effect('%s', 0.05); SELECT generate_series(1, 20000)\";"},
    {"rows-own", 1, 1,
     "command = \"SELECT public.effect('%s', 0.05); SELECT generate_series(1, 20000)\"; delivery = \"transactional\";"
     " catchup = \"all\";"},
    {"flaky", 1, 2,
     "command = \"SELECT public.effect('%s'); SELECT public.flake()\"; delivery = \"transactional\"; catchup = \"all\";"
     " max_attempts = 5; backoff: { initial = \"50ms\"; };"},
    {"flaky-once", 1, 2,
     "command = \"SELECT public.effect('%s'); SELECT public.flake()\"; max_attempts = 5;"
     " backoff: { initial = \"50ms\"; };"},
    {"procedure", 1, 1, "command = \"CALL public.effect_twice('%s')\"; catchup = \"none\";"},
    {"failing", 1, 1, "command = \"SELECT public.effect('%s'); SELECT 1 / 0\";"},
    {"upstream", 1, 1,
     "command = \"SELECT public.effect('%s', 0.05)\"; delivery = \"transactional\"; catchup = \"all\";"},
    {"downstream", 1, 1,
     "command = \"SELECT public.effect('%s')\"; after = [\"upstream\"]; trigger_rule = \"all_done\"; catchup = "
     "\"all\";"},
    {"downstream-own", 1, 2,
     "command = \"SELECT public.effect('%s')\"; after = [\"upstream\", \"quick-1\"]; delivery = \"transactional\";"},
    {"after-failing", 1, 1, "command = \"SELECT public.effect('%s')\"; after = [\"failing\"]; catchup = \"all\";"},
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the members above, each with one %s */
static void write_job(struct site *site, size_t i, const char *name, int stretch)
{
    char *members = files_path(load[i].members, name);
    /* Runs lost to a fault count as failures; outages may leave more slots than are caught up by default. */
    char *text = files_path("schedule = \"%d seconds\"; suspend_after_failures = 0; catchup_limit = 1000000; %s",
                            load[i].seconds * stretch, members);

    site_job(site, name, text);
    free(text);
    free(members);
}
#pragma GCC diagnostic pop

static char *job_name(size_t i, int copy, int set)
{
    char copy_part[16] = "";
    char set_part[16] = "";

    if (load[i].copies > 1)
        snprintf(copy_part, sizeof copy_part, "-%d", copy);
    if (set > 1)
        snprintf(set_part, sizeof set_part, "-s%d", set);
    return files_path("%s%s%s", load[i].name, copy_part, set_part);
}

void fault_load_write(struct site *site, int sets, int stretch)
{
    for (int set = 1; set <= sets; set++) {
        for (size_t i = 0; i < sizeof load / sizeof load[0]; i++) {
            for (int copy = 1; copy <= load[i].copies; copy++) {
                char *name = job_name(i, copy, set);
                write_job(site, i, name, stretch);
                free(name);
            }
        }
    }
}

void fault_load_install(struct cluster *cluster, struct site *site)
{
    struct daemon *daemon = site_lead(site);

    site_end(daemon);
    daemon_destroy(daemon);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/fault_oracle.sql");
    fault_load_write(site, 1, 1);
}

/* --- the verdict -------------------------------------------------------------------------------------------------- */

void fault_load_await_settled(struct cluster *cluster)
{
    WAIT_SQL(cluster,
             "SELECT count(*) FROM chime.run r, chime.leader l WHERE r.token <> l.token OR r.pid IS NOT NULL"
             " AND NOT chime.backend_alive(r.pid, r.backend_start)",
             "0", FAULT_SETTLE_SECONDS);
    WAIT_SQL(cluster,
             "SELECT coalesce(string_agg(name, ' '), 'none stands') FROM load_job"
             " WHERE last < now() - (seconds + 3) * interval '1 second'",
             "none stands", CATCH_UP_SECONDS);
}

/* Compiling it takes longer than it takes. */
static char *ask_oracle(struct cluster *cluster, const char *condition)
{
    char *sql = files_path("SELECT fault FROM oracle WHERE %s ORDER BY fault LIMIT 20", condition);

    cluster_execute(cluster, "SET jit = off");
    char *faults = cluster_rows(cluster, sql);
    free(sql);
    return faults;
}

static void assert_nothing_live(struct cluster *cluster, const char *log)
{
    char *live = cluster_rows(cluster, "SELECT j.name, r FROM chime.run r JOIN chime.job j USING (job_id)"
                                       " WHERE r.pid IS NOT NULL");

    ck_assert_msg(live[0] == '\0', "left live:\n%s%s", live, log);
    free(live);
}

void fault_load_settle(struct cluster *cluster, struct site *site)
{
    struct daemon *daemon = site_lead(site);

    fault_load_await_settled(cluster);
    site_end(daemon);
    char *log = daemon_errors(daemon);
    assert_nothing_live(cluster, log);
    free(log);
    daemon_destroy(daemon);
}

void fault_load_print_states(struct cluster *cluster)
{
    char *states = cluster_value(
        cluster, "SELECT string_agg(n || ' ' || state, ', ' ORDER BY state) FROM"
                 " (SELECT state::text, count(*) n FROM chime.run_history GROUP BY 1"
                 " UNION ALL SELECT 'missed', coalesce(sum(slots), 0) FROM chime.missed"
                 " UNION ALL SELECT 'attempts lost or failed and tried again', count(*) FROM chime.attempt) s");
    char *slots = cluster_value(cluster, "SELECT count(*) FROM due");

    printf("%s slots were due; %s\n", slots, states);
    fflush(stdout);
    free(states);
    free(slots);
}

void fault_load_assert_no_fault(struct cluster *cluster)
{
    char *faults = ask_oracle(cluster, "true");

    ck_assert_msg(faults[0] == '\0', "the oracle found:\n%s", faults);
    free(faults);
    ck_assert_int_gt(cluster_integer(cluster, "SELECT count(*) FROM due"), 0);
    assert_nothing_live(cluster, "");
}

void fault_load_assert_no_fault_yet(struct cluster *cluster)
{
    char *faults = ask_oracle(cluster, "fault NOT LIKE 'took effect but is absent%'");

    ck_assert_msg(faults[0] == '\0', "the oracle found meanwhile:\n%s", faults);
    free(faults);
}

void fault_load_verdict(struct cluster *cluster, struct site *site)
{
    fault_load_settle(cluster, site);
    fault_load_print_states(cluster);
    fault_load_assert_no_fault(cluster);
}

void fault_load_assert_oracle_works(struct cluster *cluster)
{
    oracle_expect_seen(cluster, "absent",
                       "DELETE FROM chime.run_history WHERE ctid IN (SELECT ctid FROM chime.run_history LIMIT 1)");
    oracle_expect_seen(cluster, "took effect more than once", "INSERT INTO effect SELECT * FROM effect LIMIT 1");
    oracle_expect_seen(cluster, "succeeded without effect", "DELETE FROM effect WHERE job = 'quick-own-1'");
    oracle_expect_seen(cluster, "took effect but is failed",
                       "UPDATE chime.run_history h SET state = 'failed' FROM chime.job j"
                       " WHERE j.job_id = h.job_id AND j.name = 'quick-1'");
    oracle_expect_seen(cluster, "took effect after it was declared lost",
                       "UPDATE chime.run_history SET state = 'lost', finished_at = slot WHERE state = 'succeeded'");
    oracle_expect_seen(cluster, "missed slots do not add up", "UPDATE chime.missed SET slots = slots + 1");
    oracle_expect_seen(cluster, "recorded more than once",
                       "INSERT INTO chime.missed SELECT job_id, slot, slot, 1, 'test', 0 FROM chime.run_history"
                       " WHERE kind = 'schedule' LIMIT 1");
    oracle_expect_seen(cluster, "went before its upstream",
                       "UPDATE effect SET at = at - interval '1 minute' WHERE job LIKE 'down%'");
}

/* --- the tally ---------------------------------------------------------------------------------------------------- */

void fault_tally_look(struct fault_tally *tally, struct cluster *cluster, const char *moment)
{
    char *sql = files_path("SELECT claim, gap, running, finish FROM where_hit('%s')", moment);
    PGresult *result = cluster_query(cluster, sql);

    tally->faults++;
    tally->claim += PQgetvalue(result, 0, 0)[0] == 't';
    tally->gap += PQgetvalue(result, 0, 1)[0] == 't';
    tally->running += PQgetvalue(result, 0, 2)[0] == 't';
    tally->finish += PQgetvalue(result, 0, 3)[0] == 't';
    PQclear(result);
    free(sql);
}

void fault_tally_print(const struct fault_tally *tally, const char *what, unsigned seed)
{
    printf("%d %s (seed %u) hit: %d a claim or what was due before it, %d the gap before the start,"
           " %d a running statement, %d a finish\n",
           tally->faults, what, seed, tally->claim, tally->gap, tally->running, tally->finish);
    fflush(stdout);
}

void fault_tally_assert_all_hit(const struct fault_tally *tally)
{
    ck_assert_int_gt(tally->claim, 0);
    ck_assert_int_gt(tally->gap, 0);
    ck_assert_int_gt(tally->running, 0);
    ck_assert_int_gt(tally->finish, 0);
}

/* --- chance and time ---------------------------------------------------------------------------------------------- */

unsigned fault_seed(void)
{
    const char *given = getenv("PGCHIME_TEST_SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL) ^ (unsigned)getpid();

    srandom(seed);
    printf("seed %u\n", seed);
    fflush(stdout);
    return seed;
}

double fault_random_below(double limit)
{
    return limit * ((double)random() / ((double)RAND_MAX + 1));
}

double fault_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool clock_passed(void *data)
{
    return fault_clock() >= *(const double *)data;
}

void fault_let_pass(double seconds)
{
    double until = fault_clock() + seconds;

    wait_until(clock_passed, &until, seconds + 1);
}

bool fault_full_size(void)
{
    return getenv("PGCHIME_TEST_FAULTS") != NULL;
}

bool fault_soak(void)
{
    return getenv("PGCHIME_TEST_SOAK") != NULL;
}
