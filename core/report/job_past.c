/* SPDX-License-Identifier: PostgreSQL */
#include "report/job_past.h"

#include <stdio.h>

#include "base/memory.h"

static const struct output_column day_columns[] = {
    {"DAY", "day", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"RUNS", "runs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"SUCCEEDED", "succeeded", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"FAILED", "failed", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"SKIPPED", "skipped", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"MISSED", "missed", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"BUSY", "busy_ms", OUTPUT_DURATION, OUTPUT_WIDER},
    {"MEDIAN", "p50_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"P95", "p95_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"LONGEST", "max_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"P95 LATE", "late_p95_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
};

static const struct output_column version_columns[] = {
    {"VERSION", "version", OUTPUT_INTEGER, OUTPUT_ALWAYS}, {"SINCE", "since", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"UNTIL", "until", OUTPUT_INSTANT, OUTPUT_ALWAYS},     {"OWNER", "owner", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_WIDER},   {"COMMAND", "command", OUTPUT_LONG, OUTPUT_ALWAYS},
};
enum { VERSION_COMMAND = 5 };

/* Removed jobs may have had the name: their numbers are lower. */
#define THE_JOB                                                                                       \
    "(SELECT x.* FROM chime.job x WHERE x.name = $1 ORDER BY x.removed_at IS NOT NULL, x.job_id DESC" \
    "  LIMIT 1) j"

static const char days_sql[] =
    "SELECT d.day::text, d.runs, d.succeeded, d.failed, d.skipped, d.missed, d.busy_us, d.p50_us, d.p95_us, d.max_us,"
    "       d.late_p95_us"
    "  FROM " THE_JOB " JOIN chime.job_day d USING (job_id)"
    " WHERE d.day >= (SELECT t.next_day FROM chime.totals t) - $2::integer ORDER BY d.day DESC";
static const char *const days_examples[][QUESTION_PARAMETERS_MAX] = {{"example", "90"}, {NULL}};
const struct report_statement job_days_statement = {"job_days", days_sql, 2, days_examples};

static const char versions_sql[] =
    "SELECT v.version, v.since, v.until, v.owner, v.database, nullif(v.command, '') FROM " THE_JOB
    " CROSS JOIN LATERAL ("
    "   SELECT j.version, coalesce((SELECT max(p.until) FROM chime.job_past p WHERE p.job_id = j.job_id), j.updated_at)"
    "              AS since, NULL::timestamptz AS until, j.owner, j.database, j.command"
    "   UNION ALL"
    "   (SELECT p.version, p.since, p.until, p.owner, p.database, p.command FROM chime.job_past p"
    "     WHERE p.job_id = j.job_id ORDER BY p.version DESC LIMIT 100)) v"
    " ORDER BY v.version DESC";
static const char *const versions_examples[][QUESTION_PARAMETERS_MAX] = {{"example"}, {NULL}};
const struct report_statement job_versions_statement = {"job_versions", versions_sql, 1, versions_examples};

struct output_list *job_days_create(void)
{
    return output_create("days", day_columns, COUNT_OF(day_columns));
}

void job_days_ask(struct question *question, const char *job, int64_t count)
{
    *question = (struct question){.id = REPORT_JOB_DAYS, .parameters = {job, question->number}};
    snprintf(question->number, sizeof(question->number), "%lld", (long long)count);
}

struct output_list *job_versions_create(void)
{
    return output_create("versions", version_columns, COUNT_OF(version_columns));
}

void job_versions_ask(struct question *question, const char *job)
{
    *question = (struct question){.id = REPORT_JOB_VERSIONS, .parameters = {job}};
}

void job_versions_hide_commands(struct output_list *list)
{
    output_clear(list, VERSION_COMMAND);
}
