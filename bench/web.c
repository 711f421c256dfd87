/* SPDX-License-Identifier: PostgreSQL */
/* Viewers of pgchime-web: each has a stream, and reads what that says has changed. Prints what script/bench web shows.
 *
 * web SOCKET TOKEN VIEWERS SECONDS: through a socket of Unix, as behind a proxy. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#define PATHS_MAX 4
#define TIMES_MAX 2000000

/* What one page of the browser follows. */
static const char *const mixes[][PATHS_MAX] = {
    {"/databases", "/d/main/jobs", "/d/main/runs?limit=200", "/d/main/alerts"},
    {"/databases", "/d/main/jobs", "/d/main/alerts", NULL},
    {"/databases", "/d/main/job/j00000", "/d/main/job/j00000/runs?limit=300", "/d/main/job/j00000/why"},
    {"/databases", "/d/main/runs?limit=100", "/d/main/alerts", NULL},
    {"/databases", "/d/main/views", "/d/main/alerts", NULL},
};

struct viewer {
    int stream;
    int page; /* the connection that asks */
    struct buffer events;
    struct buffer answer;
    const char *const *paths;
    bool wanted[PATHS_MAX];
    char tags[PATHS_MAX][80];
    size_t asking; /* PATHS_MAX: nothing */
    instant asked_at;
};

static double *times; /* ms */
static size_t time_count;
static size_t unchanged;
static size_t bytes;
static const char *token;

static int call(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (client < 0 || connect(client, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        fatal("cannot connect to %s: %s", path, strerror(errno));
    }
    return client;
}

static void say(int client, const char *target, const char *tag)
{
    char *text = xasprintf("GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nAccept-Encoding: gzip\r\n"
                           "%s%s%s\r\n",
                           target, token, tag[0] != '\0' ? "If-None-Match: " : "", tag, tag[0] != '\0' ? "\r\n" : "");
    if (send(client, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text)) {
        fatal("a request was not taken");
    }
    free(text);
}

static void begin(struct viewer *viewer, const char *path, size_t number)
{
    struct buffer target = {0};
    viewer->paths = mixes[number % (sizeof(mixes) / sizeof(mixes[0]))];
    viewer->asking = PATHS_MAX;
    viewer->stream = call(path);
    viewer->page = call(path);
    buffer_puts(&target, "/api/v1/stream?topics=");
    for (size_t i = 0; i < PATHS_MAX && viewer->paths[i] != NULL; i++) {
        for (const char *c = viewer->paths[i]; *c != '\0'; c++) {
            buffer_printf(&target, *c == '?' || *c == '=' || *c == '&' ? "%%%02X" : "%c", *c);
        }
        buffer_puts(&target, "%20");
    }
    say(viewer->stream, buffer_text(&target), "");
    buffer_finish(&target);
}

static void ask_next(struct viewer *viewer)
{
    for (size_t i = 0; viewer->asking == PATHS_MAX && i < PATHS_MAX; i++) {
        if (viewer->wanted[i]) {
            char *target = xasprintf("/api/v1%s", viewer->paths[i]);
            viewer->wanted[i] = false;
            viewer->asking = i;
            viewer->asked_at = clock_boot();
            say(viewer->page, target, viewer->tags[i]);
            free(target);
        }
    }
}

static void hear(int client, struct buffer *heard)
{
    char piece[65536];
    ssize_t count = recv(client, piece, sizeof(piece), 0);
    if (count <= 0) {
        fatal("the server ended a connection: %.300s", buffer_text(heard));
    }
    buffer_append(heard, piece, (size_t)count);
    bytes += (size_t)count;
}

static void hear_event(struct viewer *viewer)
{
    hear(viewer->stream, &viewer->events);
    const char *end;
    while ((end = strstr(buffer_text(&viewer->events), "\n\n")) != NULL) {
        size_t length = (size_t)(end - buffer_text(&viewer->events)) + 2;
        char *event = xstrndup(buffer_text(&viewer->events), length);
        for (size_t i = 0; i < PATHS_MAX && viewer->paths[i] != NULL; i++) {
            char *key = xasprintf("\"%s\":", viewer->paths[i]);
            viewer->wanted[i] = viewer->wanted[i] || strstr(event, key) != NULL;
            free(key);
        }
        free(event);
        viewer->events.length -= length;
        memmove(viewer->events.data, viewer->events.data + length, viewer->events.length + 1);
    }
}

/* Whether the answer is whole. */
static bool take_answer(struct viewer *viewer)
{
    const char *text = buffer_text(&viewer->answer);
    const char *head = strstr(text, "\r\n\r\n");
    const char *length = strstr(text, "Content-Length: ");
    const char *tag = strstr(text, "ETag: ");
    if (head == NULL) {
        return false;
    }
    size_t wanted = (size_t)(head - text) + 4;
    wanted += length != NULL && length < head ? strtoul(length + 16, NULL, 10) : 0;
    if (viewer->answer.length < wanted) {
        return false;
    }
    if (strncmp(text, "HTTP/1.1 200", 12) != 0 && strncmp(text, "HTTP/1.1 304", 12) != 0) {
        fatal("%.500s", text);
    }
    unchanged += strncmp(text, "HTTP/1.1 304", 12) == 0 ? 1 : 0;
    if (tag != NULL && tag < head) {
        snprintf(viewer->tags[viewer->asking], sizeof(viewer->tags[0]), "%.*s", (int)strcspn(tag + 6, "\r"), tag + 6);
    }
    return true;
}

static void hear_answer(struct viewer *viewer)
{
    hear(viewer->page, &viewer->answer);
    if (viewer->asking < PATHS_MAX && take_answer(viewer)) {
        if (time_count < TIMES_MAX) {
            times[time_count++] = (double)(clock_boot() - viewer->asked_at) / USEC_PER_MSEC;
        }
        viewer->answer.length = 0;
        viewer->asking = PATHS_MAX;
    }
}

static int compare(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

static void look(struct viewer *viewers, size_t count, instant until)
{
    struct pollfd *polls = xcalloc(2 * count, sizeof(*polls));
    while (clock_boot() < until) {
        for (size_t i = 0; i < count; i++) {
            ask_next(&viewers[i]);
            polls[2 * i] = (struct pollfd){.fd = viewers[i].stream, .events = POLLIN};
            /* One that is idle is closed by the server after a while: it is called again by who needs it. */
            polls[2 * i + 1] = (struct pollfd){.fd = viewers[i].asking < PATHS_MAX ? viewers[i].page : -1,
                                               .events = POLLIN};
        }
        poll(polls, 2 * count, 100);
        for (size_t i = 0; i < count; i++) {
            if (polls[2 * i].revents != 0) {
                hear_event(&viewers[i]);
            }
            if (polls[2 * i + 1].revents != 0) {
                hear_answer(&viewers[i]);
            }
        }
    }
    free(polls);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fatal("web SOCKET TOKEN VIEWERS SECONDS");
    }
    size_t count = strtoul(argv[3], NULL, 10);
    long seconds = strtol(argv[4], NULL, 10);
    struct viewer *viewers = xcalloc(count, sizeof(*viewers));
    token = argv[2];
    times = xcalloc(TIMES_MAX, sizeof(*times));
    for (size_t i = 0; i < count; i++) {
        begin(&viewers[i], argv[1], i);
    }
    look(viewers, count, clock_boot() + seconds * USEC_PER_SEC);
    qsort(times, time_count, sizeof(*times), compare);
    if (time_count == 0) {
        fatal("nothing was answered");
    }
    printf("%zu %zu %.2f %.2f %.1f\n", time_count, unchanged, times[time_count / 2], times[time_count * 99 / 100],
           (double)bytes / 1024 / (double)seconds);
    return 0;
}
