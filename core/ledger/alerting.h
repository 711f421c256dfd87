/* SPDX-License-Identifier: PostgreSQL */
/* What the leader asks and writes about alerts (alerts.sql).
 *
 * Does: look for what is wrong, and whether a condition holds, on a session that may not write; write rules and what
 *   follows from a look through the leader's own session.
 * Does not: decide when (daemon/alerts.h), or what follows from a look (chime.note_alerts). */
#ifndef CHIME_LEDGER_ALERTING_H
#define CHIME_LEDGER_ALERTING_H

#include "ledger/columns.h"
#include "ledger/ledger.h"

/* A look, but for conditions. */
void alerting_evaluate(struct pg_connection *session, pg_callback *callback, void *data);
const char *alerting_read_found(const struct pg_reply *reply); /* NULL: nothing */
bool alerting_read_open(const struct pg_reply *reply);
const char *alerting_read_mark(const struct pg_reply *reply); /* of the rules that are there; NULL: there are none */
size_t alerting_standard_count(const struct pg_reply *reply); /* rules that it went by */
const char *alerting_standard(const struct pg_reply *reply, size_t index);
size_t alerting_condition_count(const struct pg_reply *reply); /* rules that are to be asked for one by one */
const char *alerting_condition(const struct pg_reply *reply, size_t index);
void alerting_evaluate_condition(struct pg_connection *session, const char *rule, pg_callback *callback, void *data);
const char *alerting_read_holds(const struct pg_reply *reply); /* NULL: it does not */

/* `rules` is JSON. */
void alerting_set_rules(const struct ledger *ledger, const char *rules, pg_callback *callback, void *data);
const char *alerting_read_mark_set(const struct pg_reply *reply); /* of what was written */
/* Columns: what was found, in JSON, part by part; by which rules was looked. */
void alerting_note(const struct ledger *ledger, const struct columns *looks, pg_callback *callback, void *data);

/* Of which jobs pings do not arrive, as an earlier leader knew. */
void alerting_recall_pings(const struct ledger *ledger, pg_callback *callback, void *data);
size_t alerting_recalled_count(const struct pg_reply *reply);
const char *alerting_recalled_job(const struct pg_reply *reply, size_t index);
const char *alerting_recalled_words(const struct pg_reply *reply, size_t index);

struct alerting_event {
    const char *state;
    const char *rule;
    const char *subject;
    const char *severity;
    const char *summary;
};
/* Those that are to be logged: what fired or was resolved and is not silenced, twenty at most. */
size_t alerting_event_count(const struct pg_reply *reply);
size_t alerting_events_left_out(const struct pg_reply *reply);                    /* beyond them */
struct alerting_event alerting_event(const struct pg_reply *reply, size_t index); /* borrowed from the reply */

#endif
