/* SPDX-License-Identifier: PostgreSQL */
#include "support/libpq/libpq_script_session.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct loop *loop;
struct pg_connection *connection;
PGconn *server;
static int answers;
int closed;
struct error reason;
bool close_when_closed;

static void on_ready(void *unused)
{
    (void)unused;
}

static void on_closed(void *unused, const struct error *why)
{
    (void)unused;
    closed++;
    reason = *why;
    if (close_when_closed) {
        pg_close(connection);
        connection = NULL;
    }
}

static const struct pg_handlers handlers = {.ready = on_ready, .closed = on_closed};

void keep(void *data, const struct pg_reply *reply)
{
    struct answer *answer = data;
    answer->calls++;
    answer->turn = ++answers;
    answer->ok = pg_reply_ok(reply);
    answer->lost = pg_reply_lost(reply);
    answer->affected = pg_reply_affected(reply);
    snprintf(answer->sqlstate, sizeof(answer->sqlstate), "%s", pg_reply_sqlstate(reply));
    snprintf(answer->message, sizeof(answer->message), "%s", pg_reply_message(reply));
    snprintf(answer->tag, sizeof(answer->tag), "%s", pg_reply_tag(reply));
    for (size_t i = 0; i < ANSWERED_STATEMENTS; i++) {
        answer->rows[i] = pg_reply_rows(reply, i);
        const char *value = answer->rows[i] > 0 ? pg_reply_value(reply, i, 0, 0) : NULL;
        snprintf(answer->first[i], sizeof(answer->first[i]), "%s", value != NULL ? value : "");
    }
    pg_reply_error(reply, &answer->err);
    if (answer->then_close) {
        pg_close(connection);
        connection = NULL;
    } else if (answer->then_cut) {
        pg_cut(connection);
    } else if (answer->then_send != NULL) {
        send_sql(NULL, answer->then_send, answer);
        answer->then_send = NULL;
    }
}

void send_sql(const char *name, const char *sql, struct answer *answer)
{
    struct pg_statement statement = {.name = name, .sql = sql};
    pg_send(connection, &statement, 1, answer != NULL ? keep : NULL, answer);
}

void session_set_up(void)
{
    answers = 0;
    closed = 0;
    close_when_closed = false;
    script_start();
    loop = loop_create();
    struct pg_target target = {
        .conninfo = "host=/run", .application_name = "pgchime", .connect_timeout = 10 * USEC_PER_SEC};
    connection = pg_open(loop, NULL, &target, &handlers, NULL);
    settle(loop);
    ck_assert(pg_is_ready(connection));
    server = script_connection(0);
}

void session_tear_down(void)
{
    pg_close(connection);
    settle(loop);
    loop_destroy(loop);
    script_finish();
}
