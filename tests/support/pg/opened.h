/* SPDX-License-Identifier: PostgreSQL */
/* A connection whose events are counted, and a resolver that answers when the test says so. */
#ifndef CHIME_TESTS_SUPPORT_PG_OPENED_H
#define CHIME_TESTS_SUPPORT_PG_OPENED_H

#include <stdbool.h>
#include <stddef.h>

#include "support/libpq/libpq_script_session.h" /* loop, connection, closed, reason */

/* How often a handler was called, and with what at last. */
extern int ready;
extern int notified;
extern char channel[32];
extern char payload[32];
/* The handler closes the connection, as with close_when_closed. */
extern bool close_when_ready;
extern bool close_when_notified;
extern int cancelled; /* lookups */
extern int log_lines;
extern char log_line[1024];
extern const struct pg_handlers handlers;
extern const struct pg_handlers deaf; /* to notifications */

void opened_set_up(void);
void opened_tear_down(void);
void open_as(const char *conninfo, const struct pg_handlers *with);
void open_target(const struct pg_target *target);
void close_it(void);
/* It was closed once, for a server that cannot be reached. */
void expect_closed(const char *message);
/* The name that is looked up has these addresses, or none. */
void answer_name(const char *host, const char *const *addresses, size_t count);

#endif
