/* What people ask for, as the heartbeat brings it. A wish stays in the ledger until it is acknowledged (a run asked for: until it is claimed),
 * so that none is lost with a leader. */
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/lead_state.h"
#include "ledger/answers.h"

struct granted {
    int64_t *requests; /* to be acknowledged */
    size_t request_count;
    struct ledger_request *suspensions; /* whose time is over */
    size_t suspension_count;
    int64_t *begun; /* jobs that begin from now */
    size_t begun_count;
};

/* True when nothing is left to do about it. */
static bool cancel(struct lead *lead, struct scheduled *scheduled, const struct ledger_wish *wish)
{
    return !scheduled_is_at(scheduled, wish->run.kind, wish->run.slot) ||
           dispatch_cancel(lead, scheduled, wish->reason);
}

static void resume(struct lead *lead, struct scheduled *scheduled, const struct ledger_wish *wish)
{
    if (wish->request_id == 0) {
        scheduler_resume_since(lead->scheduler, scheduled, wish->reason, wish->run.slot, lead_now(lead));
    } else {
        scheduler_resume(lead->scheduler, scheduled, wish->reason, lead_now(lead));
    }
}

static bool grant(struct lead *lead, const struct ledger_wish *wish)
{
    struct scheduled *scheduled = scheduler_find(lead->scheduler, wish->run.job_id);
    bool run = wish->verb == LEDGER_RUN || wish->verb == LEDGER_FORCE;
    if (scheduled != NULL && scheduled_job(scheduled)->refused && run) {
        return false; /* once it is mended */
    }
    if (scheduled == NULL) {
        return !run;
    }
    switch (wish->verb) {
    case LEDGER_RUN:
        scheduler_request(lead->scheduler, scheduled, wish->run.kind, wish->run.slot);
        return false;
    case LEDGER_FORCE:
        scheduler_force(lead->scheduler, scheduled, wish->run.kind, wish->run.slot);
        return false;
    case LEDGER_CANCEL:
        return cancel(lead, scheduled, wish);
    case LEDGER_SUSPEND:
        log_info("job %s: %s", scheduled_job(scheduled)->name, wish->reason);
        scheduler_suspend(lead->scheduler, scheduled, wish->reason, lead_now(lead));
        return true;
    case LEDGER_RESUME:
        log_info("job %s: %s", scheduled_job(scheduled)->name, wish->reason);
        resume(lead, scheduled, wish);
        return true;
    case LEDGER_BEGIN:
        return scheduled_idle(scheduled);
    }
    return true;
}

static void take(const struct lead *lead, struct granted *granted, const struct ledger_wish *wish)
{
    if (wish->verb == LEDGER_BEGIN && scheduler_find(lead->scheduler, wish->run.job_id) != NULL) {
        granted->begun[granted->begun_count++] = wish->run.job_id;
    } else if (wish->request_id != 0) {
        granted->requests[granted->request_count++] = wish->request_id;
    } else {
        granted->suspensions[granted->suspension_count++] = wish->run;
    }
}

static void acknowledged(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "requests that were granted could not be removed");
}

static void resumed(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "the end of suspensions could not be written");
}

static void begun(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (lead_refused(lead, reply, "jobs whose cursors are in the future could not begin anew")) {
        return;
    }
    for (size_t i = 0; i < pg_reply_rows(reply, 0); i++) {
        struct scheduled *it = scheduler_find(lead->scheduler, atoll(pg_reply_value(reply, 0, i, 0)));
        if (it != NULL) {
            log_info("job %s begins anew: its cursor was in the future", scheduled_job(it)->name);
            scheduler_rewind(lead->scheduler, it, answer_instant(pg_reply_value(reply, 0, i, 1)), lead_now(lead));
        }
    }
    dispatch_soon(lead);
}

void wishes_grant(struct lead *lead, const struct pg_reply *heartbeat)
{
    if (lead->sync != NULL) {
        return; /* what was read of a job before its wish would be remembered after it: the wish comes again */
    }
    struct ledger_wish *wishes;
    size_t count = ledger_read_wishes(heartbeat, &wishes);
    struct granted granted = {.requests = xcalloc(count + 1, sizeof *granted.requests),
                              .suspensions = xcalloc(count + 1, sizeof *granted.suspensions),
                              .begun = xcalloc(count + 1, sizeof *granted.begun)};
    bool waits = lead_waits(lead);
    for (size_t i = 0; i < count; i++) {
        /* A run that is cancelled may be what the ledger waits for; the wish comes again until it can be acknowledged. */
        bool now = !waits || wishes[i].verb == LEDGER_CANCEL;
        if (now && grant(lead, &wishes[i]) && !waits) {
            take(lead, &granted, &wishes[i]);
        }
    }
    if (granted.request_count > 0) {
        ledger_acknowledge(&lead->ledger, granted.requests, granted.request_count, lead_now(lead), acknowledged, lead);
    }
    if (granted.suspension_count > 0) {
        ledger_resume(&lead->ledger, granted.suspensions, granted.suspension_count, resumed, lead);
    }
    free(granted.requests);
    if (granted.begun_count > 0) {
        ledger_begin(&lead->ledger, granted.begun, granted.begun_count, lead_now(lead), begun, lead);
    }
    free(granted.suspensions);
    free(granted.begun);
    ledger_free_wishes(wishes, count);
}
