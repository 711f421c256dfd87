/* Slots decided without running, and jobs that suspended themselves: written as soon as they are decided. */
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/lead_state.h"

#define PASS_MAX 500

struct passes {
    struct lead *lead;
    size_t count;
    size_t statements;
    struct passed passed[PASS_MAX];
    int64_t job_ids[PASS_MAX]; /* a reload may forget the job before the ledger has answered */
};

static void check_granted(struct lead *lead, const struct passes *passes, const struct pg_reply *reply)
{
    int64_t *granted;
    size_t count = ledger_read_granted(reply, passes->statements, &granted);
    for (size_t i = 0; i < passes->count; i++) {
        const struct scheduled *scheduled = scheduler_find(lead->scheduler, passes->job_ids[i]);
        if (scheduled != NULL && !ledger_granted(granted, count, passes->job_ids[i])) {
            lead_end_for_disagreement(lead, scheduled);
            break;
        }
    }
    free(granted);
}

static void passes_written(void *data, const struct pg_reply *reply)
{
    struct passes *passes = data;
    struct lead *lead = passes->lead;
    if (!lead_refused(lead, reply, "skipped slots could not be recorded")) {
        lead->passes_pending--;
        check_granted(lead, passes, reply);
    }
    free(passes);
}

void dispatch_write_passes(struct lead *lead)
{
    struct passed passed;
    struct passes *passes = NULL;
    bool full = false;
    while (!full && scheduler_take_passed(lead->scheduler, &passed)) {
        if (passes == NULL) {
            passes = xcalloc(1, sizeof *passes);
            passes->lead = lead;
        }
        sql_notes_decided(lead, passed.scheduled);
        passes->job_ids[passes->count] = scheduled_id(passed.scheduled);
        passes->passed[passes->count++] = passed;
        /* A batch writes its misses first: none may follow a skip in it. */
        full = passes->count == PASS_MAX || !passed.missed;
        full = full && (passes->count == PASS_MAX || scheduler_next_passed_is_missed(lead->scheduler));
    }
    if (passes != NULL) {
        bool missed = false;
        bool skipped = false;
        for (size_t i = 0; i < passes->count; i++) {
            missed = missed || passes->passed[i].missed;
            skipped = skipped || !passes->passed[i].missed;
        }
        passes->statements = (missed ? 1u : 0u) + (skipped ? 1u : 0u);
        lead->passes_pending++;
        ledger_pass(&lead->ledger, passes->passed, passes->count, passes_written, passes);
        if (full) {
            dispatch_write_passes(lead);
        }
    }
}

static void suspended(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "suspensions could not be written");
}

void dispatch_write_suspensions(struct lead *lead)
{
    struct suspension batch[PASS_MAX];
    size_t count = 0;
    while (count < PASS_MAX && scheduler_take_suspension(lead->scheduler, &batch[count])) {
        log_warning("job %s is suspended: %s", scheduled_job(batch[count].scheduled)->name, batch[count].reason);
        count++;
    }
    if (count > 0) {
        ledger_suspend(&lead->ledger, batch, count, lead_now(lead), suspended, lead);
    }
}
