/* SPDX-License-Identifier: PostgreSQL */
/* The upkeep of the ledger while a leadership lasts: each hour, and again at once while there is more to do.
 *
 * Does: run the steps of ledger/upkeep.h in turns, one at a time between heartbeats, with pauses, so that they use at
 *   most a tenth of the leader's session's time; ask for fewer rows after a slow step. A step that fails is told once
 *   and tried again soon; the others go on.
 * Does not: say what is old (the ledger does). */
#ifndef CHIME_DAEMON_UPKEEP_H
#define CHIME_DAEMON_UPKEEP_H

struct lead;
struct upkeep;

/* Once the schedule has started. */
struct upkeep *upkeep_create(struct lead *lead);
void upkeep_destroy(struct upkeep *upkeep); /* NULL allowed */

#endif
