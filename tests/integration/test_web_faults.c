/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

/* `pgchime web` while the daemon, the server and itself die, and while hundreds of clients want nothing but its
 * connections. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "http/server.h"
#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/web/web.h"

#define JSON "Content-Type: application/json\r\n"
#define SAME "Sec-Fetch-Site: same-origin\r\n"
#define SLOW 500 /* clients */
#define SOURCES 20

static struct web_server *web;
static struct web_stream *stream;
static char *folder;
static char *token;
static char *cookie; /* a line of a head */

static void make_token(void)
{
    char *line = NULL;
    char *said = NULL;
    char *path = files_path("%s/tokens", folder);
    ck_assert_int_eq(daemon_run((const char *const[]){"web", "token", "ann", "--role", "view", NULL}, &line, &said), 0);
    token = files_path("%.*s", (int)strcspn(strstr(said, "token: ") + 7, "\n"), strstr(said, "token: ") + 7);
    files_write(path, line);
    ck_assert_int_eq(chmod(path, 0600), 0);
    free(path);
    free(said);
    free(line);
}

static void start_web(void)
{
    char *conninfo = cluster_conninfo(cluster, "postgres");
    char *databases = files_path("main: { conninfo = \"%s\"; };", conninfo);
    web = web_server_start(folder, databases, "tokens_file = \"tokens\";");
    free(databases);
    free(conninfo);
}

static void sign_in(void)
{
    char *body = files_path("{\"token\": \"%s\"}", token);
    struct web_answer answer = web_post(web, "/session", JSON SAME, body);
    ck_assert_int_eq(answer.status, 204);
    const char *set = strstr(answer.all, "Set-Cookie: ") + strlen("Set-Cookie: ");
    cookie = files_path("Cookie: %.*s\r\n", (int)strcspn(set, ";"), set);
    web_answer_finish(&answer);
    free(body);
}

static void set_up(void)
{
    served_set_up(2);
    folder = files_make_directory();
    site_job(site, "quick", NEVER_DUE "command = \"SELECT 1\";");
    make_token();
    served = site_lead(site);
    start_web();
    sign_in();
}

static void tear_down(void)
{
    web_stream_destroy(stream);
    web_server_destroy(web);
    served_tear_down();
    free(folder);
    free(token);
    free(cookie);
}

/* --- what dies ---------------------------------------------------------------------------------------------------- */

static const char *const pages[] = {"/d/main/jobs",  "/d/main/job/quick", "/d/main/job/quick/why", "/d/main/runs",
                                    "/d/main/views", "/d/main/alerts",    "/d/main/graph",         "/d/main/history",
                                    "/d/main/tiles", "/d/main/crowded",   "/d/main/doctor"};

static bool all_are(void *data)
{
    int status = *(const int *)data;
    bool all = true;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]) && all; i++) {
        char *target = files_path("/api/v1%s", pages[i]);
        struct web_answer answer = web_get(web, target, cookie);
        all = answer.status == status && (status == 200 || strstr(answer.body, "\"hint\":\"") != NULL);
        web_answer_finish(&answer);
        free(target);
    }
    return all;
}

static bool databases_say(void *part)
{
    struct web_answer answer = web_get(web, "/api/v1/databases", cookie);
    bool say = answer.status == 200 && strstr(answer.body, part) != NULL;
    web_answer_finish(&answer);
    return say;
}

static void await_pages(int status, const char *said)
{
    ck_assert_msg(wait_until(databases_say, (void *)said, 60), "%s", said);
    ck_assert_msg(wait_until(all_are, &status, 60), "not all are %d", status);
}

static void kill_daemon(void)
{
    daemon_kill(served);
    daemon_destroy(served);
    served = NULL;
}

static void restart_web(void)
{
    daemon_kill(web_server_daemon(web));
    web_server_destroy(web);
    start_web();
}

/* Each in turn, then all at once; whoever signed in is known all the while. */
START_TEST(pages_say_what_is_so_while_daemon_server_and_web_are_killed)
{
    await_pages(200, "\"leader_session\": true");
    kill_daemon();
    await_pages(200, "nobody leads this database: no job runs");
    restart_web();
    await_pages(200, "nobody leads this database: no job runs");
    cluster_kill(cluster);
    await_pages(503, "\"reachable\": false");
    restart_web(); /* it begins where no server is */
    await_pages(503, "\"reachable\": false");
    cluster_start(cluster);
    await_pages(200, "nobody leads this database: no job runs");
    served = site_lead(site);
    await_pages(200, "\"leader_session\": true");
    cluster_kill(cluster);
    kill_daemon();
    restart_web();
    await_pages(503, "\"reachable\": false");
    cluster_start(cluster);
    served = site_lead(site);
    await_pages(200, "\"leader_session\": true");
}
END_TEST

START_TEST(who_follows_hears_that_the_server_went_and_that_it_came_back)
{
    char *lines = files_path("Authorization: Bearer %s\r\n", token);
    stream = web_stream_open(web, "/api/v1/stream?topics=/d/main/runs", lines);
    web_stream_hear(stream, "{\"/d/main/runs\":\"");
    cluster_kill(cluster);
    web_stream_hear(stream, "{\"/d/main/runs\":\"!");
    cluster_start(cluster);
    const char *event = web_stream_hear(stream, "{\"/d/main/runs\":\"");
    while (strstr(web_stream_hear(stream, "\"}"), "!") != NULL) { /* another reason: it starts */
        event = web_stream_hear(stream, "{\"/d/main/runs\":\"");
    }
    ck_assert_ptr_nonnull(event);
    free(lines);
}
END_TEST

/* --- who wants nothing but connections ---------------------------------------------------------------------------- */

/* From 127.0.0.2 and on, so that the limit of one address keeps none out. */
static int call_from(int source)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (unsigned)source)};
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)web_server_port(web)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(client, 0);
    ck_assert_int_eq(bind(client, (const struct sockaddr *)&own, sizeof(own)), 0);
    ck_assert_int_eq(connect(client, (const struct sockaddr *)&there, sizeof(there)), 0);
    return client;
}

static int *call_all(size_t count, const char *says)
{
    int *clients = calloc(count, sizeof(*clients));
    for (size_t i = 0; i < count; i++) {
        clients[i] = call_from((int)(i % SOURCES));
        send(clients[i], says, strlen(says), MSG_NOSIGNAL);
    }
    return clients;
}

static void hang_up(int *clients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        close(clients[i]);
    }
    free(clients);
}

static size_t ended(const int *clients, size_t count)
{
    size_t gone = 0;
    for (size_t i = 0; i < count; i++) {
        struct pollfd state = {.fd = clients[i], .events = POLLRDHUP};
        gone += poll(&state, 1, 0) > 0 ? 1 : 0;
    }
    return gone;
}

/* Heads that are never whole, a byte each now and then: who asks meanwhile is answered all the same, also when they
 * have all the connections that there are. */
START_TEST(slow_heads_keep_nobody_out_and_end)
{
    size_t many = HTTP_CONNECTIONS_MAX + 60;
    int *slow = call_all(SLOW, "GET /healthz HTTP/1.1\r\nX: ");
    int *more = call_all(many - SLOW, "G");
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < SLOW; i++) {
            send(slow[i], "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        struct web_answer answer = web_expect(200, web, "/api/v1/d/main/jobs", cookie);
        web_answer_finish(&answer);
    }
    WAIT_FOR(ended(slow, SLOW) > 0, 60); /* the oldest made room */
    WAIT_FOR(ended(slow, SLOW) + ended(more, many - SLOW) == many, 60);
    hang_up(slow, SLOW);
    hang_up(more, many - SLOW);
}
END_TEST

/* Who asks for much and takes nothing of it. */
START_TEST(readers_that_take_nothing_keep_nobody_out)
{
    struct buffer much = {0};
    for (int i = 0; i < 200; i++) { /* megabytes of answers, more than the kernel takes */
        buffer_puts(&much, "GET /app.js HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    size_t many = HTTP_CONNECTIONS_MAX + 60;
    int *clients = call_all(many, buffer_text(&much));
    for (int round = 0; round < 5; round++) {
        struct web_answer answer = web_expect(200, web, "/api/v1/d/main/jobs", cookie);
        web_answer_finish(&answer);
    }
    hang_up(clients, many);
    buffer_finish(&much);
}
END_TEST

/* A stream that nobody reads is cut; those that are read go on. */
START_TEST(streams_that_nobody_reads_hold_up_no_other)
{
    char *request = files_path(
        "GET /api/v1/stream?topics=/databases%%20/d/main/job/quick HTTP/1.1\r\nHost: localhost\r\n"
        "%s\r\n",
        cookie);
    int *deaf = call_all(300, request);
    stream = web_stream_open(web, "/api/v1/stream?topics=/d/main/job/quick", cookie);
    web_stream_hear(stream, "event: v");
    runs_ask_and_await(cluster, "quick");
    web_stream_hear(stream, "event: v");
    struct web_answer answer = web_expect(200, web, "/api/v1/d/main/job/quick", cookie);
    web_answer_finish(&answer);
    hang_up(deaf, 300);
    free(request);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web_faults");
    TCase *tests = tcase_create("web_faults");
    tcase_set_timeout(tests, 400);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, pages_say_what_is_so_while_daemon_server_and_web_are_killed);
    tcase_add_test(tests, who_follows_hears_that_the_server_went_and_that_it_came_back);
    tcase_add_test(tests, slow_heads_keep_nobody_out_and_end);
    tcase_add_test(tests, readers_that_take_nothing_keep_nobody_out);
    tcase_add_test(tests, streams_that_nobody_reads_hold_up_no_other);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
