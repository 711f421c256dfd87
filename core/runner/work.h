/* Inside core/runner: the statements a run's steps send, and what their answers mean. */
#ifndef CHIME_RUNNER_WORK_H
#define CHIME_RUNNER_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/job.h"
#include "model/run.h"
#include "pg/connection.h"

#define WORK_NOT_OURS "CH003"

struct work_result {
    bool ok;
    int64_t rows; /* -1 unknown */
    char sqlstate[6];
    char *message;      /* owned; NULL none */
    const char *reason; /* constant; NULL none */
};

void work_clear(struct work_result *result);

/* Sends a run's work. Returns false when the work itself is on its way and `worked` will be called; true when only its
 * opening is (a text of several statements, which has to wait for it): `opened` is called, and sends the text. */
bool work_send(struct pg_connection *connection, const struct job *job, pg_callback *opened, pg_callback *worked,
               void *data);
/* The transaction id that the opening asked for; "" where there is none to compare. */
void work_read_xid(const struct pg_reply *reply, const struct job *job, char *xid, size_t size);
void work_read(struct work_result *result, const struct job *job, const struct pg_reply *reply);
void work_failed(struct work_result *result, const struct pg_reply *reply);
/* The text succeeded, or failed, and a transaction of its own is still open. */
void work_left_open(struct work_result *result, bool transactional);
/* Records the success inside the run's transaction and commits both. */
void work_send_end(struct pg_connection *connection, const char *token, int64_t job_id, enum run_kind kind,
                   instant slot, const char *xid, instant started, const struct work_result *result,
                   pg_callback *callback, void *data);

#endif
