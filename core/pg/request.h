/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/pg: a request that one pg_send has sent, and how its answer is collected.
 *
 * A request's life: made and written by pg_send; fed every result in order; completed at its synchronisation point
 * (or lost with the connection); its callback is called once; freed. */
#ifndef CHIME_PG_REQUEST_H
#define CHIME_PG_REQUEST_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "pg/connection.h"

/* What the server will answer, in order: a preparation, or statement number n. */
struct pg_step {
    const char *prepares; /* name being prepared; NULL for the statement itself */
    size_t statement;
    bool discard_rows;
};

struct pg_reply {
    PGresult **results; /* one per statement; NULL where none was kept */
    size_t count;
    bool ok;
    bool lost;
    bool broken;
    bool too_large;
    size_t completed;
    char sqlstate[6];
    char *message; /* NULL while nothing failed */
    char *lines;   /* the same with the place in the text, as libpq words it; NULL: the server gave none */
    bool has_rows;
    char tag[64];
    long long affected;
};

struct pg_request {
    struct pg_request *next;
    pg_callback *callback; /* NULL once forgotten */
    void *data;
    bool simple;
    struct pg_step *steps;
    size_t step_count;
    size_t step;        /* the one whose results are being read */
    bool late;          /* a failure came behind the last step: the commit itself failed */
    long long streamed; /* rows of the current statement that were counted and dropped */
    struct pg_reply reply;
};

struct pg_request *request_create(size_t statements, pg_callback *callback, void *data);
void request_destroy(struct pg_request *request);
void request_add_step(struct pg_request *request, const char *prepares, size_t statement, bool discard_rows);
/* Takes the result over. Returns the name whose preparation failed, else NULL. */
const char *request_feed(struct pg_request *request, PGresult *result);
bool request_streams(const struct pg_request *request); /* the current step's rows are to be dropped */
void request_fail(struct pg_request *request, const char *sqlstate, const char *message, size_t length);
void request_lose(struct pg_request *request, const char *message);
void request_answer(struct pg_request *request);

#endif
