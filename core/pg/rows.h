/* SPDX-License-Identifier: PostgreSQL */
/* The rows of an answer, with memory of their own, however they were asked for: by a client that blocks (client.h) or
 * by a connection that does not (connection.h). */
#ifndef CHIME_PG_ROWS_H
#define CHIME_PG_ROWS_H

#include <stddef.h>

struct pg_reply;
struct pg_result; /* libpq's PGresult */

struct pg_rows {
    struct arena *arena;
    size_t count;
    size_t columns;
    const char *const *values; /* row by row; NULL is SQL NULL */
};

void pg_rows_copy(const struct pg_result *result, struct pg_rows *rows);
/* Of the n-th statement (0-based); none when it failed or was skipped. */
void pg_rows_of_reply(const struct pg_reply *reply, size_t statement, struct pg_rows *rows);
const char *pg_rows_value(const struct pg_rows *rows, size_t row, size_t column); /* NULL: SQL NULL */
void pg_rows_finish(struct pg_rows *rows);                                        /* again is allowed */

#endif
