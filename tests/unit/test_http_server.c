/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

/* The server over its sockets, with a thread as the client. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "http/server.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define HOST "Host: localhost\r\n"
#define BIG 3000000
#define CLIENTS (HTTP_CONNECTIONS_OF_ONE + 3)

static struct loop *loop;
static struct http_server *server;
static struct http_place place;
static struct http_request *waiting;
static struct http_request *stream;
static int streams_gone;
static int asked_count;
static struct http_peer last_peer;

static void answer_text(struct http_request *request, const char *text)
{
    http_reply(request,
               &(struct http_answer){.status = 200, .type = "text/plain", .body = text, .length = strlen(text)});
}

static void stream_gone(void *data)
{
    ck_assert_ptr_eq(data, &stream);
    stream = NULL;
    streams_gone++;
}

static void asked(void *data, struct http_request *request)
{
    const struct http_head *head = http_request_head(request);
    (void)data;
    asked_count++;
    last_peer = *http_request_peer(request);
    if (strcmp(head->target, "/later") == 0) {
        waiting = request;
        loop_stop(loop);
    } else if (strcmp(head->target, "/big") == 0) {
        char *text = xcalloc(1, BIG + 1);
        memset(text, 'x', BIG);
        answer_text(request, text);
        free(text);
    } else if (strcmp(head->target, "/stream") == 0) {
        stream = request;
        http_stream_begin(request, &(struct http_answer){.status = 200, .type = "text/event-stream"}, stream_gone,
                          &stream);
        http_stream_say(request, "one\n", 4);
        http_stream_say(request, "two\n", 4);
    } else if (strcmp(head->target, "/bad") == 0) {
        http_reply_problem(request, 404, "a \"b\"", "look", NULL);
    } else {
        answer_text(request, head->method == HTTP_POST ? http_request_body(request) : head->target);
    }
}

static void begin(const char *where, duration head_within)
{
    struct error err;
    loop = loop_create();
    asked_count = 0;
    server = http_server_create(
        loop, &(struct http_settings){.asked = asked, .fields = "X-Always: yes\r\n", .head_within = head_within});
    ck_assert_msg(http_place_read(where, &place, &err), "%s", err.message);
    ck_assert_msg(http_server_listen(server, &place, &err), "%s", err.message);
    char *text = http_server_place(server, 0);
    ck_assert(http_place_read(text, &place, &err)); /* with the port it took */
    free(text);
}

static void set_up(void)
{
    begin("127.0.0.1:0", 60 * USEC_PER_SEC);
}

static void tear_down(void)
{
    http_server_destroy(server);
    loop_destroy(loop);
}

/* --- the client --------------------------------------------------------------------------------------------------- */

struct talk {
    const char *said;
    size_t length;
    size_t piece; /* 0: all at once */
    size_t sent;  /* bytes of it at most; 0: all */
    struct buffer heard;
    bool done;
};

static int call(void)
{
    int client = socket(place.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(client, (const struct sockaddr *)&place.address, place.size), 0);
    return client;
}

static void *converse(void *data)
{
    struct talk *talk = data;
    char bytes[65536];
    ssize_t count;
    int client = call();
    size_t step = talk->piece > 0 ? talk->piece : talk->length;
    for (size_t at = 0; at < talk->length; at += step) {
        size_t left = talk->length - at;
        if (send(client, talk->said + at, left < step ? left : step, MSG_NOSIGNAL) < 0) {
            break;
        }
    }
    while ((count = recv(client, bytes, sizeof(bytes), 0)) > 0) {
        buffer_append(&talk->heard, bytes, (size_t)count);
    }
    close(client);
    __atomic_store_n(&talk->done, true, __ATOMIC_RELEASE);
    return NULL;
}

struct look {
    struct talk *talk;
    struct loop_timer *timer;
};

static void look_again(void *data)
{
    struct look *look = data;
    if (__atomic_load_n(&look->talk->done, __ATOMIC_ACQUIRE)) {
        loop_stop(loop);
    } else {
        loop_timer_set(look->timer, 2 * USEC_PER_MSEC);
    }
}

/* Everything that came until the server closed. Caller frees. */
static char *say(const char *said, size_t length, size_t piece)
{
    struct talk talk = {.said = said, .length = length, .piece = piece};
    struct look look = {.talk = &talk};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, converse, &talk), 0);
    look.timer = loop_timer_create(loop, look_again, &look);
    loop_timer_set(look.timer, 0);
    loop_run(loop);
    if (waiting != NULL) {
        struct http_request *request = waiting;
        waiting = NULL;
        answer_text(request, "late");
        loop_run(loop);
    }
    loop_timer_destroy(look.timer);
    pthread_join(thread, NULL);
    return buffer_take(&talk.heard);
}

static void assert_heard(const char *said, const char *expected)
{
    char *heard = say(said, strlen(said), 0);
    ck_assert_str_eq(heard, expected);
    free(heard);
}

static void assert_begins(const char *said, const char *expected)
{
    char *heard = say(said, strlen(said), 0);
    ck_assert_msg(heard != NULL && strncmp(heard, expected, strlen(expected)) == 0, "%s: %s", said, heard);
    free(heard);
}

/* --- cases -------------------------------------------------------------------------------------------------------- */

#define ANSWER(length, text) \
    "HTTP/1.1 200 OK\r\nX-Always: yes\r\nContent-Type: text/plain\r\nContent-Length: " length "\r\n" NOT_KEPT text
#define CLOSE "Connection: close\r\n"
#define NOT_KEPT "Cache-Control: private, no-cache\r\n"

START_TEST(requests_of_one_connection_are_answered_in_their_order)
{
    assert_heard("GET /a HTTP/1.1\r\n" HOST "\r\n"
                 "POST /b HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nxyz"
                 "HEAD /head HTTP/1.1\r\n" HOST CLOSE "\r\n",
                 ANSWER("2", "\r\n/a") ANSWER("3", "\r\nxyz") ANSWER("5", CLOSE "\r\n"));
}
END_TEST

START_TEST(hundreds_in_one_line_are_all_answered)
{
    struct buffer said = {0};
    for (int i = 0; i < 500; i++) {
        buffer_puts(&said, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    }
    buffer_puts(&said, "GET /b HTTP/1.1\r\n" HOST CLOSE "\r\n");
    free(say(said.data, said.length, 0));
    ck_assert_int_eq(asked_count, 501);
    buffer_finish(&said);
}
END_TEST

START_TEST(bytes_that_come_one_by_one_are_one_request)
{
    static const char said[] = "POST /b HTTP/1.1\r\n" HOST CLOSE "Content-Length: 3\r\n\r\nxyz";
    char *heard = say(said, strlen(said), 1);
    ck_assert_str_eq(heard, ANSWER("3", CLOSE "\r\nxyz"));
    free(heard);
}
END_TEST

START_TEST(request_may_be_answered_later)
{
    assert_heard("GET /later HTTP/1.1\r\n" HOST CLOSE "\r\n", ANSWER("4", CLOSE "\r\nlate"));
}
END_TEST

START_TEST(large_answer_comes_whole)
{
    static const char said[] = "GET /big HTTP/1.1\r\n" HOST CLOSE "\r\n";
    char *heard = say(said, strlen(said), 0);
    ck_assert_uint_eq(strlen(strstr(heard, "\r\n\r\n") + 4), BIG);
    free(heard);
}
END_TEST

/* --- an answer that goes on --- */

#define STREAM "GET /stream HTTP/1.1\r\n" HOST "\r\n"

/* Once the stream is asked for: a slow machine may take longer to begin than the timer. */
static void say_and_end(void *data)
{
    struct loop_timer **timer = data;
    if (stream == NULL) {
        loop_timer_set(*timer, 2 * USEC_PER_MSEC);
        return;
    }
    http_stream_say(stream, "three\n", 6);
    http_stream_end(stream);
}

START_TEST(stream_is_said_piece_by_piece_until_it_ends)
{
    struct loop_timer *timer = loop_timer_create(loop, say_and_end, &timer);
    loop_timer_set(timer, 20 * USEC_PER_MSEC);
    streams_gone = 0;
    assert_heard(STREAM "GET /a HTTP/1.1\r\n" HOST "\r\n",
                 "HTTP/1.1 200 OK\r\nX-Always: yes\r\nContent-Type: text/event-stream\r\n" NOT_KEPT CLOSE
                 "\r\none\ntwo\nthree\n");
    ck_assert_int_eq(streams_gone, 0);
    ck_assert_int_eq(asked_count, 1);
    loop_timer_destroy(timer);
}
END_TEST

/* Until the server says that it is gone. */
static void run_until_gone(void *data)
{
    struct loop_timer **timer = data;
    if (streams_gone > 0) {
        loop_stop(loop);
    } else {
        loop_timer_set(*timer, 2 * USEC_PER_MSEC);
    }
}

static int call_for_stream(void)
{
    int client = call();
    ck_assert_int_eq(send(client, STREAM, strlen(STREAM), 0), (int)strlen(STREAM));
    streams_gone = 0;
    return client;
}

START_TEST(stream_whose_client_leaves_is_gone_once)
{
    struct loop_timer *timer = loop_timer_create(loop, run_until_gone, &timer);
    int client = call_for_stream();
    char bytes[256];
    loop_timer_set(timer, 0);
    shutdown(client, SHUT_WR);
    loop_run(loop);
    ck_assert_ptr_null(stream);
    ck_assert_uint_eq(http_server_connections(server), 0);
    while (recv(client, bytes, sizeof(bytes), 0) > 0) {
    }
    close(client);
    loop_timer_destroy(timer);
}
END_TEST

static void say_much(void *data)
{
    struct loop_timer **timer = data;
    char text[1000];
    memset(text, 'x', sizeof(text));
    if (streams_gone > 0) {
        loop_stop(loop);
        return;
    }
    if (stream != NULL) {
        http_stream_say(stream, text, sizeof(text));
    }
    loop_timer_set(*timer, 0);
}

START_TEST(client_that_takes_nothing_is_cut)
{
    struct loop_timer *timer = loop_timer_create(loop, say_much, &timer);
    int client = socket(place.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int size = 4096;
    ck_assert_int_eq(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    ck_assert_int_eq(connect(client, (const struct sockaddr *)&place.address, place.size), 0);
    ck_assert_int_eq(send(client, STREAM, strlen(STREAM), 0), (int)strlen(STREAM));
    streams_gone = 0;
    loop_timer_set(timer, 0);
    loop_run(loop);
    ck_assert_int_eq(streams_gone, 1);
    ck_assert_uint_eq(http_server_connections(server), 0);
    close(client);
    loop_timer_destroy(timer);
}
END_TEST

START_TEST(problem_says_the_way_out)
{
    assert_begins("GET /bad HTTP/1.1\r\n" HOST CLOSE "\r\n",
                  "HTTP/1.1 404 Not Found\r\nX-Always: yes\r\nContent-Type: application/problem+json\r\n");
    char *heard = say("GET /bad HTTP/1.1\r\n" HOST CLOSE "\r\n", strlen("GET /bad HTTP/1.1\r\n" HOST CLOSE "\r\n"), 0);
    ck_assert_ptr_nonnull(
        strstr(heard, "\r\n\r\n{\"title\":\"Not Found\",\"status\":404,\"detail\":\"a \\\"b\\\"\",\"hint\":\"look\"}"));
    free(heard);
}
END_TEST

START_TEST(refused_request_ends_the_connection_and_what_follows_it)
{
    assert_begins("GET /a HTTP/1.1\r\n" HOST "Host: evil\r\n\r\nGET /b HTTP/1.1\r\n" HOST "\r\n",
                  "HTTP/1.1 400 Bad Request\r\nX-Always: yes\r\n");
    ck_assert_int_eq(asked_count, 0);
}
END_TEST

START_TEST(smuggled_request_is_never_asked)
{
    assert_begins("POST /a HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "0\r\n\r\nGET /admin HTTP/1.1\r\n" HOST "\r\n",
                  "HTTP/1.1 400 ");
    ck_assert_int_eq(asked_count, 0);
}
END_TEST

START_TEST(large_head_is_refused_and_the_refusal_is_read)
{
    struct buffer said = {0};
    buffer_puts(&said, "GET /a HTTP/1.1\r\n" HOST "X: ");
    for (int i = 0; i < 20000; i++) {
        buffer_putc(&said, 'a');
    }
    char *heard = say(said.data, said.length, 0);
    ck_assert_msg(heard != NULL && strncmp(heard, "HTTP/1.1 431 ", 13) == 0, "%s", heard);
    free(heard);
    buffer_finish(&said);
}
END_TEST

START_TEST(head_or_body_that_does_not_come_ends_the_connection)
{
    tear_down();
    begin("127.0.0.1:0", 20 * USEC_PER_MSEC);
    assert_begins("GET /a HTT", "HTTP/1.1 408 ");
    assert_begins("POST /b HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nx", "HTTP/1.1 408 ");
    char *heard = say("", 0, 0); /* nothing was asked: nothing is said */
    ck_assert_str_eq(heard, "");
    free(heard);
    ck_assert_int_eq(asked_count, 0);
    ck_assert_uint_eq(http_server_connections(server), 0);
}
END_TEST

START_TEST(one_address_has_32_connections_at_most)
{
    int clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = call();
    }
    for (int closed = 0; closed < CLIENTS - HTTP_CONNECTIONS_OF_ONE;) {
        struct loop_timer *timer = loop_timer_create(loop, (loop_callback *)loop_stop, loop);
        loop_timer_set(timer, USEC_PER_MSEC);
        loop_run(loop);
        loop_timer_destroy(timer);
        closed = 0;
        for (int i = 0; i < CLIENTS; i++) {
            struct pollfd state = {.fd = clients[i], .events = POLLIN};
            closed += poll(&state, 1, 0);
        }
    }
    ck_assert_uint_eq(http_server_connections(server), HTTP_CONNECTIONS_OF_ONE);
    for (int i = 0; i < CLIENTS; i++) {
        close(clients[i]);
    }
}
END_TEST

START_TEST(local_socket_says_who_calls_and_keeps_others_out)
{
    struct stat file;
    char *folder = files_make_directory();
    char *path = files_path("%s/http", folder);
    char *where = xasprintf("unix:%s", path);
    tear_down();
    begin(where, 60 * USEC_PER_SEC);
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_uint_eq(file.st_mode & 0777, 0660);
    assert_begins("GET /a HTTP/1.1\r\n" HOST CLOSE "\r\n", "HTTP/1.1 200 ");
    ck_assert(last_peer.local && last_peer.user == getuid());
    http_server_destroy(server);
    ck_assert_int_ne(stat(path, &file), 0);
    server = NULL;
    free(where);
    free(path);
    free(folder);
}
END_TEST

static const char *const no_places[] = {"",           "8743",        ":8743",           "localhost:8743", "127.0.0.1",
                                        "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1:8743",       "[::1]",
                                        "[]:1",       "unix:",       "unix:http"};

START_TEST(what_is_no_place_is_refused)
{
    struct http_place found;
    struct error err;
    ck_assert_msg(!http_place_read(no_places[_i], &found, &err), "%s", no_places[_i]);
    ck_assert_str_ne(err.hint, "");
}
END_TEST

START_TEST(loopback_is_told_from_other_addresses)
{
    static const struct {
        const char *text;
        bool loopback;
    } places[] = {{"127.0.0.1:1", true}, {"127.9.9.9:1", true}, {"[::1]:1", true},
                  {"0.0.0.0:1", false},  {"[::]:1", false},     {"10.0.0.1:1", false}};
    struct error err;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct http_place found;
        ck_assert(http_place_read(places[i].text, &found, &err));
        ck_assert_msg(found.loopback == places[i].loopback, "%s", places[i].text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_server");
    TCase *tests = tcase_create("http_server");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, requests_of_one_connection_are_answered_in_their_order);
    tcase_add_test(tests, hundreds_in_one_line_are_all_answered);
    tcase_add_test(tests, bytes_that_come_one_by_one_are_one_request);
    tcase_add_test(tests, request_may_be_answered_later);
    tcase_add_test(tests, large_answer_comes_whole);
    tcase_add_test(tests, stream_is_said_piece_by_piece_until_it_ends);
    tcase_add_test(tests, stream_whose_client_leaves_is_gone_once);
    tcase_add_test(tests, client_that_takes_nothing_is_cut);
    tcase_add_test(tests, problem_says_the_way_out);
    tcase_add_test(tests, refused_request_ends_the_connection_and_what_follows_it);
    tcase_add_test(tests, smuggled_request_is_never_asked);
    tcase_add_test(tests, large_head_is_refused_and_the_refusal_is_read);
    tcase_add_test(tests, head_or_body_that_does_not_come_ends_the_connection);
    tcase_add_test(tests, one_address_has_32_connections_at_most);
    tcase_add_test(tests, local_socket_says_who_calls_and_keeps_others_out);
    tcase_add_loop_test(tests, what_is_no_place_is_refused, 0, COUNT_OF(no_places));
    tcase_add_test(tests, loopback_is_told_from_other_addresses);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
