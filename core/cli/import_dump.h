/* SPDX-License-Identifier: PostgreSQL */
/* The jobs of pg_cron in a file that pg_dump wrote as text: the rows of "COPY cron.job (...) FROM stdin;".
 *
 * Failures: ERROR_USAGE, as FILE:LINE where one line is wrong. */
#ifndef CHIME_CLI_IMPORT_DUMP_H
#define CHIME_CLI_IMPORT_DUMP_H

#include "cli/import_source.h"

/* The rows are the arena's, in the order of the file. */
bool import_dump_read(const char *path, struct arena *arena, struct import_row **rows, size_t *count,
                      struct error *err) CHIME_MUST_CHECK;

#endif
