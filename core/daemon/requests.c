/* SPDX-License-Identifier: PostgreSQL */
/* What people ask for, as the heartbeat brings it. A request stays in the ledger until it is acknowledged (a run asked
 * for: until it is claimed), so that none is lost with a leader. */
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
static bool cancel(struct lead *lead, struct scheduled *scheduled, const struct open_request *request)
{
    return !scheduled_is_at(scheduled, request->run.kind, request->run.slot) ||
           dispatch_cancel(lead, scheduled, request->reason);
}

static void resume(struct lead *lead, struct scheduled *scheduled, const struct open_request *request)
{
    if (request->request_id == 0) {
        scheduler_resume_since(lead->scheduler, scheduled, request->reason, request->run.slot, lead_now(lead));
    } else {
        scheduler_resume(lead->scheduler, scheduled, request->reason, lead_now(lead));
    }
}

static bool grant(struct lead *lead, const struct open_request *request)
{
    struct scheduled *scheduled = scheduler_find(lead->scheduler, request->run.job_id);
    bool run = request->verb == LEDGER_RUN || request->verb == LEDGER_FORCE;
    if (request->verb == LEDGER_BACKFILL) {
        if (scheduled != NULL) {
            slot_backfills_feed(lead, scheduled, request);
        }
        return false; /* it is no row of chime.request */
    }
    if (scheduled != NULL && scheduled_job(scheduled)->refused && run) {
        return false; /* once it is mended */
    }
    if (scheduled == NULL) {
        return !run;
    }
    switch (request->verb) {
    case LEDGER_RUN:
        scheduler_request(lead->scheduler, scheduled, request->run.kind, request->run.slot);
        return false;
    case LEDGER_FORCE:
        scheduler_force(lead->scheduler, scheduled, request->run.kind, request->run.slot);
        return false;
    case LEDGER_CANCEL:
        return cancel(lead, scheduled, request);
    case LEDGER_SUSPEND:
        log_info("job %s: %s", scheduled_job(scheduled)->name, request->reason);
        scheduler_suspend(lead->scheduler, scheduled, request->reason, lead_now(lead));
        return true;
    case LEDGER_RESUME:
        log_info("job %s: %s", scheduled_job(scheduled)->name, request->reason);
        resume(lead, scheduled, request);
        return true;
    case LEDGER_BACKFILL:
        break;
    case LEDGER_BEGIN:
        return scheduled_idle(scheduled);
    }
    return true;
}

static void take(const struct lead *lead, struct granted *granted, const struct open_request *request)
{
    if (request->verb == LEDGER_BEGIN && scheduler_find(lead->scheduler, request->run.job_id) != NULL) {
        granted->begun[granted->begun_count++] = request->run.job_id;
    } else if (request->request_id != 0) {
        granted->requests[granted->request_count++] = request->request_id;
    } else {
        granted->suspensions[granted->suspension_count++] = request->run;
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

void requests_grant(struct lead *lead, const struct pg_reply *heartbeat)
{
    if (lead->sync != NULL) {
        return; /* what was read of a job before its request would be remembered after it: the request comes again */
    }
    struct open_request *requests;
    size_t count;
    struct error err;
    if (!ledger_read_requests(heartbeat, &requests, &count, &err)) {
        lead_end(lead, &err);
        return;
    }
    struct granted granted = {.requests = xcalloc(count + 1, sizeof(*granted.requests)),
                              .suspensions = xcalloc(count + 1, sizeof(*granted.suspensions)),
                              .begun = xcalloc(count + 1, sizeof(*granted.begun))};
    bool waits = lead_waits(lead);
    for (size_t i = 0; i < count; i++) {
        /* A run that is cancelled may be what the ledger waits for; the request comes again until it can be
         * acknowledged. */
        bool now = !waits || requests[i].verb == LEDGER_CANCEL;
        if (now && grant(lead, &requests[i]) && !waits) {
            take(lead, &granted, &requests[i]);
        }
    }
    dispatch_write_skipped(
        lead); /* before the end of a suspension: what was missed in it would be run by the next leader */
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
    ledger_free_requests(requests, count);
}
