/* SPDX-License-Identifier: PostgreSQL */
/* What the leader's second session asks of the server: to hear notifications, and which views are behind their sources.
 *
 * Does: LISTEN, prove that a notification arrives, look at the marks of captured changes (listener.sql); write
 *   down, through the leader's own session, whether all that works and which views stay behind.
 * Does not: decide which jobs run because of it (daemon/listener.h). */
#ifndef CHIME_LEDGER_LISTENING_H
#define CHIME_LEDGER_LISTENING_H

#include "ledger/ledger.h"

/* Borrowed names. */
struct name_list {
    const char *const *items;
    size_t count;
};

#define LISTENING_PROBE "chime_listener" /* the channel on which the session proves that it hears */

/* In one transaction: nothing is missed on channels that stay. */
void listening_listen(struct pg_connection *session, const struct name_list *added, const struct name_list *gone,
                      pg_callback *callback, void *data);
/* A notification to itself, with that payload. */
void listening_probe(struct pg_connection *session, const char *payload, pg_callback *callback, void *data);
/* Whether the server's queue of notifications is filling up, perhaps since this session holds it (changes_listen() says
 * how): it is to listen anew. */
void listening_queue(struct pg_connection *session, pg_callback *callback, void *data);
bool listening_read_queue(const struct pg_reply *reply);
/* Keeps the server's lease while there is nothing to look at. */
void listening_ping(struct pg_connection *session, pg_callback *callback, void *data);

/* A close look, which costs some milliseconds: the statement of a quick one, and what no mark tells of. `targets` goes
 * with `views`. `inherits`: also which lag jobs with TARGET_LAG_DOWNSTREAM have. */
void listening_check_closely(struct pg_connection *session, const struct name_list *views, const duration *targets,
                             bool inherits, pg_callback *callback, void *data);
/* Of a reply to that, by row: such a job, and its lag, 0 where no view needs one. */
size_t listening_lag_count(const struct pg_reply *reply);
duration listening_lag(const struct pg_reply *reply, size_t index, int64_t *job_id);
const char *listening_read_statement(
    const struct pg_reply *reply); /* borrowed from the reply; NULL: no view has marks */
/* A quick one, by that statement, the same each time until it is forgotten. */
void listening_check(struct pg_connection *session, const char *statement, pg_callback *callback, void *data);
void listening_forget_check(struct pg_connection *session);
/* Views that are behind, of either look: by row. */
size_t listening_count(const struct pg_reply *reply);
const char *listening_view(const struct pg_reply *reply, size_t index);

enum listening_state { LISTENING_OFF, LISTENING_ON, LISTENING_DEGRADED };

/* Written through the leader's session: which session is about to listen; and that the one an earlier leader wrote down
 * is to end. */
void listening_note_listener(const struct ledger *ledger, const struct pg_identity *session, pg_callback *callback,
                             void *data);
void listening_end_listener(const struct ledger *ledger, pg_callback *callback, void *data);

/* For people: chime.listener. `reason` NULL while nothing is wrong, `pid` 0 without a session. */
void listening_note(const struct ledger *ledger, enum listening_state state, const char *reason, int pid,
                    const struct name_list *channels, const struct name_list *views, pg_callback *callback, void *data);
/* Views that have been behind since then (by the database's clock) and still are. */
void listening_note_behind(const struct ledger *ledger, const char *const *views, const instant *since, size_t count,
                           pg_callback *callback, void *data);

#endif
