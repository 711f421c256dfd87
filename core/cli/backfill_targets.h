/* SPDX-License-Identifier: PostgreSQL */
/* What `backfill JOB|VIEW` is about: the views of a job, in its order, or one view, in whichever database has it. A job
 * goes before a view of the same name. A job that refreshes no views has one row, without a view. */
#ifndef CHIME_CLI_BACKFILL_TARGETS_H
#define CHIME_CLI_BACKFILL_TARGETS_H

#include "cli/visit.h"

struct backfill_targets {
    const char *name;
    const struct config_database *database; /* NULL: none has it */
    struct pg_rows rows;                    /* of that database; see the columns */
    size_t databases;                       /* so many have it */
    struct buffer others;                   /* names that are there, a NUL after each */
};
enum { TARGET_KIND, TARGET_VIEW, TARGET_JOB_ID };

/* EXIT_OK with at least one row, or the exit status after what is wrong was printed. */
int backfill_targets_find(struct backfill_targets *targets, const struct invocation *invocation,
                          const struct config *config);
void backfill_targets_finish(struct backfill_targets *targets);

#endif
