/* SPDX-License-Identifier: PostgreSQL */
/* Months of a busy database in fast motion: jobs are made, edited and unscheduled, fail, hear channels; files come and
 * go in conf.d, a plugin is dropped, sessions end, daemons are killed; what is on record ages by weeks. Under the load
 * nothing grows from one half to the next, and when it stops everything goes back to what docs/operating.md says ("What
 * grows, and how far").
 *
 * PGCHIME_TEST_SOAK: 30 minutes, else three short rounds; PGCHIME_TEST_GROWTH_SECONDS says another number. */
#include <check.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/init_role.h"
#include "support/cluster/session.h"
#include "support/daemon/served.h"
#include "support/fault/fault_load.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define ROLE "keeper"
#define POOL 6
#define JOBS 60 /* of a cycle */
#define PLUGIN "lane_distribution"
#define PATIENCE 90.0
#define MORE_MEMORY_KB 2048
#define MORE_DESCRIPTORS 2

static PGconn *owner; /* of the jobs: the daemon's role */
static char *plugins;
static int cycles;
static int kills;
static bool plugin_there;
static char *file; /* in conf.d, of the last reload */

/* --- the stage ---------------------------------------------------------------------------------------------------- */

/* Of each table of the ledger, whatever tables there are: rows, bytes of it, bytes of its indexes. */
static const char stage_functions[] =
    "CREATE FUNCTION sample() RETURNS TABLE (name name, row_count bigint, bytes bigint, index_bytes bigint) LANGUAGE "
    "plpgsql AS $$"
    "BEGIN FOR name, bytes, index_bytes IN SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class"
    " WHERE relnamespace = 'chime'::regnamespace AND relkind = 'r' LOOP"
    " EXECUTE format('SELECT count(*) FROM chime.%I', name) INTO row_count; RETURN NEXT; END LOOP; END $$;"
    "CREATE TABLE samples (at text, name name, row_count bigint, bytes bigint, index_bytes bigint);"
    /* What is on record becomes older by so many days, and there is more of it than an hour's upkeep took once. */
    "CREATE FUNCTION age(days integer) RETURNS void LANGUAGE sql BEGIN ATOMIC"
    " INSERT INTO chime.attempt (job_id, kind, slot, attempt, run_id, state, epoch, finished_at)"
    " SELECT job_id, 'schedule', now() - n * interval '1 s', 9, n, 'failed', 1, now()"
    " FROM chime.job, generate_series(1, 12000) n WHERE name = 'quiet';"
    " INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch)"
    " SELECT job_id, t, t, 1, 'x', 1 FROM chime.attempt, LATERAL (SELECT slot AS t) t WHERE attempt = 9;"
    " UPDATE chime.attempt SET finished_at = finished_at - days * interval '1 day';"
    " UPDATE chime.missed SET recorded_at = recorded_at - days * interval '1 day';"
    /* Kept for longer than the rest. */
    " UPDATE chime.alert_event SET at = at - (days + 60) * interval '1 day';"
    " UPDATE chime.job_past SET until = until - days * interval '1 day';"
    " UPDATE chime.leadership SET since = since - days * interval '1 day';"
    " UPDATE chime.job SET removed_at = removed_at - days * interval '1 day' WHERE removed_at IS NOT NULL;"
    " UPDATE chime.run_history SET slot = slot - days * interval '1 day',"
    " finished_at = finished_at - days * interval '1 day'; END;"
    "CREATE TABLE effect (n bigint);"
    "GRANT INSERT ON effect TO " ROLE;

static void note_sample(const char *at)
{
    cluster_execute_format(cluster, "INSERT INTO samples SELECT '%s', * FROM sample()", at);
}

static void start_daemon(void)
{
    daemon_destroy(served);
    served = site_lead(site);
}

static void set_up(void)
{
    static const char *const settings[] = {"autovacuum_naptime=3s", "max_wal_size=4GB", NULL};

    cluster = cluster_create(settings);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    init_role_make(cluster, ROLE, "postgres");
    site = site_create(cluster, "postgres", POOL);
    char *conninfo = cluster_conninfo_as(cluster, ROLE, "postgres");
    site_use_conninfo(site, conninfo);
    plugins = files_make_directory();
    site_use_plugins(site, plugins);
    site_job(site, "beat", "schedule = \"1 second\"; command = \"SELECT 1\";");
    site_job(site, "quiet", "on = [\"nobody_says_this\"]; command = \"SELECT 1\";");
    start_daemon();
    cluster_execute(cluster, stage_functions);
    owner = PQconnectdb(conninfo);
    ck_assert_msg(PQstatus(owner) == CONNECTION_OK, "%s", PQerrorMessage(owner));
    free(conninfo);
}

static void tear_down(void)
{
    PQfinish(owner);
    free(plugins);
    served_tear_down();
}

/* --- a cycle ------------------------------------------------------------------------------------------------------ */

static void own(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void own(const char *format, ...)
{
    char sql[2000];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sql, sizeof(sql), format, arguments);
    va_end(arguments);
    session_execute(owner, sql);
}

/* A sixth each: runs, fails and is tried again, hears, fails long-winded, never runs, runs once. */
static void make_jobs(int cycle)
{
    own("SELECT chime.schedule(format('job %%s.%%s', %d, n),"
        " CASE n %% 6 WHEN 2 THEN NULL WHEN 4 THEN '0 0 29 2 *' WHEN 5 THEN '@at 2001-01-01 00:00' ELSE '1 second' END,"
        " CASE n %% 6 WHEN 0 THEN 'INSERT INTO public.effect VALUES (1)' WHEN 1 THEN 'SELECT 1/0'"
        " WHEN 3 THEN 'DO $d$ BEGIN RAISE EXCEPTION ''%%'', repeat(''long '', 800); END $d$' ELSE 'SELECT 1' END,"
        " channels => CASE n %% 6 WHEN 2 THEN ARRAY['channel ' || %d * %d + n] END,"
        " options => CASE n %% 6 WHEN 1 THEN '{\"max_attempts\": 2, \"backoff\": {\"initial\": \"100ms\"}}'::jsonb END)"
        " FROM generate_series(1, %d) n",
        cycle, cycle, JOBS, JOBS);
}

static void edit_jobs(int cycle)
{
    own("SELECT chime.alter_job(job_id, schedule => '2 seconds') FROM chime.jobs WHERE schedule = '1 second'"
        " AND job_id %% 3 = 0");
    for (int i = 0; i < 5; i++)
        own("SELECT chime.alter_job(job_id, channels => ARRAY['moved %d.%d']) FROM chime.jobs WHERE channels <> '{}'"
            " AND job_id %% 5 = %d",
            cycle, i, i);
    own("SELECT pg_notify(c, 'x') FROM chime.jobs, unnest(channels) c");
}

static void remove_jobs(int cycle)
{
    own("SELECT chime.unschedule(job_id) FROM chime.jobs WHERE job_name LIKE 'job %d.%%'", cycle);
}

static void remove_file(void)
{
    if (file != NULL)
        site_remove(site, file);
    free(file);
    file = NULL;
}

static void have_plugin(bool wanted)
{
    if (wanted && !plugin_there)
        plugin_put(plugins, PLUGIN);
    else if (!wanted && plugin_there)
        plugin_take(plugins, PLUGIN);
    plugin_there = wanted;
}

/* Files that come and go, and a plugin in every other reload. */
static void reload(int cycle)
{
    char *members = files_path("schedule = \"1 second\"; on = [\"file %d\"]; command = \"SELECT 1\";", cycle);

    remove_file();
    file = files_path("file-%d", cycle);
    site_job(site, file, members);
    have_plugin(cycle % 2 == 0);
    site_reload(site, served);
    free(members);
}

/* One that is killed is started again; one that only loses sessions comes back by itself. */
static void strike(int cycle)
{
    if (cycle % 4 == 1) {
        kills++;
        daemon_kill(served);
        start_daemon();
    } else if (cycle % 4 == 3) {
        cluster_execute(cluster, "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity"
                                 " WHERE application_name ~ '^pgchime' ORDER BY random() LIMIT 3) s");
    }
}

static void run_cycle(bool strikes)
{
    make_jobs(cycles);
    edit_jobs(cycles);
    reload(cycles);
    fault_let_pass(1.0);
    edit_jobs(cycles);
    if (strikes)
        strike(cycles);
    remove_jobs(cycles - 1);
    cycles++;
}

/* --- the load stops ----------------------------------------------------------------------------------------------- */

static void remove_everything(void)
{
    own("SELECT chime.unschedule(job_id) FROM chime.jobs");
    remove_file();
    have_plugin(false);
    site_reload(site, served);
    WAIT_SQL(
        cluster,
        "SELECT channels::text || (SELECT count(*) FROM chime.run JOIN chime.job USING (job_id) WHERE name <> 'beat')"
        " || (SELECT count(*) FROM chime.request) || (SELECT count(*) FROM chime.jobs)"
        " || (SELECT count(*) FROM chime.alert WHERE rule ~ '^job-') FROM chime.listener",
        "{nobody_says_this}0000", PATIENCE);
}

/* Every table has as many rows as before there was any load, or a few more: what is there always goes on. */
#define MORE_ROWS                                                                                         \
    "SELECT string_agg(n.name || ' ' || n.row_count || ' instead of ' || coalesce(b.row_count, 0), ', ')" \
    " FROM sample() n LEFT JOIN samples b ON b.name = n.name AND b.at = 'before'"                         \
    " WHERE n.row_count > coalesce(b.row_count, 0) + 30 + CASE WHEN n.name ~ '^run_history_[0-9]' THEN 300 ELSE 0 END"
/* What one round left free, the next one uses. */
#define MORE_BYTES                                                                                               \
    "SELECT string_agg(n.name || ' ' || n.bytes || ' + ' || n.index_bytes || ' instead of '"                     \
    " || f.bytes || ' + ' || f.index_bytes, ', ') FROM sample() n JOIN samples f ON f.name = n.name AND f.at = " \
    "'first'"                                                                                                    \
    " WHERE n.bytes > 1.5 * f.bytes + 512 * 1024 OR n.index_bytes > 1.5 * f.index_bytes + 512 * 1024"

/* What is dead by now goes: whoever might still see it has ended. */
static void vacuum_once(void)
{
    char *now = cluster_value(cluster, "SELECT pg_current_xact_id()::xid");
    char *older = files_path("SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                             " AND greatest(age(backend_xmin), age(backend_xid)) >= age('%s'::xid)",
                             now);

    WAIT_SQL(cluster, older, "0", PATIENCE);
    cluster_execute(cluster, "VACUUM");
    free(older);
    free(now);
}

/* Pages of an index that one VACUUM empties are free for use after the next one: without it each round took as much
 * beside the one before, and the index was twice as large from the second round on. */
static void vacuum(void)
{
    vacuum_once();
    vacuum_once();
}

/* Weeks pass; the hour of the upkeep is that of the next leadership. */
static void let_weeks_pass(void)
{
    cluster_execute(cluster, "SELECT age(40)");
    site_end(served);
    start_daemon();
    WAIT_SQL(cluster, MORE_ROWS, NULL, PATIENCE);
    WAIT_SQL(cluster, "SELECT state FROM chime.listener", "listening", PATIENCE);
    vacuum();
}

/* --- what the daemon has ------------------------------------------------------------------------------------------ */

struct daemon_state {
    long memory;
    int descriptors;
    int64_t sessions;
    char *watch;
    int64_t quiet_runs;
};

static int count_descriptors(void)
{
    char *path = files_path("/proc/%d/fd", (int)daemon_pid(served));
    DIR *folder = opendir(path);
    int count = 0;

    ck_assert_ptr_nonnull(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    free(path);
    return count;
}

static struct daemon_state look_at_daemon(void)
{
    return (struct daemon_state){
        .memory = process_private_kb((int)daemon_pid(served)),
        .descriptors = count_descriptors(),
        .sessions = cluster_integer(cluster,
                                    "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^pgchime'"),
        .watch = cluster_value(cluster, "SELECT pid || ' ' || backend_start FROM pg_stat_activity"
                                        " WHERE application_name = 'pgchime listener'"),
        .quiet_runs = cluster_integer(cluster, "SELECT count(*) FROM chime.runs WHERE job = 'quiet'")};
}

static void expect_daemon_as(struct daemon_state *before)
{
    struct daemon_state now = look_at_daemon();

    printf("memory %ld kB, was %ld; %d descriptors, were %d; %d sessions\n", now.memory, before->memory,
           now.descriptors, before->descriptors, (int)now.sessions);
    ck_assert_int_le(now.memory, before->memory + MORE_MEMORY_KB);
    ck_assert_int_le(now.descriptors, before->descriptors + MORE_DESCRIPTORS);
    ck_assert_int_le(now.sessions, POOL + 3);
    ck_assert_msg(strcmp(now.watch, before->watch) == 0, "the session that hears is another:\n%s",
                  daemon_errors(served));
    ck_assert_int_eq(now.quiet_runs, before->quiet_runs);
    free(now.watch);
    free(before->watch);
}

/* The log of this daemon: of the third of all jobs that fail a line for what goes wrong, and one for how often. */
static void expect_short_log(int jobs)
{
    char *log = daemon_errors(served);
    int lines = 0;
    size_t longest = 0;

    for (const char *line = log; *line != '\0'; lines++) {
        size_t length = strcspn(line, "\n");

        longest = length > longest ? length : longest;
        line += length + (line[length] == '\n');
    }
    printf("log: %d lines, %zu bytes, the longest %zu\n", lines, strlen(log), longest);
    ck_assert_uint_le(longest, 1000);
    ck_assert_int_le(lines, jobs + 100);
    free(log);
}

/* --- rounds ------------------------------------------------------------------------------------------------------- */

/* Of one length, whatever the machine does meanwhile: sizes of two rounds are compared. */
static int round_cycles(void)
{
    return fault_soak() ? 60 : 4;
}

static void load(int count, bool strikes)
{
    for (int i = 0; i < count; i++)
        run_cycle(strikes);
}

/* One leader, whom nothing disturbs. */
static void run_quiet_round(void)
{
    int first = cycles;

    load(round_cycles() / 2, false);
    remove_everything();
    struct daemon_state before = look_at_daemon();
    load(round_cycles(), false);
    remove_everything();
    expect_daemon_as(&before);
    expect_short_log((cycles - first) * JOBS);
    WAIT_SQL(cluster, "SELECT sum(row_count) FROM sample() WHERE name ~ '_schedule$|next_slots'", "0", PATIENCE);
    let_weeks_pass();
}

static void run_struck_round(void)
{
    load(round_cycles(), true);
    remove_everything();
    let_weeks_pass();
}

static double whole_time(void)
{
    const char *given = getenv("PGCHIME_TEST_GROWTH_SECONDS");

    return given != NULL ? atof(given) : fault_soak() ? 1800 : 0;
}

START_TEST(when_the_load_stops_everything_is_as_small_as_before)
{
    double end = fault_clock() + whole_time();

    reload(0);
    runs_await(cluster, "refresh-lane-distributions", 1);
    remove_everything();
    cluster_execute(cluster, "VACUUM");
    note_sample("before");
    run_struck_round();
    note_sample("first");
    do {
        run_quiet_round();
        run_struck_round();
        EXPECT_SQL(cluster, MORE_BYTES, NULL);
        printf("%d cycles of %d jobs, %d kills\n", cycles, JOBS, kills);
    } while (fault_clock() < end);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("growth");
    TCase *cases = tcase_create("growth");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, when_the_load_stops_everything_is_as_small_as_before);
    suite_add_tcase(suite, cases);
    return suite_run_in_process(suite);
}
