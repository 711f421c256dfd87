/* SPDX-License-Identifier: PostgreSQL */
/* What all files of a leadership ask of it and tell it. */
#include "base/clock.h"
#include "daemon/lead_state.h"
#include "ledger/answers.h"

instant lead_now(const struct lead *lead)
{
    return clock_boot() + lead->offset;
}

void lead_end(struct lead *lead, const struct error *reason)
{
    if (!lead->over) {
        lead->over = true;
        lead->handlers->ended(lead->data, reason);
    }
}

bool lead_refused(struct lead *lead, const struct pg_reply *reply, const char *what)
{
    struct error err;
    enum ledger_answer answer = answer_of(reply);
    if (lead->over || answer == ANSWER_LOST) {
        return true;
    }
    if (answer == ANSWER_TAKEN) {
        return false;
    }
    if (answer == ANSWER_NOT_LEADER) {
        error_set(&err, ERROR_REFUSED, "another daemon leads now");
    } else {
        pg_reply_error(reply, &err);
        error_prefix(&err, "%s", what);
    }
    lead_end(lead, &err);
    return true;
}

bool lead_knows(struct lead *lead, const struct job_memory *memory, const char *job)
{
    struct error err;
    if (!answer_memory_known(memory, job, &err)) {
        lead_end(lead, &err);
        return false;
    }
    return true;
}

void lead_end_for_disagreement(struct lead *lead, const struct scheduled *scheduled)
{
    struct error err;
    error_set(&err, ERROR_REFUSED, "the ledger does not agree about job %s: it is read anew",
              scheduled_job(scheduled)->name);
    lead_end(lead, &err);
}

bool lead_waits(const struct lead *lead)
{
    return write_queue_is_held(lead->ledger.writes) || write_queue_is_held(lead->ledger.ends) ||
           lead->heartbeat_refused;
}

void dispatch_soon(struct lead *lead)
{
    if (!lead->dispatch_deferred) {
        lead->dispatch_deferred = true;
        loop_defer(lead->loop, lead->dispatch, lead);
    }
}

void lead_set_pools(struct lead *lead, const struct config_database *next)
{
    for (size_t i = 0; i < lead->database->pool_count; i++) {
        scheduler_pool(lead->scheduler, lead->database->pools[i].name, 0);
    }
    for (size_t i = 0; i < next->pool_count; i++) {
        scheduler_pool(lead->scheduler, next->pools[i].name, next->pools[i].limit);
    }
}
