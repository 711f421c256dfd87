/* SPDX-License-Identifier: PostgreSQL */
/* Slots decided without running, and jobs that suspended themselves: written as soon as they are decided. */
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/lead_state.h"

#define SKIPPED_MAX 500

struct batch {
    struct lead *lead;
    size_t count;
    size_t statements;
    struct skipped slot[SKIPPED_MAX];
    int64_t job_ids[SKIPPED_MAX]; /* a reload may forget the job before the ledger has answered */
    int64_t slots[SKIPPED_MAX];   /* likewise its schedule: how many each is */
};

static void check_granted(struct lead *lead, const struct batch *batch, const struct pg_reply *reply)
{
    int64_t *granted;
    size_t count = ledger_read_granted(reply, batch->statements, &granted);
    for (size_t i = 0; i < batch->count; i++) {
        const struct scheduled *scheduled = scheduler_find(lead->scheduler, batch->job_ids[i]);
        if (scheduled != NULL && !ledger_granted(granted, count, batch->job_ids[i])) {
            lead_end_for_disagreement(lead, scheduled);
            break;
        }
    }
    free(granted);
}

/* Where one was refused the leadership ends, and with it what was counted. */
static void count_slots(struct totals *totals, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct skipped *slot = &batch->slot[i];
        totals_take_slots(totals, slot->kind, slot->missed ? RUN_MISSED : RUN_SKIPPED, slot->at, batch->slots[i]);
    }
}

static void skipped_written(void *data, const struct pg_reply *reply)
{
    struct batch *batch = data;
    struct lead *lead = batch->lead;
    if (!lead_refused(lead, reply, "skipped slots could not be recorded")) {
        lead->skipped_pending--;
        count_slots(lead->totals, batch);
        check_granted(lead, batch, reply);
    }
    free(batch);
}

void dispatch_write_skipped(struct lead *lead)
{
    struct skipped slot;
    struct batch *batch = NULL;
    bool full = false;
    while (!full && scheduler_take_skipped(lead->scheduler, &slot)) {
        if (batch == NULL) {
            batch = xcalloc(1, sizeof(*batch));
            batch->lead = lead;
        }
        sql_job_status_decided(lead, slot.scheduled);
        batch->job_ids[batch->count] = scheduled_id(slot.scheduled);
        batch->slots[batch->count] = ledger_skipped_slots(&slot);
        batch->slot[batch->count++] = slot;
        /* A batch writes its misses first: none may follow a skip in it. */
        full = batch->count == SKIPPED_MAX || !slot.missed;
        full = full && (batch->count == SKIPPED_MAX || scheduler_next_skipped_is_missed(lead->scheduler));
    }
    if (batch != NULL) {
        bool missed = false;
        bool skipped = false;
        for (size_t i = 0; i < batch->count; i++) {
            missed = missed || batch->slot[i].missed;
            skipped = skipped || !batch->slot[i].missed;
        }
        batch->statements = (missed ? 1u : 0u) + (skipped ? 1u : 0u);
        lead->skipped_pending++;
        ledger_skip(&lead->ledger, batch->slot, batch->count, skipped_written, batch);
        if (full) {
            dispatch_write_skipped(lead);
        }
    }
}

static void suspended(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "suspensions could not be written");
}

void dispatch_write_suspensions(struct lead *lead)
{
    struct suspension batch[SKIPPED_MAX];
    size_t count = 0;
    while (count < SKIPPED_MAX && scheduler_take_suspension(lead->scheduler, &batch[count])) {
        log_warning("job %s is suspended: %s", scheduled_job(batch[count].scheduled)->name, batch[count].reason);
        count++;
    }
    if (count > 0) {
        ledger_suspend(&lead->ledger, batch, count, lead_now(lead), suspended, lead);
    }
}
