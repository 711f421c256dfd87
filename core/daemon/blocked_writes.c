/* SPDX-License-Identifier: PostgreSQL */
/* The ledger cannot be written now, since another session holds a lock or cancels what we send: runs go on, ends wait
 * in their queue, nothing new starts, and people are told who is in the way. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "daemon/lead_state.h"
#include "ledger/answers.h"

/* The same words again and again would hide the first. */
static void tell(struct lead *lead, const char *holders)
{
    char *told = holders != NULL ? xasprintf("%s; %s", lead->write_problem, holders) : xstrdup(lead->write_problem);
    if (!text_same(told, lead->write_problem_told)) {
        log_warning("database %s: the ledger cannot be written now, and it is tried again; runs go on, nothing new "
                    "starts: %s",
                    lead->database->name, told);
    }
    free(lead->write_problem_told);
    lead->write_problem_told = told;
}

static void holders_known(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    lead->holders_asked = false;
    if (!lead->over && !pg_reply_lost(reply) && lead->write_problem != NULL) {
        tell(lead, pg_reply_ok(reply) ? pg_reply_value(reply, 0, 0, 0) : NULL);
    }
}

void blocked_writes_note(struct lead *lead, const struct pg_reply *reply)
{
    const char *message = pg_reply_message(reply);
    if (lead->impatient) {
        struct error err;
        pg_reply_error(reply, &err);
        error_prefix(&err, "what ended could not be recorded in time");
        lead_end(lead, &err);
        return;
    }
    run_queues_forget(lead);
    free(lead->write_problem);
    lead->write_problem = xstrndup(message, strcspn(message, "\n"));
    if (!lead->holders_asked) {
        lead->holders_asked = true;
        ledger_ask_holders(&lead->ledger, holders_known, lead);
    }
}

void blocked_writes_end(struct lead *lead)
{
    if (!lead_waits(lead) && lead->write_problem != NULL) {
        log_info("database %s: the ledger can be written again", lead->database->name);
        blocked_writes_forget(lead);
        dispatch_soon(lead);
    }
}

void blocked_writes_forget(struct lead *lead)
{
    free(lead->write_problem);
    free(lead->write_problem_told);
    lead->write_problem = lead->write_problem_told = NULL;
}

static void write_refused(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (!lead->over) {
        blocked_writes_note(lead, reply);
    }
}

static void write_taken(void *data)
{
    blocked_writes_end(data);
}

const struct write_queue_handlers blocked_writes_handlers = {.refused = write_refused, .taken = write_taken};
