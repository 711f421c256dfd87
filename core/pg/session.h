/* SPDX-License-Identifier: PostgreSQL */
/* The settings that a new session gets before its first use, by its kind; and its identity.
 *
 * leader: short statements of our own, everything pinned that a role could override.
 * watch: the listener's session (daemon/listener.h).
 * alert: looks for what is wrong, with texts of plugins and the configuration among it: it may not write, nor hold
 * anybody up. worker: a run's own session. Its texts see the role's own settings (search_path, TimeZone, jit ...), as
 *   psql would; only what protects the ledger is pinned: the lease (idle timeouts), and that a statement ends with its
 *   client.
 * page: reads what people look at.
 * plain worker: that of a role which must not have powers by which it could become another. */
#ifndef CHIME_PG_SESSION_H
#define CHIME_PG_SESSION_H

#include "base/instant.h"
#include "pg/connection.h"

/* A server session, as no other will ever be. */
struct pg_identity {
    int pid;
    char backend_start[40]; /* as the server wrote it */
};

#define PG_LEASE (15 * USEC_PER_SEC) /* a silent session is ended by the server after this */
#define PG_MINIMUM_VERSION 150000

enum pg_purpose { PG_LEADER, PG_WORKER, PG_PLAIN_WORKER };

extern const struct pg_setting pg_leader_settings[];
extern const size_t pg_leader_setting_count;
extern const struct pg_setting pg_watch_settings[];
extern const size_t pg_watch_setting_count;
extern const struct pg_setting pg_alert_settings[];
extern const size_t pg_alert_setting_count;
extern const struct pg_setting pg_page_settings[]; /* the last one keeps the session from writing */
extern const size_t pg_page_setting_count;
extern const struct pg_setting pg_tile_settings[];
extern const size_t pg_tile_setting_count;
extern const struct pg_setting pg_worker_settings[];
extern const size_t pg_worker_setting_count;

/* Asks the new session who it is and whether it is what was ordered. */
void pg_check(struct pg_connection *connection, pg_callback *callback, void *data);
/* False with the fault by name: too old a server, a pooler, a setting that did not take, a standby, another server than
 * the target named, a role with powers where it is to be a plain one. */
bool pg_read_check(const struct pg_connection *connection, const struct pg_reply *reply, enum pg_purpose purpose,
                   struct pg_identity *identity, struct error *err);
/* Of the same answer, which was accepted: where it came from. */
void pg_read_server(const struct pg_connection *connection, const struct pg_reply *reply, struct pg_server *server);

/* The error of a server that only follows another. Returns false. */
bool pg_refuse_standby(struct error *err);
#define PG_READ_ONLY "25006" /* what a standby says to who would write */

/* --- histories of a server ---------------------------------------------------------------------------------------- */

/* Each promotion of a standby begins a timeline; a primary on a lower one than was seen before was left behind by
 * it. */
struct pg_lineage {
    char system[24]; /* the same for a primary and its standbys */
    int timeline;    /* 0: the server does not tell, as some that are hosted do not */
};

/* Whether the server is on a lower timeline than `highest`, which is raised by what is seen here, or than `led`, on
 * which its ledger was led before; then the error says so. Of another system `highest` begins anew. What one list of
 * hosts leads to is compared, nothing else: a copy that was promoted says nothing of its original. */
bool pg_left_behind(struct pg_lineage *highest, const struct pg_lineage *here, const struct pg_lineage *led,
                    const struct pg_server *server, struct error *err);

void pg_ask_lineage(struct pg_connection *connection, pg_callback *callback, void *data);
void pg_read_lineage(const struct pg_reply *reply, struct pg_lineage *lineage);

#endif
