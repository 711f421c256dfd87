/* SPDX-License-Identifier: PostgreSQL */
#include "pg/pooler.h"

#include <string.h>

static bool hint_way_out(struct error *err)
{
    return error_hint(err,
                      "connect to the server itself, past the pooler: pgchime needs few sessions, each of its own");
}

void pooler_name(struct error *err)
{
    /* PgBouncer's words: the server knows all that we send. */
    if (strstr(err->message, "unsupported startup parameter") != NULL) {
        error_prefix(err, "a pooler (PgBouncer) is in between");
        hint_way_out(err);
    }
}

bool pooler_refuse(struct error *err)
{
    error_set(err, ERROR_REFUSED,
              "the session that answers is not the one connected to: a pooler is in between, such as PgBouncer in "
              "transaction mode");
    return hint_way_out(err);
}
