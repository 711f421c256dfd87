/* SPDX-License-Identifier: PostgreSQL */
/* The run sessions of one database: opened when needed, kept warm, handed out, cleaned between texts.
 *
 * Does: open up to a limit, check each, lend them, reset what a text left behind before the next one, ping
 *   idle ones so that the server's lease does not end them, close those unused for long, back off when none can be
 *   opened.
 * Does not: know runs.
 * Ownership: a lent session belongs to the borrower until pool_return or pool_drop; the pool owns the connection. */
#ifndef CHIME_PG_POOL_H
#define CHIME_PG_POOL_H

#include "pg/connection.h"
#include "pg/session.h"

/* --- between two texts -------------------------------------------------------------------------------------------- */

/* Makes a session as good as new between two texts that know nothing of each other.
 *
 * DISCARD ALL does it, and with it goes every prepared statement and cached plan: ours too, which cost more than a
 * short run. Behind chime.perform, which cleans what it can inside its transaction and says whether anything is left
 * that it cannot, the settings are all there is to reset.
 * Nothing is sent for RESET_NONE, and nobody called. When it fails the session is not to be used again. */
enum session_reset { RESET_NONE, RESET_SETTINGS, RESET_ALL };
void pg_reset_session(struct pg_connection *connection, enum session_reset reset, pg_callback *callback, void *data);

/* --- the pool ----------------------------------------------------------------------------------------------------- */

struct pool;
struct pool_session;

/* A limit that several pools share; one place for each session, open or opening. */
struct pool_budget {
    int limit;
    int open;
    void (*freed)(void *data); /* a place came free where there was none; not by pool_destroy */
    void *data;
};

struct pool_settings {
    const char *conninfo;         /* copied */
    const char *application_name; /* borrowed */
    int limit;
    bool plain;                     /* sessions are of a plain role (session.h), and no other is opened */
    bool cold;                      /* none stays open that nobody uses; else one does */
    const struct pg_server *server; /* borrowed: where all of them are to be; NULL: anywhere */
    bool own_hosts;                 /* pg_target */
    struct pool_budget *budget;     /* borrowed; NULL: none */
};

struct pool_handlers {
    void (*available)(void *data); /* a session became idle: work may be handed out */
    void (*lost)(void *data, struct pool_session *session,
                 const struct error *reason);               /* a lent session ended: drop it */
    void (*failed)(void *data, const struct error *reason); /* none could be opened; it tries again by itself */
};

struct pool *pool_create(struct loop *loop, struct resolver *resolver, const struct pool_settings *settings,
                         const struct pool_handlers *handlers, void *data);
void pool_destroy(struct pool *pool); /* closes all, lent ones too; calls nobody */

/* An idle session, clean; NULL when there is none now. The pool then opens one where it may, and calls `available`. */
struct pool_session *pool_borrow(struct pool *pool);
/* How many more could be borrowed at once, or soon: idle ones. */
int pool_idle(const struct pool *pool);
void pool_want(struct pool *pool, int sessions); /* opens towards this many idle ones, within the limit */
/* Another limit: sessions beyond it go as they come back. */
void pool_resize(struct pool *pool, int limit);
/* Those that nobody has borrowed go; none is opened until one is wanted again. */
void pool_close_idle(struct pool *pool);
/* One of those goes, and none is opened until one is wanted again; false when there is none. */
bool pool_give_up(struct pool *pool);
/* Back to the pool, which resets it as told before it is lent again. */
void pool_return(struct pool *pool, struct pool_session *session, enum session_reset reset);
/* Not to be used again: closes it. */
void pool_drop(struct pool *pool, struct pool_session *session);

struct pg_connection *pool_connection(const struct pool_session *session);
const struct pg_identity *pool_identity(const struct pool_session *session);
/* The pids of all sessions that are open; caller frees. */
size_t pool_pids(const struct pool *pool, int **pids);
void *pool_tag(const struct pool_session *session); /* the borrower's own pointer */
void pool_set_tag(struct pool_session *session, void *tag);
int pool_open_count(const struct pool *pool);
/* The last try to open one failed, and the next one is yet to come. */
bool pool_backs_off(const struct pool *pool);

#endif
