/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/listening.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "ledger/columns.h"

#define NUMBER_SIZE 24

static void add_names(struct columns *columns, size_t column, const struct name_list *names)
{
    for (size_t i = 0; i < names->count; i++) {
        columns_text(columns, column, names->items[i]);
    }
}

void listening_listen(struct pg_connection *session, const struct name_list *added, const struct name_list *gone,
                      pg_callback *callback, void *data)
{
    struct columns columns;
    columns_init(&columns);
    add_names(&columns, 0, added);
    columns_text(&columns, 0, LISTENING_PROBE);
    add_names(&columns, 1, gone);
    columns_close(&columns);
    pg_send_one(session, NULL, "SELECT chime.listen($1, $2)", 2, columns.values, callback, data);
    columns_finish(&columns);
}

/* Asking for its usage is also what lets a full queue move on once nobody holds it any more: the server looks only when
 * a notification was taken in, and a full queue takes none. */
void listening_probe(struct pg_connection *session, const char *payload, pg_callback *callback, void *data)
{
    pg_send_one(session, NULL,
                "SELECT pg_catalog.pg_notification_queue_usage(), pg_catalog.pg_notify('" LISTENING_PROBE "', $1)", 1,
                &payload, callback, data);
}

void listening_queue(struct pg_connection *session, pg_callback *callback, void *data)
{
    pg_send_one(session, "chime_queue", "SELECT pg_catalog.pg_notification_queue_usage() OPERATOR(pg_catalog.>=) 0.5",
                0, NULL, callback, data);
}

bool listening_read_queue(const struct pg_reply *reply)
{
    return pg_reply_value(reply, 0, 0, 0)[0] == 't';
}

void listening_ping(struct pg_connection *session, pg_callback *callback, void *data)
{
    pg_send_one(session, "chime_ping", "SELECT NULL WHERE false", 0, NULL, callback, data);
}

/* --- looks -------------------------------------------------------------------------------------------------------- */

void listening_check_closely(struct pg_connection *session, const struct name_list *views, const duration *targets,
                             bool inherits, pg_callback *callback, void *data)
{
    struct columns columns;
    char target[NUMBER_SIZE + 8];
    columns_init(&columns);
    add_names(&columns, 0, views);
    for (size_t i = 0; i < views->count; i++) {
        snprintf(target, sizeof(target), "%lld us", (long long)targets[i]);
        columns_text(&columns, 1, target);
    }
    columns_close(&columns);
    struct pg_statement statements[] = {
        {.name = "chime_check_closely",
         .sql = "SELECT v FROM chime.check_closely($1, $2) v",
         .parameter_count = 2,
         .parameters = columns.values},
        {.name = "chime_change_check_statement",
         .sql = "SELECT chime.change_check_statement($1)",
         .parameter_count = 1,
         .parameters = columns.values},
        {.name = "chime_downstream_lags", .sql = "SELECT l.job_id, l.lag_us FROM chime.downstream_lags() AS l"}};
    pg_send(session, statements, COUNT_OF(statements) - (inherits ? 0 : 1), callback, data);
    columns_finish(&columns);
}

size_t listening_lag_count(const struct pg_reply *reply)
{
    return pg_reply_rows(reply, 2);
}

duration listening_lag(const struct pg_reply *reply, size_t index, int64_t *job_id)
{
    const char *lag = pg_reply_value(reply, 2, index, 1);
    *job_id = strtoll(pg_reply_value(reply, 2, index, 0), NULL, 10);
    return lag != NULL ? strtoll(lag, NULL, 10) : 0;
}

const char *listening_read_statement(const struct pg_reply *reply)
{
    return pg_reply_value(reply, 1, 0, 0);
}

void listening_check(struct pg_connection *session, const char *statement, pg_callback *callback, void *data)
{
    pg_send_one(session, "chime_change_check", statement, 0, NULL, callback, data);
}

void listening_forget_check(struct pg_connection *session)
{
    pg_send_one(session, NULL, "DEALLOCATE ALL", 0, NULL, NULL, NULL);
    pg_forget_prepared(session);
}

size_t listening_count(const struct pg_reply *reply)
{
    return pg_reply_rows(reply, 0);
}

const char *listening_view(const struct pg_reply *reply, size_t index)
{
    return pg_reply_value(reply, 0, index, 0);
}

/* --- the session itself ------------------------------------------------------------------------------------------- */

void listening_note_listener(const struct ledger *ledger, const struct pg_identity *session, pg_callback *callback,
                             void *data)
{
    char pid[NUMBER_SIZE];
    snprintf(pid, sizeof(pid), "%d", session->pid);
    const char *parameters[] = {ledger->token, pid, session->backend_start};
    ledger_send_one(ledger, NULL, "SELECT chime.note_listener($1, $2, $3)", COUNT_OF(parameters), parameters, callback,
                    data);
}

void listening_end_listener(const struct ledger *ledger, pg_callback *callback, void *data)
{
    const char *parameters[] = {ledger->token};
    ledger_send_one(ledger, NULL, "SELECT chime.end_listener($1)", COUNT_OF(parameters), parameters, callback, data);
}

/* --- for people --------------------------------------------------------------------------------------------------- */

void listening_note(const struct ledger *ledger, enum listening_state state, const char *reason, int pid,
                    const struct name_list *channels, const struct name_list *views, pg_callback *callback, void *data)
{
    static const char *const states[] = {
        [LISTENING_OFF] = "off", [LISTENING_ON] = "listening", [LISTENING_DEGRADED] = "degraded"};
    struct columns columns;
    char number[NUMBER_SIZE];
    snprintf(number, sizeof(number), "%d", pid);
    columns_init(&columns);
    add_names(&columns, 0, channels);
    add_names(&columns, 1, views);
    columns_close(&columns);
    const char *parameters[] = {ledger->token,     states[state],    reason, pid != 0 ? number : NULL,
                                columns.values[0], columns.values[1]};
    ledger_send_one(ledger, NULL, "SELECT chime.note_listener_state($1, $2, $3, $4, $5, $6)", COUNT_OF(parameters),
                    parameters, callback, data);
    columns_finish(&columns);
}

void listening_note_behind(const struct ledger *ledger, const char *const *views, const instant *since, size_t count,
                           pg_callback *callback, void *data)
{
    struct columns columns;
    columns_init(&columns);
    for (size_t i = 0; i < count; i++) {
        columns_text(&columns, 0, views[i]);
        columns_instant(&columns, 1, since[i]);
    }
    columns_close(&columns);
    ledger_send_one(ledger, NULL, "SELECT chime.note_behind($1, $2)", 2, columns.values, callback, data);
    columns_finish(&columns);
}
