/* SPDX-License-Identifier: PostgreSQL */
/* The migrations of sql/migrations, compiled in.
 *
 * Does: hold name and whole text of every NNNN_name.sql, in order of their numbers.
 * Does not: run them. The data is generated at build time (cmake/EmbedSql.cmake). */
#ifndef CHIME_LEDGER_EMBEDDED_H
#define CHIME_LEDGER_EMBEDDED_H

#include <stddef.h>

struct embedded_migration {
    int number;       /* NNNN, from 1 */
    const char *name; /* what follows it in the file's name */
    const char *sql;
};

/* Followed by a row of zeros. */
extern const struct embedded_migration embedded_migrations[];
extern const size_t embedded_migration_count;

#endif
