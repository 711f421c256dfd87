/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include "daemon/control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#define CALLERS_MAX 16
#define SPEAK_WITHIN (5 * USEC_PER_SEC)

struct control_caller {
    struct control *control;
    struct control_caller *next;
    int socket; /* -1 once it is gone; the caller is freed when it was answered */
    struct loop_watch *watch;
    struct loop_timer *timer;
    bool asked;
    bool answered;
    struct buffer text; /* the request, then what is left of the answer */
    size_t sent;
};

struct control {
    struct loop *loop;
    char *path;
    struct stat file; /* what stands there while it is ours */
    int socket;
    struct loop_watch *watch;
    control_callback *callback;
    void *data;
    struct control_caller *callers;
    int count;
};

static bool put_path(struct sockaddr_un *address, const char *path, struct error *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address->sun_path)) {
        error_set(err, ERROR_CONFIG, "control socket %s: its path is longer than %zu bytes", path,
                  sizeof(address->sun_path) - 1);
        return error_hint(err, "write a shorter control_socket = \"...\"; in the configuration");
    }
    memcpy(address->sun_path, path, strlen(path));
    return true;
}

/* --- callers ------------------------------------------------------------------------------------------------------ */

static void hang_up(struct control_caller *caller)
{
    if (caller->socket >= 0) {
        loop_watch_destroy(caller->watch);
        loop_timer_destroy(caller->timer);
        close(caller->socket);
        caller->socket = -1;
        caller->control->count--;
    }
    if (caller->asked && !caller->answered) {
        return; /* somebody is still to answer it */
    }
    struct control_caller **link = &caller->control->callers;
    while (*link != caller) {
        link = &(*link)->next;
    }
    *link = caller->next;
    buffer_finish(&caller->text);
    free(caller);
}

static void silent(void *data)
{
    hang_up(data);
}

static void send_more(struct control_caller *caller)
{
    ssize_t count = send(caller->socket, buffer_text(&caller->text) + caller->sent, caller->text.length - caller->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
        hang_up(caller);
        return;
    }
    caller->sent += count > 0 ? (size_t)count : 0;
    if (caller->sent == caller->text.length) {
        hang_up(caller);
    } else {
        loop_watch_set(caller->watch, false, true);
    }
}

static void hear(struct control_caller *caller)
{
    char bytes[CONTROL_REQUEST_MAX];
    ssize_t count = recv(caller->socket, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (count == 0 && caller->asked) { /* it has said everything, as `nc -N` does: sending shows whether it is gone */
        loop_watch_set(caller->watch, false, false);
        return;
    }
    if (count <= 0 || caller->asked) {
        hang_up(caller);
        return;
    }
    buffer_append(&caller->text, bytes, (size_t)count);
    char *end = memchr(caller->text.data, '\n', caller->text.length);
    size_t length = end != NULL ? (size_t)(end - caller->text.data) : caller->text.length;
    if (length > CONTROL_REQUEST_MAX) {
        hang_up(caller);
    } else if (end != NULL) {
        *end = '\0';
        char *request = xstrdup(caller->text.data);
        buffer_clear(&caller->text);
        caller->asked = true;
        loop_timer_clear(caller->timer);
        caller->control->callback(caller->control->data, request, caller);
        free(request);
    }
}

static void caller_ready(void *data, bool readable, bool writable)
{
    struct control_caller *caller = data;
    if (writable && caller->answered) {
        send_more(caller);
    } else if (readable) {
        hear(caller);
    }
}

void control_answer(struct control_caller *caller, const char *text)
{
    caller->answered = true;
    if (caller->socket < 0) {
        hang_up(caller);
        return;
    }
    buffer_puts(&caller->text, text);
    loop_timer_set(caller->timer, SPEAK_WITHIN);
    send_more(caller);
}

/* The socket's mode keeps others out; this keeps out whoever a changed mode let in. */
static bool is_welcome(int socket)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static void called(void *data, bool readable, bool writable)
{
    struct control *control = data;
    (void)readable;
    (void)writable;
    int socket = accept4(control->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0) {
        return;
    }
    if (control->count == CALLERS_MAX || !is_welcome(socket)) {
        close(socket);
        return;
    }
    struct control_caller *caller = xcalloc(1, sizeof(*caller));
    *caller = (struct control_caller){.control = control, .next = control->callers, .socket = socket};
    control->callers = caller;
    control->count++;
    caller->watch = loop_watch_create(control->loop, socket, caller_ready, caller);
    caller->timer = loop_timer_create(control->loop, silent, caller);
    loop_watch_set(caller->watch, true, false);
    loop_timer_set(caller->timer, SPEAK_WITHIN);
}

/* --- listening ---------------------------------------------------------------------------------------------------- */

static bool is_listened_to(const struct sockaddr_un *address)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answered = probe >= 0 && (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
                                   errno == EAGAIN || errno == EACCES);
    if (probe >= 0) {
        close(probe);
    }
    return answered;
}

static bool is_socket(const char *path)
{
    struct stat file;
    return lstat(path, &file) == 0 && S_ISSOCK(file.st_mode);
}

static int open_socket(const struct sockaddr_un *address, struct error *err)
{
    if (is_listened_to(address)) {
        error_set(err, ERROR_REFUSED, "control socket %s: another daemon listens there", address->sun_path);
        error_hint(err, "give each daemon of this machine a control_socket of its own");
        return -1;
    }
    if (is_socket(address->sun_path)) {
        unlink(address->sun_path); /* of a daemon that was killed */
    }
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t usual = umask(0177);
    bool bound = listener >= 0 && bind(listener, (const struct sockaddr *)address, sizeof(*address)) == 0;
    umask(usual);
    if (!bound || listen(listener, CALLERS_MAX) != 0) {
        error_set(err, ERROR_FAILED, "control socket %s: %s", address->sun_path, strerror(errno));
        error_hint(err, "write control_socket = \"...\"; in a folder that the daemon may write to; SIGHUP reloads too");
        if (listener >= 0) {
            close(listener);
        }
        return -1;
    }
    return listener;
}

static bool listen_at(struct control *control, const char *path, struct error *err)
{
    struct sockaddr_un address;
    control->socket = put_path(&address, path, err) ? open_socket(&address, err) : -1;
    if (control->socket < 0) {
        return false;
    }
    control->path = xstrdup(path);
    if (lstat(path, &control->file) != 0) {
        control->file = (struct stat){0};
    }
    control->watch = loop_watch_create(control->loop, control->socket, called, control);
    loop_watch_set(control->watch, true, false);
    return true;
}

static void close_socket(const struct control *control)
{
    loop_watch_destroy(control->watch);
    close(control->socket);
    struct stat file;
    if (lstat(control->path, &file) == 0 && file.st_ino == control->file.st_ino &&
        file.st_dev == control->file.st_dev) {
        unlink(control->path); /* else it is another daemon's, that found ours dead */
    }
    free(control->path);
}

struct control *control_listen(struct loop *loop, const char *path, control_callback *callback, void *data,
                               struct error *err)
{
    struct control *control = xcalloc(1, sizeof(*control));
    *control = (struct control){.loop = loop, .callback = callback, .data = data};
    if (!listen_at(control, path, err)) {
        free(control);
        return NULL;
    }
    return control;
}

bool control_move(struct control *control, const char *path, struct error *err)
{
    struct control old = *control;
    if (!listen_at(control, path, err)) {
        *control = old;
        return false;
    }
    close_socket(&old);
    return true;
}

const char *control_path(const struct control *control)
{
    return control->path;
}

void control_close(struct control *control)
{
    if (control == NULL) {
        return;
    }
    struct control_caller *caller = control->callers;
    while (caller != NULL) {
        struct control_caller *next = caller->next;
        caller->answered = true;
        hang_up(caller);
        caller = next;
    }
    close_socket(control);
    free(control);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static bool refuse_silence(struct error *err, const char *path, const char *why)
{
    error_set(err, ERROR_UNREACHABLE, "no daemon answers on %s: %s", path, why);
    return error_hint(err, "is `pgchime serve` running with this configuration, as you or as a user you may act for?");
}

static bool read_answer(int socket, const char *path, instant deadline, char **answer, struct error *err)
{
    struct buffer text = {0};
    char bytes[4096];
    for (;;) {
        struct pollfd ready = {.fd = socket, .events = POLLIN};
        duration left = deadline - clock_boot();
        if (left <= 0 || poll(&ready, 1, (int)(left / USEC_PER_MSEC) + 1) == 0) {
            buffer_finish(&text);
            return refuse_silence(err, path, "it took too long");
        }
        ssize_t count = read(socket, bytes, sizeof(bytes));
        if (count == 0) {
            *answer = buffer_take(&text);
            return true;
        }
        if (count < 0 && errno != EINTR) {
            buffer_finish(&text);
            return refuse_silence(err, path, strerror(errno));
        }
        buffer_append(&text, bytes, count > 0 ? (size_t)count : 0);
    }
}

bool control_ask(const char *path, const char *request, duration patience, char **answer, struct error *err)
{
    struct sockaddr_un address;
    if (!put_path(&address, path, err)) {
        return false;
    }
    int caller = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char *line = xasprintf("%s\n", request);
    bool asked = caller >= 0 && connect(caller, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                 send(caller, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line);
    bool ok = asked ? read_answer(caller, path, clock_boot() + patience, answer, err)
                    : refuse_silence(err, path, strerror(errno));
    free(line);
    if (caller >= 0) {
        close(caller);
    }
    return ok;
}
