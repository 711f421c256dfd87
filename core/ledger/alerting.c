/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/alerting.h"

#include "base/text.h"
#include "ledger/answers.h"

void alerting_evaluate(struct pg_connection *session, pg_callback *callback, void *data)
{
    static const struct pg_statement statements[] = {
        {.name = "chime_evaluate_alerts",
         .sql = "SELECT l.found, l.open, chime.alert_rules_mark() FROM chime.evaluate_alerts() AS l"},
        {.name = "chime_alert_standards",
         .sql =
             "SELECT r.name FROM chime.standard_rules() AS r WHERE r.name OPERATOR(pg_catalog.<>) 'condition-broken'"},
        {.name = "chime_alert_conditions", .sql = "SELECT c FROM chime.alert_conditions() AS c"},
        {.name = "chime_vet_tiles", .sql = "SELECT chime.vet_tiles()"}};
    pg_send(session, statements, COUNT_OF(statements), callback, data);
}

const char *alerting_read_found(const struct pg_reply *reply)
{
    return pg_reply_value(reply, 0, 0, 0);
}

bool alerting_read_open(const struct pg_reply *reply)
{
    return answer_is_true(pg_reply_value(reply, 0, 0, 1));
}

const char *alerting_read_mark(const struct pg_reply *reply)
{
    return pg_reply_value(reply, 0, 0, 2);
}

size_t alerting_standard_count(const struct pg_reply *reply)
{
    return pg_reply_rows(reply, 1);
}

const char *alerting_standard(const struct pg_reply *reply, size_t index)
{
    return pg_reply_value(reply, 1, index, 0);
}

size_t alerting_condition_count(const struct pg_reply *reply)
{
    return pg_reply_rows(reply, 2);
}

const char *alerting_condition(const struct pg_reply *reply, size_t index)
{
    return pg_reply_value(reply, 2, index, 0);
}

void alerting_evaluate_condition(struct pg_connection *session, const char *rule, pg_callback *callback, void *data)
{
    pg_send_one(session, NULL, "SELECT chime.evaluate_condition($1)", 1, &rule, callback, data);
}

const char *alerting_read_holds(const struct pg_reply *reply)
{
    return pg_reply_value(reply, 0, 0, 0);
}

void alerting_set_rules(const struct ledger *ledger, const char *rules, pg_callback *callback, void *data)
{
    const char *parameters[] = {ledger->token, rules};
    ledger_send_one(ledger, NULL, "SELECT chime.alert_rules_mark() FROM chime.set_alert_rules($1, $2)",
                    COUNT_OF(parameters), parameters, callback, data);
}

const char *alerting_read_mark_set(const struct pg_reply *reply)
{
    return pg_reply_value(reply, 0, 0, 0);
}

void alerting_note(const struct ledger *ledger, const struct columns *looks, pg_callback *callback, void *data)
{
    const char *parameters[] = {ledger->token, looks->values[0], looks->values[1]};
    pg_send_one(ledger->connection, "chime_note_alerts",
                "SELECT state, rule, subject, severity, summary, count(*) OVER () FROM chime.note_alerts($1, $2, $3)"
                " WHERE state IN ('firing', 'resolved') AND NOT silenced LIMIT 20",
                COUNT_OF(parameters), parameters, callback, data);
}

void alerting_recall_pings(const struct ledger *ledger, pg_callback *callback, void *data)
{
    pg_send_one(ledger->connection, NULL,
                "SELECT a.subject, a.summary FROM chime.alert a WHERE a.rule OPERATOR(pg_catalog.=) 'ping-failing'", 0,
                NULL, callback, data);
}

size_t alerting_recalled_count(const struct pg_reply *reply)
{
    return pg_reply_rows(reply, 0);
}

const char *alerting_recalled_job(const struct pg_reply *reply, size_t index)
{
    return pg_reply_value(reply, 0, index, 0);
}

const char *alerting_recalled_words(const struct pg_reply *reply, size_t index)
{
    return pg_reply_value(reply, 0, index, 1);
}

size_t alerting_event_count(const struct pg_reply *reply)
{
    return pg_reply_rows(reply, 0);
}

size_t alerting_events_left_out(const struct pg_reply *reply)
{
    size_t count = alerting_event_count(reply);
    int64_t all = 0;
    return count > 0 && parse_int64(pg_reply_value(reply, 0, 0, 5), 0, INT64_MAX, &all) ? (size_t)all - count : 0;
}

struct alerting_event alerting_event(const struct pg_reply *reply, size_t index)
{
    return (struct alerting_event){.state = pg_reply_value(reply, 0, index, 0),
                                   .rule = pg_reply_value(reply, 0, index, 1),
                                   .subject = pg_reply_value(reply, 0, index, 2),
                                   .severity = pg_reply_value(reply, 0, index, 3),
                                   .summary = pg_reply_value(reply, 0, index, 4)};
}
