/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/runner: the statements that do a run's work, and what their answers mean.
 *
 * A transactional run is one statement (chime.perform, chime.perform_refresh) that does the work and marks its success:
 * both are committed, or neither. A text that runs at most once is sent as it is, and the leader records its end. */
#ifndef CHIME_RUNNER_WORK_H
#define CHIME_RUNNER_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/job.h"
#include "model/run.h"
#include "pg/connection.h"
#include "pg/pool.h"

#define WORK_NOT_OURS "CH003"
#define WORK_HELD "CH010" /* the view is being refreshed by somebody else: nothing was done, nothing failed */

/* What the ledger knows the run by. */
struct work_order {
    const char *token;
    int64_t job_id;
    enum run_kind kind;
    instant slot;
    int64_t run_id;
    int attempt;
    /* $1 of the text, as text; NULL is SQL NULL. Texts of several statements that are not transactional have no
     * parameters: the simple protocol has none. */
    const char *payload;
};

struct work_result {
    bool ok;
    int64_t rows; /* -1 unknown */
    char sqlstate[6];
    char *message;            /* owned; NULL none */
    bool more;                /* a chunk is committed, and the run is not over */
    enum session_reset reset; /* what the session needs before the next text */
};

void work_clear(struct work_result *result);
/* True for a text of several statements, or COPY: it is sent in the simple protocol, on an idle connection only. */
bool work_is_text(const struct job *job);
/* Sends what has to be answered before the text may go out: its lock timeout, the job's own settings, and those of the
 * slot where the text wants them (model/slot_parameters.h). False when there is nothing of that kind. */
bool work_open(struct pg_connection *connection, const struct job *job, const struct work_order *order,
               pg_callback *callback, void *data);
/* Sends the work. */
void work_send(struct pg_connection *connection, const struct job *job, const struct work_order *order,
               pg_callback *callback, void *data);
/* The session ended, and what it said before does not tell whether the text was committed. */
bool work_is_open(const struct job *job, const struct pg_reply *reply);
void work_read(struct work_result *result, const struct job *job, const struct pg_reply *reply);
/* The text ended and a transaction of its own is still open: it is a failure, whatever was answered. */
void work_left_open(struct work_result *result);

#endif
