/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include "support/web/web.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "support/process/files.h"
#include "support/process/process.h"

#define LISTENING "listening at http://127.0.0.1:"
#define ANSWER_SECONDS 60

struct web_server {
    struct daemon *daemon;
    int port;
};

char *web_configure(const char *folder, const char *listen, const char *databases, const char *access)
{
    char *path = files_path("%s/web.conf", folder);
    char *text = files_path("listen = \"%s\";\ndatabases: { %s };\naccess: { %s };\n", listen, databases, access);
    files_write(path, text);
    free(text);
    return path;
}

struct web_server *web_server_start(const char *folder, const char *databases, const char *access)
{
    struct web_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        support_fail("out of memory");
    }
    char *path = web_configure(folder, "127.0.0.1:0", databases, access);
    server->daemon = daemon_start((const char *const[]){"web", "--config", path, NULL});
    daemon_await(server->daemon, LISTENING, 60);
    char *errors = daemon_errors(server->daemon);
    server->port = atoi(strstr(errors, LISTENING) + strlen(LISTENING));
    free(errors);
    free(path);
    return server;
}

void web_server_destroy(struct web_server *server)
{
    if (server != NULL) {
        daemon_destroy(server->daemon);
        free(server);
    }
}

struct daemon *web_server_daemon(const struct web_server *server)
{
    return server->daemon;
}

int web_server_port(const struct web_server *server)
{
    return server->port;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static int call(const struct web_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)server->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = ANSWER_SECONDS};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    ck_assert_int_eq(connect(client, (const struct sockaddr *)&address, sizeof(address)), 0);
    return client;
}

struct web_answer web_say(const struct web_server *server, const char *bytes, size_t length)
{
    struct web_answer answer = {.body = ""};
    struct buffer heard = {0};
    char piece[65536];
    ssize_t count;
    int client = call(server);
    ck_assert_int_eq(send(client, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
    while ((count = recv(client, piece, sizeof(piece), 0)) > 0) {
        buffer_append(&heard, piece, (size_t)count);
    }
    ck_assert_msg(count == 0, "no answer: %.200s", bytes);
    close(client);
    size_t all = heard.length;
    answer.all = buffer_take(&heard);
    const char *end = strstr(answer.all, "\r\n\r\n");
    if (end != NULL) {
        answer.status = atoi(answer.all + strlen("HTTP/1.1 "));
        answer.body = end + 4;
        answer.length = all - (size_t)(answer.body - answer.all);
    }
    return answer;
}

struct web_answer web_get(const struct web_server *server, const char *target, const char *lines)
{
    char *request = files_path("GET %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n%s\r\n", target,
                               server->port, lines);
    struct web_answer answer = web_say(server, request, strlen(request));
    free(request);
    return answer;
}

struct web_answer web_post(const struct web_server *server, const char *target, const char *lines, const char *body)
{
    char *request = files_path("POST %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\nContent-Length: %zu\r\n"
                               "%s\r\n%s",
                               target, server->port, strlen(body), lines, body);
    struct web_answer answer = web_say(server, request, strlen(request));
    free(request);
    return answer;
}

void web_answer_finish(struct web_answer *answer)
{
    free(answer->all);
}

struct web_answer web_expect(int status, const struct web_server *server, const char *target, const char *lines)
{
    struct web_answer answer = web_get(server, target, lines);
    ck_assert_msg(answer.status == status, "%s: %d instead of %d\n%.2000s", target, answer.status, status, answer.all);
    return answer;
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

struct web_stream {
    int client;
    struct buffer heard; /* since it was taken last */
    char *taken;
};

struct web_stream *web_stream_open(const struct web_server *server, const char *target, const char *lines)
{
    struct web_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        support_fail("out of memory");
    }
    char *request = files_path("GET %s HTTP/1.1\r\nHost: localhost:%d\r\n%s\r\n", target, server->port, lines);
    stream->client = call(server);
    ck_assert_int_eq(send(stream->client, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    free(request);
    return stream;
}

static ssize_t hear_more(struct web_stream *stream)
{
    char piece[4096];
    ssize_t count = recv(stream->client, piece, sizeof(piece), 0);
    if (count > 0) {
        buffer_append(&stream->heard, piece, (size_t)count);
    }
    return count;
}

const char *web_stream_hear(struct web_stream *stream, const char *text)
{
    const char *found;
    while ((found = strstr(buffer_text(&stream->heard), text)) == NULL) {
        ssize_t count = hear_more(stream);
        ck_assert_msg(count > 0, "no \"%s\": %s", text, buffer_text(&stream->heard));
    }
    size_t length = (size_t)(found - buffer_text(&stream->heard)) + strlen(text);
    free(stream->taken);
    stream->taken = files_path("%.*s", (int)length, buffer_text(&stream->heard));
    stream->heard.length -= length;
    memmove(stream->heard.data, stream->heard.data + length, stream->heard.length + 1);
    return stream->taken;
}

bool web_stream_ends(struct web_stream *stream)
{
    ssize_t count;
    while ((count = hear_more(stream)) > 0) {
    }
    return count == 0;
}

void web_stream_destroy(struct web_stream *stream)
{
    if (stream != NULL) {
        close(stream->client);
        buffer_finish(&stream->heard);
        free(stream->taken);
        free(stream);
    }
}
