/* SPDX-License-Identifier: PostgreSQL */
/* A session to one database, open while there are questions for it.
 *
 * Does: connect when it is asked something, look whether the schema is one that is known, ask, and close when nobody
 *   has asked for a minute. Nothing waits longer than its patience, however the server behaves. A database that
 *   could not be reached is tried again after two seconds.
 * A standby is asked, too, but for actions.
 * Does not: know what is asked. */
#ifndef CHIME_WEB_SESSION_H
#define CHIME_WEB_SESSION_H

#include "config/config.h"
#include "pg/connection.h"
#include "report/statements.h"

#define SESSION_QUESTIONS_MAX 10

struct session;

/* Once, later: `reply` has the rows of each question, or `err` says why there are none. */
typedef void session_callback(void *data, const struct pg_reply *reply, const struct error *err);

/* For the ledger's pages, which cannot write; for what acts, which may; for queries of plugins, which cannot, and are
 * sent one after the other, so that none waits for many. */
enum session_use { SESSION_LEDGER, SESSION_ACTIONS, SESSION_TILES };

struct session *session_create(struct loop *loop, struct resolver *resolver, const struct config_database *database,
                               enum session_use use);
void session_destroy(struct session *session); /* who asked is not answered; takes NULL */
/* The questions stay the caller's, until it is answered. */
void session_ask(struct session *session, const struct question *questions, size_t count, session_callback *callback,
                 void *data);
/* The same with a statement that is no question of a report. It and its parameters stay the caller's, likewise. */
void session_call(struct session *session, const struct pg_statement *statement, session_callback *callback,
                  void *data);
/* Sends a statement that may write, if there is a session; nobody waits for its answer. */
void session_tell(struct session *session, const char *sql, const char *const *parameters, int count);

/* Since it was created: how many times it was asked and answered, and how long that took in all. */
uint64_t session_asked(const struct session *session);
duration session_took(const struct session *session);

#endif
