/* SPDX-License-Identifier: PostgreSQL */
#include "pg/session_reset.h"

#include "base/memory.h"

static const struct pg_statement settings[] = {{.name = "chime_reset_all", .sql = "RESET ALL"}};

static const struct pg_statement all[] = {{.sql = "DISCARD ALL"}};

void pg_reset_session(struct pg_connection *connection, enum session_reset reset, pg_callback *callback, void *data)
{
    switch (reset) {
    case RESET_NONE:
        break;
    case RESET_SETTINGS:
        pg_send(connection, settings, COUNT_OF(settings), callback, data);
        break;
    case RESET_ALL:
        pg_forget_prepared(connection);
        pg_send(connection, all, COUNT_OF(all), callback, data);
        break;
    }
}
