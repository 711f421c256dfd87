/* SPDX-License-Identifier: PostgreSQL */
/* `alerts` and what people do about them: silence, acknowledge. Needs no daemon. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/visit.h"

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

struct alert_lists {
    struct output_list *alerts;
    struct output_list *silences;
    bool all;
    bool fires; /* one that no silence keeps from being told */
};

static bool read_fires(struct visit *visit, struct alert_lists *lists, struct error *err)
{
    struct pg_rows rows;
    if (!pg_client_query(visit->client,
                         "SELECT EXISTS (SELECT FROM chime.alerts WHERE state = 'firing' AND silence_id IS NULL)", NULL,
                         0, &rows, err)) {
        return false;
    }
    lists->fires = lists->fires || pg_rows_value(&rows, 0, 0)[0] == 't';
    pg_rows_finish(&rows);
    return true;
}

static bool list_alerts(struct visit *visit, void *data, struct error *err)
{
    static const char open_sql[] = OPEN_SQL " ORDER BY a.state, coalesce(a.fired_at, a.since), a.alert_id";
    static const char all_sql[] = "SELECT * FROM (" OPEN_SQL " UNION ALL " OVER_SQL ") l ORDER BY l.state, 7 DESC, 1";
    static const char silence_sql[] = "SELECT s.silence_id, $1::text, s.matchers, s.until, s.made_by, s.reason"
                                      " FROM chime.silence s WHERE s.until > clock_timestamp() ORDER BY s.silence_id";
    struct alert_lists *lists = data;
    return visit_list(visit, lists->alerts, lists->all ? all_sql : open_sql, NULL, 0, err) &&
           visit_list(visit, lists->silences, silence_sql, NULL, 0, err) && read_fires(visit, lists, err);
}

static void print_lists(const struct invocation *invocation, const struct alert_lists *lists)
{
    struct output_list *const both[] = {lists->alerts, lists->silences};
    bool people = output_is_for_people(&invocation->style);
    bool rows = output_rows(lists->alerts) > 0;
    output_print(both, !people || output_rows(lists->silences) > 0 ? 2 : 1, &invocation->style, stdout);
    if (!rows) {
        remark(invocation, lists->all ? "no alert fires or fired" : "no alert fires or is about to");
    }
}

static int alerts_run(const struct invocation *invocation)
{
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    struct alert_lists lists = {
        .alerts = output_create("alerts", alert_columns, COUNT_OF(alert_columns)),
        .silences = output_create("silences", silence_columns, COUNT_OF(silence_columns)),
        .all = invocation_has(invocation, "all"),
    };
    status = visit_all(invocation, config, list_alerts, &lists);
    print_lists(invocation, &lists);
    output_destroy(lists.alerts);
    output_destroy(lists.silences);
    config_free(config);
    return status == EXIT_OK && lists.fires ? EXIT_WARNINGS : status;
}

static bool list_rules(struct visit *visit, void *data, struct error *err)
{
    static const char sql[] = "SELECT r.name, $1::text, r.plugin, r.enabled, r.severity, (extract(epoch FROM r.hold) * "
                              "1000000)::bigint, r.about,"
                              "       coalesce(r.condition, s.words)"
                              "  FROM chime.alert_rule r LEFT JOIN chime.standard_rules() s USING (name) ORDER BY "
                              "r.plugin NULLS FIRST, r.name";
    return visit_list(visit, data, sql, NULL, 0, err);
}

static int rules_run(const struct invocation *invocation)
{
    struct output_list *list = output_create("rules", rule_columns, COUNT_OF(rule_columns));
    return visit_command(invocation, list, list_rules, "there are no rules yet: a leader writes them");
}

/* --- silences ----------------------------------------------------------------------------------------------------- */

struct silence_order {
    char *matchers; /* JSON */
    const char *reason;
    duration length;
    size_t made;
};

static bool read_matcher(json_t *matchers, const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0') {
        error_set(err, ERROR_USAGE, "\"%s\" is not LABEL=VALUE", text);
        return error_hint(err,
                          "such as job=report-* or severity=info; pgchime alerts -o json shows the labels of each");
    }
    char *label = xstrndup(text, (size_t)(equals - text));
    json_object_set_new(matchers, label, json_string(equals + 1));
    free(label);
    return true;
}

static bool read_order(const struct invocation *invocation, struct silence_order *order, struct error *err)
{
    json_t *matchers = json_object();
    bool good = true;
    for (int i = 0; i < invocation->argument_count && good; i++) {
        good = read_matcher(matchers, invocation->arguments[i], err);
    }
    order->matchers = json_dumps(matchers, JSON_COMPACT);
    json_decref(matchers);
    order->reason = invocation_option(invocation, "reason");
    order->length = -1;
    if (!good || !invocation_duration(invocation, "for", &order->length, err)) {
        return false;
    }
    if (order->length <= 0 || order->reason == NULL || order->reason[0] == '\0') {
        error_set(err, ERROR_USAGE, "a silence needs an end and a reason");
        return error_hint(err, "pgchime alerts silence job=report --for 2h --reason 'the disk is being replaced'");
    }
    return true;
}

static bool make_silence(struct visit *visit, void *data, struct error *err)
{
    static const char sql[] =
        "INSERT INTO chime.silence (matchers, until, made_by, reason)"
        " VALUES ($1, clock_timestamp() + $2::bigint * interval '1 microsecond', session_user, $3)";
    struct silence_order *order = data;
    char *length = xasprintf("%lld", (long long)order->length);
    const char *parameters[] = {order->matchers, length, order->reason};
    bool made = pg_client_query(visit->client, sql, parameters, COUNT_OF(parameters), NULL, err);
    free(length);
    order->made += made ? 1 : 0;
    return made;
}

static int in_each(const struct invocation *invocation, visit_function *function, void *data)
{
    int status;
    struct config *config = load_config(invocation, &status);
    if (config != NULL) {
        status = visit_all(invocation, config, function, data);
        config_free(config);
    }
    return status;
}

static int silence_run(const struct invocation *invocation)
{
    struct silence_order order = {0};
    struct error err;
    int status = read_order(invocation, &order, &err) ? in_each(invocation, make_silence, &order) : fail(&err);
    free(order.matchers);
    return status;
}

/* --- one of them, by its number ----------------------------------------------------------------------------------- */

struct number_order {
    const char *sql; /* $1: the number; $2: the reason */
    const char *number;
    const char *reason;
    size_t done;
};

/* Each database counts its own. */
static bool one_database(const struct invocation *invocation, struct error *err)
{
    int status;
    size_t wanted = 0;
    struct config *config = load_config(invocation, &status);
    for (size_t i = 0; config != NULL && i < config->database_count; i++) {
        wanted += database_is_wanted(invocation, &config->databases[i]) ? 1 : 0;
    }
    config_free(config);
    if (wanted > 1) {
        error_set(err, ERROR_USAGE, "%zu databases are configured, and each counts its own", wanted);
        return error_hint(err, "choose one with --database NAME");
    }
    return true;
}

static bool change_one(struct visit *visit, void *data, struct error *err)
{
    struct number_order *order = data;
    struct pg_rows rows;
    const char *parameters[] = {order->number, order->reason};
    if (!pg_client_query(visit->client, order->sql, parameters, COUNT_OF(parameters), &rows, err)) {
        return false;
    }
    order->done += rows.count;
    pg_rows_finish(&rows);
    return true;
}

static int change_by_number(const struct invocation *invocation, const char *sql, const char *reason, const char *what)
{
    struct error err;
    struct number_order order = {.sql = sql, .number = invocation->arguments[0], .reason = reason};
    size_t digits = strspn(order.number, "0123456789");
    if (digits == 0 || digits > 18 || order.number[digits] != '\0') {
        error_set(&err, ERROR_USAGE, "\"%s\" is not the number of %s", order.number, what);
        error_hint(&err, "pgchime alerts lists them");
        return fail(&err);
    }
    if (!one_database(invocation, &err)) {
        return fail(&err);
    }
    int status = in_each(invocation, change_one, &order);
    if (status == EXIT_OK && order.done == 0) {
        error_set(&err, ERROR_NOT_FOUND, "there is no open %s %s", what, order.number);
        error_hint(&err, "pgchime alerts lists them");
        return fail(&err);
    }
    return status;
}

static int unsilence_run(const struct invocation *invocation)
{
    return change_by_number(
        invocation,
        "UPDATE chime.silence SET until = greatest(clock_timestamp(), since + interval '1 microsecond')"
        " WHERE silence_id = $1 AND until > clock_timestamp() AND $2::text IS NULL RETURNING 1",
        NULL, "silence");
}

static int ack_run(const struct invocation *invocation)
{
    return change_by_number(
        invocation,
        "UPDATE chime.alert SET acknowledged_at = clock_timestamp(), acknowledged_by = session_user,"
        " acknowledgement = $2 WHERE alert_id = $1 RETURNING 1",
        invocation_option(invocation, "reason"), "alert");
}

const struct command command_alerts = {
    .name = "alerts",
    .arguments = "",
    .summary = "what is wrong now, and silences that are in force",
    .details = "An alert is pending until its rule has found it for as long as the rule's hold says, then it fires, "
               "until two\n"
               "looks of the leader's in a row do not find it. Exit status 8 while one fires that no silence is for.",
    .options = {{"all", NULL, "also the last 200 that are resolved"}},
    .run = alerts_run,
};

const struct command command_alerts_rules = {
    .name = "alerts rules",
    .arguments = "",
    .summary = "what is looked for: of every database, of plugins, of the configuration",
    .details =
        "\"alerts\" in conf.d switches a rule off, gives it another severity or hold, or makes one by a condition.",
    .run = rules_run,
};

const struct command command_alerts_silence = {
    .name = "alerts silence",
    .arguments = "LABEL=VALUE...",
    .least = 1,
    .most = 16,
    .summary = "keeps alerts with these labels from being told, until an end",
    .details = "They are shown and kept all the same. All labels must match; * stands for any text. At most 90 days.",
    .options = {{"for", "DURATION", "until so long from now, such as 2h"}, {"reason", "TEXT", "why"}},
    .run = silence_run,
};

const struct command command_alerts_unsilence = {
    .name = "alerts unsilence",
    .arguments = "SILENCE",
    .least = 1,
    .most = 1,
    .summary = "ends a silence now",
    .run = unsilence_run,
};

const struct command command_alerts_ack = {
    .name = "alerts ack",
    .arguments = "ALERT",
    .least = 1,
    .most = 1,
    .summary = "notes that somebody looks after an alert",
    .options = {{"reason", "TEXT", "what is done about it"}},
    .run = ack_run,
};
