/* SPDX-License-Identifier: PostgreSQL */
/* How far a long command is, on standard error: a bar on a terminal, else a line every ten seconds. Nothing with -q. */
#ifndef CHIME_CLI_PROGRESS_H
#define CHIME_CLI_PROGRESS_H

#include "cli/command.h"

struct progress {
    const struct invocation *invocation;
    const char *what; /* "analytics.daily" */
    const char *unit; /* "groups" */
    instant said;     /* by the boot clock */
    bool bar;
};

struct progress progress_begin(const struct invocation *invocation, const char *what, const char *unit);
void progress_show(struct progress *progress, int64_t done, int64_t total);
void progress_end(const struct progress *progress); /* takes the bar away */

#endif
