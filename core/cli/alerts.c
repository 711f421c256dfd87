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
#include "report/alert_list.h"

struct alert_lists {
    struct output_list *alerts;
    struct output_list *silences;
    bool all;
    bool fires; /* one that no silence keeps from being told */
};

static bool add_alerts(struct visit *visit, struct alert_lists *lists, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    alert_list_ask(&question, visit->database, lists->all);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    lists->fires = alert_list_take(lists->alerts, &rows) || lists->fires;
    pg_rows_finish(&rows);
    return true;
}

static bool add_lists(struct visit *visit, void *data, struct error *err)
{
    struct alert_lists *lists = data;
    struct question silences;
    silence_list_ask(&silences, visit->database);
    return add_alerts(visit, lists, err) && visit_take(visit, lists->silences, &silences, err);
}

/* `all_asked`: every database answered. */
static void print_lists(const struct invocation *invocation, const struct alert_lists *lists, bool all_asked)
{
    struct output_list *const both[] = {lists->alerts, lists->silences};
    bool people = output_is_for_people(&invocation->style);
    bool rows = output_rows(lists->alerts) > 0;
    output_print(both, !people || output_rows(lists->silences) > 0 ? 2 : 1, &invocation->style, stdout);
    if (!rows && all_asked) {
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
        .alerts = alert_list_create(),
        .silences = silence_list_create(),
        .all = invocation_has(invocation, "all"),
    };
    status = visit_all(invocation, config, add_lists, &lists);
    print_lists(invocation, &lists, status == EXIT_OK);
    output_destroy(lists.alerts);
    output_destroy(lists.silences);
    config_free(config);
    return status == EXIT_OK && lists.fires ? EXIT_WARNINGS : status;
}

static bool add_rules(struct visit *visit, void *list, struct error *err)
{
    struct question question;
    alert_rule_list_ask(&question, visit->database);
    return visit_take(visit, list, &question, err);
}

static int rules_run(const struct invocation *invocation)
{
    struct output_list *list = alert_rule_list_create();
    int status = visit_command(invocation, list, add_rules, "there are no rules yet: a leader writes them");
    output_destroy(list);
    return status;
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
    bool good = json_object_get(matchers, label) == NULL;
    if (good) {
        json_object_set_new(matchers, label, json_string(equals + 1));
    } else {
        error_set(err, ERROR_USAGE, "label %s is given twice", label);
        error_hint(err, "all of a silence's labels must match: make a silence for each value");
    }
    free(label);
    return good;
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
    /* The label `database` is the server's name of it, and people see the name in pgchime.conf. */
    static const char sql[] =
        "INSERT INTO chime.silence (matchers, until, made_by, reason)"
        " SELECT $1::jsonb || CASE WHEN $1::jsonb ->> 'database' = $4"
        "                          THEN jsonb_build_object('database', current_database()) ELSE '{}' END,"
        "        clock_timestamp() + $2::bigint * interval '1 microsecond', session_user, $3";
    struct silence_order *order = data;
    char *length = xasprintf("%lld", (long long)order->length);
    const char *parameters[] = {order->matchers, length, order->reason, visit->database->name};
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
