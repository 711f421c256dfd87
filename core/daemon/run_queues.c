/* SPDX-License-Identifier: PostgreSQL */
/* All run queues of a leadership, whoever's sessions they are on. */
#include "daemon/lead_state.h"

struct run_queue *run_queues_next(const struct lead *lead, struct run_queue_cursor *cursor)
{
    for (; cursor->role < lead->roles.count; cursor->role++, cursor->queue = 0) {
        const struct role_sessions *sessions = lead->roles.items[cursor->role];
        if (cursor->queue < sessions->run_queue_count) {
            return sessions->queues[cursor->queue++];
        }
    }
    return NULL;
}

size_t run_queues_count(const struct lead *lead)
{
    size_t total = 0;
    for (size_t i = 0; i < lead->roles.count; i++) {
        total += lead->roles.items[i]->run_queue_count;
    }
    return total;
}

static void forget_queue(struct lead *lead, const struct run_queue *queue)
{
    for (size_t i = 0; i < lead->claim_count; i++) {
        if (lead->claims[i].queue == queue) {
            lead->claims[i].queue = NULL;
        }
    }
}

/* What is claimed now may follow from an end that is not on record, and no session stays open by waiting for it. */
void run_queues_forget(struct lead *lead)
{
    for (size_t i = 0; i < lead->claim_count; i++) {
        struct pending_claim *claim = &lead->claims[i];
        if (claim->queue != NULL) {
            run_queue_reserve(claim->queue, -1, claim->expected);
            claim->queue = NULL;
        }
    }
    dispatch_soon(lead);
}

void run_queues_remove(struct role_sessions *sessions, size_t index)
{
    sessions->queues[index] = sessions->queues[--sessions->run_queue_count];
}

void run_queues_lost(struct role_sessions *sessions, struct run_queue *queue)
{
    struct lead *lead = sessions->lead;
    forget_queue(lead, queue);
    for (size_t i = sessions->run_queue_count; i-- > 0;) {
        if (sessions->queues[i] == queue) {
            run_queues_remove(sessions, i);
        }
    }
    run_queue_broken(queue);
    dispatch_soon(lead);
}

void run_queues_cancel(struct lead *lead)
{
    struct run_queue_cursor cursor = {0};
    struct run_queue *queue;
    while ((queue = run_queues_next(lead, &cursor)) != NULL) {
        run_queue_cancel_current(queue, "the daemon was told to stop and did not wait any longer");
    }
}

void run_queues_hand_back(struct lead *lead)
{
    struct run_queue_cursor cursor = {0};
    struct run_queue *queue;
    while ((queue = run_queues_next(lead, &cursor)) != NULL) {
        run_queue_hand_back(queue);
    }
    dispatch_soon(lead);
}

void run_queues_wake(struct lead *lead)
{
    struct run_queue_cursor cursor = {0};
    struct run_queue *queue;
    while ((queue = run_queues_next(lead, &cursor)) != NULL) {
        run_queue_wake(queue);
    }
    dispatch_soon(lead);
}
