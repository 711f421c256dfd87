/* SPDX-License-Identifier: PostgreSQL */
/* Counts the runs that the ledger has recorded, and adds the counts to chime.tally and chime.minute.
 *
 * Does: count ended runs by their outcome, from the ledger's answers; hand over what was counted once a second at most,
 *   with a batch of ends, or alone where none goes out for a second; keep what could not be added for the next time.
 * Does not: add anything twice. What was counted belongs to this leadership: where that ends without resigning, what
 *   has not been added yet is forgotten, and the next leader marks that (chime.note_gap). */
#ifndef CHIME_DAEMON_TOTALS_H
#define CHIME_DAEMON_TOTALS_H

#include "ledger/totals.h"

struct lead;
struct totals;

struct totals *totals_create(struct lead *lead);
void totals_destroy(struct totals *totals); /* NULL allowed */

/* A batch of ends goes out: what is to go with it, until totals_answered; NULL: nothing. */
const struct run_totals *totals_of_batch(struct totals *totals, const struct ledger_finish *finishes, size_t count);
/* The batch was taken. */
void totals_take_finished(struct totals *totals, const struct pg_reply *reply);
void totals_take_adopted(struct totals *totals, const struct pg_reply *reply);
void totals_take_slots(struct totals *totals, enum run_kind kind, enum run_state state, instant at, int64_t slots);

/* Before the leader resigns: true while something is on its way. */
bool totals_are_left(struct totals *totals);

#endif
