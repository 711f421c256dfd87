/* SPDX-License-Identifier: PostgreSQL */
/* One error, and a list of errors that each name a place.
 *
 * Convention: a function that can fail returns bool (or a pointer) and takes `struct error *` last; it fills the
 * error exactly when it returns false (or NULL). Messages are lower-case, specific and without a final stop; the
 * hint says the way out. Both are copied, so an error outlives what it talks about. */
#ifndef CHIME_BASE_ERROR_H
#define CHIME_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

/* What kind of failure: decides the exit status of the command line. */
enum error_kind {
    ERROR_NONE = 0,
    ERROR_FAILED = 1,      /* a run or a check failed */
    ERROR_USAGE = 2,       /* wrong words on the command line */
    ERROR_CONFIG = 3,      /* configuration or plugin refused */
    ERROR_UNREACHABLE = 4, /* database or daemon cannot be reached */
    ERROR_NOT_FOUND = 5,   /* no such job, view, run, plugin */
    ERROR_REFUSED = 6,     /* not leader, suspended, locked, schema too new */
};

struct error {
    enum error_kind kind;
    char sqlstate[6]; /* "" when the error is not the server's */
    char message[1024];
    char hint[512]; /* "" when there is none */
};

/* Fills *err (which may be NULL) and returns false, so that `return error_set(...)` reads well. */
bool error_set(struct error *err, enum error_kind kind, const char *format, ...) CHIME_PRINTF(3, 4);
/* Adds a hint to an error already set; returns false. */
bool error_hint(struct error *err, const char *format, ...) CHIME_PRINTF(2, 3);
/* Puts "text: " in front of the message; returns false. */
bool error_prefix(struct error *err, const char *format, ...) CHIME_PRINTF(2, 3);
void error_clear(struct error *err);

/* Findings gathered so that a user sees all of them at once. Owns copies of everything added. */
struct finding {
    char *file; /* NULL when the place is not a file */
    int line;   /* 0 when unknown */
    char *message;
    char *hint; /* NULL when there is none */
};

struct report {
    struct finding *findings;
    size_t count;
};

void report_init(struct report *report);
void report_finish(struct report *report);
void report_add(struct report *report, const char *file, int line, const char *hint, const char *format, ...)
    CHIME_PRINTF(5, 6);                  /* file and hint may be NULL */
void report_sort(struct report *report); /* by file, then line, stable */
/* "file:line: message", as far as they are known; caller frees. */
char *finding_line(const struct finding *finding);

#endif
