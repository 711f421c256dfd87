/* kill -9 of the daemon at random and at chosen moments under load, restarted each time; then the oracle (kill.sql)
 * compares the ledger with an independent list of what was due and with what the jobs did.
 *
 * 50 kills; PGCHIME_TEST_SOAK makes it 1000, PGCHIME_TEST_FAULTS 300. PGCHIME_TEST_SEED repeats a choice of moments. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/cluster.h"
#include "support/daemon.h"
#include "support/files.h"
#include "support/process.h"
#include "support/site.h"
#include "support/suite.h"
#include "support/wait.h"

#define SETTLE_SECONDS 25.0 /* the lease and ten seconds */
#define AIM_SECONDS 20.0

static struct cluster *cluster;
static struct site *site;
static PGconn *blocker; /* holds a row, so that the daemon is at a chosen place when it is killed */

enum aim { AIM_ANY_MOMENT, AIM_CLAIM, AIM_GAP, AIM_FINISH, AIM_OWN_FINISH, AIM_COUNT };

struct tally {
    int kills;
    int claim;
    int gap;
    int running;
    int finish;
};

/* --- the load ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int copies; /* named NAME-1, NAME-2, ...; 1: NAME */
    const char *members;
} load[] = {
    {"quick", 4, "schedule = \"1 seconds\"; command = \"SELECT public.effect('%s')\"; catchup = \"latest\";"},
    {"quick-own", 4,
     "schedule = \"1 seconds\"; command = \"SELECT public.effect('%s')\"; delivery = \"transactional\"; catchup = "
     "\"all\";"},
    {"brief", 2,
     "schedule = \"1 seconds\"; command = \"SELECT public.effect('%s', 0.3)\"; overlap_policy = \"buffer_one\"; "
     "catchup = \"none\";"},
    {"brief-own", 2,
     "schedule = \"1 seconds\"; command = \"SELECT public.effect('%s', 0.3)\"; delivery = \"transactional\"; catchup = "
     "\"none\";"},
    {"long", 1,
     "schedule = \"2 seconds\"; command = \"SELECT public.effect('%s', 0.5)\"; catchup = \"all\"; overlap_policy = "
     "\"buffer_one\";"},
    {"long-own", 2,
     "schedule = \"3 seconds\"; command = \"SELECT public.effect('%s', 0.5)\"; delivery = \"transactional\"; catchup = "
     "\"all\";"
     " max_attempts = 9; backoff: { initial = \"10ms\"; coefficient = 1.0; };"},
    {"over", 1, "schedule = \"1 seconds\"; command = \"SELECT public.effect('%s', 1.3)\"; overlap_policy = \"skip\";"},
    {"over-own", 1,
     "schedule = \"1 seconds\"; command = \"SELECT public.effect('%s', 1.3)\"; overlap_policy = \"buffer_one\"; "
     "delivery = \"transactional\";"},
    {"rows", 1,
     "schedule = \"1 seconds\"; command = \"SELECT public.effect('%s', 0.05); SELECT generate_series(1, 20000)\";"},
    {"rows-own", 1,
     "schedule = \"1 seconds\"; command = \"SELECT public.effect('%s', 0.05); SELECT generate_series(1, 20000)\"; "
     "delivery = \"transactional\"; catchup = \"all\";"},
    {"flaky", 1,
     "schedule = \"2 seconds\"; command = \"SELECT public.effect('%s'); SELECT public.flake()\"; delivery = "
     "\"transactional\"; catchup = \"all\";"
     " max_attempts = 5; backoff: { initial = \"50ms\"; };"},
    {"flaky-once", 1,
     "schedule = \"2 seconds\"; command = \"SELECT public.effect('%s'); SELECT public.flake()\"; max_attempts = 5; "
     "backoff: { initial = \"50ms\"; };"},
    {"procedure", 1, "schedule = \"1 seconds\"; command = \"CALL public.effect_twice('%s')\"; catchup = \"none\";"},
    {"failing", 1, "schedule = \"1 seconds\"; command = \"SELECT public.effect('%s'); SELECT 1 / 0\""},
    {"upstream", 1,
     "schedule = \"1 seconds\"; command = \"SELECT public.effect('%s', 0.05)\"; delivery = \"transactional\"; catchup "
     "= \"all\";"},
    {"downstream", 1,
     "schedule = \"1 seconds\"; command = \"SELECT public.effect('%s')\"; after = [\"upstream\"]; trigger_rule = "
     "\"all_done\"; catchup = \"all\";"},
    {"downstream-own", 1,
     "schedule = \"2 seconds\"; command = \"SELECT public.effect('%s')\"; after = [\"upstream\", \"quick-1\"]; "
     "delivery = \"transactional\";"},
    {"after-failing", 1,
     "schedule = \"1 seconds\"; command = \"SELECT public.effect('%s')\"; after = [\"failing\"]; catchup = \"all\";"},
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the members above, each with one %s */
static void write_job(const char *name, const char *members)
{
    char *text = files_path(members, name);
    char *kept_on = files_path("%s suspend_after_failures = 0;", text); /* runs lost to a kill count as failures */

    site_job(site, name, kept_on);
    free(kept_on);
    free(text);
}
#pragma GCC diagnostic pop

static void write_load(void)
{
    for (size_t i = 0; i < sizeof load / sizeof load[0]; i++) {
        for (int copy = 1; copy <= load[i].copies; copy++) {
            char *name = load[i].copies == 1 ? files_path("%s", load[i].name) : files_path("%s-%d", load[i].name, copy);
            write_job(name, load[i].members);
            free(name);
        }
    }
}

static void set_up(void)
{
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", 12);
    blocker = cluster_connect(cluster, "postgres");
    struct daemon *daemon = site_lead(site); /* makes the schema, so that the observers can be put in */
    site_end(daemon);
    daemon_destroy(daemon);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/faults/kill.sql");
    write_load();
}

static void tear_down(void)
{
    PQfinish(blocker);
    site_destroy(site);
    cluster_destroy(cluster);
}

/* --- aiming ------------------------------------------------------------------------------------------------------- */

static void blocker_do(const char *sql)
{
    PGresult *result = PQexec(blocker, sql);

    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        support_fail("%s: %s", sql, PQerrorMessage(blocker));
    PQclear(result);
}

/* Holds a row that the daemon's next step needs; false when there is no such row just now. */
static bool hold(const char *sql)
{
    blocker_do("BEGIN");
    PGresult *result = PQexec(blocker, sql);
    bool held = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    PQclear(result);
    if (!held)
        blocker_do("ROLLBACK");
    return held;
}

static void let_go(void)
{
    blocker_do("ROLLBACK");
}

struct target {
    const char *row;     /* to be held */
    const char *waiting; /* the statement that is to wait for it */
};

static const struct target targets[AIM_COUNT] = {
    [AIM_CLAIM] =
        {"SELECT FROM chime.job_state JOIN chime.job j USING (job_id) WHERE j.name = 'quick-1' FOR UPDATE OF job_state",
         "chime\\.claim\\("},
    [AIM_GAP] =
        {"SELECT FROM chime.job_state JOIN chime.job j USING (job_id) WHERE j.name = 'quick-2' FOR UPDATE OF job_state",
         "chime\\.claim\\("},
    [AIM_FINISH] = {"SELECT FROM chime.run r JOIN chime.job j USING (job_id) WHERE j.name = 'brief-1' AND r.pid IS NOT "
                    "NULL FOR UPDATE OF r",
                    "chime\\.finish\\("},
    [AIM_OWN_FINISH] = {"SELECT FROM chime.run r JOIN chime.job j USING (job_id) WHERE j.name = 'brief-own-1' AND "
                        "r.pid IS NOT NULL FOR UPDATE OF r",
                        "chime\\.perform\\("},
};

/* Whether somebody waits for the row held; *wanted tells whether it is the statement aimed at. */
static bool somebody_waits(const char *statement, bool *wanted)
{
    char *sql = files_path("SELECT bool_or(query ~ '%s') FROM pg_stat_activity WHERE %d = ANY (pg_blocking_pids(pid))",
                           statement, PQbackendPID(blocker));
    char *value = cluster_value(cluster, sql);
    bool waits = value != NULL;

    *wanted = waits && strcmp(value, "t") == 0;
    free(value);
    free(sql);
    return waits;
}

/* Returns with the row held and the statement waiting for it. */
static void bring_to(const struct target *target)
{
    struct wait_deadline deadline = wait_deadline_after(AIM_SECONDS);
    bool wanted = false;

    while (!wanted) {
        if (hold(target->row)) {
            while (!somebody_waits(target->waiting, &wanted))
                wait_a_little(&deadline, target->waiting, AIM_SECONDS, __FILE__, __LINE__);
            if (!wanted)
                let_go();
        }
        wait_a_little(&deadline, target->waiting, AIM_SECONDS, __FILE__, __LINE__);
    }
}

/* --- killing ------------------------------------------------------------------------------------------------------ */

static double random_below(double limit)
{
    return limit * ((double)random() / ((double)RAND_MAX + 1));
}

static bool clock_passed(void *data)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9 >= *(const double *)data;
}

static void wait_for_a_moment(double seconds)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    double until = (double)now.tv_sec + (double)now.tv_nsec / 1e9 + seconds;
    wait_until(clock_passed, &until, seconds + 1);
}

static void look_where(struct tally *tally, const char *moment)
{
    char *sql = files_path("SELECT claim, gap, running, finish FROM where_hit('%s')", moment);
    PGresult *result = cluster_query(cluster, sql);

    tally->kills++;
    tally->claim += PQgetvalue(result, 0, 0)[0] == 't';
    tally->gap += PQgetvalue(result, 0, 1)[0] == 't';
    tally->running += PQgetvalue(result, 0, 2)[0] == 't';
    tally->finish += PQgetvalue(result, 0, 3)[0] == 't';
    PQclear(result);
    free(sql);
}

static void kill_now(struct daemon *daemon, struct tally *tally)
{
    char *moment = cluster_value(cluster, "SELECT clock_timestamp()");

    daemon_kill(daemon);
    look_where(tally, moment);
    free(moment);
}

/* The claim is committed while the daemon stands still: killed before it can send the text. */
static void kill_in_the_gap(struct daemon *daemon, struct tally *tally)
{
    char *moment = cluster_value(cluster, "SELECT clock_timestamp()");

    daemon_signal(daemon, SIGSTOP);
    let_go();
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run r JOIN chime.job j USING (job_id) WHERE j.name = 'quick-2'", "1",
             AIM_SECONDS);
    look_where(tally, moment);
    daemon_kill(daemon);
    free(moment);
}

static void assert_alive(struct daemon *daemon)
{
    if (!daemon_is_running(daemon)) {
        char *errors = daemon_errors(daemon);
        support_fail("the daemon ended by itself:\n%s", errors);
    }
}

static void kill_at(struct daemon *daemon, enum aim aim, struct tally *tally)
{
    if (aim == AIM_ANY_MOMENT) {
        wait_for_a_moment(0.02 + random_below(1.6)); /* from its start: some are hit before they lead */
        assert_alive(daemon);
        kill_now(daemon, tally);
        return;
    }
    site_await_leading(daemon);
    bring_to(&targets[aim]);
    assert_alive(daemon);
    if (aim == AIM_GAP) {
        kill_in_the_gap(daemon, tally);
        return;
    }
    bool released_first = random_below(2) < 1;
    if (released_first)
        let_go(); /* what was waiting may be committed, and its answer reach nobody */
    kill_now(daemon, tally);
    if (!released_first)
        let_go();
}

static int kill_count(void)
{
    return getenv("PGCHIME_TEST_SOAK") != NULL ? 1000 : getenv("PGCHIME_TEST_FAULTS") != NULL ? 300 : 50;
}

static enum aim choose_aim(int kill)
{
    /* Half at any moment; the others take turns. */
    return kill % 2 == 0 ? AIM_ANY_MOMENT : (enum aim)(AIM_CLAIM + kill / 2 % (AIM_COUNT - 1));
}

/* --- the verdict -------------------------------------------------------------------------------------------------- */

static void settle(void)
{
    struct daemon *daemon = site_lead(site);

    WAIT_SQL(cluster,
             "SELECT count(*) FROM chime.run r, chime.leader l WHERE r.token <> l.token OR r.pid IS NOT NULL"
             " AND NOT chime.backend_alive(r.pid, r.backend_start)",
             "0", SETTLE_SECONDS);
    WAIT_SQL(cluster,
             "SELECT coalesce(string_agg(name, ' '), 'none stands') FROM load_job"
             " WHERE last < now() - (seconds + 3) * interval '1 second'",
             "none stands", SETTLE_SECONDS);
    site_end(daemon);
    daemon_destroy(daemon);
}

static void print_summary(const struct tally *tally, unsigned seed)
{
    char *states = cluster_value(
        cluster, "SELECT string_agg(n || ' ' || state, ', ' ORDER BY state) FROM"
                 " (SELECT state::text, count(*) n FROM chime.run_history GROUP BY 1"
                 " UNION ALL SELECT 'missed', coalesce(sum(slots), 0) FROM chime.missed"
                 " UNION ALL SELECT 'attempts lost or failed and tried again', count(*) FROM chime.attempt) s");
    char *slots = cluster_value(cluster, "SELECT count(*) FROM due");

    printf("%d kills (seed %u) hit: %d a claim or what was due before it, %d the gap before the start,"
           " %d a running statement, %d a finish\n",
           tally->kills, seed, tally->claim, tally->gap, tally->running, tally->finish);
    printf("%s slots were due; %s\n", slots, states);
    fflush(stdout);
    free(states);
    free(slots);
}

static void assert_no_fault(void)
{
    char *faults = cluster_rows(cluster, "SELECT fault FROM oracle ORDER BY fault LIMIT 20");

    ck_assert_msg(faults[0] == '\0', "the oracle found:\n%s", faults);
    free(faults);
    ck_assert_int_eq(cluster_integer(cluster, "SELECT count(*) FROM chime.run WHERE pid IS NOT NULL"), 0);
}

/* An oracle that sees nothing would be satisfied with anything. */
static void assert_oracle_sees(const char *fault, const char *sql)
{
    char *query = files_path("SELECT count(*) > 0 FROM oracle WHERE fault LIKE '%s%%'", fault);

    cluster_execute(cluster, "BEGIN");
    cluster_execute(cluster, sql);
    bool seen = cluster_true(cluster, query);
    cluster_execute(cluster, "ROLLBACK");
    ck_assert_msg(seen, "the oracle does not see: %s", fault);
    free(query);
}

static void assert_oracle_works(void)
{
    assert_oracle_sees("absent",
                       "DELETE FROM chime.run_history WHERE ctid IN (SELECT ctid FROM chime.run_history LIMIT 1)");
    assert_oracle_sees("took effect more than once", "INSERT INTO effect SELECT * FROM effect LIMIT 1");
    assert_oracle_sees("succeeded without effect", "DELETE FROM effect WHERE job = 'quick-own-1'");
    assert_oracle_sees("took effect but is failed", "UPDATE chime.run_history h SET state = 'failed' FROM chime.job j"
                                                    " WHERE j.job_id = h.job_id AND j.name = 'quick-1'");
    assert_oracle_sees("missed slots do not add up", "UPDATE chime.missed SET slots = slots + 1");
    assert_oracle_sees("recorded more than once",
                       "INSERT INTO chime.missed SELECT job_id, slot, slot, 1, 'test', 0 FROM chime.run_history"
                       " WHERE kind = 'schedule' LIMIT 1");
    assert_oracle_sees("went before its upstream",
                       "UPDATE effect SET at = at - interval '1 minute' WHERE job LIKE 'down%'");
}

START_TEST(no_slot_is_lost_or_run_twice_when_the_daemon_is_killed)
{
    const char *given = getenv("PGCHIME_TEST_SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL) ^ (unsigned)getpid();
    struct tally tally = {0};

    srandom(seed);
    printf("seed %u\n", seed);
    fflush(stdout);
    for (int kill = 0; kill < kill_count(); kill++) {
        struct daemon *daemon = site_serve(site, NULL, NULL);
        kill_at(daemon, choose_aim(kill), &tally);
        daemon_destroy(daemon);
        if (kill % 4 == 0)
            wait_for_a_moment(random_below(2)); /* nothing leads: there is something to catch up */
    }
    settle();
    print_summary(&tally, seed);
    assert_no_fault();
    assert_oracle_works();
    ck_assert_int_gt(tally.claim, 0);
    ck_assert_int_gt(tally.gap, 0);
    ck_assert_int_gt(tally.running, 0);
    ck_assert_int_gt(tally.finish, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("kill");
    TCase *cases = tcase_create("kill");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 1200);
    tcase_add_test(cases, no_slot_is_lost_or_run_twice_when_the_daemon_is_killed);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
