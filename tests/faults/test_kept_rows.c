/* SPDX-License-Identifier: PostgreSQL */
/* No row is lost, doubled or changed that ought to be there, whatever is done beside it: retention, adoption and its
 * rollback, purge, changes of mode, upgrades, verify, backfill and what administrators do, at random, while writers
 * write, and the daemon, its sessions, the command or the server is killed. After each round the oracle
 * (support/fault/kept_rows.sql) compares, in one snapshot, event rows, hot or cold, and the tables of others with what
 * they were.
 *
 * PGCHIME_TEST_SOAK: 300 rounds. Else 6; PGCHIME_TEST_FAULT_COUNT says another number, PGCHIME_TEST_SEED repeats the
 * choices. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cluster/cluster.h"
#include "support/cluster/init_role.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/fault/fault_load.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PLUGIN "shop_totals"
#define WRITERS 2
#define PATIENCE 90.0
#define PARTS 10 /* Check fails a test that takes too long */

static struct cluster *cluster;
static struct daemon *served;
static char *folder;
static char *plugins;
static char *configuration;
static char *output;
static char *errors;
static bool plugin_is_there;

/* --- writers ------------------------------------------------------------------------------------------------------ */

struct writer {
    pthread_t thread;
    char *conninfo;
    unsigned random;
    int number;
    atomic_int done;
};

static struct writer writers[WRITERS];
static atomic_bool over;

static unsigned draw(struct writer *writer, unsigned below)
{
    return (unsigned)rand_r(&writer->random) % below;
}

/* Each with what is wanted from then on, in one statement: both are there or neither. */
static void write_once(struct writer *writer, PGconn *session)
{
    static const char *const sources[] = {"agent_queries", "chat_telemetry"};
    static const char *const ages[] = {"1 hour", "9 days", "40 days", "60 days", "200 days"};
    const char *source = sources[draw(writer, 2)];
    const char *column = source == sources[0] ? "query" : "model";
    long id = (long)draw(writer, 400) * 10 + writer->number; /* writers have rows of their own */
    char sql[1024];

    switch (draw(writer, 4)) {
    case 0:
    case 1:
        snprintf(sql, sizeof(sql),
                 "WITH n AS (INSERT INTO %s (id, %s, created_at) SELECT %ld, md5(random()::text), now() - interval '%s'"
                 " WHERE NOT EXISTS (SELECT FROM proof.wanted WHERE (source, id) = ('%s', %ld)) RETURNING *)"
                 " INSERT INTO proof.wanted SELECT '%s', n.id, to_jsonb(n) FROM n",
                 source, column, id, ages[draw(writer, 5)], source, id, source);
        break;
    case 2:
        snprintf(sql, sizeof(sql),
                 "WITH n AS (UPDATE %s SET %s = md5(random()::text) WHERE id = %ld RETURNING *)"
                 " UPDATE proof.wanted w SET body = to_jsonb(n) FROM n WHERE (w.source, w.id) = ('%s', n.id)",
                 source, column, id, source);
        break;
    default:
        if (draw(writer, 3) > 0)
            snprintf(sql, sizeof(sql), "UPDATE shop_sales SET amount = amount + 1 WHERE id = %ld", 1 + id % 200);
        else
            snprintf(sql, sizeof(sql),
                     "WITH n AS (DELETE FROM %s WHERE id = %ld RETURNING id)"
                     " DELETE FROM proof.wanted w USING n WHERE (w.source, w.id) = ('%s', n.id)",
                     source, id, source);
        break;
    }
    PQclear(PQexec(session, sql));
    atomic_fetch_add(&writer->done, 1);
}

static void *write_all_the_time(void *data)
{
    struct writer *writer = data;
    PGconn *session = NULL;

    while (!atomic_load(&over)) {
        if (session == NULL || PQstatus(session) != CONNECTION_OK) {
            PQfinish(session);
            session = PQconnectdb(writer->conninfo);
        } else {
            write_once(writer, session);
        }
        usleep(10000);
    }
    PQfinish(session);
    return NULL;
}

static void start_writers(void)
{
    atomic_store(&over, false);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.conninfo = cluster_conninfo(cluster, "postgres"),
                                     .random = (unsigned)fault_random_below(1e9),
                                     .number = i};
        ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, write_all_the_time, &writers[i]), 0);
    }
}

static void end_writers(void)
{
    atomic_store(&over, true);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        free(writers[i].conninfo);
    }
}

/* --- the site ----------------------------------------------------------------------------------------------------- */

static void put_plugin(void)
{
    char *from = files_path("%s/tests/fixtures/plugins/%s.so", PGCHIME_BUILD_DIR,
                            fault_random_below(2) < 1 ? PLUGIN : PLUGIN "_wider");
    char *to = files_path("%s/" PLUGIN ".so", plugins);

    files_copy(from, to);
    plugin_is_there = true;
    free(from);
    free(to);
}

static void take_plugin(void)
{
    if (plugin_is_there)
        plugin_take(plugins, PLUGIN);
    plugin_is_there = false;
}

static void write_conf(void)
{
    static const char *const modes[] = {"auto", "full", "matview"};
    char *path = files_path("%s/conf.d/totals.conf", folder);
    char text[128] = "";

    if (plugin_is_there)
        snprintf(text, sizeof(text), "plugin: { name = \"" PLUGIN "\"; modes: { shop_totals = \"%s\"; }; };\n",
                 modes[(int)fault_random_below(3)]);
    files_write(path, text);
    free(path);
}

static void configure(void)
{
    char *conf = files_path("%s/conf.d", folder);
    char *retention = files_path("%s/retention.conf", conf);
    char *settings = files_path("plugin_dir = \"plugins\";\nconf_dir = \"conf.d\";\ncontrol_socket = \"%s/control\";\n",
                                folder);

    files_make_folder(conf);
    files_write(retention, "plugin: { name = \"retention\"; settings: { enforce = true; batch_rows = 100; hot = \"7d\";"
                           " warm = \"30d\"; cold = \"90d\"; tables = \"agent_queries, chat_telemetry\"; }; };\n");
    configuration = commands_configure(cluster, "pgchime", "postgres", folder, settings);
    free(conf);
    free(retention);
    free(settings);
}

static void serve(void)
{
    daemon_destroy(served);
    served = daemon_start((const char *const[]){"--config", configuration, "serve", NULL});
}

static bool is_verbose(void)
{
    return getenv("PGCHIME_TEST_VERBOSE") != NULL;
}

/* What a command does is its own affair: what it leaves is looked at. */
static int run(const char *const *words)
{
    int status = commands_run(configuration, words, &output, &errors);

    if (status != 0 && is_verbose())
        fprintf(stderr, "    %s %s: %d\n%s%s", words[0], words[1] != NULL ? words[1] : "", status, output, errors);
    return status;
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void set_up(void)
{
    cluster = cluster_create(NULL);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/fault/kept_rows.sql");
    cluster_execute(cluster, "CREATE ROLE ann");
    init_role_make(cluster, "pgchime", "postgres");
    cluster_execute(cluster, "GRANT SELECT, TRIGGER, DELETE ON ALL TABLES IN SCHEMA public TO pgchime");
    folder = files_make_directory();
    plugins = files_path("%s/plugins", folder);
    files_make_folder(plugins);
    configure();
    plugin_put(plugins, "retention");
    put_plugin();
    write_conf();
    serve();
    daemon_await(served, "leading as epoch", PATIENCE);
    WAIT_SQL(cluster, "SELECT string_agg(state, ' ') FROM chime.plugin", "installed installed", PATIENCE);
    start_writers();
}

static void tear_down(void)
{
    end_writers();
    daemon_destroy(served);
    served = NULL;
    cluster_destroy(cluster);
    free(folder);
    free(plugins);
    free(configuration);
}

/* --- trouble, at a moment of its own ------------------------------------------------------------------------------ */

enum trouble { TROUBLE_NONE, TROUBLE_SESSIONS, TROUBLE_CANCEL, TROUBLE_DAEMON, TROUBLE_SERVER, TROUBLES };
static int troubles[TROUBLES];

struct moment {
    enum trouble trouble;
    double delay;
};

static void end_sessions(const char *function)
{
    char *conninfo = cluster_conninfo(cluster, "postgres");
    PGconn *session = PQconnectdb(conninfo);
    char sql[256];

    snprintf(sql, sizeof(sql), "SELECT %s(pid) FROM pg_stat_activity WHERE usename = 'pgchime' AND random() < 0.5",
             function);
    PQclear(PQexec(session, sql));
    PQfinish(session);
    free(conninfo);
}

static void *make_trouble(void *data)
{
    struct moment *moment = data;

    usleep((useconds_t)(moment->delay * 1e6));
    if (moment->trouble == TROUBLE_SESSIONS)
        end_sessions("pg_terminate_backend");
    else if (moment->trouble == TROUBLE_CANCEL)
        end_sessions("pg_cancel_backend");
    else if (moment->trouble == TROUBLE_DAEMON)
        kill(daemon_pid(served), SIGKILL);
    else if (moment->trouble == TROUBLE_SERVER)
        kill(cluster_pid(cluster), SIGQUIT); /* at once, as in a crash; it does not come back by itself */
    return NULL;
}

static void mend(const struct moment *moment)
{
    if (moment->trouble == TROUBLE_SERVER) {
        cluster_stop(cluster, CLUSTER_IMMEDIATE);
        cluster_start(cluster);
    }
    if (moment->trouble >= TROUBLE_DAEMON)
        serve();
    if (moment->trouble != TROUBLE_NONE)
        WAIT_FOR(daemon_said(served, "leading as epoch"), PATIENCE);
}

/* --- what is done ------------------------------------------------------------------------------------------------- */

enum deed { RETENTION, RELOAD, ADOPT, ROLLBACK, PURGE, ADMINISTER, VERIFY, BACKFILL, DEEDS };
static const char *const deed_names[DEEDS] = {"retention", "mode or upgrade", "adopt",  "rollback",
                                              "purge",     "administrator",   "verify", "backfill"};
static int tried[DEEDS];
static int done[DEEDS];

static bool run_sql(const char *role, const char *sql)
{
    char *conninfo = role != NULL ? cluster_conninfo_as(cluster, role, "postgres")
                                  : cluster_conninfo(cluster, "postgres");
    PGconn *session = PQconnectdb(conninfo);
    PGresult *result = PQexec(session, sql);
    bool ok = PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK;

    if (is_verbose())
        fprintf(stderr, "    %.60s: %s\n", sql,
                ok && PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : PQerrorMessage(session));
    PQclear(result);
    PQfinish(session);
    free(conninfo);
    return ok;
}

static char *retention_job;

static bool is_removed(void *unused)
{
    char *state = NULL;
    bool removed = cluster_try_value(cluster, "SELECT state FROM chime.plugin WHERE name = '" PLUGIN "'", &state) &&
                   state != NULL && strcmp(state, "removed") == 0;

    (void)unused;
    free(state);
    return removed;
}

/* Without its plugin the leader must know that it is gone. Under trouble it may not come to that. */
static bool retired(void)
{
    take_plugin();
    write_conf();
    return RUN("reload") == 0 && wait_until(is_removed, NULL, 5);
}

static bool is_adopted(void)
{
    char *value = NULL;
    bool adopted = cluster_try_value(cluster, "SELECT count(*) FROM chime.adoption", &value) && strcmp(value, "0") != 0;

    free(value);
    return adopted;
}

/* An administrator's own relation has the name, mostly. */
static bool adopt(void)
{
    if (fault_random_below(1) < 0.8)
        run_sql(NULL, "SELECT proof.squat('" PLUGIN "')");
    return RUN("plugins", "adopt", PLUGIN, "--yes") == 0;
}

/* What stands in the way of the deed is taken away, as its hint says, and the mode is another one: else one rename
 * would have everything after it refused, and a materialized view each backfill. */
static void heed(void)
{
    run_sql(NULL, "SELECT proof.heed()");
    write_conf();
    (void)RUN("reload");
}

static bool come_back(bool ok)
{
    put_plugin();
    write_conf();
    (void)RUN("reload");
    return ok;
}

static bool perform(enum deed deed, int choice)
{
    char sql[64];

    if ((deed == PURGE || deed == RELOAD) && fault_random_below(1) < 0.5)
        run_sql(NULL, "SELECT proof.clear('" PLUGIN "')");
    if (deed != RETENTION && deed != ADMINISTER && fault_random_below(1) < 0.7)
        heed();
    switch (deed) {
    case RETENTION:
        return run_sql("pgchime", retention_job);
    case RELOAD:
        return come_back(true);
    case ADOPT:
        return adopt();
    case ROLLBACK:
        return (is_adopted() || adopt()) &&
               come_back(retired() && RUN("plugins", "adopt", PLUGIN, "--rollback", "--yes") == 0);
    case PURGE:
        return come_back(retired() && RUN("plugins", "purge", PLUGIN, "--yes") == 0);
    case ADMINISTER:
        snprintf(sql, sizeof(sql), "SELECT proof.administer(%d)", choice);
        return run_sql(NULL, sql);
    case VERIFY:
        return RUN("verify", "--repair") == 0;
    case BACKFILL:
        return RUN("backfill", PLUGIN, "--batch", "2") == 0;
    case DEEDS:
    default:
        return false;
    }
}

static struct moment choose_moment(void)
{
    double chance = fault_random_below(1);

    return (struct moment){.trouble = chance < 0.4 ? TROUBLE_NONE
                                                   : (enum trouble)(1 + (int)fault_random_below(TROUBLES - 1)),
                           .delay = fault_random_below(1.5)};
}

/* --- the verdict -------------------------------------------------------------------------------------------------- */

static void nothing_is_wrong(int round, const char *deed, enum trouble trouble)
{
    char *wrong = cluster_rows(cluster, "SELECT * FROM proof.wrong()");

    if (wrong[0] != '\0')
        ck_abort_msg("round %d, %s, trouble %d:\n%s%s", round, deed, (int)trouble, wrong, errors != NULL ? errors : "");
    free(wrong);
}

/* What is ours and installed equals its definition. */
static void what_is_kept_is_right(void)
{
    char *value = NULL;

    if (cluster_true(cluster,
                     "SELECT coalesce(bool_or(chime.kept_of(v) IS NOT NULL AND p.state = 'installed'), false)"
                     " FROM chime.view v JOIN chime.plugin p ON p.name = v.plugin WHERE p.name = '" PLUGIN "'") &&
        cluster_try_value(cluster,
                          "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT chime.refresh('shop_totals');"
                          " SELECT missing + surplus FROM chime.difference('shop_totals')",
                          &value))
        ck_assert_str_eq(value, "0");
    free(value);
    cluster_execute(cluster, "ROLLBACK");
}

static void play(int round, enum deed deed, struct moment moment)
{
    int choice = fault_random_below(2) < 1 ? 0 : (int)fault_random_below(10);
    pthread_t thread;

    tried[deed]++;
    troubles[moment.trouble]++;
    ck_assert_int_eq(pthread_create(&thread, NULL, make_trouble, &moment), 0);
    bool ok = perform(deed, choice);
    pthread_join(thread, NULL);
    done[deed] += ok;
    if (is_verbose())
        fprintf(stderr, "%d: %s %d, trouble %d: %s\n", round, deed_names[deed], choice, (int)moment.trouble,
                ok ? "done" : "not done");
    mend(&moment);
    WAIT_FOR(cluster_is_ready(cluster), PATIENCE);
    nothing_is_wrong(round, deed_names[deed], moment.trouble);
    if (round % 5 == 0)
        what_is_kept_is_right();
}

/* A deed that never succeeds tells nothing: each does once, where nobody troubles it. */
static void each_deed_succeeds(int round)
{
    for (int deed = 0; deed < DEEDS; deed++) {
        for (int i = 0; i < 20 && done[deed] == 0; i++)
            play(round, (enum deed)deed, (struct moment){.trouble = TROUBLE_NONE});
        ck_assert_msg(done[deed] > 0, "%s never succeeded, of %d times", deed_names[deed], tried[deed]);
    }
}

static int rounds(void)
{
    const char *given = getenv("PGCHIME_TEST_FAULT_COUNT");

    return given != NULL ? atoi(given) : fault_soak() ? 300 : 6;
}

START_TEST(every_row_that_ought_to_be_there_is_there_once_as_it_was)
{
    int parts = fault_soak() ? PARTS : 1;
    unsigned seed = fault_seed();

    if (_i >= parts)
        return;
    for (int i = 0; i < _i; i++) /* another part, other choices */
        fault_random_below(1);
    retention_job = cluster_value(cluster, "SELECT command FROM chime.job WHERE name = 'retention-events'");
    for (int round = 1; round <= rounds() / parts; round++) {
        enum deed deed = (enum deed)(int)fault_random_below(DEEDS);
        play(round, deed, choose_moment());
    }
    if (rounds() / parts >= 30)
        each_deed_succeeds(rounds() / parts);
    EXPECT_SQL(cluster, "SELECT count(*) > 20 FROM proof.wanted", "t");
    char *wanted = cluster_value(cluster, "SELECT count(*) FROM proof.wanted");
    char *strangers = cluster_value(cluster, "SELECT count(*) FROM proof.stranger");
    printf("kept rows: part %d, seed %u, %d rounds, %d writes, %s rows wanted, %s strangers;", _i, seed,
           rounds() / parts, atomic_load(&writers[0].done) + atomic_load(&writers[1].done), wanted, strangers);
    free(wanted);
    free(strangers);
    for (int i = 0; i < DEEDS; i++)
        printf(" %s %d of %d,", deed_names[i], done[i], tried[i]);
    printf(" sessions ended %d, cancelled %d, daemon killed %d, server %d\n", troubles[TROUBLE_SESSIONS],
           troubles[TROUBLE_CANCEL], troubles[TROUBLE_DAEMON], troubles[TROUBLE_SERVER]);
    fflush(stdout);
    free(retention_job);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("kept rows");
    TCase *tests = tcase_create("kept rows");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 1700);
    tcase_add_loop_test(tests, every_row_that_ought_to_be_there_is_there_once_as_it_was, 0, fault_soak() ? PARTS : 1);
    suite_add_tcase(all, tests);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
