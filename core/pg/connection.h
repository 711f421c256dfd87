/* SPDX-License-Identifier: PostgreSQL */
/* One connection to PostgreSQL as a state machine that never blocks: the only way the daemon talks to a server.
 *
 * Does: connect (connect.h says how), send requests in pipelines, hand back results, pass on notifications, say why it
 *   closed.
 * Does not: retry, reconnect, or know what it is used for.
 * Requests are answered in the order they were sent. A request is one transaction where its statements make it one: its
 * statements travel in one flush and end at one synchronisation point, so a failed one skips the rest.
 * Ownership: pg_open gives a connection that the caller closes once, also after `closed` was called. Callbacks may
 * close the connection they come from. Statement texts and parameters are copied into libpq at once. */
#ifndef CHIME_PG_CONNECTION_H
#define CHIME_PG_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/instant.h"
#include "loop/loop.h"
#include "loop/resolve.h"

struct pg_connection;
struct pg_reply;

/* A setting of the session, given with the connection so that nothing can be sent before it holds. */
struct pg_setting {
    const char *name;
    const char *value;
};

/* What may come until a row, a result, a notice or a notification is complete. A session that is sent more is ended;
 * rows that are kept are complete together. */
#define PG_INPUT_LIMIT ((size_t)16 << 20)
#define PG_LEADER_INPUT_LIMIT ((size_t)256 << 20) /* answers about all of a ledger's jobs and runs */

/* One server, as a session met it: a list of hosts may lead the next one elsewhere. */
struct pg_server {
    char host[256];
    char address[64]; /* "" for a socket */
    char port[16];
    char started[40];  /* as the server wrote it; "" until pg_read_server */
    char database[16]; /* its OID; likewise */
};

struct pg_target {
    const char *conninfo; /* as libpq reads it; ours is added behind its `options` */
    const char *application_name;
    const struct pg_setting *settings;
    size_t setting_count;
    duration connect_timeout;       /* for one host; several have less each (connect.h) */
    size_t first_host;              /* of the conninfo's hosts, where to begin */
    const struct pg_server *server; /* no other will do; NULL: any. Borrowed during pg_open */
    size_t input_limit;             /* bytes; 0: PG_INPUT_LIMIT */
    bool own_hosts; /* that server is met by the conninfo's own hosts, not by how an earlier session met it */
};

struct pg_handlers {
    void (*ready)(void *data); /* once: requests may be sent */
    void (*closed)(
        void *data,
        const struct error *reason); /* once, not after pg_close; pending requests were answered as lost before */
    void (*notified)(void *data, const char *channel, const char *payload); /* NULL allowed */
    void (*told)(void *data, const char *words); /* by chime.tell; NULL allowed, and right where texts of others run */
};

struct pg_connection *pg_open(struct loop *loop, struct resolver *resolver, const struct pg_target *target,
                              const struct pg_handlers *handlers, void *data);
/* Closes without waiting: what the server still runs for it is the server's to notice, and what is pending is answered
 * to nobody (pg_cut answers it before). NULL allowed. */
void pg_close(struct pg_connection *connection);
/* Ends it now: what is pending is answered as lost, also what was sent after it had ended by itself; `closed` is not
 * called; pg_close follows. */
void pg_cut(struct pg_connection *connection);
bool pg_is_ready(const struct pg_connection *connection);
bool pg_is_idle(const struct pg_connection *connection);        /* ready, nothing pending */
bool pg_in_transaction(const struct pg_connection *connection); /* as of the last answer: open or failed transaction */
/* An answer was so large that libpq keeps more memory for the next one than a session is worth. */
bool pg_is_swollen(const struct pg_connection *connection);
int pg_backend_pid(const struct pg_connection *connection);           /* 0 before ready */
const char *pg_database_name(const struct pg_connection *connection); /* borrowed; "" before ready */
int pg_server_version(const struct pg_connection *connection);        /* 150004; 0 before ready */
size_t pg_host_in_use(const struct pg_connection *connection);        /* its place in the conninfo */
/* Where a ready connection leads to, without `started`. */
void pg_place(const struct pg_connection *connection, struct pg_server *server);
/* The `started` of the server that it was to lead to; "" for any. */
const char *pg_server_wanted(const struct pg_connection *connection);

/* One statement. With a name it is prepared on first use in this connection and stays so. */
struct pg_statement {
    const char *name; /* NULL: not prepared; else a constant, unique to the text */
    const char *sql;
    int parameter_count;
    const char *const *parameters; /* as text; NULL is SQL NULL */
    const unsigned *types;         /* OIDs of the parameters, where there is no name; NULL: the server finds them out */
    bool discard_rows;             /* count rows, keep none: for texts of others */
};

typedef void pg_callback(void *data, const struct pg_reply *reply);

/* Sends statements as one request; the callback (NULL: nobody cares) comes exactly once, later, with the caller's
 * data. */
void pg_send(struct pg_connection *connection, const struct pg_statement *statements, size_t count,
             pg_callback *callback, void *data);
/* One of them; `name` NULL: not prepared. */
void pg_send_one(struct pg_connection *connection, const char *name, const char *sql, int parameter_count,
                 const char *const *parameters, pg_callback *callback, void *data);
/* Sends a text as it is, in the simple protocol: several statements are one implicit transaction. Rows are counted, not
 * kept; so are those of COPY TO STDOUT, and COPY FROM STDIN fails. */
void pg_send_text(struct pg_connection *connection, const char *text, pg_callback *callback, void *data);
/* The next use of a name prepares it anew: after DISCARD ALL. */
void pg_forget_prepared(struct pg_connection *connection);
/* Requests with this data are answered to nobody: for an owner that goes before its connection. */
void pg_forget(struct pg_connection *connection, const void *data);

/* --- replies: valid during the callback --------------------------------------------------------------------------- */

/* A lost one, for what waited to be sent when its connection was given up. */
const struct pg_reply *pg_reply_of_none(void);

/* True when every statement succeeded. */
bool pg_reply_ok(const struct pg_reply *reply);
/* True when the connection ended before the answer: what was sent may or may not have taken effect. */
bool pg_reply_lost(const struct pg_reply *reply);
/* True when the connection ended before the request did, whatever was answered until then: an error with which the
 * server ends a session (57P01) may come after the COMMIT, and in place of its acknowledgement. */
bool pg_reply_broken(const struct pg_reply *reply);
/* True when the session was ended for what it was sent (PG_INPUT_LIMIT). */
bool pg_reply_too_large(const struct pg_reply *reply);
size_t pg_reply_completed(const struct pg_reply *reply); /* statements that were said to have completed */
/* The failure: message as the server words it (severity left out), cut at 8 KiB on a character boundary; always
 * UTF-8. */
const char *pg_reply_message(const struct pg_reply *reply);
/* The same with the line of the text and the place in it ("LINE 1: ..."), where the server tells. */
const char *pg_reply_lines(const struct pg_reply *reply);
const char *pg_reply_sqlstate(const struct pg_reply *reply); /* "" when it is not the server's */
void pg_reply_error(const struct pg_reply *reply, struct error *err);
/* Rows and values of the n-th statement (0-based); none when it failed or was skipped. */
size_t pg_reply_rows(const struct pg_reply *reply, size_t statement);
const char *pg_reply_value(const struct pg_reply *reply, size_t statement, size_t row, int column); /* NULL: SQL NULL */
/* Of the last statement that completed: its tag ("INSERT 0 1") and its row count, -1 when the tag has none. */
const char *pg_reply_tag(const struct pg_reply *reply);
bool pg_reply_has_rows(const struct pg_reply *reply); /* it was a query, or had RETURNING */
long long pg_reply_affected(const struct pg_reply *reply);

#define PG_MESSAGE_LIMIT 8192

#endif
