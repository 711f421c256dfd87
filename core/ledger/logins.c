/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/logins.h"

#include "base/memory.h"
#include "ledger/answers.h"
#include "ledger/columns.h"

static const char *allow_text(enum config_login rule)
{
    return rule == LOGIN_ANY ? "t" : rule == LOGIN_NEVER ? "f" : NULL;
}

void logins_write(const struct ledger *ledger, const struct login *logins, size_t count, pg_callback *callback,
                  void *data)
{
    struct columns columns;
    columns_init(&columns);
    for (size_t i = 0; i < count; i++) {
        columns_text(&columns, 0, logins[i].role);
        columns_text(&columns, 1, allow_text(logins[i].rule));
        columns_text(&columns, 2, logins[i].user);
        columns_int(&columns, 3, logins[i].max_jobs);
    }
    columns_close(&columns);
    const char *parameters[] = {ledger->token, columns.values[0], columns.values[1], columns.values[2],
                                columns.values[3]};
    ledger_send_one(ledger, NULL, "SELECT chime.note_logins($1, $2, $3, $4, $5)", COUNT_OF(parameters), parameters,
                    callback, data);
    columns_finish(&columns);
}

void logins_ask(const struct ledger *ledger, const char *const *roles, size_t count, pg_callback *callback, void *data)
{
    struct columns columns;
    columns_init(&columns);
    for (size_t i = 0; i < count; i++) {
        columns_text(&columns, 0, roles[i]);
    }
    columns_close(&columns);
    ledger_send_one(ledger, NULL,
                    "SELECT r, EXISTS (SELECT FROM pg_catalog.pg_roles p WHERE p.rolname OPERATOR(pg_catalog.=) r),"
                    " chime.login_problem(r) FROM pg_catalog.unnest($1::pg_catalog.name[]) r",
                    1, columns.values, callback, data);
    columns_finish(&columns);
}

size_t logins_count(const struct pg_reply *reply)
{
    return pg_reply_rows(reply, 0);
}

struct login logins_read(const struct pg_reply *reply, size_t index)
{
    return (struct login){.role = pg_reply_value(reply, 0, index, 0),
                          .exists = answer_is_true(pg_reply_value(reply, 0, index, 1)),
                          .problem = pg_reply_value(reply, 0, index, 2)};
}
