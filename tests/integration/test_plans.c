/* SPDX-License-Identifier: PostgreSQL */
/* Every statement that is sent many times in the life of a ledger touches as much as its answer is large, whatever the
 * tables hold and whatever the statistics say of them: it is planned while they are empty, tiny or huge, and executed
 * when they are the other way round.
 *
 * The statements are in tests/support/ledger/plans.sql. PGCHIME_TEST_SOAK: larger tables. PGCHIME_TEST_PLANS=all prints
 * what each touched, and the plan of what touched too much; or what the one of that name executed. */
#include <check.h>
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "ledger/migrate.h"
#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/plan_watch.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define FEW 5
#define SOME 60
#define WARM 7 /* from the sixth time on a plan may be kept */

struct statement {
    char *name;
    char *sql;
    double base;
    double each;
    bool kept;
};

static struct cluster *cluster;
static const char *database;
static struct statement *statements;
static size_t statement_count;
static struct buffer findings;

static bool soaks(void)
{
    return getenv("PGCHIME_TEST_SOAK") != NULL;
}

static void read_statements(void)
{
    PGresult *rows = cluster_query(cluster,
                                   "SELECT name, sql, base + part * (SELECT count(*) FROM pg_inherits WHERE inhparent ="
                                   " 'chime.run_history'::regclass), each, kept FROM plans.statement ORDER BY name");
    statement_count = (size_t)PQntuples(rows);
    statements = xcalloc(statement_count, sizeof(*statements));
    for (size_t i = 0; i < statement_count; i++) {
        statements[i] = (struct statement){.name = xstrdup(PQgetvalue(rows, (int)i, 0)),
                                           .sql = xstrdup(PQgetvalue(rows, (int)i, 1)),
                                           .base = atof(PQgetvalue(rows, (int)i, 2)),
                                           .each = atof(PQgetvalue(rows, (int)i, 3)),
                                           .kept = PQgetvalue(rows, (int)i, 4)[0] == 't'};
    }
    PQclear(rows);
}

static void set_up(void)
{
    static const char *const settings[] = {"shared_buffers=512MB", "autovacuum=off", NULL};
    cluster = cluster_create(settings);
    cluster_execute(cluster, "CREATE ROLE ann LOGIN");
    cluster_create_database(cluster, "ledger");
    cluster_use(cluster, "ledger");
    ledger_sql_migrate(cluster);
    cluster_execute(cluster, migrate_cron_text());
    ledger_sql_lead(cluster);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/ledger/plans.sql");
    cluster_execute(cluster, soaks() ? "CALL plans.make_days(400)" : "CALL plans.make_days(40)");
    read_statements();
    cluster_use(cluster, "postgres");
}

static void tear_down(void)
{
    cluster_destroy(cluster);
    for (size_t i = 0; i < statement_count; i++) {
        free(statements[i].name);
        free(statements[i].sql);
    }
    free(statements);
    buffer_finish(&findings);
}

/* The large ledger that each statement is executed on. */
static void fill(void)
{
    cluster_execute(cluster, soaks() ? "CALL plans.fill(50000, 100000, 500000)" : "CALL plans.fill(6000, 20000, 5000)");
}

/* An empty ledger of that name, and sessions to it. */
static void begin(const char *name)
{
    cluster_use(cluster, "postgres");
    cluster_execute_format(cluster, "CREATE DATABASE %s TEMPLATE ledger", name);
    cluster_use(cluster, name);
    cluster_execute(cluster, "UPDATE chime.leader SET database = NULL"); /* not as a copy */
    database = name;
}

static struct plan_watch *open_session(void)
{
    struct plan_watch *watch = plan_watch_create(cluster, database);
    for (size_t i = 0; i < statement_count; i++) {
        char *prepare = files_path("PREPARE p%zu(integer) AS %s", i, statements[i].sql);
        plan_watch_execute(watch, prepare);
        free(prepare);
    }
    return watch;
}

static bool execute(struct plan_watch *watch, size_t statement, int jobs, struct plan_cost *cost)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "EXECUTE p%zu(%d)", statement, jobs);
    return plan_watch_try(watch, sql, cost);
}

/* So often that plans are kept. What is refused for want of jobs planned as far as it came. */
static struct plan_watch *open_warm_session(void)
{
    struct plan_watch *watch = open_session();
    for (int n = 0; n < WARM; n++) {
        for (size_t i = 0; i < statement_count; i++) {
            execute(watch, i, 1, NULL);
        }
    }
    return watch;
}

static double limit_of(const struct statement *statement, int jobs)
{
    return statement->base + statement->each * jobs;
}

static bool is_within(const struct plan_cost *cost, double limit)
{
    return cost->pages <= limit && cost->rows <= limit;
}

static void note(const char *when, const struct statement *statement, int jobs, const struct plan_cost *cost)
{
    const char *wanted = getenv("PGCHIME_TEST_PLANS");
    double limit = limit_of(statement, jobs);
    bool good = is_within(cost, limit);
    if (!good) {
        buffer_printf(&findings, "%s, %s: \"%s\" of %d jobs touches %.0f pages and %.0f rows, more than %.0f\n",
                      database, when, statement->name, jobs, cost->pages, cost->rows, limit);
    }
    if (wanted != NULL && (strcmp(wanted, "all") == 0 || strcmp(wanted, statement->name) == 0)) {
        printf("%s, %-10s %-30s %4d: %8.0f pages %8.0f rows%s\n", database, when, statement->name, jobs, cost->pages,
               cost->rows, good ? "" : " !");
    }
    if (wanted != NULL && (!good || strcmp(wanted, statement->name) == 0) && cost->worst != NULL) {
        printf("%s\n", cost->worst);
    }
}

static void measure(bool kept, struct plan_watch *watch)
{
    static const int sizes[] = {FEW, SOME};
    for (size_t i = 0; i < statement_count; i++) {
        for (size_t size = 0; size < COUNT_OF(sizes) && (statements[i].kept || !kept); size++) {
            struct plan_cost cost;
            /* Not the first time, and what is too much a second time, so that nothing counts that a session does
             * once. */
            bool good = execute(watch, i, sizes[size], NULL) && execute(watch, i, sizes[size], &cost);
            if (good && !is_within(&cost, limit_of(&statements[i], sizes[size]))) {
                good = execute(watch, i, sizes[size], &cost);
            }
            ck_assert_msg(good, "%s: %s", statements[i].name, plan_watch_error(watch));
            note(kept ? "kept plan" : "new plan", &statements[i], sizes[size], &cost);
        }
    }
    plan_watch_destroy(watch);
}

static void measure_all(struct plan_watch *kept)
{
    measure(true, kept);
    measure(false, open_session());
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

#define PLANNED_JOB "postgres/made 4" /* it comes after another and has runs */

static const struct {
    const char *words[4];
    double growth; /* pages that it may touch more where there are many jobs, runs and misses */
    int status;    /* that it exits with */
} commands[] = {
    {{"show", PLANNED_JOB, NULL}, 300, 0},
    {{"next", PLANNED_JOB, NULL}, 300, 0},
    {{"runs", PLANNED_JOB, NULL}, 3000, 0}, /* looks into each partition, once for each kind of run */
    {{"runs", NULL}, 1000, 0},
    {{"runs", "--state", "failed,lost", NULL}, 1000, 0},
    {{"alerts", "--all", NULL}, 300, 0},
    {{"views", NULL}, 300, 0},
    {{"doctor", NULL}, 90000, 8},          /* as status, and looks into the text of each job for pg_cron's name */
    {{"why", PLANNED_JOB, NULL}, 3000, 0}, /* counts what is live: each job here */
    /* Those below go over all jobs, 6,000 there, and look each up in some tables: 13 pages for one. */
    {{"jobs", NULL}, 120000, 0},
    {{"status", NULL}, 75000, 8}, /* nobody leads; 9 pages for one */
    {{"graph", NULL}, 18000, 0},
};

/* Of sessions that have ended: what one touched is known then. */
static double pages_of_sessions(void)
{
    char *backends = files_path("SELECT numbackends FROM pg_stat_database WHERE datname = '%s'", database);
    char *pages = files_path("SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = '%s'", database);
    WAIT_SQL(cluster, backends, "0", 60);
    double count = (double)cluster_integer(cluster, pages);
    free(backends);
    free(pages);
    return count;
}

/* At the usual size. Each command is a session of its own: what it touches from its login on. No other session is at
 * the database. */
static void note_commands(double pages[COUNT_OF(commands)])
{
    char *folder = files_make_directory();
    char *configuration = commands_configure(cluster, "postgres", database, folder, "");
    char *output = NULL;
    char *errors = NULL;
    cluster_use(cluster, "postgres");
    for (size_t i = 0; i < COUNT_OF(commands) && !soaks(); i++) {
        double before = pages_of_sessions();
        commands_expect(commands[i].status, configuration, commands[i].words, &output, &errors);
        pages[i] = pages_of_sessions() - before;
    }
    cluster_use(cluster, database);
    files_remove_tree(folder);
    free(configuration);
    free(folder);
    free(output);
    free(errors);
}

static void compare_commands(const double few[COUNT_OF(commands)], const double many[COUNT_OF(commands)])
{
    for (size_t i = 0; i < COUNT_OF(commands) && !soaks(); i++) {
        const char *job = commands[i].words[1] != NULL ? commands[i].words[1] : "";
        if (getenv("PGCHIME_TEST_PLANS") != NULL) {
            printf("%s: pgchime %s %s: %.0f pages, where there are few jobs %.0f\n", database, commands[i].words[0],
                   job, many[i], few[i]);
        }
        if (many[i] > few[i] + commands[i].growth) {
            buffer_printf(&findings, "%s: \"pgchime %s %s\" touches %.0f pages, where there are few jobs %.0f\n",
                          database, commands[i].words[0], job, many[i], few[i]);
        }
    }
}

/* --- statistics --------------------------------------------------------------------------------------------------- */

static void analyze_while_empty(void)
{
    begin("empty");
    cluster_execute(cluster, "VACUUM ANALYZE");
    struct plan_watch *kept = open_warm_session();
    fill();
    measure_all(kept);
}

static void analyze_while_tiny(void)
{
    begin("tiny");
    double few[COUNT_OF(commands)];
    double many[COUNT_OF(commands)];
    cluster_execute(cluster, "CALL plans.fill(120, 10, 10)");
    cluster_execute(cluster, "VACUUM ANALYZE");
    note_commands(few);
    struct plan_watch *kept = open_warm_session();
    cluster_execute(cluster, "CALL plans.empty(false)");
    fill();
    measure_all(kept);
    note_commands(many);
    compare_commands(few, many);
    cluster_execute(cluster, "VACUUM ANALYZE");
    note_commands(many);
    compare_commands(few, many);
}

/* All jobs were there, now most were removed. */
static void analyze_while_huge(void)
{
    begin("huge");
    cluster_execute(cluster, "CALL plans.fill(6000, 0, 1000)");
    cluster_execute(cluster, "VACUUM ANALYZE");
    struct plan_watch *kept = open_warm_session();
    cluster_execute(cluster, "CALL plans.empty(true)");
    fill();
    measure_all(kept);
}

START_TEST(a_statement_touches_as_much_as_it_answers_whatever_statistics_say)
{
    analyze_while_empty();
    analyze_while_tiny();
    analyze_while_huge();
    ck_assert_msg(findings.length == 0, "\n%s", buffer_text(&findings));
}
END_TEST

/* The names that stand in the program's SQL as chime.NAME(. */
static void note_calls(const char *path)
{
    char *text = files_read(path);
    for (const char *at = strstr(text, "chime."); at != NULL; at = strstr(at, "chime.")) {
        at += strlen("chime.");
        int length = 0;
        while (islower((unsigned char)at[length]) || at[length] == '_') {
            length++;
        }
        if (length > 0 && at[length] == '(') {
            cluster_execute_format(cluster, "INSERT INTO plans.called VALUES ('%.*s') ON CONFLICT DO NOTHING", length,
                                   at);
        }
    }
    free(text);
}

START_TEST(every_function_that_is_called_has_a_case)
{
    glob_t files;
    cluster_use(cluster, "ledger");
    ck_assert_int_eq(glob(PGCHIME_SOURCE_DIR "/core/*/*.[ch]", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        note_calls(files.gl_pathv[i]);
    }
    globfree(&files);
    EXPECT_SQL(cluster, "SELECT count(*) > 50 FROM plans.called", "t");
    EXPECT_SQL(cluster, "SELECT string_agg(name, ', ' ORDER BY name) FROM plans.without_case", NULL);
    cluster_execute(cluster, "DELETE FROM plans.statement WHERE name IN ('claim', 'claim of requests')");
    EXPECT_SQL(cluster, "SELECT string_agg(name, ', ' ORDER BY name) FROM plans.without_case", "chime.claim");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plans");
    TCase *cases = tcase_create("plans");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, soaks() ? 1800 : 240);
    tcase_add_test(cases, a_statement_touches_as_much_as_it_answers_whatever_statistics_say);
    tcase_add_test(cases, every_function_that_is_called_has_a_case);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
