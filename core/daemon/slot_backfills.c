/* SPDX-License-Identifier: PostgreSQL */
/* Backfills of slots: what the heartbeat says has room gets the next slots of its schedule. They become runs asked for,
 * a few at a time, so that 10,000 slots are never 10,000 rows. */
#include "daemon/lead_state.h"
#include "ledger/slot_backfill.h"
#include "model/slot_parameters.h"

#define SLOTS_AT_ONCE 200

static void fed(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "slots of a backfill could not be asked for");
}

void slot_backfills_feed(struct lead *lead, struct scheduled *scheduled, const struct open_request *backfill)
{
    const struct schedule *schedule = &scheduled_job(scheduled)->schedule;
    instant slots[SLOTS_AT_ONCE];
    size_t count = 0;
    instant slot = slot_timeline_known(schedule) ? schedule_next(schedule, backfill->run.slot) : INSTANT_NEVER;
    while (count < SLOTS_AT_ONCE && slot <= lead_now(lead)) {
        slots[count++] = slot;
        slot = schedule_next(schedule, slot);
    }
    ledger_feed_backfill(&lead->ledger, backfill->request_id, backfill->run.slot, slots, count, count < SLOTS_AT_ONCE,
                         fed, lead);
}
