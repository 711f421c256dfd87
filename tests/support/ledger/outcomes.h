/* SPDX-License-Identifier: PostgreSQL */
/* What a statement came to, as one text, so that two servers can be compared: rows as cluster_rows writes them or the
 * command's tag; before it a line "NOTICE: ..." for each notice; an error as "ERROR 22023: message", with lines
 * "DETAIL: ..." and "HINT: ..." where it has them. Failures of the means fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_OUTCOMES_H
#define CHIME_TESTS_SUPPORT_OUTCOMES_H

#include <libpq-fe.h>
#include <stddef.h>

#include "support/cluster/cluster.h"

char *outcome_of(PGconn *connection, const char *sql); /* caller frees */

struct outcome_step {
    const char *role; /* who says it; NULL: as the step before */
    const char *sql;
    const char *expected; /* without the last line's end */
    const char *other;    /* what the other implementation answers; NULL: the same */
};

/* Says every step over one connection, to begin with as postgres, and compares; `other`: with what the other one
 * answers. */
#define OUTCOMES_SAY(cluster, steps) outcomes_say(cluster, steps, sizeof(steps) / sizeof(*(steps)), 0) /* an array */
void outcomes_say(struct cluster *cluster, const struct outcome_step *steps, size_t count, int other);

#endif
