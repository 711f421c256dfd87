/* SPDX-License-Identifier: PostgreSQL */
/* A small client for commands: one connection that blocks, one statement at a time, answers copied.
 *
 * Does: connect with what the configuration says and what our statements rely on (UTC, ISO dates, empty search_path),
 *   bind parameters, say what failed with the way out.
 * Does not: retry, or belong anywhere near the event loop.
 * Failures: ERROR_UNREACHABLE when there is no connection (any more), ERROR_REFUSED for a role that may not, what would
 *   write to a standby, or a pooler in between, ERROR_FAILED with the SQLSTATE for the rest. */
#ifndef CHIME_PG_CLIENT_H
#define CHIME_PG_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "pg/rows.h"

struct pg_client;

struct pg_client *pg_client_open(const char *conninfo, struct error *err);
void pg_client_close(struct pg_client *client);            /* takes NULL */
bool pg_client_is_standby(const struct pg_client *client); /* it only follows another */
/* One statement with text parameters ($1 ...; NULL is SQL NULL); `rows` may be NULL, else it is to be finished when
 * this returned true. */
bool pg_client_query(struct pg_client *client, const char *sql, const char *const *parameters, size_t parameter_count,
                     struct pg_rows *rows, struct error *err) CHIME_MUST_CHECK;

#endif
