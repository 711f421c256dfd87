/* SPDX-License-Identifier: PostgreSQL */
/* For tests of what a connection carries: one that is ready, and answers copied. */
#ifndef CHIME_TESTS_LIBPQ_SCRIPT_SESSION_H
#define CHIME_TESTS_LIBPQ_SCRIPT_SESSION_H

#include "pg/connection.h"
#include "support/libpq/libpq_script.h"

#define ANSWERED_STATEMENTS 4

/* The answer to one request, copied. */
struct answer {
    int calls;
    int turn; /* which answer it was, of all */
    bool ok;
    bool lost;
    char sqlstate[6];
    char message[PG_MESSAGE_LIMIT + 1];
    char tag[64];
    long long affected;
    size_t rows[ANSWERED_STATEMENTS];
    char first[ANSWERED_STATEMENTS][32]; /* first value of the first row */
    struct error err;
    bool then_close;
    bool then_cut;
    const char *then_send; /* statement */
};

extern struct loop *loop;
extern struct pg_connection *connection; /* NULL once it was closed */
extern PGconn *server;
extern int closed;          /* how often that was told */
extern struct error reason; /* with this */
extern bool close_when_closed;

void session_set_up(void);
void session_tear_down(void);
void keep(void *data, const struct pg_reply *reply); /* a pg_callback into a struct answer */
/* One statement; the name and the answer may be NULL. */
void send_sql(const char *name, const char *sql, struct answer *answer);

#endif
