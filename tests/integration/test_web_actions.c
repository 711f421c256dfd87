/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime web` asks for what people ask of it, for who may, and nothing else; it is written down who and why.
 * Its role in the database may read (pgchime_monitor), and act where it was given pgchime_operator. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/cluster/session.h"
#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/web/web.h"

#define JSON "Content-Type: application/json\r\n"
#define SAME "Sec-Fetch-Site: same-origin\r\n"
#define WHY "{\"reason\": \"it is needed <b>now</b>\"}"
#define BASE "/api/v1/d/main"

static struct web_server *web;
static char *folder;
static char *ann; /* tokens: she operates */
static char *bob; /* he looks */

static char *make_token(const char *name, const char *role, char **lines)
{
    char *errors = NULL;
    char *line = NULL;
    ck_assert_int_eq(daemon_run((const char *const[]){"web", "token", name, "--role", role, NULL}, &line, &errors), 0);
    const char *said = strstr(errors, "token: ") + strlen("token: ");
    char *token = files_path("%.*s", (int)strcspn(said, "\n"), said);
    char *all = files_path("%s%s", *lines != NULL ? *lines : "", line);
    free(*lines);
    *lines = all;
    free(errors);
    free(line);
    return token;
}

static void start_web(const char *role, bool actions)
{
    char *lines = NULL;
    char *conninfo = cluster_conninfo_as(cluster, role, "postgres");
    char *databases = files_path("main: { conninfo = \"%s\"; };", conninfo);
    char *path = files_path("%s/tokens", folder);
    ann = make_token("ann", "operate", &lines);
    bob = make_token("bob", "view", &lines);
    files_write(path, lines);
    ck_assert_int_eq(chmod(path, 0600), 0);
    web = web_server_start(folder, databases,
                           actions ? "tokens_file = \"tokens\"; }; actions = true; #" : "tokens_file = \"tokens\";");
    free(path);
    free(databases);
    free(conninfo);
    free(lines);
}

static void set_up(void)
{
    served_set_up(4);
    folder = files_make_directory();
    site_job(site, "quick", NEVER_DUE "command = \"SELECT 1\";");
    site_job(site, "slow", NEVER_DUE "command = \"SELECT pg_sleep(600)\";");
    site_job(site, "app-load", NEVER_DUE "command = \"SELECT 2\";");
    cluster_execute(cluster, "CREATE ROLE page LOGIN IN ROLE pgchime_monitor, pgchime_operator;"
                             "CREATE ROLE looker LOGIN IN ROLE pgchime_monitor");
    served = site_lead(site);
}

static void tear_down(void)
{
    web_server_destroy(web);
    web = NULL;
    served_tear_down();
    free(folder);
    free(ann);
    free(bob);
    ann = bob = NULL;
}

/* Of who shows this token; `lines` are further ones of the head. */
static struct web_answer post_as(const char *token, const char *target, const char *lines, const char *body)
{
    char *head = files_path("Authorization: Bearer %s\r\n" JSON "%s", token, lines);
    struct web_answer answer = web_post(web, target, head, body);
    free(head);
    return answer;
}

static void assert_post(int status, const char *token, const char *target, const char *lines, const char *body,
                        const char *said)
{
    struct web_answer answer = post_as(token, target, lines, body);
    ck_assert_msg(answer.status == status, "%s %s: %d instead of %d\n%s", target, body, answer.status, status,
                  answer.all);
    commands_has(answer.body, said);
    web_answer_finish(&answer);
}

START_TEST(run_is_asked_for_and_runs)
{
    start_web("page", true);
    assert_post(202, ann, BASE "/job/quick/run", "", WHY, "\"outcome\": \"asked\"");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.runs WHERE job = 'quick' AND state = 'succeeded'", "1", 60);
    EXPECT_SQL(cluster, "SELECT concat_ws(',', actor, login, verb, about, reason, outcome, kind) FROM chime.action",
               "ann,page,run,quick,it is needed <b>now</b>,asked,manual");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.action a JOIN chime.run_history h USING (job_id, kind, slot)"
               " WHERE h.run_id = a.run_id",
               "1");
}
END_TEST

START_TEST(live_run_is_cancelled_and_says_by_whom)
{
    start_web("page", true);
    assert_post(202, ann, BASE "/job/slow/run", "", WHY, "\"verb\": \"run\"");
    runs_await_running(cluster, "slow");
    char *slot = cluster_value(cluster, "SELECT to_char(slot AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
                                        " FROM chime.action");
    char *target = files_path(BASE "/job/slow/run/manual/%s/cancel", slot);
    assert_post(202, ann, target, "", WHY, "\"outcome\": \"asked\"");
    WAIT_SQL(cluster, "SELECT state FROM chime.runs WHERE job = 'slow'", "cancelled", 60);
    EXPECT_SQL(cluster, "SELECT reason FROM chime.run_history", "cancelled by ann by page: it is needed <b>now</b>");
    assert_post(409, ann, target, "", WHY, "has ended");
    free(target);
    free(slot);
}
END_TEST

START_TEST(job_is_suspended_and_resumed)
{
    start_web("page", true);
    assert_post(202, ann, BASE "/job/quick/suspend", "",
                "{\"reason\": \"too loud\", \"until\": \"2100-01-01T00:00:00Z\"}", "\"outcome\": \"asked\"");
    WAIT_SQL(cluster,
             "SELECT concat_ws(',', suspended_by, suspend_reason, suspended_until AT TIME ZONE 'UTC')"
             " FROM chime.job_status WHERE name = 'quick'",
             "ann by page,too loud,2100-01-01 00:00:00", 60);
    assert_post(409, ann, BASE "/job/quick/run", "", WHY, "is suspended");
    assert_post(202, ann, BASE "/job/quick/resume", "", WHY, "\"outcome\": \"asked\"");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job_status WHERE suspended_at IS NOT NULL", "0", 60);
    assert_post(202, ann, BASE "/job/quick/resume", "", WHY, "\"outcome\": \"already\"");
    assert_post(400, ann, BASE "/job/quick/suspend", "", "{\"reason\": \"a\", \"until\": \"2020-01-01T00:00:00Z\"}",
                "which is in the past");
    assert_post(404, ann, BASE "/job/nobody/suspend", "", WHY, "no such job");
}
END_TEST

START_TEST(jobs_of_a_filter_are_those_that_were_seen)
{
    start_web("page", true);
    assert_post(409, ann, BASE "/jobs/suspend", "", "{\"reason\": \"a\", \"filter\": {\"q\": \"L\"}, \"count\": 3}",
                "the filter fits 2 jobs now, not 3");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.action", "0");
    assert_post(400, ann, BASE "/jobs/suspend", "", "{\"reason\": \"a\", \"filter\": {\"name\": \"L\"}, \"count\": 2}",
                "a key that is not known");
    assert_post(400, ann, BASE "/jobs/suspend", "", "{\"reason\": \"a\"}", "needs \\\"filter\\\"");
    assert_post(202, ann, BASE "/jobs/suspend", "", "{\"reason\": \"a\", \"filter\": {\"q\": \"L\"}, \"count\": 2}",
                "\"about\": \"slow\"");
    WAIT_SQL(cluster, "SELECT string_agg(name, ',' ORDER BY name) FROM chime.job_status WHERE suspended_at IS NOT NULL",
             "app-load,slow", 60);
    assert_post(202, ann, BASE "/jobs/resume", "",
                "{\"reason\": \"a\", \"filter\": {\"state\": \"suspended\"}, \"count\": 2}", "\"verb\": \"resume\"");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job_status WHERE suspended_at IS NOT NULL", "0", 60);
}
END_TEST

START_TEST(alerts_are_silenced_and_acknowledged)
{
    start_web("page", true);
    char *until = cluster_value(
        cluster, "SELECT to_char(now() AT TIME ZONE 'UTC' + interval '2 h', 'YYYY-MM-DD\"T\"HH24:MI:SSZ')");
    char *body = files_path("{\"reason\": \"a\", \"matchers\": {\"job\": \"report-*\"}, \"until\": \"%s\"}", until);
    assert_post(202, ann, BASE "/silences", "", body, "\"about\": \"job=report-*\"");
    EXPECT_SQL(cluster, "SELECT concat_ws(',', made_by, reason, matchers) FROM chime.silence",
               "ann by page,a,{\"job\": \"report-*\"}");
    assert_post(400, ann, BASE "/silences", "", "{\"reason\": \"a\", \"matchers\": {\"job\": \"b\"}}", "90 days");
    assert_post(400, ann, BASE "/silences", "",
                "{\"reason\": \"a\", \"matchers\": {}, \"until\": \"2100-01-01T00:00:00Z\"}", "needs labels");
    cluster_execute(cluster,
                    "INSERT INTO chime.alert (rule, subject, severity, state, since, changed_at, summary, labels)"
                    " VALUES ('mine', 'x', 'info', 'firing', now(), now(), 's', '{}')");
    char *alert = cluster_value(cluster, "SELECT alert_id FROM chime.alert WHERE rule = 'mine'");
    char *target = files_path(BASE "/alert/%s/ack", alert);
    assert_post(202, ann, target, "", WHY, "\"about\": \"mine x\"");
    EXPECT_SQL(cluster, "SELECT concat_ws(',', verb, outcome) FROM chime.action ORDER BY action_id DESC LIMIT 1",
               "acknowledge,done");
    free(target);
    free(alert);
    free(body);
    free(until);
}
END_TEST

/* What was said twice with one key is done once. */
START_TEST(same_key_is_one_action)
{
    start_web("page", true);
    served_end(); /* nobody takes it meanwhile */
    assert_post(202, ann, BASE "/job/quick/run", "Idempotency-Key: one\r\n", WHY, "\"action\": 1");
    assert_post(202, ann, BASE "/job/quick/run", "Idempotency-Key: one\r\n", WHY, "\"action\": 1");
    assert_post(409, ann, BASE "/job/quick/resume", "Idempotency-Key: one\r\n", WHY, "used for another action");
    assert_post(202, ann, BASE "/job/quick/run", "Idempotency-Key: two\r\n", WHY, "\"outcome\": \"already\"");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.request", "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.action", "2");
}
END_TEST

/* An operator may log in, and leave a transaction open: by its key it delays who says the same again, nobody else. */
START_TEST(open_transaction_of_one_key_delays_nobody_else)
{
    start_web("page", true);
    PGconn *holder = cluster_connect(cluster, "postgres");
    session_execute(holder,
                    "SET SESSION AUTHORIZATION page; BEGIN;"
                    "SELECT chime.operate_suspend(ARRAY[(SELECT job_id FROM chime.job WHERE name = 'quick')], NULL,"
                    " 'ann', 'held', 'one')");
    assert_post(202, ann, BASE "/job/app-load/run", "Idempotency-Key: two\r\n", WHY, "\"outcome\": \"asked\"");
    assert_post(202, ann, BASE "/job/quick/run", "", WHY, "\"outcome\": \"asked\"");
    assert_post(503, ann, BASE "/job/quick/suspend", "Idempotency-Key: one\r\n", WHY, "lock timeout");
    session_execute(holder, "COMMIT");
    assert_post(202, ann, BASE "/job/quick/suspend", "Idempotency-Key: one\r\n", WHY, "\"reason\": \"held\"");
    PQfinish(holder);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.action WHERE key = 'one'", "1");
}
END_TEST

/* Three walls, each by itself. */
START_TEST(who_may_not_act_is_refused_by_the_page)
{
    start_web("page", true);
    assert_post(403, bob, BASE "/job/quick/run", "", WHY, "only the role operate may act");
    assert_post(401, "wrong", BASE "/job/quick/run", "", WHY, "who asks is not known");
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM chime.action) + (SELECT count(*) FROM chime.request)", "0");
}
END_TEST

START_TEST(page_that_only_looks_refuses_everybody)
{
    start_web("page", false);
    assert_post(403, ann, BASE "/job/quick/run", "", WHY, "actions = true;");
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM chime.action) + (SELECT count(*) FROM chime.request)", "0");
}
END_TEST

START_TEST(role_without_operator_is_refused_by_the_database)
{
    start_web("looker", true);
    assert_post(403, ann, BASE "/job/quick/run", "", WHY, "GRANT pgchime_operator");
    assert_post(403, ann, BASE "/job/quick/suspend", "", WHY, "permission denied for function operate_suspend");
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM chime.action) + (SELECT count(*) FROM chime.request)", "0");
}
END_TEST

/* A browser of ann's on a page of somebody else: it sends her cookie where it may, and never her token. */
START_TEST(page_of_somebody_else_cannot_act)
{
    start_web("page", true);
    char *body = files_path("{\"token\": \"%s\"}", ann);
    struct web_answer begun = web_post(web, "/session", JSON SAME, body);
    ck_assert_int_eq(begun.status, 204);
    const char *set = strstr(begun.all, "Set-Cookie: ") + strlen("Set-Cookie: ");
    char *cookie = files_path("Cookie: %.*s\r\n", (int)strcspn(set, ";"), set);
    const struct {
        int status;
        const char *lines;
    } sent[] = {{415, "Content-Type: application/x-www-form-urlencoded\r\n" SAME},
                {415, "Content-Type: text/plain\r\n"},
                {403, JSON},
                {403, JSON "Sec-Fetch-Site: cross-site\r\n"},
                {403, JSON "Sec-Fetch-Site: same-site\r\n"},
                {403, JSON "Origin: https://evil.example\r\n"},
                {403, JSON "Origin: null\r\n"},
                {202, JSON SAME}};
    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
        char *lines = files_path("%s%s", cookie, sent[i].lines);
        struct web_answer answer = web_post(web, BASE "/job/quick/suspend", lines, WHY);
        ck_assert_msg(answer.status == sent[i].status, "%s: %d", lines, answer.status);
        EXPECT_SQL(cluster, "SELECT count(*) FROM chime.action", sent[i].status == 202 ? "1" : "0");
        web_answer_finish(&answer);
        free(lines);
    }
    web_answer_finish(&begun);
    free(cookie);
    free(body);
}
END_TEST

START_TEST(what_has_no_meaning_is_refused)
{
    start_web("page", true);
    assert_post(400, ann, BASE "/job/quick/run", "", "", "no JSON object");
    assert_post(400, ann, BASE "/job/quick/run", "", "[]", "no JSON object");
    assert_post(400, ann, BASE "/job/quick/run", "", "{\"reason\": \" \"}", "needs a reason");
    assert_post(400, ann, BASE "/job/quick/run", "", "{\"reason\": 1}", "\\\"reason\\\" is no text");
    assert_post(400, ann, BASE "/job/quick/run", "", "{\"reason\": \"a\", \"force\": true}", "no \\\"force\\\"");
    assert_post(400, ann, BASE "/job/quick/run", "", "{\"reason\": \"a\", \"reason\": \"b\"}", "no JSON object");
    assert_post(400, ann, BASE "/job/quick/run/other/2020-01-01T00:00:00Z/cancel", "", WHY,
                "invalid input value for enum");
    assert_post(400, ann, BASE "/alert/7;x/ack", "", WHY, "invalid input syntax");
    assert_post(404, ann, BASE "/alert/7/ack", "", WHY, "alert 7 is not open");
    assert_post(404, ann, "/api/v1/d/other/job/quick/run", "", WHY, "no such database");
    assert_post(405, ann, BASE "/job/quick/delete", "", WHY, "nothing is to be posted here");
    assert_post(405, ann, "/api/v1/stream", "", WHY, "nothing is to be posted here");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.action", "0");
}
END_TEST

START_TEST(page_says_who_asks_and_whether_he_may_act)
{
    start_web("page", true);
    char *of_ann = files_path("Authorization: Bearer %s\r\n", ann);
    char *of_bob = files_path("Authorization: Bearer %s\r\n", bob);
    struct web_answer answer = web_expect(200, web, "/api/v1/session", of_ann);
    ck_assert_str_eq(answer.body, "{\"schema_version\":1,\"who\":\"ann\",\"role\":\"operate\",\"actions\":true}");
    web_answer_finish(&answer);
    answer = web_expect(200, web, "/api/v1/session", of_bob);
    ck_assert_str_eq(answer.body, "{\"schema_version\":1,\"who\":\"bob\",\"role\":\"view\",\"actions\":false}");
    web_answer_finish(&answer);
    free(of_ann);
    free(of_bob);
}
END_TEST

/* Every page, of a role that may do nothing but read what pgchime_monitor may. */
START_TEST(monitor_sees_every_page)
{
    static const char *const targets[] = {"/databases",
                                          "/d/main/jobs",
                                          "/d/main/job/quick",
                                          "/d/main/job/quick/runs",
                                          "/d/main/job/quick/why",
                                          "/d/main/runs",
                                          "/d/main/runs?state=failed",
                                          "/d/main/views",
                                          "/d/main/alerts?all=1",
                                          "/d/main/graph",
                                          "/d/main/history",
                                          "/d/main/crowded",
                                          "/d/main/silences",
                                          "/d/main/notifications",
                                          "/d/main/doctor"};
    start_web("looker", false);
    char *lines = files_path("Authorization: Bearer %s\r\n", bob);
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        char *target = files_path("/api/v1%s", targets[i]);
        struct web_answer answer = web_expect(200, web, target, lines);
        ck_assert_msg(strstr(answer.body, "permission denied") == NULL, "%s: %s", target, answer.body);
        web_answer_finish(&answer);
        free(target);
    }
    free(lines);
}
END_TEST

/* Two leaders one after the other; between them slots were missed. */
START_TEST(history_says_who_led_and_what_was_missed)
{
    start_web("looker", false);
    char *lines = files_path("Authorization: Bearer %s\r\n", bob);
    served_end();
    struct web_answer answer = web_expect(200, web, BASE "/history", lines);
    commands_has(answer.body, "\"resigned\": true");
    commands_has(answer.body, "\"leads\": false");
    commands_has(answer.body, "\"next_since\": null");
    web_answer_finish(&answer);
    cluster_execute(
        cluster,
        "UPDATE chime.leadership SET until = since + interval '1 microsecond', since = since - interval '1 h'");
    served = site_lead(site);
    cluster_execute(cluster, "INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch)"
                             " SELECT job_id, l.until, l.until, 7, 'nothing led', 2 FROM chime.job, chime.leadership l"
                             " WHERE name IN ('quick', 'slow') AND l.epoch = 1");
    char *target = files_path(BASE "/history?before=2100-01-01T00:00:00Z"); /* another page: none is kept of it */
    answer = web_expect(200, web, target, lines);
    commands_has(answer.body, "\"leads\": true");
    commands_has(answer.body, "\"missed_slots\": 14");
    commands_has(answer.body, "\"missed_jobs\": 2");
    web_answer_finish(&answer);
    /* What was due while the next leader began belongs to the same stretch. */
    cluster_execute(cluster, "UPDATE chime.missed m SET last_slot = l.since + interval '0.5 s' FROM chime.leadership l"
                             " WHERE l.epoch = 2 AND m.epoch = 2 AND m.slots = 7");
    answer = web_expect(200, web, BASE "/history?before=2100-01-02T00:00:00Z", lines);
    commands_has(answer.body, "\"missed_slots\": 14");
    web_answer_finish(&answer);
    answer = web_get(web, BASE "/history?before=yesterday", lines);
    ck_assert_int_eq(answer.status, 400);
    web_answer_finish(&answer);
    answer = web_get(web, BASE "/notifications?before=x", lines);
    ck_assert_int_eq(answer.status, 400);
    web_answer_finish(&answer);
    free(target);
    free(lines);
}
END_TEST

/* Texts of jobs may be for those alone who operate; both look at the same page. */
START_TEST(texts_are_hidden_from_who_only_looks)
{
    start_web("looker", false);
    web_server_destroy(web);
    char *conninfo = cluster_conninfo_as(cluster, "looker", "postgres");
    char *databases = files_path("main: { conninfo = \"%s\"; };", conninfo);
    web = web_server_start(folder, databases, "tokens_file = \"tokens\"; show_commands = \"operate\";");
    const char *const targets[] = {"/api/v1/d/main/job/slow", "/api/v1/d/main/jobs"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        char *of_ann = files_path("Authorization: Bearer %s\r\n", ann);
        char *of_bob = files_path("Authorization: Bearer %s\r\n", bob);
        struct web_answer answer = web_expect(200, web, targets[i], of_ann);
        commands_has(answer.body, "pg_sleep");
        web_answer_finish(&answer);
        answer = web_expect(200, web, targets[i], of_bob);
        commands_has(answer.body, "\"command\": null");
        ck_assert_ptr_null(strstr(answer.body, "pg_sleep"));
        web_answer_finish(&answer);
        free(of_ann);
        free(of_bob);
    }
    free(databases);
    free(conninfo);
}
END_TEST

/* In the database itself: nothing but the functions. */
START_TEST(operator_may_call_its_functions_and_nothing_else)
{
    cluster_execute(cluster, "CREATE ROLE hand LOGIN IN ROLE pgchime_operator");
    static const char *const refused[] = {"INSERT INTO chime.request (job_id) VALUES (1)",
                                          "DELETE FROM chime.action",
                                          "SELECT * FROM chime.action",
                                          "UPDATE chime.job SET command = 'x'",
                                          "SELECT chime.suspend(1)",
                                          "SELECT chime.cancel_run(1)",
                                          "SELECT chime.operate_suspension('suspend', '{1}', NULL, 'a', 'b', NULL)",
                                          "INSERT INTO chime.silence (matchers, until, made_by, reason) VALUES "
                                          "('{\"a\": \"b\"}', now() + '1 h', 'a', 'b')"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char *sql = files_path("SET SESSION AUTHORIZATION hand; %s", refused[i]);
        ck_assert_msg(strcmp(cluster_sqlstate(cluster, sql), "42501") == 0, "%s", sql);
        free(sql);
    }
    cluster_execute(cluster, "SET SESSION AUTHORIZATION hand;"
                             "SELECT chime.operate_run(1, 'postgres', 'as another', NULL);"
                             "RESET SESSION AUTHORIZATION");
    EXPECT_SQL(cluster, "SELECT concat_ws(',', actor, login) FROM chime.action", "postgres,hand");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web_actions");
    TCase *tests = tcase_create("web_actions");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, run_is_asked_for_and_runs);
    tcase_add_test(tests, live_run_is_cancelled_and_says_by_whom);
    tcase_add_test(tests, job_is_suspended_and_resumed);
    tcase_add_test(tests, jobs_of_a_filter_are_those_that_were_seen);
    tcase_add_test(tests, alerts_are_silenced_and_acknowledged);
    tcase_add_test(tests, same_key_is_one_action);
    tcase_add_test(tests, open_transaction_of_one_key_delays_nobody_else);
    tcase_add_test(tests, who_may_not_act_is_refused_by_the_page);
    tcase_add_test(tests, page_that_only_looks_refuses_everybody);
    tcase_add_test(tests, role_without_operator_is_refused_by_the_database);
    tcase_add_test(tests, page_of_somebody_else_cannot_act);
    tcase_add_test(tests, what_has_no_meaning_is_refused);
    tcase_add_test(tests, page_says_who_asks_and_whether_he_may_act);
    tcase_add_test(tests, monitor_sees_every_page);
    tcase_add_test(tests, history_says_who_led_and_what_was_missed);
    tcase_add_test(tests, texts_are_hidden_from_who_only_looks);
    tcase_add_test(tests, operator_may_call_its_functions_and_nothing_else);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
