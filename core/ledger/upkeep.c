#include "ledger/upkeep.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

#define NUMBER_SIZE 24

/* $1 the token, $2 the limit, $3 where to go on. */
struct step {
    const char *sql;
    int parameter_count;
    const char *failure;
};

static const struct step steps[] = {
    {"SELECT NULL FROM chime.keep_history($1)", 1, "history partitions could not be made or dropped"},
    {"SELECT chime.forget_runs($1, $2, $3)", 3, "runs older than their jobs keep them could not be removed"},
    {"SELECT chime.forget_rows($1, $2, 'run_history_other', 'finished_at')", 2, "old runs could not be removed"},
    {"SELECT chime.forget_rows($1, $2, 'attempt', 'finished_at')", 2, "old attempts could not be removed"},
    {"SELECT chime.forget_rows($1, $2, 'missed', 'recorded_at')", 2, "old missed slots could not be removed"},
    {"SELECT chime.forget_rows($1, $2, 'job_past', 'until')", 2, "old definitions of jobs could not be removed"},
    {"SELECT chime.forget_jobs($1, $2)", 2, "jobs that were unscheduled long ago could not be removed"},
    {"SELECT chime.forget_leaderships($1, $2)", 2, "old leaderships could not be removed"},
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
    snprintf(limit_text, sizeof limit_text, "%d", limit);
    snprintf(from_text, sizeof from_text, "%lld", (long long)from);
    const char *parameters[] = {ledger->token, limit_text, from_text};
    pg_send_one(ledger->connection, NULL, steps[step].sql, steps[step].parameter_count, parameters, callback, data);
}

bool upkeep_read_more(const struct pg_reply *reply, int64_t *from)
{
    const char *value = pg_reply_rows(reply, 0) > 0 ? pg_reply_value(reply, 0, 0, 0) : NULL;
    *from = value != NULL ? strtoll(value, NULL, 10) : 0;
    return value != NULL;
}
