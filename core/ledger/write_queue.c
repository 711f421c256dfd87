/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/write_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "calendar/backoff.h"
#include "ledger/answers.h"

static const struct backoff again = {
    .initial = 100 * USEC_PER_MSEC, .coefficient = 2, .max = USEC_PER_SEC, .jitter = 0.2};

struct write {
    struct write *next;
    struct arena *arena; /* holds the statements, and this */
    struct pg_statement *statements;
    size_t count;
    pg_callback *callback; /* NULL: nobody cares any more */
    void *data;
};

struct write_queue {
    struct pg_connection *connection;
    const struct write_queue_handlers *handlers;
    void *data;
    struct write *first;
    struct write **last;
    bool sent;    /* the first is on its way */
    int refusals; /* of the first, in a row */
    struct loop_timer *timer;
};

static void answered(void *data, const struct pg_reply *reply);

static void send_first(struct write_queue *queue)
{
    const struct write *write = queue->first;
    queue->sent = true;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): called where there is one */
    pg_send(queue->connection, write->statements, write->count, answered, queue);
}

static struct write *take_first(struct write_queue *queue)
{
    struct write *write = queue->first;
    queue->first = write->next;
    if (queue->first == NULL) {
        queue->last = &queue->first;
    }
    return write;
}

static void answer(struct write *write, const struct pg_reply *reply)
{
    if (write->callback != NULL) {
        write->callback(write->data, reply);
    }
    arena_destroy(write->arena);
}

/* No request is sent any more on a connection that is lost. */
static void answer_all(struct write_queue *queue, const struct pg_reply *reply)
{
    while (queue->first != NULL) {
        answer(take_first(queue), reply);
    }
}

static void hold(struct write_queue *queue, const struct pg_reply *reply)
{
    queue->refusals++;
    loop_timer_set(queue->timer, backoff_delay(&again, queue->refusals, (uint64_t)clock_boot()));
    queue->handlers->refused(queue->data, reply);
}

/* The next one goes out before this one is told: what is told may add to the queue. */
static void answered(void *data, const struct pg_reply *reply)
{
    struct write_queue *queue = data;
    queue->sent = false;
    if (pg_reply_lost(reply)) {
        answer_all(queue, reply);
        return;
    }
    if (answer_of(reply) == ANSWER_AGAIN) {
        hold(queue, reply);
        return;
    }
    bool held = queue->refusals > 0;
    struct write *write = take_first(queue);
    queue->refusals = 0;
    if (queue->first != NULL) {
        send_first(queue);
    }
    if (held) {
        queue->handlers->taken(queue->data);
    }
    answer(write, reply);
}

static void send_again(void *data)
{
    send_first(data);
}

static void copy_statement(struct arena *arena, struct pg_statement *copy, const struct pg_statement *statement)
{
    size_t count = (size_t)statement->parameter_count;
    const char **parameters = arena_alloc(arena, (count + 1) * sizeof(*parameters));
    for (size_t i = 0; i < count; i++) {
        parameters[i] = arena_strdup(arena, statement->parameters[i]);
    }
    *copy = *statement;
    copy->parameters = parameters;
}

void write_queue_send(struct write_queue *queue, const struct pg_statement *statements, size_t count,
                      pg_callback *callback, void *data)
{
    struct arena *arena = arena_create();
    struct write *write = arena_alloc(arena, sizeof(*write));
    *write = (struct write){.arena = arena, .count = count, .callback = callback, .data = data};
    write->statements = arena_alloc(arena, count * sizeof(*write->statements));
    for (size_t i = 0; i < count; i++) {
        copy_statement(arena, &write->statements[i], &statements[i]);
    }
    bool alone = queue->first == NULL;
    *queue->last = write;
    queue->last = &write->next;
    if (alone) {
        send_first(queue);
    }
}

void write_queue_forget(struct write_queue *queue, const void *data)
{
    for (struct write *write = queue->first; write != NULL; write = write->next) {
        if (write->data == data) {
            write->callback = NULL;
        }
    }
}

bool write_queue_is_held(const struct write_queue *queue)
{
    return queue->refusals > 0;
}

struct write_queue *write_queue_create(struct loop *loop, struct pg_connection *connection,
                                       const struct write_queue_handlers *handlers, void *data)
{
    struct write_queue *queue = xcalloc(1, sizeof(*queue));
    *queue = (struct write_queue){.connection = connection, .handlers = handlers, .data = data};
    queue->last = &queue->first;
    queue->timer = loop_timer_create(loop, send_again, queue);
    return queue;
}

void write_queue_destroy(struct write_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    pg_forget(queue->connection, queue);
    answer_all(queue, pg_reply_of_none());
    loop_timer_destroy(queue->timer);
    free(queue);
}
