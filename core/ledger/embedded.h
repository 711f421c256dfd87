/* SPDX-License-Identifier: PostgreSQL */
/* The SQL of schema chime (sql/schema, sql/functions), compiled in.
 *
 * Does: hold name and whole text of every file, in the order in which they run.
 * Does not: run them. The data is generated at build time (cmake/EmbedSql.cmake). */
#ifndef CHIME_LEDGER_EMBEDDED_H
#define CHIME_LEDGER_EMBEDDED_H

#include <stddef.h>

struct embedded_sql {
    int number;       /* of a file of sql/schema: NNNN, from 1; else 0 */
    const char *name; /* of the file, without number and ".sql"; NULL: the end */
    const char *sql;
};

/* Tables, types, policies: each runs once, in order of the numbers. */
extern const struct embedded_sql embedded_schema[];
/* Functions, views and triggers: all run again when their checksum is another one. */
extern const struct embedded_sql embedded_functions[];
extern const char embedded_checksum[];

#endif
