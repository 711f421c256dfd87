/* SPDX-License-Identifier: PostgreSQL */
/* libpq as a script: what tests of tests/unit/pg are linked with instead of libpq.
 *
 * A double of the pipeline: statements sent are queued and noted line by line; answers given by the test are handed out
 * to them in order. It keeps libpq's rules (the rest of a failed request is aborted up to its synchronisation point, a
 * NULL follows each statement's results, the single-row mode concerns the statement at the head, a lost connection says
 * so once) and fails the test where the caller breaks one. A socketpair stands for the socket, so the real loop works.
 * Preparations succeed and synchronisation points are answered by themselves.
 *
 * Time stands still unless it is passed: timers of the loop and clock_boot both follow it.
 * script_finish checks that every connection was finished and every result cleared. */
#ifndef CHIME_TESTS_LIBPQ_SCRIPT_H
#define CHIME_TESTS_LIBPQ_SCRIPT_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/instant.h"
#include "base/memory.h"
#include "loop/loop.h"

void script_start(void);
void script_finish(void);

/* --- connecting: what the next connection meets ------------------------------------------------------------------- */

/* One letter for each PQconnectPoll: r reading, w writing, o ok, f failed with the message; s reading, and nothing
 * comes. "wro" for those that nothing was planned for. */
void script_polls(const char *letters, const char *message);
void script_refuses(const char *message); /* PQconnectStartParams itself fails */
void script_is_server(int pid, int version);
int script_connections(void); /* how many were opened so far */
PGconn *script_connection(int number);
const char *script_parameter(const PGconn *connection, const char *keyword); /* NULL: not given */
bool script_finished(const PGconn *connection);
void script_notices(PGconn *connection, const char *sqlstate, const char *message);

/* --- what was sent ------------------------------------------------------------------------------------------------ */

/* Takes lines off what was sent, in order; a line that ends in "..." stands for all that begin so:
 *   "PREPARE name: sql"  "EXECUTE name(1, NULL)"  "QUERY sql(1)"  "TEXT sql"  "SYNC"  "COPY END message" */
#define expect_sent(connection, ...)                                                                              \
    script_expect(connection, (const char *const[]){__VA_ARGS__}, COUNT_OF(((const char *const[]){__VA_ARGS__})), \
                  __FILE__, __LINE__)
#define expect_nothing_sent(connection) script_expect_nothing(connection, __FILE__, __LINE__)
void script_expect(PGconn *connection, const char *const *lines, size_t count, const char *file, int line);
void script_expect_nothing(const PGconn *connection, const char *file, int line);
void script_skip_sent(PGconn *connection); /* what was sent so far is of no interest */
/* Takes one request off, up to its SYNC, that somewhere says `word`: for those whose text another test knows. */
#define expect_request_with(connection, word) script_expect_request(connection, word, __FILE__, __LINE__)
void script_expect_request(PGconn *connection, const char *word, const char *file, int line);

/* --- answers: arrive with the next turn of the loop --------------------------------------------------------------- */

struct script_error {
    const char *sqlstate;
    const char *message;
    const char *detail;
    const char *hint;
    const char *context;
};

void answer_done(PGconn *connection, const char *tag);
#define answer_row(connection, ...)                                                \
    script_answer_rows(connection, COUNT_OF(((const char *const[]){__VA_ARGS__})), \
                       COUNT_OF(((const char *const[]){__VA_ARGS__})), (const char *const[]){__VA_ARGS__})
#define answer_rows(connection, columns, ...)                                               \
    script_answer_rows(connection, columns, COUNT_OF(((const char *const[]){__VA_ARGS__})), \
                       (const char *const[]){__VA_ARGS__})
/* Rows under a tag without a number, as of SHOW. */
void answer_shown(PGconn *connection, const char *tag, const char *value);
void answer_no_rows(PGconn *connection);
void answer_empty(PGconn *connection); /* to a text without a statement */
void answer_error(PGconn *connection, const char *sqlstate, const char *message);
void answer_error_fields(PGconn *connection, const struct script_error *error);
void answer_libpq_error(PGconn *connection, const char *words); /* libpq's own: without a SQLSTATE */
void answer_prepare_error(PGconn *connection, const char *sqlstate, const char *message);
/* Behind the answers to a request's statements: the synchronisation point commits, and that fails. */
void answer_commit_error(PGconn *connection, const char *sqlstate, const char *message);
void answer_copy_in(PGconn *connection);
/* `complete` false: more is to come, and answer_copy_end ends it. */
void answer_copy_out(PGconn *connection, int rows, bool complete);
void answer_copy_end(PGconn *connection);
void answer_ready(PGconn *connection); /* ends the answers to a text */
void script_answer_rows(PGconn *connection, size_t columns, size_t count, const char *const *values);

void server_notifies(PGconn *connection, const char *channel, const char *payload);
void server_is_in(PGconn *connection, PGTransactionStatusType status);
void server_closes(PGconn *connection, const char *message);   /* what was answered arrives first */
void server_resets(PGconn *connection, const char *message);   /* the end arrives together with what was answered */
void server_goes_bad(PGconn *connection, const char *message); /* libpq notices while it reads an answer */
void sending_fails(PGconn *connection, const char *message);   /* from now on */
void preparing_fails(PGconn *connection, const char *message);
void syncing_fails(PGconn *connection, const char *message);
void wire_is_full(PGconn *connection, int flushes); /* so many leave something behind */
void wire_breaks(PGconn *connection);               /* the next flush fails */
int script_flushes(const PGconn *connection);
int script_streamed(const PGconn *connection); /* rows handed out one by one */

/* --- time --------------------------------------------------------------------------------------------------------- */

void settle(struct loop *loop); /* turns the loop until nothing moves */
void pass_time(struct loop *loop, duration time);

/* Between the files of the script. */
void script_time_start(void);
void script_time_finish(void);
unsigned long script_calls(void); /* of libpq so far: how `settle` knows */

#endif
