/* SPDX-License-Identifier: PostgreSQL */
/* The log: one line an event on stderr, "2026-03-27T01:30:00.123Z level message"; hint on its own line.
 * Control characters and line breaks in arguments are escaped, so that no text from outside can forge a line. errno is
 * kept. */
#ifndef CHIME_BASE_LOG_H
#define CHIME_BASE_LOG_H

#include "base/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

void log_set_level(enum log_level lowest);
/* One object a line instead, {"time": ..., "level": ..., "message": ..., "hint": ...}, the hint where there is one. */
void log_set_json(bool json);
void log_debug(const char *format, ...) CHIME_PRINTF(1, 2);
void log_info(const char *format, ...) CHIME_PRINTF(1, 2);
void log_warning(const char *format, ...) CHIME_PRINTF(1, 2);
void log_error(const struct error *err); /* message, SQLSTATE and hint, at level error */
/* Each in a line, at level warning; those of no file are of `elsewhere`. */
void log_findings(const struct report *report, const char *elsewhere);
/* For broken invariants and out of memory only: logs and aborts. */
_Noreturn void fatal(const char *format, ...) CHIME_PRINTF(1, 2);
/* Called with every finished line (with '\n') instead of stderr; NULL restores it. For tests. */
void log_capture(void (*sink)(const char *line, void *data), void *data);

#endif
