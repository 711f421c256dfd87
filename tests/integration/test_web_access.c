/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

/* `pgchime web`: who is let in, and what is tried against it. No database is needed for that. */
#include <check.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "support/daemon/commands.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/web/web.h"

#define AWAY "main: { conninfo = \"host=127.0.0.1 port=1 dbname=none\"; };"
#define JSON "Content-Type: application/json\r\n"
#define PAGE "/api/v1/databases" /* answers, whatever the database does */

static char *folder;
static struct web_server *web;
static struct daemon *local; /* at a socket of Unix */
static char *alice;          /* tokens */
static char *bob;

/* Of what `pgchime web token` says. */
static char *make_token(const char *name, const char *role, char **line)
{
    char *errors = NULL;
    ck_assert_int_eq(daemon_run((const char *const[]){"web", "token", name, "--role", role, NULL}, line, &errors), 0);
    const char *said = strstr(errors, "token: ");
    ck_assert_ptr_nonnull(said);
    char *token = files_path("%.*s", (int)strcspn(said + 7, "\n"), said + 7);
    free(errors);
    return token;
}

static void write_tokens(const char *text)
{
    char *path = files_path("%s/tokens", folder);
    files_write(path, text);
    ck_assert_int_eq(chmod(path, 0600), 0);
    free(path);
}

static void set_up(void)
{
    char *of_alice = NULL;
    char *of_bob = NULL;
    folder = files_make_directory();
    alice = make_token("alice", "view", &of_alice);
    bob = make_token("bob", "tiles", &of_bob);
    char *text = files_path("%s%s", of_alice, of_bob);
    write_tokens(text);
    web = web_server_start(folder, AWAY, "tokens_file = \"tokens\";");
    free(text);
    free(of_alice);
    free(of_bob);
}

static void tear_down(void)
{
    web_server_destroy(web);
    daemon_destroy(local);
    free(alice);
    free(bob);
    free(folder);
}

static void assert_get(int status, const char *target, const char *format, const char *secret)
{
    char *lines = files_path("%s%s\r\n", format, secret);
    struct web_answer answer = web_expect(status, web, target, secret[0] != '\0' ? lines : "");
    web_answer_finish(&answer);
    free(lines);
}

#define BEARER "Authorization: Bearer "

/* --- tokens ------------------------------------------------------------------------------------------------------- */

START_TEST(token_lets_in_as_its_role)
{
    assert_get(200, PAGE, BEARER, alice);
    assert_get(403, PAGE, BEARER, bob);
    assert_get(401, PAGE, BEARER, "guess");
    assert_get(401, PAGE, "", "");
    assert_get(401, PAGE, "Authorization: Digest ", alice);
    assert_get(200, "/healthz", "", "");
}
END_TEST

START_TEST(token_may_be_the_password_of_basic)
{
    write_tokens("carol view 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n"); /* of "test" */
    assert_get(200, PAGE, "Authorization: Basic ", "eDp0ZXN0");
    assert_get(401, PAGE, "Authorization: Basic ", "eDp5");
}
END_TEST

START_TEST(token_that_is_taken_away_lets_in_no_more)
{
    assert_get(200, PAGE, BEARER, alice);
    write_tokens("# nobody\n");
    assert_get(401, PAGE, BEARER, alice);
    write_tokens("broken");
    assert_get(401, PAGE, BEARER, alice);
}
END_TEST

/* --- sessions ----------------------------------------------------------------------------------------------------- */

static char *body_of(const char *token)
{
    return files_path("{\"token\": \"%s\"}", token);
}

#define OURS JSON "Sec-Fetch-Site: same-origin\r\n"

/* The field Cookie that belongs to an answer's Set-Cookie. */
static char *cookie_of(const struct web_answer *answer)
{
    const char *set = strstr(answer->all, "Set-Cookie: ");
    ck_assert_msg(set != NULL, "%s", answer->all);
    return files_path("Cookie: %.*s\r\n", (int)strcspn(set + 12, ";"), set + 12);
}

START_TEST(browser_that_has_shown_a_token_is_known_by_its_cookie)
{
    char *body = body_of(alice);
    struct web_answer answer = web_post(web, "/session", OURS, body);
    ck_assert_int_eq(answer.status, 204);
    commands_has(answer.all, "; HttpOnly; SameSite=Strict\r\n");
    commands_has(answer.all, "; Max-Age=43200;");
    ck_assert_ptr_null(strstr(answer.all, alice));
    char *cookie = cookie_of(&answer);
    struct web_answer page = web_expect(200, web, PAGE, cookie);
    web_answer_finish(&page);
    write_tokens("# nobody\n");
    page = web_expect(401, web, PAGE, cookie);
    web_answer_finish(&page);
    web_answer_finish(&answer);
    free(cookie);
    free(body);
}
END_TEST

static void assert_post(int status, const char *target, const char *lines, const char *body)
{
    struct web_answer answer = web_post(web, target, lines, body);
    ck_assert_msg(answer.status == status, "%d instead of %d:\n%s", answer.status, status, answer.all);
    ck_assert(status == 204 || strstr(answer.all, "Set-Cookie") == NULL);
    web_answer_finish(&answer);
}

START_TEST(session_begins_only_from_our_page)
{
    char *body = body_of(alice);
    char *origin = files_path(JSON "Origin: http://localhost:%d\r\n", web_server_port(web));
    assert_post(204, "/session", OURS, body);
    assert_post(204, "/session", origin, body);
    assert_post(403, "/session", JSON "Sec-Fetch-Site: cross-site\r\n", body);
    assert_post(403, "/session", JSON "Sec-Fetch-Site: same-site\r\n", body);
    assert_post(403, "/session", JSON "Sec-Fetch-Site: none\r\n", body);
    assert_post(403, "/session", JSON "Origin: http://evil.example\r\n", body);
    assert_post(403, "/session", JSON "Origin: null\r\n", body);
    assert_post(403, "/session", JSON, body);
    assert_post(415, "/session", "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n",
                body);
    assert_post(415, "/session", "Sec-Fetch-Site: same-origin\r\n", body);
    assert_post(401, "/session", OURS, "{\"token\": \"guess\"}");
    assert_post(400, "/session", OURS, "{\"token\": 1}");
    assert_post(400, "/session", OURS, "[");
    assert_post(405, PAGE, OURS, body);
    free(origin);
    free(body);
}
END_TEST

/* --- what is tried against it ------------------------------------------------------------------------------------- */

static int status_of(const char *bytes)
{
    struct web_answer answer = web_say(web, bytes, strlen(bytes));
    web_answer_finish(&answer);
    return answer.status;
}

START_TEST(name_that_is_made_to_lead_here_is_refused)
{
    ck_assert_int_eq(status_of("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"), 421);
    ck_assert_int_eq(status_of("GET / HTTP/1.1\r\nHost: localhost.evil.example\r\nConnection: close\r\n\r\n"), 421);
    ck_assert_int_eq(status_of("GET / HTTP/1.1\r\nHost: localhost:80.evil.example\r\nConnection: close\r\n\r\n"), 421);
    ck_assert_int_eq(status_of("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"),
                     status_of("GET / HTTP/1.1\r\nHost: LOCALHOST:80\r\nConnection: close\r\n\r\n"));
    ck_assert_int_eq(status_of("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:80\r\nConnection: close\r\n\r\n"), 200);
}
END_TEST

START_TEST(request_within_a_request_is_never_answered)
{
    static const char smuggled[] = "POST /session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n"
                                   "Host: localhost\r\n\r\n";
    struct web_answer answer = web_say(web, smuggled, strlen(smuggled));
    ck_assert_int_eq(answer.status, 400);
    ck_assert_ptr_null(strstr(answer.all, "ok\n"));
    web_answer_finish(&answer);
    ck_assert_int_eq(status_of("GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n"), 400);
    ck_assert_int_eq(status_of("POST /session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
                               "Content-Length: 2\r\n\r\n{}"),
                     400);
}
END_TEST

#define H "Host: localhost\r\n"
#define GET "GET /healthz HTTP/1.1\r\n"
#define POSTED "POST /session HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
#define SECOND "GET /healthz HTTP/1.1\r\n" H "Connection: close\r\n\r\n"
#define PROBE(status, bytes)             \
    {                                    \
        status, bytes, sizeof(bytes) - 1 \
    }

/* The probes of docs/adr/0030, by which libraries were judged, and how each ends here: with that status and the end of
 * the connection, so that what follows it is never read as a request. */
static const struct {
    int status;
    const char *bytes;
    size_t length;
} probes[] = {
    PROBE(400, GET "Accept: a\r\n\r\n" SECOND),     /* no Host */
    PROBE(400, GET H "Host: other\r\n\r\n" SECOND), /* two */
    PROBE(400, POSTED "Content-Length: 4\r\nContent-Length: 60\r\n\r\n" SECOND),
    PROBE(400, POSTED "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SECOND),
    PROBE(400, POSTED "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" SECOND),
    PROBE(400, POSTED "Transfer-Encoding: cow\r\n\r\n" SECOND), /* an encoding that is none */
    PROBE(400, POSTED "Content-Length: +4\r\n\r\nabcd" SECOND),
    PROBE(400, POSTED "Content-Length: 4,4\r\n\r\nabcd" SECOND),
    PROBE(400, POSTED "Content-Length : 4\r\n\r\nabcd" SECOND), /* white space before the colon */
    PROBE(400, GET H "no colon\r\n\r\n" SECOND),
    PROBE(400, GET H "X: a\r\n folded\r\n\r\n" SECOND),
    PROBE(400, "GET /healthz\0b HTTP/1.1\r\n" H "\r\n" SECOND),      /* a NUL in the target */
    PROBE(400, GET H "X: a\0b\r\n\r\n" SECOND),                      /* and in a field */
    PROBE(400, "GET /healthz HTTP/1.1\nHost: localhost\n\n" SECOND), /* LF without CR */
    PROBE(400, GET H "X: a\rb\r\n\r\n" SECOND),                      /* CR without LF */
    PROBE(400, "GET  /healthz HTTP/1.1\r\n" H "\r\n" SECOND),        /* two blanks */
    PROBE(400, "GET /healthz\r\n\r\n" SECOND),                       /* HTTP/0.9 */
    PROBE(505, "GET /healthz HTTP/1.0\r\n" H "\r\n" SECOND),
    PROBE(505, "GET /healthz HTTP/1.9\r\n" H "\r\n" SECOND),
    PROBE(400, "GET http://localhost/healthz HTTP/1.1\r\n" H "\r\n" SECOND),
    PROBE(405, "CONNECT localhost:80 HTTP/1.1\r\n" H "\r\n" SECOND),
    PROBE(405, "TRACE /healthz HTTP/1.1\r\n" H "\r\n" SECOND),
    PROBE(417, POSTED "Expect: 100-continue\r\nContent-Length: 4\r\n\r\nabcd" SECOND),
    PROBE(400, GET H "Content-Length: 4\r\n\r\nabcd" SECOND), /* a body of a GET */
    PROBE(413, POSTED "Content-Length: 16385\r\n\r\n" SECOND),
    PROBE(413, POSTED "Content-Length: 18446744073709551620\r\n\r\nabcd" SECOND),
};

START_TEST(probes_end_as_the_guard_says)
{
    for (size_t i = 0; i < COUNT_OF(probes); i++) {
        struct web_answer answer = web_say(web, probes[i].bytes, probes[i].length);
        ck_assert_msg(answer.status == probes[i].status, "probe %zu: %d instead of %d\n%s", i, answer.status,
                      probes[i].status, probes[i].bytes);
        ck_assert_msg(strstr(answer.body, "HTTP/1.1 200") == NULL && strstr(answer.body, "ok\n") == NULL,
                      "probe %zu: what follows it was answered: %s", i, answer.all);
        commands_has(answer.all, "\r\nConnection: close\r\n");
        web_answer_finish(&answer);
    }
    struct web_answer sound = web_say(web, GET H "\r\n" SECOND, strlen(GET H "\r\n" SECOND)); /* nothing is amiss */
    ck_assert_ptr_nonnull(strstr(sound.body, "HTTP/1.1 200"));
    web_answer_finish(&sound);
}
END_TEST

START_TEST(head_of_20_kilobytes_is_refused)
{
    struct buffer text = {0};
    buffer_puts(&text, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ");
    while (text.length < 20000) {
        buffer_putc(&text, 'a');
    }
    ck_assert_int_eq(status_of(buffer_text(&text)), 431);
    buffer_finish(&text);
}
END_TEST

START_TEST(no_path_leads_out_of_the_page)
{
    static const char *const targets[] = {"/../../etc/passwd",
                                          "/%2e%2e/%2e%2e/etc/passwd",
                                          "/..%2f..%2fetc%2fpasswd",
                                          "/index.html/../tokens",
                                          "//etc/passwd",
                                          "/tokens",
                                          "/%00"};
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        struct web_answer answer = web_get(web, targets[i], "");
        ck_assert_msg(answer.status == 400 || answer.status == 404, "%s: %d", targets[i], answer.status);
        web_answer_finish(&answer);
    }
}
END_TEST

START_TEST(every_answer_forbids_what_no_page_of_ours_needs)
{
    static const char *const lines[] = {"\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; ",
                                        "frame-ancestors 'none'",
                                        "\r\nX-Content-Type-Options: nosniff\r\n",
                                        "\r\nReferrer-Policy: no-referrer\r\n",
                                        "\r\nCross-Origin-Opener-Policy: same-origin\r\n",
                                        "\r\nCross-Origin-Resource-Policy: same-origin\r\n",
                                        "\r\nCache-Control: private, no-cache\r\n"};
    static const char *const targets[] = {"/healthz", PAGE, "/nothing", "/a%"};
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        struct web_answer answer = web_get(web, targets[i], "Origin: http://evil.example\r\n");
        for (size_t line = 0; line < COUNT_OF(lines); line++) {
            commands_has(answer.all, lines[line]);
        }
        ck_assert_ptr_null(strstr(answer.all, "Access-Control"));
        web_answer_finish(&answer);
    }
}
END_TEST

/* It has to be there for whoever is to show a token in it, and tells nothing. */
START_TEST(page_itself_needs_no_token)
{
    static const char *const files[][2] = {{"/", "text/html"},
                                           {"/index.html", "text/html"},
                                           {"/app.js", "text/javascript"},
                                           {"/app.css", "text/css"},
                                           {"/favicon.svg", "image/svg+xml"}};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct web_answer answer = web_expect(200, web, files[i][0], "");
        char *type = files_path("\r\nContent-Type: %s", files[i][1]);
        commands_has(answer.all, type);
        ck_assert_uint_gt(answer.length, 0);
        web_answer_finish(&answer);
        free(type);
    }
    struct web_answer page = web_expect(200, web, "/", "");
    char *file = files_read(PGCHIME_SOURCE_DIR "/web/dist/index.html");
    ck_assert_str_eq(page.body, file);
    web_answer_finish(&page);
    free(file);
}
END_TEST

START_TEST(user_that_nobody_vouches_for_is_nobody)
{
    struct web_answer answer = web_expect(401, web, PAGE, "X-Remote-User: alice\r\n");
    web_answer_finish(&answer);
}
END_TEST

START_TEST(no_token_is_in_the_log)
{
    char *body = body_of(alice);
    assert_get(200, PAGE, BEARER, alice);
    assert_post(204, "/session", OURS, body);
    char *target = files_path("/healthz?token=%s", alice);
    assert_get(200, target, "", "");
    char *errors = daemon_errors(web_server_daemon(web));
    char *output = daemon_output(web_server_daemon(web));
    ck_assert_ptr_null(strstr(errors, alice));
    ck_assert_ptr_null(strstr(output, alice));
    free(errors);
    free(output);
    free(target);
    free(body);
}
END_TEST

/* --- other ways in ------------------------------------------------------------------------------------------------ */

static int ask_locally(const char *path, const char *lines)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char heard[4096] = "";
    size_t length = 0;
    ssize_t count;
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path));
    ck_assert_int_eq(connect(client, (const struct sockaddr *)&address, sizeof(address)), 0);
    char *request = files_path("GET " PAGE " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", lines);
    ck_assert_int_eq(send(client, request, strlen(request), 0), (ssize_t)strlen(request));
    while ((count = recv(client, heard + length, sizeof(heard) - 1 - length, 0)) > 0) {
        length += (size_t)count;
    }
    close(client);
    free(request);
    return atoi(heard + strlen("HTTP/1.1 "));
}

/* Listens at a socket of Unix with this access. */
static char *listen_locally(const char *access)
{
    char *path = files_path("%s/http", folder);
    char *place = files_path("unix:%s", path);
    char *config = web_configure(folder, place, AWAY, access);
    local = daemon_start((const char *const[]){"web", "--config", config, NULL});
    daemon_await(local, "listening at unix:", 60);
    free(place);
    free(config);
    return path;
}

START_TEST(process_at_the_other_end_is_let_in_by_its_user)
{
    char *access = files_path("peer = ( { user = \"%s\"; role = \"view\"; } );", getpwuid(geteuid())->pw_name);
    char *path = listen_locally(access);
    ck_assert_int_eq(ask_locally(path, ""), 200);
    free(path);
    free(access);
}
END_TEST

START_TEST(proxy_says_who_asks_through_its_socket)
{
    char *path = listen_locally("proxy: { from = \"unix\"; user_header = \"X-Remote-User\"; role = \"view\"; };");
    ck_assert_int_eq(ask_locally(path, ""), 401);
    ck_assert_int_eq(ask_locally(path, "X-Remote-User: \r\n"), 401);
    ck_assert_int_eq(ask_locally(path, "X-Remote-User: alice\r\n"), 200);
    ck_assert_int_eq(ask_locally(path, "X-Remote-User: alice\r\nX-Remote-User: root\r\n"), 400);
    free(path);
}
END_TEST

/* --- what it does not begin with ---------------------------------------------------------------------------------- */

static void assert_refused(const char *listen, const char *access, const char *message)
{
    char *output = NULL;
    char *errors = NULL;
    char *config = web_configure(folder, listen, AWAY, access);
    ck_assert_int_eq(daemon_run((const char *const[]){"web", "--config", config, NULL}, &output, &errors), 3);
    commands_has(errors, message);
    commands_has(errors, "HINT:  ");
    free(output);
    free(errors);
    ck_assert_int_eq(daemon_run((const char *const[]){"web", "check", "--config", config, NULL}, &output, &errors), 3);
    free(config);
    free(output);
    free(errors);
}

START_TEST(it_does_not_begin_where_it_would_let_everybody_in)
{
    char *path = files_path("%s/tokens", folder);
    assert_refused("0.0.0.0:0", "anonymous = \"view\";",
                   "can be reached from elsewhere, and nobody is asked who he is");
    assert_refused("[::]:0", "anonymous = \"view\";", "can be reached from elsewhere, and nobody is asked who he is");
    assert_refused("127.0.0.1:0", "", "nobody has access");
    assert_refused("127.0.0.1:0", "tokens_file = \"none\";", "cannot open ");
    assert_refused("127.0.0.1:0", "peer = ( { user = \"no-such-user\"; role = \"view\"; } );",
                   "this machine has no user \"no-such-user\"");
    ck_assert_int_eq(chmod(path, 0644), 0);
    assert_refused("127.0.0.1:0", "tokens_file = \"tokens\";", "everybody may read ");
    free(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web_access");
    TCase *tests = tcase_create("web_access");
    tcase_set_timeout(tests, 180);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, token_lets_in_as_its_role);
    tcase_add_test(tests, token_may_be_the_password_of_basic);
    tcase_add_test(tests, token_that_is_taken_away_lets_in_no_more);
    tcase_add_test(tests, browser_that_has_shown_a_token_is_known_by_its_cookie);
    tcase_add_test(tests, session_begins_only_from_our_page);
    tcase_add_test(tests, name_that_is_made_to_lead_here_is_refused);
    tcase_add_test(tests, request_within_a_request_is_never_answered);
    tcase_add_test(tests, probes_end_as_the_guard_says);
    tcase_add_test(tests, head_of_20_kilobytes_is_refused);
    tcase_add_test(tests, no_path_leads_out_of_the_page);
    tcase_add_test(tests, every_answer_forbids_what_no_page_of_ours_needs);
    tcase_add_test(tests, page_itself_needs_no_token);
    tcase_add_test(tests, user_that_nobody_vouches_for_is_nobody);
    tcase_add_test(tests, no_token_is_in_the_log);
    tcase_add_test(tests, process_at_the_other_end_is_let_in_by_its_user);
    tcase_add_test(tests, proxy_says_who_asks_through_its_socket);
    tcase_add_test(tests, it_does_not_begin_where_it_would_let_everybody_in);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
