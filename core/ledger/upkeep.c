/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/upkeep.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

#define NUMBER_SIZE 24

/* $1 the token; then the limit and where to go on, as far as the step asks for them. From where there is more, and what
 * could not be done. */
struct step {
    const char *sql;
    bool limit;
    bool from;
    const char *failure;
};

static const struct step steps[] = {
    [UPKEEP_HISTORY] = {"SELECT more, problem FROM chime.keep_history($1, $2)", false, true,
                        "history partitions could not be made or dropped"},
    {"SELECT chime.forget_runs($1, $2, $3), NULL", true, true,
     "runs older than their jobs keep them could not be removed"},
    {"SELECT chime.forget_rows($1, $2, 'run_history_other', 'finished_at'), NULL", true, false,
     "old runs could not be removed"},
    {"SELECT chime.forget_rows($1, $2, 'attempt', 'finished_at'), NULL", true, false,
     "old attempts could not be removed"},
    {"SELECT chime.forget_rows($1, $2, 'missed', 'recorded_at'), NULL", true, false,
     "old missed slots could not be removed"},
    {"SELECT chime.forget_rows($1, $2, 'job_past', 'until'), NULL", true, false,
     "old definitions of jobs could not be removed"},
    {"SELECT chime.forget_rows($1, $2, 'alert_event', 'at', '90 days'), NULL", true, false,
     "old transitions of alerts could not be removed"},
    {"SELECT chime.forget_rows($1, $2, 'notification', 'created_at', '90 days'), NULL", true, false,
     "old messages to sinks could not be removed"},
    {"SELECT chime.forget_rows($1, $2, 'silence', 'until', '90 days'), NULL", true, false,
     "old silences could not be removed"},
    {"SELECT chime.forget_rows($1, $2, 'minute', 'minute', '400 days'), NULL", true, false,
     "old totals by minute could not be removed"},
    {"SELECT chime.sum_days($1, $2, $3), NULL", true, true, "days could not be summed up"},
    {"SELECT chime.forget_rows($1, $2, 'action', 'at', '400 days'), NULL", true, false,
     "old actions of people could not be removed"},
    {"SELECT chime.forget_jobs($1, $2), NULL", true, false, "jobs that were unscheduled long ago could not be removed"},
    {"SELECT chime.forget_leaderships($1, $2), NULL", true, false, "old leaderships could not be removed"},
};

size_t upkeep_step_count(void)
{
    return COUNT_OF(steps);
}

const char *upkeep_step_failure(size_t step)
{
    return steps[step].failure;
}

void upkeep_send(const struct ledger *ledger, size_t step, int limit, int64_t from, pg_callback *callback, void *data)
{
    char limit_text[NUMBER_SIZE];
    char from_text[NUMBER_SIZE];
    snprintf(limit_text, sizeof(limit_text), "%d", limit);
    snprintf(from_text, sizeof(from_text), "%lld", (long long)from);
    const char *parameters[3] = {ledger->token};
    int count = 1;
    if (steps[step].limit) {
        parameters[count++] = limit_text;
    }
    if (steps[step].from) {
        parameters[count++] = from_text;
    }
    pg_send_one(ledger->connection, NULL, steps[step].sql, count, parameters, callback, data);
}

bool upkeep_read_more(const struct pg_reply *reply, int64_t *from)
{
    const char *value = pg_reply_rows(reply, 0) > 0 ? pg_reply_value(reply, 0, 0, 0) : NULL;
    *from = value != NULL ? strtoll(value, NULL, 10) : 0;
    return value != NULL;
}

const char *upkeep_read_problem(const struct pg_reply *reply)
{
    if (!pg_reply_ok(reply)) {
        return pg_reply_message(reply);
    }
    return pg_reply_rows(reply, 0) > 0 ? pg_reply_value(reply, 0, 0, 1) : NULL;
}
