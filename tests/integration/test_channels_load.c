/* SPDX-License-Identifier: PostgreSQL */
/* Channels of all plugins under load: every event is heard exactly once, no write fails, and the views follow; and a
 * daemon whose role owns no source. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/psql.h"
#include "support/cluster/session.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define SCALE "0.1"
#define QUERIES_PER_SECOND 500
#define CHANNEL_COUNT 5

static const char *const channels[CHANNEL_COUNT] = {"agent_queries_stream", "performance_alert_stream",
                                                    "approval_queue_stream", "training_feedback_stream",
                                                    "submission_scored"};
static const struct {
    const char *name;
    const char *channels; /* as conf.d lists them */
} plugins[] = {
    {"agent_performance", "\"agent_queries_stream\", \"performance_alert_stream\""},
    {"approval_queue", "\"approval_queue_stream\""},
    {"training_quality", "\"training_feedback_stream\""},
    {"lane_distribution", "\"submission_scored\""},
};
#define PLUGIN_COUNT (sizeof(plugins) / sizeof(plugins[0]))

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static PGconn *listeners[CHANNEL_COUNT];
static PGconn *scribe; /* writes down what they hear */

static void set_up(void)
{
    cluster = cluster_create(NULL);
}

static void tear_down(void)
{
    for (size_t i = 0; i < CHANNEL_COUNT; i++)
        PQfinish(listeners[i]);
    PQfinish(scribe);
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
}

/* --- the daemon and its plugins ----------------------------------------------------------------------------------- */

static void ask_for_channels(void)
{
    for (size_t i = 0; i < PLUGIN_COUNT; i++) {
        char *text = files_path("plugin: { name = \"%s\"; channels = [%s]; };\n", plugins[i].name, plugins[i].channels);
        site_file(site, plugins[i].name, text);
        free(text);
    }
}

static void ask_for_none(void)
{
    for (size_t i = 0; i < PLUGIN_COUNT; i++)
        site_remove(site, plugins[i].name);
}

#define CHANNEL_TRIGGERS "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'trg\\_notify%'"

/* Those with channels; a folder of their own. */
static char *only_these(void)
{
    char *folder = files_make_directory();

    for (size_t i = 0; i < PLUGIN_COUNT; i++)
        plugin_put(folder, plugins[i].name);
    return folder;
}

/* The plugins of that folder, over the sample tables. */
static void serve(const char *role, const char *folder, int count)
{
    char *conninfo = cluster_conninfo_as(cluster, role, "postgres");
    site = site_create(cluster, "postgres", 8);
    site_use_conninfo(site, conninfo);
    free(conninfo);
    site_use_plugins(site, folder);
    ask_for_channels();
    served = site_lead(site);
    char *installed = files_path("SELECT count(*) >= %d AND bool_and(state = 'installed') FROM chime.plugin", count);
    WAIT_SQL(cluster, installed, "t", 120);
    free(installed);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", 120);
    WAIT_SQL(cluster, "SELECT state FROM chime.listener", "listening", 60);
    EXPECT_SQL(cluster, CHANNEL_TRIGGERS, "7");
}

/* --- listening ---------------------------------------------------------------------------------------------------- */

static void listen_to_all(void)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/views/channels.sql");
    scribe = cluster_connect(cluster, "postgres");
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        char *listen = files_path("LISTEN %s", channels[i]);
        listeners[i] = cluster_connect(cluster, "postgres");
        session_execute(listeners[i], listen);
        free(listen);
    }
}

/* A payload that is no JSON fails the test here. */
static void write_down(const PGnotify *told)
{
    static const char insert[] = "INSERT INTO public.told (channel, payload) VALUES ($1, $2)";
    const char *values[] = {told->relname, told->extra};
    PGresult *result = PQexecParams(scribe, insert, 2, NULL, values, NULL, NULL, 0);

    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s: %s", told->extra, PQerrorMessage(scribe));
    PQclear(result);
}

static void hear(PGconn *listener)
{
    ck_assert_msg(PQconsumeInput(listener) == 1, "%s", PQerrorMessage(listener));
    for (PGnotify *told = PQnotifies(listener); told != NULL; told = PQnotifies(listener)) {
        write_down(told);
        PQfreemem(told);
    }
}

static void hear_all(void)
{
    for (size_t i = 0; i < CHANNEL_COUNT; i++)
        hear(listeners[i]);
}

/* What was committed before comes with the answer. */
static void hear_the_rest(void)
{
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        session_execute(listeners[i], "SELECT 1");
        hear(listeners[i]);
    }
}

static void expect_heard_once(void)
{
    EXPECT_SQL(cluster,
               "SELECT string_agg(concat_ws(': ', what, channel, left(event, 200)), E'\n')"
               " FROM (SELECT * FROM public.misheard LIMIT 10) m",
               NULL);
    EXPECT_SQL(cluster, "SELECT count(DISTINCT channel) FROM public.told", "5");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM public.told t JOIN public.payload_keys k USING (channel) WHERE k.keys <>"
               " (SELECT string_agg(p, ' ' ORDER BY p COLLATE \"C\") FROM jsonb_object_keys(t.told) AS p)",
               "0");
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static char *log_path(void)
{
    return files_path("%s/load.log", cluster_directory(cluster));
}

static void load_sample(void)
{
    static const char load[] = "exec psql -XqAt -v ON_ERROR_STOP=1 -v scale=" SCALE " -f '" PGCHIME_SOURCE_DIR
                               "/sql/sample/0_schema.sql' -f '" PGCHIME_SOURCE_DIR "/sql/sample/1_data.sql'";
    char *log = log_path();

    process_must_run((const char *const[]){"/bin/bash", "-c", load, NULL}, log);
    free(log);
}

static int load_seconds(void)
{
    return getenv("PGCHIME_TEST_SOAK") != NULL ? 120 : 6;
}

static pid_t start_writer(void)
{
    static const char writer[] = PGCHIME_SOURCE_DIR "/script/sample-writer";
    char *log = log_path();
    char *length = files_path("%ds", load_seconds());

    files_write(log, "");
    pid_t pid = process_start(
        (const char *const[]){"/bin/bash", writer, "--scenario", "capacity", "--scale", SCALE, "--for", length, NULL},
        log, log);
    guard_process(GUARD_GROUP, pid);
    free(length);
    free(log);
    return pid;
}

/* Hears everything while the writer writes, and writes what it does not. */
static void write_and_hear(void)
{
    struct wait_deadline deadline = wait_deadline_after(load_seconds() + 240);
    pid_t writer = start_writer();
    int status;

    for (int turn = 0; (status = process_wait(writer, 0.3)) == -1; turn++) {
        cluster_execute_format(cluster, "CALL public.write_turn(%d)", turn);
        hear_all();
        wait_a_little(&deadline, "the writer ends", load_seconds() + 240, __FILE__, __LINE__);
    }
    guard_forget_process(writer);
    ck_assert_int_eq(status, 0);
}

#define BY_THE_WRITER                                                                                           \
    "SELECT format('capacity: %s queries, %s approvals, %s annotations, %s actions, %s submissions',"           \
    " (SELECT count(*) FROM agent_queries WHERE id > b.query AND conversation_id LIKE 'conv-%'),"               \
    " (SELECT count(*) FROM agent_approvals WHERE id > b.approval AND conversation_id LIKE 'conv-%'),"          \
    " (SELECT count(*) FROM agent_feedback WHERE id > b.feedback AND conversation_id LIKE 'conv-%'),"           \
    " (SELECT count(*) FROM action_results WHERE id > b.action AND coalesce(length(error_message), 0) < 1000)," \
    " (SELECT count(*) FROM submissions WHERE created_at >= b.at)) FROM public.baseline b"

/* What the writer says it has written is there, and is what there was to write. */
static void expect_written(void)
{
    char *log = log_path();
    char *said = files_read(log);
    char *found = cluster_value(cluster, BY_THE_WRITER);
    char *least = files_path("capacity: %d queries, ", load_seconds() * QUERIES_PER_SECOND);

    ck_assert_msg(strncmp(said, found, strlen(found)) == 0, "%s, not %s", found, said);
    ck_assert_msg(strncmp(said, least, strlen(least)) == 0, "%s, not %s", said, least);
    free(least);
    free(found);
    free(said);
    free(log);
}

/* --- every event once --------------------------------------------------------------------------------------------- */

/* In the order of what reads what: a second pass settles views that read others. */
static void expect_views_equal_sources(void)
{
    cluster_execute(cluster, "SELECT set_config('chime.as_of', clock_timestamp()::text, false)");
    for (int pass = 0; pass < 2; pass++) {
        PGresult *views = cluster_query(cluster, "SELECT view_schema || '.' || relation FROM chime.view ORDER BY 1");
        for (int i = 0; i < PQntuples(views); i++)
            cluster_execute_format(cluster, "SELECT FROM chime.refresh('%s')", PQgetvalue(views, i, 0));
        PQclear(views);
    }
    EXPECT_SQL(cluster,
               "SELECT string_agg(concat_ws(' ', v.relation, d.missing, d.surplus), ', ' ORDER BY v.relation)"
               " FROM chime.view v, chime.difference(v.view_schema || '.' || v.relation) d"
               " WHERE d.missing + d.surplus > 0",
               NULL);
    EXPECT_SQL(cluster,
               "SELECT sum(d.rows) > 0 FROM chime.view v, chime.difference(v.view_schema || '.' || v.relation) d", "t");
}

START_TEST(every_event_of_a_load_is_heard_once_and_the_views_follow)
{
    psql_use(cluster);
    setenv("PGDATABASE", "postgres", 1);
    load_sample();
    serve("postgres", PGCHIME_BUILD_DIR "/plugins", 11);
    listen_to_all();
    write_and_hear();
    WAIT_SQL(cluster, "SELECT count(*) >= 2 FROM public.degraded", "t", 60);
    site_end(served); /* whose refreshes tell of agents that are degraded */
    hear_the_rest();
    expect_written();
    expect_heard_once();
    EXPECT_SQL(cluster, "SELECT count(*) >= 2 FROM public.told WHERE told ->> 'event' = 'health_degraded'", "t");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history WHERE state IN ('failed', 'timed_out', 'cancelled', 'lost')",
               "0");
    expect_views_equal_sources();
}
END_TEST

/* --- hostile texts ------------------------------------------------------------------------------------------------ */

/* Whole characters from the row's beginning, and never as many as the server refuses. */
START_TEST(texts_of_any_length_are_cut_between_characters)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    cluster_execute(
        cluster,
        "INSERT INTO submissions (id, agent_id, challenge_id, status)"
        " SELECT gen_random_uuid(), md5(n::text)::uuid, md5('c')::uuid, 'scored' FROM generate_series(1, 200) n");
    char *folder = only_these();
    serve("postgres", folder, PLUGIN_COUNT);
    free(folder);
    listen_to_all();
    for (int turn = 0; turn < 12; turn++) {
        cluster_execute_format(cluster, "CALL public.write_turn(%d)", turn);
        hear_all();
    }
    site_end(served);
    hear_the_rest();
    expect_heard_once();
    EXPECT_SQL(cluster,
               "SELECT max(octet_length(payload)) < 8000 AND max(octet_length(payload)) > 4000 FROM public.told", "t");
    EXPECT_SQL(cluster,
               "SELECT count(*) || ' ' || count(*) FILTER (WHERE t.told ->> 'query' = left(q.query, 500)"
               " AND t.told ->> 'conversation_id' = left(q.conversation_id, 200)) FROM public.told t"
               " JOIN public.agent_queries q ON q.id = (t.told ->> 'id')::bigint"
               " WHERE t.channel = 'agent_queries_stream' AND q.agent = 'hostile'",
               "12 12");
    EXPECT_SQL(cluster,
               "SELECT count(*) > 0 AND bool_and(f.labels[1] LIKE (t.told -> 'labels' ->> 0) || '%'"
               " AND starts_with(f.conversation_id, t.told ->> 'conversation_id')) FROM public.told t"
               " JOIN public.agent_feedback f ON f.id = (t.told ->> 'id')::bigint"
               " WHERE t.channel = 'training_feedback_stream' AND f.labels[1] !~ '[\\\\%_]'",
               "t");
}
END_TEST

/* --- a role that owns nothing ------------------------------------------------------------------------------------- */

static void make_clerk(void)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    cluster_execute(cluster, "CREATE ROLE clerk LOGIN; CREATE SCHEMA chime AUTHORIZATION clerk;"
                             "CREATE SCHEMA analytics AUTHORIZATION clerk;"
                             "GRANT SELECT, TRIGGER ON ALL TABLES IN SCHEMA public TO clerk");
}

static void expect_all_tell(void)
{
    cluster_execute(cluster, "TRUNCATE public.told");
    cluster_execute(cluster, "INSERT INTO agent_queries (agent, latency_ms) VALUES ('a', 300);"
                             "INSERT INTO agent_approvals (conversation_id) VALUES ('c');"
                             "INSERT INTO agent_feedback (conversation_id) VALUES ('c');"
                             "INSERT INTO submissions (id, agent_id, challenge_id, status)"
                             " VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'scored')");
    hear_the_rest();
}

#define HEARD "SELECT coalesce(string_agg(DISTINCT channel, ' '), '') FROM public.told"
#define ALL_CHANNELS \
    "agent_queries_stream approval_queue_stream performance_alert_stream submission_scored training_feedback_stream"
/* Channels, those of them that are silent, and triggers on tables of others. */
#define INSTALLED                                                              \
    "SELECT concat_ws(' ', count(*), count(*) FILTER (WHERE definition = '')," \
    " (SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid" \
    "  WHERE tgname LIKE 'trg\\_notify%' AND c.relowner <> 'clerk'::regrole)) FROM chime.plugin_channel"

START_TEST(a_role_that_owns_no_source_sends_silences_and_sends_again)
{
    make_clerk();
    char *folder = only_these();
    serve("clerk", folder, PLUGIN_COUNT);
    free(folder);
    EXPECT_SQL(
        cluster,
        "SELECT count(*) FROM pg_class WHERE relowner = 'clerk'::regrole AND relnamespace = 'public'::regnamespace",
        "0");
    EXPECT_SQL(cluster, INSTALLED, "5 0 6");
    listen_to_all();
    expect_all_tell();
    EXPECT_SQL(cluster, HEARD, ALL_CHANNELS);

    ask_for_none();
    daemon_signal(served, SIGHUP);
    WAIT_SQL(cluster, INSTALLED, "5 5 6", 60);
    expect_all_tell();
    EXPECT_SQL(cluster, HEARD, "");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.plugin WHERE state <> 'installed'", "0");

    ask_for_channels();
    daemon_signal(served, SIGHUP);
    WAIT_SQL(cluster, INSTALLED, "5 0 6", 60);
    expect_all_tell();
    EXPECT_SQL(cluster, HEARD, ALL_CHANNELS);
}
END_TEST

static Suite *channels_load_suite(void)
{
    Suite *suite = suite_create("channels_load");
    TCase *load = tcase_create("load");
    tcase_add_checked_fixture(load, set_up, tear_down);
    tcase_set_timeout(load, 580);
    tcase_add_test(load, every_event_of_a_load_is_heard_once_and_the_views_follow);
    tcase_add_test(load, texts_of_any_length_are_cut_between_characters);
    tcase_add_test(load, a_role_that_owns_no_source_sends_silences_and_sends_again);
    suite_add_tcase(suite, load);
    return suite;
}

int main(void)
{
    return suite_run(channels_load_suite());
}
