#include "pg/wipe.h"

#include "base/memory.h"

static const struct pg_statement settings[] = {{.name = "chime_reset_all", .sql = "RESET ALL"}};

static const struct pg_statement all[] = {{.sql = "DISCARD ALL"}};

void pg_wipe(struct pg_connection *connection, enum wipe wipe, pg_callback *callback, void *data)
{
    switch (wipe) {
    case WIPE_NONE:
        break;
    case WIPE_SETTINGS:
        pg_send(connection, settings, COUNT_OF(settings), callback, data);
        break;
    case WIPE_ALL:
        pg_forget_prepared(connection);
        pg_send(connection, all, COUNT_OF(all), callback, data);
        break;
    }
}
