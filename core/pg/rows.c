/* SPDX-License-Identifier: PostgreSQL */
#include "pg/rows.h"

#include "base/log.h"
#include "base/memory.h"
#include "pg/request.h"

void pg_rows_copy(const struct pg_result *result, struct pg_rows *rows)
{
    size_t count = (size_t)PQntuples(result);
    size_t columns = (size_t)PQnfields(result);
    struct arena *arena = arena_create();
    const char **values = arena_alloc(arena, (count * columns + 1) * sizeof(*values));
    for (size_t i = 0; i < count * columns; i++) {
        int row = (int)(i / columns);
        int column = (int)(i % columns);
        if (!PQgetisnull(result, row, column)) {
            values[i] = arena_strndup(arena, PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
        }
    }
    *rows = (struct pg_rows){.arena = arena, .count = count, .columns = columns, .values = values};
}

void pg_rows_of_reply(const struct pg_reply *reply, size_t statement, struct pg_rows *rows)
{
    *rows = (struct pg_rows){0};
    if (statement < reply->count && reply->results[statement] != NULL) {
        pg_rows_copy(reply->results[statement], rows);
    }
}

const char *pg_rows_value(const struct pg_rows *rows, size_t row, size_t column)
{
    if (row >= rows->count || column >= rows->columns) {
        fatal("no row %zu, column %zu in an answer of %zu rows of %zu", row, column, rows->count, rows->columns);
    }
    return rows->values[row * rows->columns + column];
}

void pg_rows_finish(struct pg_rows *rows)
{
    arena_destroy(rows->arena);
    *rows = (struct pg_rows){0};
}
