/* SPDX-License-Identifier: PostgreSQL */
#include "loop/supervisor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/buffer.h"
#include "base/memory.h"

struct supervisor {
    char *socket;      /* NULL: nobody listens */
    duration watchdog; /* 0: none */
    struct loop_timer *timer;
    char *status;
};

static void tell(struct supervisor *supervisor, const char *message)
{
    if (supervisor->socket != NULL) {
        setenv("NOTIFY_SOCKET", supervisor->socket, 1);
        sd_notify(true, message); /* what nobody hears is no fault of ours */
    }
}

static void feed(void *data)
{
    struct supervisor *supervisor = data;
    tell(supervisor, "WATCHDOG=1");
    loop_timer_set(supervisor->timer, supervisor->watchdog / 2);
}

struct supervisor *supervisor_create(struct loop *loop)
{
    struct supervisor *supervisor = xcalloc(1, sizeof(*supervisor));
    const char *socket = getenv("NOTIFY_SOCKET");
    uint64_t usec = 0;
    if (sd_watchdog_enabled(true, &usec) > 0) {
        supervisor->watchdog = usec < USEC_PER_DAY ? (duration)usec : USEC_PER_DAY;
    }
    if (socket != NULL) {
        supervisor->socket = xstrdup(socket);
        unsetenv("NOTIFY_SOCKET");
    }
    supervisor->timer = loop_timer_create(loop, feed, supervisor);
    return supervisor;
}

void supervisor_destroy(struct supervisor *supervisor)
{
    if (supervisor != NULL) {
        loop_timer_destroy(supervisor->timer);
        free(supervisor->socket);
        free(supervisor->status);
        free(supervisor);
    }
}

void supervisor_ready(struct supervisor *supervisor)
{
    tell(supervisor, "READY=1");
    if (supervisor->socket != NULL && supervisor->watchdog > 0) {
        feed(supervisor);
    }
}

void supervisor_reloading(struct supervisor *supervisor)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    char *message = xasprintf("RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                              (int64_t)now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000);
    tell(supervisor, message);
    free(message);
}

void supervisor_stopping(struct supervisor *supervisor)
{
    tell(supervisor, "STOPPING=1");
}

void supervisor_status(struct supervisor *supervisor, const char *text)
{
    if (supervisor->socket == NULL || (supervisor->status != NULL && strcmp(supervisor->status, text) == 0)) {
        return;
    }
    free(supervisor->status);
    supervisor->status = xstrdup(text);
    struct buffer message = {0};
    buffer_puts(&message, "STATUS=");
    for (const char *c = text; *c != '\0'; c++) {
        buffer_putc(&message, *c == '\n' ? ' ' : *c); /* a line break would begin another assignment */
    }
    tell(supervisor, buffer_text(&message));
    buffer_finish(&message);
}
