/* SPDX-License-Identifier: PostgreSQL */
/* Backfills of slots in the ledger: the slots that are to be done next become runs asked for, of kind backfill.
 *
 * Does: hand slots over, a part at a time. Which of them are wanted, and where the backfill ends, the ledger knows.
 * Does not: find the slots (daemon/slot_backfills.c). */
#ifndef CHIME_LEDGER_SLOT_BACKFILL_H
#define CHIME_LEDGER_SLOT_BACKFILL_H

#include "ledger/ledger.h"

/* The slots of the schedule that follow `position`, in order; `last`: there are no more that have fallen due. Does
 * nothing where the backfill is not at that position any more. */
void ledger_feed_backfill(const struct ledger *ledger, int64_t backfill_id, instant position, const instant *slots,
                          size_t count, bool last, pg_callback *callback, void *data);

#endif
