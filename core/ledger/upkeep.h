/* SPDX-License-Identifier: PostgreSQL */
/* What the ledger no longer keeps, removed step by step: old attempts, missed slots, runs, definitions, jobs and
 * leaderships, and partitions.
 *
 * Does: name the steps; run one of them once, for a bounded number of rows, in a transaction of its own that waits for
 *   no lock longer than a moment.
 * Does not: decide when, how often, and what follows from a failure (daemon/upkeep.h).
 * A step's function returns from where there is more to do, or NULL: nothing is left. */
#ifndef CHIME_LEDGER_UPKEEP_H
#define CHIME_LEDGER_UPKEEP_H

#include "ledger/ledger.h"

#define UPKEEP_HISTORY 0 /* makes or drops one partition */
size_t upkeep_step_count(void);
/* What could not be done, for people: "old attempts could not be removed". */
const char *upkeep_step_failure(size_t step);
/* At most `limit` rows, from `from` on: 0, or what the last answer said. */
void upkeep_send(const struct ledger *ledger, size_t step, int limit, int64_t from, pg_callback *callback, void *data);
/* Whether there is more to do, and from where. */
bool upkeep_read_more(const struct pg_reply *reply, int64_t *from);
/* What could not be done, though there may be more that can; NULL: nothing. Borrowed from the reply. */
const char *upkeep_read_problem(const struct pg_reply *reply);

#endif
