/* SPDX-License-Identifier: PostgreSQL */
/* Runs of events in the ledger, and their payload on its way from the scheduler to a session of a real server. No
 * daemon. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ledger/ledger.h"
#include "runner/run_queue.h"
#include "support/cluster/cluster.h"
#include "support/keyed/keyed.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"

#define LONG_PAYLOAD 8000

static struct cluster *cluster;

static void set_up(void)
{
    cluster = ledger_sql_create(3);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

static void expect(const char *sql, const char *value)
{
    EXPECT_SQL(cluster, sql, value);
}

/* --- claims ------------------------------------------------------------------------------------------------------- */

START_TEST(what_wakes_a_job_needs_no_request_and_leaves_the_cursor)
{
    expect("SELECT claim(1, 'event', 0, 5)", "granted");
    expect("SELECT claim(2, 'change', 99, 5)", "granted"); /* wherever the caller thinks the cursor stands */
    expect("SELECT claim(3, 'manual', 0, 5)", NULL);
    expect("SELECT string_agg(kind || ' ' || minute(slot) || ' ' || pid, ',' ORDER BY job_id) FROM chime.run",
           "event 5 4711,change 5 4711");
    expect("SELECT string_agg(DISTINCT minute(last_slot)::text, ',') FROM chime.job_state", "0");
    expect("SELECT claim(1, 'schedule', 0, 1)",
           "granted"); /* it is another run of the job: the leader minds the overlap */
}
END_TEST

START_TEST(a_run_of_an_event_takes_no_request_with_it)
{
    cluster_execute(cluster, "INSERT INTO chime.request (job_id, kind, slot) VALUES (1, 'manual', at(5))");
    expect("SELECT claim(1, 'event', 0, 5)", "granted");
    expect("SELECT count(*) FROM chime.request", "1");
    expect("SELECT claim(1, 'manual', 0, 5)", "granted");
    expect("SELECT count(*) FROM chime.request", "0");
}
END_TEST

START_TEST(what_wakes_a_job_has_to_find_it_active_as_it_was_and_not_suspended)
{
    static const char *const kinds[] = {"event", "change"};
    char sql[200];
    cluster_execute(cluster, "UPDATE chime.job SET active = false WHERE job_id = 1");
    expect("SELECT granted(chime.suspend(2, 'too noisy'))", "t");
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        snprintf(sql, sizeof(sql), "SELECT claim(1, '%s', 0, 5)", kinds[i]);
        expect(sql, NULL);
        snprintf(sql, sizeof(sql), "SELECT claim(2, '%s', 0, 5)", kinds[i]);
        expect(sql, "refused: suspended by postgres: too noisy");
        snprintf(sql, sizeof(sql),
                 "SELECT count(*) FROM chime.claim('" LEDGER_SQL_TOKEN "', '{3}', '{2}', '{%s}', ARRAY[at(5)],"
                 " ARRAY[at(0)], '{1}', ARRAY[at(0)])",
                 kinds[i]);
        expect(sql, "0");
    }
    cluster_execute(cluster, "INSERT INTO chime.request (job_id, kind, slot) VALUES (1, 'manual', at(5))");
    expect("SELECT claim(1, 'manual', 0, 5)", "granted"); /* whoever asks, gets it */
    expect("SELECT count(*) FROM chime.run", "1");
}
END_TEST

START_TEST(kinds_of_one_batch_go_by_their_own_rules)
{
    cluster_execute(cluster, "INSERT INTO chime.request (job_id, kind, slot) VALUES (2, 'manual', at(5))");
    expect("SELECT string_agg(job_id::text, ',' ORDER BY job_id) FROM chime.claim('" LEDGER_SQL_TOKEN
           "', '{1,2,3}', '{1,1,1}', '{event,manual,schedule}', ARRAY[at(5), at(5), at(1)],"
           " ARRAY[at(7), at(7), at(0)], '{1,2,3}', ARRAY[at(0), at(0), at(0)])",
           "1,2,3");
}
END_TEST

START_TEST(a_change_is_retried_cancelled_adopted_and_ended_as_any_other_run)
{
    expect("SELECT claim(1, 'change', 0, 5)", "granted");
    expect("SELECT retry(1, 'change', 5, 'all')", "t");
    expect("SELECT reclaim(1, 'change', 5)", "t");
    expect("SELECT chime.cancel_run(run_id, 'enough') FROM chime.run", "t");
    expect("SELECT kind || ' ' || reason FROM chime.open_requests()", "change cancelled by postgres: enough");
    expect("SELECT finish(1, 'change', 5, 'failed', 'all')", "t");
    expect("SELECT string_agg(concat_ws(' ', job, kind, minute(slot), state, attempt), ',') FROM chime.runs",
           "job 1 change 5 failed 2");
    expect("SELECT concat_ws(' ', minute(last_slot), last_outcome, consecutive_failures, runs) FROM chime.job_state"
           " WHERE job_id = 1",
           "0 failed 1 1");
    expect("SELECT claim(2, 'event', 0, 6)", "granted");
    expect("SELECT concat_ws(' ', job_id, kind, gone) FROM chime.unfinished_runs('" LEDGER_SQL_TOKEN "', '{}')",
           "2 event t");
    expect("SELECT ended FROM chime.adopt('" LEDGER_SQL_TOKEN "', '{2}', ARRAY(SELECT run_id FROM chime.run), '{f}',"
           " '{NULL}', '{gone}', at(7))",
           "lost");
    expect("SELECT state FROM chime.run_history WHERE kind = 'event'", "lost");
}
END_TEST

/* --- refreshes ---------------------------------------------------------------------------------------------------- */

START_TEST(a_refresh_for_a_change_leaves_groups_alone_that_only_time_changes)
{
    cluster_destroy(cluster);
    cluster = keyed_create();
    ledger_sql_helpers(cluster);
    ledger_sql_lead(cluster);
    ledger_sql_jobs(cluster, 1);
    cluster_execute(cluster, "CREATE TABLE app.calls (shop integer, at timestamptz); CREATE INDEX ON app.calls (shop)");
    expect(
        "SELECT app.install('recent', 'SELECT shop, max(at) AS last,"
        " count(*) FILTER (WHERE at > chime.as_of() - interval ''1 day'') AS n FROM app.calls GROUP BY shop', '{shop}',"
        " '[{\"table\": \"calls\", \"columns\": [\"shop\", \"at\"], \"capture\": [\"shop\"]}]',"
        " p_revisit => 'SELECT shop FROM recent WHERE n > 0')",
        NULL);
    keyed_tend(cluster);
    cluster_execute(cluster, "SET chime.as_of = '2026-01-01 12:00Z'");
    EXPECT_LOOK(cluster, "recent", "full: the first time");
    EXPECT_AFTER(cluster, "INSERT INTO app.calls VALUES (1, '2026-01-01 00:00Z')", "recent", "keyed 1: +1 ~0 -0");
    static const char *const kinds[] = {"change", "event", "schedule"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char sql[300];
        snprintf(sql, sizeof(sql), "SELECT claim(1, '%s', 0, 5)", kinds[i]);
        expect(sql, "granted");
        snprintf(sql, sizeof(sql),
                 "SELECT substring(message FROM '(keyed|full).*? groups') || substring(message FROM ', (\\d+) groups')"
                 " FROM chime.perform_refresh('" LEDGER_SQL_TOKEN "', 1, '%s', at(5), NULL, '{recent}')",
                 kinds[i]);
        expect(sql, i == 0 ? "keyed0" : "keyed1");
    }
}
END_TEST

/* --- from the scheduler to the server ----------------------------------------------------------------------------- */

/* What the daemon does, for one job and one session. */
struct leader {
    struct loop *loop;
    struct ledger ledger;
    struct pool *pool;
    struct run_queue *queue;
    struct scheduler *scheduler;
    struct scheduled *scheduled;
    struct job job;
    struct job_options options;
    struct due due;
    bool granted;
    enum run_state ended;
    char *message;
};

static void failed_to_connect(void *data, const struct error *reason)
{
    (void)data;
    ck_abort_msg("%s", reason->message);
}

static void go_on(void *data)
{
    struct leader *leader = data;
    loop_stop(leader->loop);
}

static void session_lost(void *data, struct pool_session *session, const struct error *reason)
{
    (void)session;
    failed_to_connect(data, reason);
}

static const struct pg_handlers ledger_handlers = {.ready = go_on, .closed = failed_to_connect};
static const struct pool_handlers pool_handlers = {
    .available = go_on, .lost = session_lost, .failed = failed_to_connect};

static instant run_queue_now(void *data)
{
    (void)data;
    return INT64_C(1767226000000000);
}

static bool run_queue_may_start(void *data)
{
    (void)data;
    return true;
}

static void run_queue_ended(void *data, struct run_queue *queue, struct run *run, enum run_end end,
                            const struct outcome *outcome)
{
    struct leader *leader = data;
    (void)queue;
    ck_assert_int_eq(end, RUN_END_KNOWN);
    leader->ended = outcome->state;
    free(leader->message);
    leader->message = outcome->message != NULL ? xstrdup(outcome->message) : NULL;
    run_free(run);
    loop_stop(leader->loop);
}

static void run_queue_interrupt(void *data, const struct pg_identity *session, bool terminate)
{
    (void)data;
    (void)session;
    (void)terminate;
    ck_abort_msg("nothing was to be interrupted");
}

static void run_queue_drained(void *data, struct run_queue *queue)
{
    (void)data;
    (void)queue;
}

static const struct run_queue_handlers run_queue_handlers = {.now = run_queue_now,
                                                             .may_start = run_queue_may_start,
                                                             .ended = run_queue_ended,
                                                             .interrupt = run_queue_interrupt,
                                                             .drained = run_queue_drained};

static void connect_leader(struct leader *leader)
{
    char *conninfo = cluster_conninfo(cluster, "postgres");
    struct pg_target target = {.conninfo = conninfo,
                               .application_name = "pgchime",
                               .settings = pg_leader_settings,
                               .setting_count = pg_leader_setting_count,
                               .connect_timeout = USEC_PER_MINUTE};
    struct pool_settings settings = {.conninfo = conninfo, .application_name = "pgchime run", .limit = 1};
    leader->loop = loop_create();
    snprintf(leader->ledger.token, sizeof(leader->ledger.token), "%s", LEDGER_SQL_TOKEN);
    leader->ledger.connection = pg_open(leader->loop, NULL, &target, &ledger_handlers, leader);
    loop_run(leader->loop);
    leader->pool = pool_create(leader->loop, NULL, &settings, &pool_handlers, leader);
    pool_want(leader->pool, 1);
    loop_run(leader->loop);
    leader->queue = run_queue_create(leader->loop, leader->pool, pool_borrow(leader->pool), leader->ledger.token,
                                     &run_queue_handlers, leader);
    free(conninfo);
}

static void leader_start(struct leader *leader, const char *text, enum delivery delivery)
{
    *leader = (struct leader){.job = {.name = "job 1", .database = "main", .command = text, .active = true}};
    struct job_memory memory = {
        .job_id = 1, .version = 1, .cursor = run_queue_now(NULL), .outcome_at = INSTANT_NONE, .last_end = INSTANT_NONE};
    connect_leader(leader);
    leader->job.options = &leader->options;
    options_defaults(&leader->options, false);
    leader->job.options->delivery = delivery;
    leader->scheduler = scheduler_create();
    leader->scheduled = scheduler_put(leader->scheduler, &leader->job, &memory);
    scheduler_link(leader->scheduler, INSTANT_NONE);
    scheduler_start(leader->scheduler, run_queue_now(NULL), INSTANT_NONE);
}

static void leader_end(struct leader *leader)
{
    scheduler_destroy(leader->scheduler);
    run_queue_abandon(leader->queue);
    pool_destroy(leader->pool);
    pg_close(leader->ledger.connection);
    loop_destroy(leader->loop);
    free(leader->message);
}

static void claimed(void *data, const struct pg_reply *reply)
{
    struct leader *leader = data;
    int64_t *granted;
    ck_assert_msg(pg_reply_ok(reply), "%s", pg_reply_message(reply));
    size_t count = ledger_read_granted(reply, 1, &granted);
    leader->granted = ledger_granted(granted, count, 1);
    free(granted);
    loop_stop(leader->loop);
}

static void push(struct leader *leader)
{
    struct run *run = xcalloc(1, sizeof(*run));
    *run = (struct run){.job = job_hold(&leader->job),
                        .job_id = 1,
                        .kind = leader->due.kind,
                        .slot = leader->due.slot,
                        .attempt = leader->due.attempt,
                        .state = RUN_CLAIMED};
    run->payload = leader->due.payload != NULL ? xstrdup(leader->due.payload) : NULL;
    run_queue_push(leader->queue, run);
    loop_run(leader->loop);
}

static void finished(void *data, const struct pg_reply *reply)
{
    ck_assert_msg(pg_reply_ok(reply) && pg_reply_rows(reply, 0) == 1, "%s", pg_reply_message(reply));
    go_on(data);
}

static void record(struct leader *leader)
{
    struct ledger_finish finish = {.job_id = 1,
                                   .kind = leader->due.kind,
                                   .slot = leader->due.slot,
                                   .outcome = {.state = leader->ended,
                                               .started = run_queue_now(NULL),
                                               .finished = run_queue_now(NULL),
                                               .rows = -1},
                                   .retry_at = INSTANT_NONE,
                                   .log_runs = LOG_RUNS_ALL};
    ledger_finish(&leader->ledger, &finish, 1, NULL, finished, leader);
    loop_run(leader->loop);
    scheduler_ended(leader->scheduler, leader->scheduled, leader->ended, USEC_PER_SEC, run_queue_now(NULL));
}

static void wake(struct leader *leader, enum run_kind kind, const char *payload)
{
    scheduler_event(leader->scheduler, leader->scheduled, kind, payload, run_queue_now(NULL));
    ck_assert(scheduler_take_due(leader->scheduler, &leader->due));
    struct ledger_claim claim = {leader->due, *run_queue_identity(leader->queue)};
    ledger_claim(&leader->ledger, &claim, 1, claimed, leader);
    loop_run(leader->loop);
    ck_assert(leader->granted);
    scheduler_claimed(leader->scheduler, leader->scheduled);
    push(leader);
    record(leader);
}

/* Quotes, line ends, what looks like JSON, SQL or a parameter and is none, other alphabets, nothing, and all that
 * NOTIFY takes. */
static char *payload_number(size_t number)
{
    static const char *const payloads[] = {"it's \"here\" \\ '' $1 $$",
                                           "one\ntwo\r\n\tthree",
                                           "{\"a\": [1, 2",
                                           "'); DROP TABLE got; --",
                                           "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC",
                                           "",
                                           "NULL"};
    if (number < COUNT_OF(payloads)) {
        return xstrdup(payloads[number]);
    }
    char *longest = xmalloc(LONG_PAYLOAD + 1);
    memset(longest, '\'', LONG_PAYLOAD);
    longest[LONG_PAYLOAD] = '\0';
    return longest;
}
#define PAYLOAD_COUNT 8

static const struct {
    const char *text;
    enum delivery delivery;
} texts[] = {
    {"INSERT INTO got (payload) SELECT $1", DELIVERY_TRANSACTIONAL},
    {"INSERT INTO got (payload) SELECT $1", DELIVERY_AT_MOST_ONCE},
    {"INSERT INTO got (payload) VALUES ($1)", DELIVERY_AT_LEAST_ONCE},
    {"INSERT INTO unrelated VALUES (1); INSERT INTO got (payload) VALUES ($1)", DELIVERY_TRANSACTIONAL},
    {"SELECT take($1)", DELIVERY_TRANSACTIONAL}, /* counted row by row */
    {"CALL take_over($1)", DELIVERY_AT_MOST_ONCE},
};

static void expect_got(const char *payload)
{
    char *hex = xmalloc(2 * strlen(payload) + 1);
    hex[0] = '\0';
    for (size_t i = 0; payload[i] != '\0'; i++) {
        snprintf(hex + 2 * i, 3, "%02x", (unsigned char)payload[i]);
    }
    expect("SELECT encode(convert_to(payload, 'UTF8'), 'hex') FROM got ORDER BY n DESC LIMIT 1", hex);
    free(hex);
}

START_TEST(a_payload_arrives_as_it_was_sent)
{
    struct leader leader;
    cluster_execute(
        cluster, "CREATE TABLE got (n int GENERATED ALWAYS AS IDENTITY, payload text); CREATE TABLE unrelated (a int);"
                 "CREATE FUNCTION take(p text) RETURNS void LANGUAGE sql AS 'INSERT INTO got (payload) VALUES (p)';"
                 "CREATE PROCEDURE take_over(p text) LANGUAGE sql AS 'INSERT INTO got (payload) VALUES (p)'");
    leader_start(&leader, texts[_i].text, texts[_i].delivery);
    for (size_t i = 0; i < PAYLOAD_COUNT; i++) {
        char *payload = payload_number(i);
        wake(&leader, RUN_EVENT, payload);
        ck_assert_msg(leader.ended == RUN_SUCCEEDED, "%s", leader.message);
        expect_got(payload);
        free(payload);
    }
    wake(&leader, RUN_EVENT, NULL);
    wake(&leader, RUN_CHANGE, NULL);
    expect("SELECT count(*) || ' ' || count(payload) FROM got", "10 8");
    expect("SELECT string_agg(DISTINCT kind || ' ' || state, ',') FROM chime.run_history",
           "change succeeded,event succeeded");
    expect("SELECT count(*) FROM chime.run_history", "10");
    expect("SELECT count(*) FROM chime.run", "0");
    leader_end(&leader);
}
END_TEST

static const struct {
    const char *text;
    enum delivery delivery;
    const char *message; /* it fails, saying so; NULL: it does not */
} uses[] = {
    {"INSERT INTO got SELECT pg_typeof($1)::text", DELIVERY_TRANSACTIONAL, NULL},
    {"INSERT INTO got SELECT pg_typeof($1)::text", DELIVERY_AT_MOST_ONCE, NULL},
    {"INSERT INTO got SELECT coalesce($1::jsonb ->> 'a', '') || 'text'", DELIVERY_TRANSACTIONAL, NULL},
    {"INSERT INTO got SELECT coalesce($1::jsonb ->> 'a', '') || 'text'", DELIVERY_AT_MOST_ONCE, NULL},
    {"INSERT INTO got VALUES ('text')", DELIVERY_TRANSACTIONAL, NULL},
    {"INSERT INTO got VALUES ('te' || $$xt$$)", DELIVERY_AT_MOST_ONCE, NULL},
    {"CREATE FUNCTION f(text) RETURNS text RETURN $1; INSERT INTO got VALUES (f('text'))", DELIVERY_TRANSACTIONAL,
     NULL},
    {"DO $$ BEGIN INSERT INTO got VALUES ('text'); END $$", DELIVERY_AT_LEAST_ONCE, NULL},
    {"SELECT 1; INSERT INTO got VALUES ($1)", DELIVERY_AT_MOST_ONCE, "there is no parameter $1"},
};

START_TEST(the_payload_is_text_and_a_text_without_a_place_for_it_runs_as_ever)
{
    struct leader leader;
    cluster_execute(cluster, "CREATE TABLE got (payload text)");
    leader_start(&leader, uses[_i].text, uses[_i].delivery);
    wake(&leader, RUN_EVENT, "{\"b\": 1}");
    if (uses[_i].message != NULL) {
        ck_assert_int_eq(leader.ended, RUN_FAILED);
        ck_assert_str_eq(leader.message, uses[_i].message);
    } else {
        ck_assert_msg(leader.ended == RUN_SUCCEEDED, "%s", leader.message);
    }
    expect("SELECT payload FROM got", uses[_i].message != NULL ? NULL : "text");
    leader_end(&leader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("events ledger");
    TCase *cases = tcase_create("events ledger");
    tcase_set_timeout(cases, 180);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, what_wakes_a_job_needs_no_request_and_leaves_the_cursor);
    tcase_add_test(cases, a_run_of_an_event_takes_no_request_with_it);
    tcase_add_test(cases, what_wakes_a_job_has_to_find_it_active_as_it_was_and_not_suspended);
    tcase_add_test(cases, kinds_of_one_batch_go_by_their_own_rules);
    tcase_add_test(cases, a_change_is_retried_cancelled_adopted_and_ended_as_any_other_run);
    tcase_add_test(cases, a_refresh_for_a_change_leaves_groups_alone_that_only_time_changes);
    tcase_add_loop_test(cases, a_payload_arrives_as_it_was_sent, 0, COUNT_OF(texts));
    tcase_add_loop_test(cases, the_payload_is_text_and_a_text_without_a_place_for_it_runs_as_ever, 0, COUNT_OF(uses));
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
