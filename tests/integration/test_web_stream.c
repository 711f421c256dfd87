/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime web`: streams say which pages became others, and while nobody hears nothing is asked. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/web/web.h"

#define STREAM "/api/v1/stream?topics="
#define VERSION_LENGTH 12
#define SESSIONS "FROM pg_stat_activity WHERE application_name = 'pgchime web'"

static struct web_server *web;
static struct web_stream *stream;
static struct web_stream *other;
static char *folder;
static char *output;
static char *errors;

static void start_web(const char *access)
{
    char *conninfo = cluster_conninfo(cluster, "postgres");
    char *databases = files_path("main: { conninfo = \"%s\"; };", conninfo);
    web = web_server_start(folder, databases, access);
    free(databases);
    free(conninfo);
}

static void set_up(void)
{
    served_set_up(4);
    folder = files_make_directory();
    site_job(site, "quick", "schedule = \"0 3 1 1 *\"; command = \"SELECT 1\";");
    served = site_lead(site);
}

static void tear_down(void)
{
    web_stream_destroy(stream);
    web_stream_destroy(other);
    stream = other = NULL;
    web_server_destroy(web);
    served_tear_down();
    free(folder);
    free(output);
    free(errors);
    output = errors = NULL;
}

/* The version that the next event has for a page. */
static void hear_version(struct web_stream *of, const char *topic, char version[static VERSION_LENGTH + 1])
{
    char *key = files_path("\"%s\":\"", topic);
    web_stream_hear(of, "event: v\ndata: ");
    const char *event = web_stream_hear(of, "\n\n");
    const char *found = strstr(event, key);
    ck_assert_msg(found != NULL, "no %s: %s", key, event);
    snprintf(version, VERSION_LENGTH + 1, "%s", found + strlen(key));
    free(key);
}

START_TEST(version_moves_when_the_page_does)
{
    char first[VERSION_LENGTH + 1];
    char second[VERSION_LENGTH + 1];
    start_web("anonymous = \"view\";");
    stream = web_stream_open(web, STREAM "/d/main/job/quick", "");
    commands_has(web_stream_hear(stream, "\r\n\r\n"), "Content-Type: text/event-stream\r\n");
    hear_version(stream, "/d/main/job/quick", first);
    ck_assert_int_eq(
        commands_run(site_config(site), (const char *const[]){"run", "quick", "--wait", NULL}, &output, &errors), 0);
    do { /* it is seen while it runs, perhaps */
        hear_version(stream, "/d/main/job/quick", second);
        ck_assert_str_ne(first, second);
        struct web_answer answer = web_expect(200, web, "/api/v1/d/main/job/quick", "");
        char *tag = files_path("ETag: \"%s", second);
        commands_has(answer.all, tag); /* whoever hears of it gets it */
        free(tag);
        bool ended = strstr(answer.body, "\"succeeded\"") != NULL;
        web_answer_finish(&answer);
        if (ended) {
            break;
        }
        memcpy(first, second, sizeof(first));
    } while (true);
}
END_TEST

START_TEST(page_that_cannot_be_read_any_more_is_told_too)
{
    char version[VERSION_LENGTH + 1];
    served_end(); /* it would make the schema anew */
    start_web("anonymous = \"view\";");
    stream = web_stream_open(web, STREAM "/d/main/runs", "");
    hear_version(stream, "/d/main/runs", version);
    cluster_execute(cluster, "ALTER TABLE chime.migration RENAME TO gone");
    cluster_execute(cluster, "SELECT pg_terminate_backend(pid) " SESSIONS);
    hear_version(stream, "/d/main/runs", version);
    ck_assert_msg(version[0] == '!', "%s", version);
    cluster_execute(cluster, "ALTER TABLE chime.gone RENAME TO migration");
    hear_version(stream, "/d/main/runs", version);
    ck_assert_msg(version[0] != '!', "%s", version);
}
END_TEST

/* One session, however many look; the last one that leaves takes it along. */
START_TEST(nothing_is_asked_while_nobody_looks)
{
    start_web("anonymous = \"view\";");
    EXPECT_SQL(cluster, "SELECT count(*) " SESSIONS, "0");
    stream = web_stream_open(web, STREAM "/d/main/runs%20/d/main/jobs", "");
    other = web_stream_open(web, STREAM "/d/main/runs%20/databases", "");
    web_stream_hear(stream, "event: v");
    web_stream_hear(other, "event: v");
    EXPECT_SQL(cluster, "SELECT count(*) " SESSIONS, "1");
    /* It is asked again and again by itself. */
    WAIT_SQL(cluster, "SELECT query_start - backend_start > interval '3 s' " SESSIONS, "t", 60);
    web_stream_destroy(stream);
    web_stream_destroy(other);
    stream = other = NULL;
    WAIT_SQL(cluster, "SELECT clock_timestamp() - query_start > interval '20 s' " SESSIONS, "t", 60);
    WAIT_SQL(cluster, "SELECT count(*) " SESSIONS, "0", 80);
}
END_TEST

static void assert_refused(int status, const char *target, const char *detail)
{
    struct web_answer answer = web_expect(status, web, target, "");
    commands_has(answer.body, detail);
    web_answer_finish(&answer);
}

START_TEST(stream_of_what_is_not_there_is_refused)
{
    struct buffer many = {0};
    start_web("anonymous = \"view\";");
    assert_refused(400, "/api/v1/stream", "a stream needs");
    assert_refused(400, STREAM "jobs", "no path below /api/v1");
    assert_refused(404, STREAM "/d/main/jobs%20/d/other/jobs", "there is no database");
    assert_refused(404, STREAM "/stream", "there is no such page");
    assert_refused(404, STREAM "/session", "there is no such page");
    assert_refused(400, STREAM "/d/main/jobs%3Fno=1", "there is no \\\"no\\\" to ask for here");
    buffer_puts(&many, STREAM);
    for (int i = 0; i < 65; i++) {
        buffer_printf(&many, "/d/main/runs%%3Flimit=%d%%20", i + 1);
    }
    assert_refused(400, buffer_text(&many), "64 pages at most");
    buffer_finish(&many);
    struct web_answer answer = web_post(web, STREAM "/databases", "Content-Type: application/json\r\n", "{}");
    ck_assert_int_eq(answer.status, 405);
    web_answer_finish(&answer);
}
END_TEST

START_TEST(stream_ends_with_the_token)
{
    char *line = NULL;
    char *path = files_path("%s/tokens", folder);
    ck_assert_int_eq(daemon_run((const char *const[]){"web", "token", "ann", "--role", "view", NULL}, &line, &errors),
                     0);
    files_write(path, line);
    ck_assert_int_eq(chmod(path, 0600), 0);
    start_web("tokens_file = \"tokens\";");
    const char *secret = strstr(errors, "token: ") + strlen("token: ");
    char *lines = files_path("Authorization: Bearer %.*s\r\n", (int)strcspn(secret, "\n"), secret);
    assert_refused(401, STREAM "/databases", "who asks is not known");
    stream = web_stream_open(web, STREAM "/databases", lines);
    web_stream_hear(stream, "event: v");
    files_write(path, "");
    ck_assert(web_stream_ends(stream));
    free(lines);
    free(path);
    free(line);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web_stream");
    TCase *tests = tcase_create("web_stream");
    tcase_set_timeout(tests, 400);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, version_moves_when_the_page_does);
    tcase_add_test(tests, page_that_cannot_be_read_any_more_is_told_too);
    tcase_add_test(tests, nothing_is_asked_while_nobody_looks);
    tcase_add_test(tests, stream_of_what_is_not_there_is_refused);
    tcase_add_test(tests, stream_ends_with_the_token);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
