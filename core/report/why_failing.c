/* SPDX-License-Identifier: PostgreSQL */
/* Since when a job fails, why, and what comes after it. */
#include <string.h>

#include "report/job_list.h"
#include "report/run_list.h"
#include "report/why.h"

/* The slot of a run that failed may be before the end of the last success: by no more than a day. */
#define FAILED_SINCE                                                                      \
    "f.job_id = s.job_id AND f.state IN " FAILED_STATES                                   \
    " AND f.slot > coalesce(s.last_success - interval '1 day', '-infinity'::timestamptz)" \
    " AND f.finished_at > coalesce(s.last_success, '-infinity'::timestamptz)"

static const char failing_sql[] =
    "SELECT s.consecutive_failures,"
    "       (SELECT f.slot FROM chime.run_history f WHERE " FAILED_SINCE " ORDER BY f.slot LIMIT 1),"
    "       (SELECT concat_ws(' ', f.sqlstate, left(split_part(coalesce(f.message, f.reason, f.state::text),"
    "                                                          E'\n', 1), 500))"
    "          FROM chime.run_history f WHERE " FAILED_SINCE " ORDER BY f.slot DESC LIMIT 1),"
    "       (SELECT string_agg(d.name, ', ' ORDER BY d.name) FROM " FIRST_DOWNSTREAMS ")"
    "  FROM chime.job j JOIN chime.job_state s USING (job_id)"
    " WHERE j.job_id = $1::bigint AND s.consecutive_failures > 0";
static const char *const examples[][QUESTION_PARAMETERS_MAX] = {{"1"}, {NULL}};
const struct report_statement why_failing_statement = {"why_failing", failing_sql, 1, examples};
enum { RESULT_FAILURES, RESULT_SINCE, RESULT_MESSAGE, RESULT_DOWNSTREAM };

void why_ask_failing(struct question *question, const struct why_facts *facts)
{
    *question = (struct question){.id = REPORT_WHY_FAILING, .parameters = {facts->job_id}};
}

void why_take_failing(struct why_facts *facts, struct pg_rows *rows)
{
    facts->failing = *rows;
    *rows = (struct pg_rows){.count = 0};
}

void why_say_failing(struct buffer *text, const struct why_facts *facts)
{
    if (facts->failing.count == 0) {
        return;
    }
    const char *failures = pg_rows_value(&facts->failing, 0, RESULT_FAILURES);
    const char *since = pg_rows_value(&facts->failing, 0, RESULT_SINCE);
    const char *message = pg_rows_value(&facts->failing, 0, RESULT_MESSAGE);
    const char *downstream = pg_rows_value(&facts->failing, 0, RESULT_DOWNSTREAM);
    bool once = strcmp(failures, "1") == 0;
    instant at;
    buffer_printf(text, "it failed %s%s", once ? "once" : failures, once ? "" : " times in a row");
    if (since != NULL && instant_parse(since, &at, NULL)) {
        char shown[INSTANT_TEXT_SIZE];
        instant_format(at - at % USEC_PER_SEC, shown);
        buffer_printf(text, ", %sat slot %s", once ? "" : "first ", shown);
    }
    if (message != NULL && message[0] != '\0') {
        buffer_printf(text, ": %s", message);
    }
    if (downstream != NULL) {
        buffer_printf(text, "; after it %s %s", strchr(downstream, ',') != NULL ? "come" : "comes", downstream);
    }
}
