/* SPDX-License-Identifier: PostgreSQL */
#include "support/fault/fault_load.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ledger/migrate.h"
#include "support/ledger/ledger_oracle.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

/* Twenty outages of 16 s leave "long" 160 slots of half a second, one after the other, and new ones fall due
 * meanwhile. */
#define CATCH_UP_SECONDS 300.0

/* --- the load ----------------------------------------------------------------------------------------------------- */

#define TRIED_SOON "max_attempts = 9; backoff: { initial = \"10ms\"; coefficient = 1.0; };"

static const struct {
    const char *name;
    int copies;          /* named NAME-1, NAME-2, ...; 1: NAME */
    int seconds;         /* 0: no schedule */
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
    {"after-missed", 1, 2, "command = \"SELECT public.effect('%s')\"; after = [\"brief-1\"];"},
    {"least", 2, 1, "command = \"SELECT public.effect('%s', 0.2)\"; delivery = \"at_least_once\"; " TRIED_SOON},
    {"least-all", 1, 2,
     "command = \"SELECT public.effect('%s', 0.1)\"; delivery = \"at_least_once\"; catchup = \"all\"; " TRIED_SOON},
    {"join-success", 1, 0,
     "command = \"SELECT public.effect('%s')\"; after = [\"upstream\", \"quick-2\"]; delivery = "
     "\"transactional\"; " TRIED_SOON},
    {"join-flaky", 1, 0, "command = \"SELECT public.effect('%s', 0.05)\"; after = [\"flaky-once\", \"quick-own-1\"];"},
    {"join-done", 1, 0,
     "command = \"SELECT public.effect('%s')\"; after = [\"brief-1\", \"least-1\"]; trigger_rule = \"all_done\";"},
    {"join-slow", 1, 0, "command = \"SELECT public.effect('%s')\"; after = [\"long-own-2\"];"},
    {"join-least", 1, 0,
     "command = \"SELECT public.effect('%s', 0.1)\"; after = [\"long-own-1\", \"join-slow\"]; trigger_rule = "
     "\"all_done\";"
     " delivery = \"at_least_once\"; " TRIED_SOON},
};

/* Each edit makes the other of two. */
static const struct {
    const char *name;
    const char *members[2];
} edited[] = {
    {"edited-schedule", {"schedule = \"1 seconds\";", "schedule = \"2 seconds\"; catchup = \"all\";"}},
    {"edited-enabled", {"schedule = \"1 seconds\";", "schedule = \"1 seconds\"; enabled = false;"}},
    {"edited-zone",
     {"schedule = \"1 seconds\"; timezone = \"Europe/Berlin\";",
      "schedule = \"1 seconds\"; timezone = \"Asia/Tokyo\";"}},
};
static int edits;

#define ROLE "chimer" /* of the daemons: no superuser */
#define SQL_OPTIONS "{\"suspend_after_failures\": 0, \"catchup_limit\": 1000000"
static const char *const sql_jobs[] = {
    "SELECT cron.schedule('sql-cron', '1 seconds', 'SELECT public.effect(''chimer/sql-cron'')')",
    "SELECT cron.schedule('sql-edited', '1 seconds', 'SELECT public.effect(''chimer/sql-edited'')')",
    "SELECT chime.schedule('sql-all', '2 seconds', 'SELECT public.effect(''chimer/sql-all'', 0.1)',"
    " options => '" SQL_OPTIONS ", \"catchup\": \"all\"}')",
    "SELECT chime.schedule('sql-join', NULL, 'SELECT public.effect(''chimer/sql-join'')', after => "
    "'{sql-cron,sql-all}')",
};

/* Runs lost to a fault count as failures; outages may leave more slots than are caught up by default. */
#define LASTING "suspend_after_failures = 0; catchup_limit = 1000000;"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the members above, each with one %s */
static void write_job(struct site *site, size_t i, const char *name, int stretch)
{
    char *members = files_path(load[i].members, name);
    char *schedule = load[i].seconds > 0 ? files_path("schedule = \"%d seconds\";", load[i].seconds * stretch)
                                         : files_path("%s", "");
    char *text = files_path("%s " LASTING " %s", schedule, members);

    site_job(site, name, text);
    free(text);
    free(schedule);
    free(members);
}
#pragma GCC diagnostic pop

static char *job_name(size_t i, int copy, int set)
{
    char copy_part[16] = "";
    char set_part[16] = "";

    if (load[i].copies > 1)
        snprintf(copy_part, sizeof(copy_part), "-%d", copy);
    if (set > 1)
        snprintf(set_part, sizeof(set_part), "-s%d", set);
    return files_path("%s%s%s", load[i].name, copy_part, set_part);
}

void fault_load_write(struct site *site, int sets, int stretch)
{
    for (int set = 1; set <= sets; set++) {
        for (size_t i = 0; i < sizeof(load) / sizeof(load[0]); i++) {
            for (int copy = 1; copy <= load[i].copies; copy++) {
                char *name = job_name(i, copy, set);
                write_job(site, i, name, stretch);
                free(name);
            }
        }
    }
}

static void write_edited(struct site *site)
{
    for (size_t i = 0; i < sizeof(edited) / sizeof(edited[0]); i++) {
        char *text = files_path("command = \"SELECT public.effect('%s')\"; " LASTING " %s", edited[i].name,
                                edited[i].members[edits % 2]);
        site_job(site, edited[i].name, text);
        free(text);
    }
}

void fault_load_edit(struct cluster *cluster, struct site *site)
{
    edits++;
    write_edited(site);
    cluster_execute_format(cluster,
                           "SELECT cron.alter_job(job_id, schedule => '%d seconds', active => %s) FROM chime.job"
                           " WHERE job_name = 'sql-edited'",
                           1 + edits % 2, edits % 3 == 0 ? "false" : "true");
}

void fault_load_install(struct cluster *cluster, struct site *site)
{
    cluster_execute(cluster, "CREATE ROLE " ROLE " LOGIN; GRANT CREATE ON DATABASE postgres TO " ROLE);
    site_use_role(site, ROLE);
    oracle_install(cluster, ROLE);
    cluster_execute(cluster, "SET SESSION AUTHORIZATION " ROLE);
    cluster_execute(cluster, migrate_cron_text());
    for (size_t i = 0; i < sizeof(sql_jobs) / sizeof(sql_jobs[0]); i++)
        cluster_execute(cluster, sql_jobs[i]);
    cluster_execute(cluster, "UPDATE chime.job SET options = '" SQL_OPTIONS "}' || options WHERE origin = 'sql';"
                             "RESET SESSION AUTHORIZATION; RESET client_min_messages");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/fault/fault_load.sql");
    fault_load_write(site, 1, 1);
    write_edited(site);
}

/* --- the verdict -------------------------------------------------------------------------------------------------- */

void fault_load_await_settled(struct cluster *cluster)
{
    WAIT_SQL(cluster,
             "SELECT count(*) FROM chime.run r, chime.leader l WHERE r.token <> l.token OR r.pid IS NOT NULL"
             " AND NOT chime.backend_alive(r.pid, r.backend_start)",
             "0", FAULT_SETTLE_SECONDS);
    WAIT_SQL(cluster,
             "SELECT coalesce(string_agg(name, ' '), 'none stands') FROM public.load_job"
             " WHERE seconds IS NOT NULL AND last < now() - (seconds + 3) * interval '1 second'",
             "none stands", CATCH_UP_SECONDS);
    WAIT_SQL(cluster,
             "SELECT coalesce(string_agg(name, ' '), 'none stands') FROM public.join_undecided"
             " WHERE since < now() - interval '5 seconds'",
             "none stands", CATCH_UP_SECONDS);
}

static char *ask_oracle(struct cluster *cluster, const char *condition)
{
    char *sql = files_path("SELECT fault FROM public.oracle WHERE %s ORDER BY fault LIMIT 20", condition);

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

#define SUCCEEDED_DELIVERIES                                               \
    "SELECT string_agg(DISTINCT j.delivery, ' ') FROM chime.run_history h" \
    " JOIN public.load_job j USING (job_id) WHERE h.state = 'succeeded'"
#define EVERY_DELIVERY "at_least_once at_most_once transactional"

/* A slow machine may have no success yet when its faults are over. */
void fault_load_settle(struct cluster *cluster, struct site *site)
{
    struct daemon *daemon = site_lead(site);

    WAIT_SQL(cluster, SUCCEEDED_DELIVERIES, EVERY_DELIVERY, CATCH_UP_SECONDS);
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
    char *slots = cluster_value(cluster, "SELECT count(*) FROM public.due WHERE kind = 'schedule'");

    char *without = cluster_value(
        cluster, "SELECT coalesce(string_agg(j.name, ' '), 'none') FROM public.load_job j WHERE j.name !~ '-s[0-9]+$' "
                 "AND NOT EXISTS"
                 " (SELECT FROM chime.run_history h WHERE h.job_id = j.job_id AND h.state = 'succeeded')");

    printf("%s slots were due; %s; jobs without a success: %s\n", slots, states, without);
    fflush(stdout);
    free(without);
    free(states);
    free(slots);
}

void fault_load_assert_no_fault(struct cluster *cluster)
{
    char *faults = ask_oracle(cluster, "true");

    ck_assert_msg(faults[0] == '\0', "the oracle found:\n%s", faults);
    free(faults);
    char *succeeded = cluster_value(cluster, SUCCEEDED_DELIVERIES);
    ck_assert_str_eq(succeeded, EVERY_DELIVERY);
    free(succeeded);
    assert_nothing_live(cluster, "");
}

void fault_load_assert_no_fault_yet(struct cluster *cluster)
{
    char *faults = ask_oracle(cluster, "rule NOT IN ('absent of an edited job', 'live without a backend')"
                                       " AND fault NOT LIKE 'took effect and did not succeed%: absent'");

    ck_assert_msg(faults[0] == '\0', "the oracle found meanwhile:\n%s", faults);
    free(faults);
}

void fault_load_verdict(struct cluster *cluster, struct site *site)
{
    fault_load_settle(cluster, site);
    fault_load_print_states(cluster);
    fault_load_assert_no_fault(cluster);
}

/* --- the tally ---------------------------------------------------------------------------------------------------- */

void fault_tally_check(struct fault_tally *tally, struct cluster *cluster, const char *moment)
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
