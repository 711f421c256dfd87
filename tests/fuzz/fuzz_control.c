/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

/* Says any bytes on the control socket, in pieces of any size. What must hold: the first line is heard if it is no
 * longer than one may be, nothing else is, however the pieces lie; and exactly who was heard is answered. The first
 * byte: how long the pieces are. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "daemon/control.h"

#define ANSWER "yes"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static struct loop *loop;
static struct control *control;
static struct loop_timer *timer;
static char *heard;

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void asked(void *data, const char *request, struct control_caller *caller)
{
    (void)data;
    require(heard == NULL);
    heard = xstrdup(request);
    control_answer(caller, ANSWER);
}

static void stop(void *data)
{
    (void)data;
    loop_stop(loop);
}

static void close_all(void)
{
    control_close(control);
    loop_timer_destroy(timer);
    loop_destroy(loop);
}

static void listen_once(void)
{
    struct error err;
    if (control != NULL) {
        return;
    }
    char *path = xasprintf("/tmp/pgchime-fuzz-%d.sock", (int)getpid());
    loop = loop_create();
    control = control_listen(loop, path, asked, NULL, &err);
    require(control != NULL);
    timer = loop_timer_create(loop, stop, NULL);
    free(path);
    atexit(close_all);
}

/* What is ready is done. */
static void turn(void)
{
    for (int i = 0; i < 2; i++) {
        loop_timer_set(timer, 0);
        loop_run(loop);
    }
}

static int call(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", control_path(control));
    int caller = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    require(caller >= 0 && connect(caller, (struct sockaddr *)&address, sizeof(address)) == 0);
    turn();
    return caller;
}

static void say(int caller, const uint8_t *bytes, size_t length, size_t piece)
{
    for (size_t said = 0; said < length; said += piece) {
        size_t rest = length - said;
        if (send(caller, bytes + said, rest < piece ? rest : piece, MSG_NOSIGNAL) < 0) {
            return;
        }
        turn();
    }
}

static void check_heard(const uint8_t *bytes, size_t length)
{
    const uint8_t *end = length > 0 ? memchr(bytes, '\n', length) : NULL;
    bool is_request = end != NULL && end - bytes <= CONTROL_REQUEST_MAX;
    require(is_request == (heard != NULL));
    require(heard == NULL || strncmp(heard, (const char *)bytes, (size_t)(end - bytes)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length == 0) {
        return 0;
    }
    listen_once();
    int caller = call();
    say(caller, bytes + 1, length - 1, bytes[0] + 1);
    check_heard(bytes + 1, length - 1);
    char answer[sizeof(ANSWER) + 1];
    ssize_t count = recv(caller, answer, sizeof(answer), 0);
    require(heard == NULL ? count <= 0
                          : count == (ssize_t)strlen(ANSWER) && memcmp(answer, ANSWER, (size_t)count) == 0);
    close(caller);
    turn();
    free(heard);
    heard = NULL;
    return 0;
}
