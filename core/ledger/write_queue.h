/* SPDX-License-Identifier: PostgreSQL */
/* The queue of the leader's writes to the ledger. They are sent in order, and each is repeated until the ledger accepts
 * it.
 *
 * Does: send one request at a time and the next one after its answer; send a request that the ledger could not take now
 *   (ANSWER_AGAIN) again, with a growing pause, and nothing behind it before; say so while that lasts.
 * Does not: look at what is sent, or reorder it. Writes that need not wait for earlier ones use another queue.
 * Ownership: statements and parameters are copied; names and texts of statements are constants. Each callback is called
 *   exactly once, with an answer other than ANSWER_AGAIN. */
#ifndef CHIME_LEDGER_WRITE_QUEUE_H
#define CHIME_LEDGER_WRITE_QUEUE_H

#include "loop/loop.h"
#include "pg/connection.h"

struct write_queue;

struct write_queue_handlers {
    void (*refused)(void *data, const struct pg_reply *reply); /* not now: it is sent again */
    void (*taken)(void *data);                                 /* what was refused before has been taken */
};

struct write_queue *write_queue_create(struct loop *loop, struct pg_connection *connection,
                                       const struct write_queue_handlers *handlers, void *data);
/* NULL allowed. What waits is answered as lost. */
void write_queue_destroy(struct write_queue *queue);
void write_queue_send(struct write_queue *queue, const struct pg_statement *statements, size_t count,
                      pg_callback *callback, void *data);
/* Requests with this data are answered to nobody. */
void write_queue_forget(struct write_queue *queue, const void *data);
/* The first request was refused, and has not been taken since. */
bool write_queue_is_held(const struct write_queue *queue);

#endif
