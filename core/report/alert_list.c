/* SPDX-License-Identifier: PostgreSQL */
#include "report/alert_list.h"

#include <string.h>

#include "base/memory.h"

static const struct output_column alert_columns[] = {
    {"ALERT", "alert", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"SEVERITY", "severity", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"RULE", "rule", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SUBJECT", "subject", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SINCE", "since", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"UNTIL", "until", OUTPUT_INSTANT, OUTPUT_WIDER},
    {"SILENCE", "silence", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"BY", "acknowledged_by", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"WORDS", "acknowledgement", OUTPUT_LONG, OUTPUT_WIDER},
    {NULL, "value", OUTPUT_TEXT, OUTPUT_WIDER},
    {"SUMMARY", "summary", OUTPUT_FINDING, OUTPUT_ALWAYS},
    {NULL, "labels", OUTPUT_DATA, OUTPUT_WIDER},
};
enum { COLUMN_STATE = 2, COLUMN_SILENCE = 8 };
static const struct output_column silence_columns[] = {
    {"SILENCE", "silence", OUTPUT_INTEGER, OUTPUT_ALWAYS}, {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"OF", "matchers", OUTPUT_DATA, OUTPUT_ALWAYS},        {"UNTIL", "until", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"BY", "made_by", OUTPUT_TEXT, OUTPUT_ALWAYS},         {"REASON", "reason", OUTPUT_LONG, OUTPUT_ALWAYS},
};
static const struct output_column rule_columns[] = {
    {"RULE", "rule", OUTPUT_TEXT, OUTPUT_ALWAYS},         {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"PLUGIN", "plugin", OUTPUT_TEXT, OUTPUT_ALWAYS},     {"ENABLED", "enabled", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"SEVERITY", "severity", OUTPUT_TEXT, OUTPUT_ALWAYS}, {"HOLD", "hold_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"LABEL", "label", OUTPUT_TEXT, OUTPUT_WIDER},        {"LOOKS FOR", "looks_for", OUTPUT_LONG, OUTPUT_ALWAYS},
};

/* Those that are over come behind those that are open. */
#define OPEN_SQL                                                                                           \
    "SELECT a.alert_id, $1::text, a.state, a.severity, a.rule, a.subject, coalesce(a.fired_at, a.since), " \
    "NULL::timestamptz,"                                                                                   \
    " a.silence_id, a.acknowledged_by::text, a.acknowledgement, a.value, a.summary, a.labels FROM chime.alerts a"
#define OVER_SQL                                                                                                    \
    "SELECT e.alert_id, $1::text, e.state, e.severity, e.rule, e.subject,"                                          \
    " (SELECT max(f.at) FROM chime.alert_event f WHERE f.alert_id = e.alert_id AND f.state = 'firing' AND f.at >= " \
    "e.at - interval '90 days'),"                                                                                   \
    " e.at, e.silence_id, NULL, NULL, e.value, e.summary, e.labels"                                                 \
    " FROM (SELECT * FROM chime.alert_event o WHERE o.state = 'resolved' ORDER BY o.at DESC LIMIT 200) e"
static const char alerts_sql[] = OPEN_SQL " ORDER BY a.state, coalesce(a.fired_at, a.since), a.alert_id";
static const char all_alerts_sql[] = "SELECT * FROM (" OPEN_SQL " UNION ALL " OVER_SQL
                                     ") l ORDER BY l.state, 7 DESC, 1";
static const char silences_sql[] = "SELECT s.silence_id, $1::text, s.matchers, s.until, s.made_by, s.reason"
                                   " FROM chime.silence s WHERE s.until > clock_timestamp() ORDER BY s.silence_id";
static const char rules_sql[] =
    "SELECT r.name, $1::text, r.plugin, r.enabled, r.severity, (extract(epoch FROM r.hold) * 1000000)::bigint, r.about,"
    "       coalesce(r.condition, s.words)"
    "  FROM chime.alert_rule r LEFT JOIN chime.standard_rules() s USING (name) ORDER BY r.plugin NULLS FIRST, r.name";

static const char *const examples[][QUESTION_PARAMETERS_MAX] = {{"main"}, {NULL}};
const struct report_statement alerts_statement = {"alerts", alerts_sql, 1, examples};
const struct report_statement all_alerts_statement = {"all_alerts", all_alerts_sql, 1, examples};
const struct report_statement silences_statement = {"silences", silences_sql, 1, examples};
const struct report_statement alert_rules_statement = {"alert_rules", rules_sql, 1, examples};

struct output_list *alert_list_create(void)
{
    return output_create("alerts", alert_columns, COUNT_OF(alert_columns));
}

void alert_list_ask(struct question *question, const struct config_database *database, bool all)
{
    *question = (struct question){.id = all ? REPORT_ALL_ALERTS : REPORT_ALERTS, .parameters = {database->name}};
}

bool alert_list_take(struct output_list *list, const struct pg_rows *rows)
{
    bool fires = false;
    for (size_t row = 0; row < rows->count; row++) {
        fires = fires || (strcmp(pg_rows_value(rows, row, COLUMN_STATE), "firing") == 0 &&
                          pg_rows_value(rows, row, COLUMN_SILENCE) == NULL);
    }
    output_take_rows(list, rows);
    return fires;
}

struct output_list *silence_list_create(void)
{
    return output_create("silences", silence_columns, COUNT_OF(silence_columns));
}

void silence_list_ask(struct question *question, const struct config_database *database)
{
    *question = (struct question){.id = REPORT_SILENCES, .parameters = {database->name}};
}

struct output_list *alert_rule_list_create(void)
{
    return output_create("rules", rule_columns, COUNT_OF(rule_columns));
}

void alert_rule_list_ask(struct question *question, const struct config_database *database)
{
    *question = (struct question){.id = REPORT_ALERT_RULES, .parameters = {database->name}};
}
