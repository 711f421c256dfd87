/* SPDX-License-Identifier: PostgreSQL */
#include "support/pg/opened.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "loop/resolve.h"

/* --- a resolver that answers when the test says so ---------------------------------------------------------------- */

struct resolver_query {
    char host[64];
    resolve_callback *callback;
    void *data;
};

static struct resolver_query *asked;
int cancelled;

struct resolver_query *resolve(struct resolver *resolver, const char *host, resolve_callback *callback, void *data)
{
    ck_assert_ptr_null(resolver);
    ck_assert_msg(asked == NULL, "two names are looked up at once");
    asked = xcalloc(1, sizeof(*asked));
    snprintf(asked->host, sizeof(asked->host), "%s", host);
    asked->callback = callback;
    asked->data = data;
    return asked;
}

void resolver_query_cancel(struct resolver_query *query)
{
    ck_assert_ptr_eq(query, asked);
    free(query);
    asked = NULL;
    cancelled++;
}

void answer_name(const char *host, const char *const *addresses, size_t count)
{
    ck_assert_msg(asked != NULL, "nobody asked for %s", host);
    struct resolver_query query = *asked;
    ck_assert_str_eq(query.host, host);
    free(asked);
    asked = NULL;
    query.callback(query.data, addresses, count, count > 0 ? NULL : "nodename nor servname provided, or not known");
}

/* --- a connection whose events are counted ------------------------------------------------------------------------ */

int ready;
int notified;
char channel[32];
char payload[32];
bool close_when_ready;
bool close_when_notified;
int log_lines;
char log_line[1024];

void close_it(void)
{
    pg_close(connection);
    connection = NULL;
}

static void on_ready(void *data)
{
    ck_assert_ptr_eq(data, &connection);
    ready++;
    if (close_when_ready) {
        close_it();
    }
}

static void on_closed(void *data, const struct error *why)
{
    ck_assert_ptr_eq(data, &connection);
    closed++;
    reason = *why;
    if (close_when_closed) {
        close_it();
    }
}

static void on_notified(void *data, const char *from, const char *what)
{
    ck_assert_ptr_eq(data, &connection);
    notified++;
    snprintf(channel, sizeof(channel), "%s", from);
    snprintf(payload, sizeof(payload), "%s", what);
    if (close_when_notified) {
        close_it();
    }
}

const struct pg_handlers handlers = {.ready = on_ready, .closed = on_closed, .notified = on_notified};
const struct pg_handlers deaf = {.ready = on_ready, .closed = on_closed};

static void keep_line(const char *line, void *unused)
{
    (void)unused;
    log_lines++;
    snprintf(log_line, sizeof(log_line), "%s", line);
}

void opened_set_up(void)
{
    script_start();
    ready = closed = notified = cancelled = log_lines = 0;
    close_when_ready = close_when_closed = close_when_notified = false;
    log_capture(keep_line, NULL);
    loop = loop_create();
}

void opened_tear_down(void)
{
    close_it();
    settle(loop);
    loop_destroy(loop);
    ck_assert_ptr_null(asked);
    log_capture(NULL, NULL);
    script_finish();
}

void open_as(const char *conninfo, const struct pg_handlers *with)
{
    struct pg_target target = {
        .conninfo = conninfo, .application_name = "pgchime", .connect_timeout = 10 * USEC_PER_SEC};
    connection = pg_open(loop, NULL, &target, with, &connection);
    ck_assert_msg(ready == 0 && closed == 0, "an event came before pg_open returned");
    settle(loop);
}

void open_target(const struct pg_target *target)
{
    connection = pg_open(loop, NULL, target, &handlers, &connection);
    settle(loop);
}

void expect_closed(const char *message)
{
    ck_assert_int_eq(closed, 1);
    ck_assert_int_eq(reason.kind, ERROR_UNREACHABLE);
    ck_assert_str_eq(reason.message, message);
    ck_assert(!pg_is_ready(connection));
}
