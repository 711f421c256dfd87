/* SPDX-License-Identifier: PostgreSQL */
#include "report/history_list.h"

#include "base/memory.h"

static const struct output_column leadership_columns[] = {
    {"EPOCH", "epoch", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"LEADER", "instance", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SINCE", "since", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"UNTIL", "until", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"RESIGNED", "resigned", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"LEADS", "leads", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"NEXT", "next_since", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"MISSED", "missed_slots", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"OF JOBS", "missed_jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_WIDER},
};
#define LEADERSHIP_DATABASE (COUNT_OF(leadership_columns) - 1)

/* A stretch that was missed while nobody led is written by who led next, and may go on until it began to look. So its
 * first slot tells. */
static const char leaderships_sql[] =
    "SELECT l.epoch, l.instance, l.since, coalesce(l.until, n.since), l.resigned,"
    "       n.since IS NULL AND l.until IS NULL AND chime.led(), n.since, m.slots, m.jobs"
    "  FROM (SELECT * FROM chime.leadership x WHERE x.since < coalesce($1::timestamptz, 'infinity')"
    "         ORDER BY x.epoch DESC LIMIT 100) l"
    "  LEFT JOIN LATERAL (SELECT x.epoch, x.since, x.until FROM chime.leadership x WHERE x.epoch > l.epoch"
    "                      ORDER BY x.epoch LIMIT 1) n ON true"
    "  LEFT JOIN LATERAL (SELECT sum(o.slots)::bigint AS slots, count(DISTINCT o.job_id) AS jobs FROM chime.missed o"
    "                      WHERE o.last_slot >= l.until AND o.last_slot < coalesce(n.until, 'infinity')"
    "                        AND o.first_slot < n.since AND o.epoch = n.epoch) m ON true"
    " ORDER BY l.epoch DESC";
static const char *const leadership_examples[][QUESTION_PARAMETERS_MAX] = {{"2100-01-01T00:00:00Z"}, {NULL}};
const struct report_statement leaderships_statement = {"leaderships", leaderships_sql, 1, leadership_examples};

static const struct output_column notification_columns[] = {
    {"NUMBER", "notification", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"SINK", "sink", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"RULE", "rule", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"CREATED", "created_at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"DUE", "due_at", OUTPUT_INSTANT, OUTPUT_WIDER},
    {"ATTEMPTS", "attempts", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"ENDED", "ended_at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"TELLS OF", "transitions", OUTPUT_INTEGER, OUTPUT_WIDER},
    {"ERROR", "error", OUTPUT_LONG, OUTPUT_ALWAYS},
};

static const char notifications_sql[] =
    "SELECT n.notification_id, n.sink, n.rule, n.state, n.created_at, n.due_at, n.attempts, n.ended_at,"
    "       cardinality(n.events) + n.omitted, n.error"
    "  FROM chime.notification n WHERE n.notification_id < coalesce($1::bigint, 9223372036854775807)"
    " ORDER BY n.notification_id DESC LIMIT 100";
static const char *const notification_examples[][QUESTION_PARAMETERS_MAX] = {{"9223372036854775807"}, {NULL}};
const struct report_statement notifications_statement = {"notifications", notifications_sql, 1, notification_examples};

struct output_list *leadership_list_create(void)
{
    return output_create("leaderships", leadership_columns, COUNT_OF(leadership_columns));
}

void leadership_list_ask(struct question *question, const char *before)
{
    *question = (struct question){.id = REPORT_LEADERSHIPS, .parameters = {before}};
}

void leadership_list_take(struct output_list *list, const struct pg_rows *rows, const struct config_database *database)
{
    for (size_t row = 0; row < rows->count; row++) {
        output_take_row(list, rows, row);
        output_set(list, LEADERSHIP_DATABASE, database->name);
    }
}

struct output_list *notification_list_create(void)
{
    return output_create("notifications", notification_columns, COUNT_OF(notification_columns));
}

void notification_list_ask(struct question *question, const char *before)
{
    *question = (struct question){.id = REPORT_NOTIFICATIONS, .parameters = {before}};
}
