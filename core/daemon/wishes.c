/* What people ask for, as the heartbeat brings it. A wish stays in the ledger until it is acknowledged (a run asked for: until it is claimed),
 * so that none is lost with a leader. */
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/lead_state.h"

struct granted {
    int64_t *requests; /* to be acknowledged */
    size_t request_count;
    struct ledger_request *suspensions; /* whose time is over */
    size_t suspension_count;
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
    if (scheduled != NULL && scheduled_job(scheduled)->refused && wish->verb == LEDGER_RUN) {
        return false; /* once it is mended */
    }
    if (scheduled == NULL) {
        return wish->verb != LEDGER_RUN;
    }
    switch (wish->verb) {
    case LEDGER_RUN:
        scheduler_request(lead->scheduler, scheduled, wish->run.kind, wish->run.slot);
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
    }
    return true;
}

static void acknowledged(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "requests that were granted could not be removed");
}

static void resumed(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "the end of suspensions could not be written");
}

void wishes_grant(struct lead *lead, const struct pg_reply *heartbeat)
{
    if (lead->sync != NULL) {
        return; /* what was read of a job before its wish would be remembered after it: the wish comes again */
    }
    struct ledger_wish *wishes;
    size_t count = ledger_read_wishes(heartbeat, &wishes);
    struct granted granted = {.requests = xcalloc(count + 1, sizeof *granted.requests),
                              .suspensions = xcalloc(count + 1, sizeof *granted.suspensions)};
    for (size_t i = 0; i < count; i++) {
        if (!grant(lead, &wishes[i])) {
            continue;
        }
        if (wishes[i].request_id != 0) {
            granted.requests[granted.request_count++] = wishes[i].request_id;
        } else {
            granted.suspensions[granted.suspension_count++] = wishes[i].run;
        }
    }
    if (granted.request_count > 0) {
        ledger_acknowledge(&lead->ledger, granted.requests, granted.request_count, lead_now(lead), acknowledged, lead);
    }
    if (granted.suspension_count > 0) {
        ledger_resume(&lead->ledger, granted.suspensions, granted.suspension_count, resumed, lead);
    }
    free(granted.requests);
    free(granted.suspensions);
    ledger_free_wishes(wishes, count);
}
