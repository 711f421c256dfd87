/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/notifying.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ledger/answers.h"

void notifying_set_sinks(const struct ledger *ledger, const char *sinks, pg_callback *callback, void *data)
{
    const char *parameters[] = {ledger->token, sinks};
    ledger_send_one(ledger, NULL, "SELECT chime.set_sinks($1, $2)", COUNT_OF(parameters), parameters, callback, data);
}

void notifying_take(const struct ledger *ledger, const struct columns *busy, int most, pg_callback *callback,
                    void *data)
{
    char limit[16];
    snprintf(limit, sizeof(limit), "%d", most);
    const char *parameters[] = {ledger->token, busy->values[0], limit};
    const struct pg_statement statements[] = {
        {.name = "chime_take_notifications",
         .sql = "SELECT notification_id, sink, attempt, again, body FROM chime.take_notifications($1, $2, $3)",
         .parameter_count = 3,
         .parameters = parameters},
        {.name = "chime_next_notification",
         .sql = "SELECT chime.next_notification($1)",
         .parameter_count = 1,
         .parameters = parameters + 1}};
    pg_send(ledger->connection, statements, COUNT_OF(statements), callback, data);
}

size_t notifying_count(const struct pg_reply *reply)
{
    return pg_reply_rows(reply, 0);
}

struct notification notifying_read(const struct pg_reply *reply, size_t index)
{
    return (struct notification){.number = pg_reply_value(reply, 0, index, 0),
                                 .sink = pg_reply_value(reply, 0, index, 1),
                                 .attempt = atoi(pg_reply_value(reply, 0, index, 2)),
                                 .again = answer_is_true(pg_reply_value(reply, 0, index, 3)),
                                 .body = pg_reply_value(reply, 0, index, 4)};
}

duration notifying_next(const struct pg_reply *reply)
{
    const char *text = pg_reply_value(reply, 1, 0, 0);
    int64_t length;
    if (text == NULL || !parse_int64(text, INT64_MIN, INT64_MAX, &length)) {
        return -1;
    }
    return length < 0 ? 0 : length;
}

void notifying_note(const struct ledger *ledger, const char *number, const char *problem, bool refused,
                    pg_callback *callback, void *data)
{
    const char *parameters[] = {ledger->token, number, problem, refused ? "true" : "false"};
    pg_send_one(ledger->connection, "chime_note_delivery", "SELECT chime.note_delivery($1, $2, $3, $4)",
                COUNT_OF(parameters), parameters, callback, data);
}

bool notifying_expired(const struct pg_reply *reply)
{
    const char *state = pg_reply_value(reply, 0, 0, 0);
    return state != NULL && strcmp(state, "expired") == 0;
}
