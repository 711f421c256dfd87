/* Inside core/schedule: what the scheduler remembers, and how it is built. The rules are in scheduler.c. */
#ifndef CHIME_SCHEDULE_STATE_H
#define CHIME_SCHEDULE_STATE_H

#include <stddef.h>

#include "base/heap.h"
#include "schedule/scheduler.h"

enum phase { PHASE_IDLE, PHASE_WAITING, PHASE_READY, PHASE_CLAIMING, PHASE_LIVE, PHASE_RETRYING };

#define PRIORITY_COUNT 10

struct request {
    enum run_kind kind;
    instant slot;
};

struct scheduled {
    struct heap_node slot_node;
    struct heap_node ready_node;
    struct heap_node retry_node;
    const struct job *job;
    int64_t job_id;
    int version;
    enum phase phase;
    enum run_kind kind; /* of the current run, when not idle */
    int attempt;
    bool again; /* the current run is in the ledger already */
    bool has_outcome;
    enum run_state last_outcome;
    instant slot;
    instant cursor;
    instant keep_through;
    instant skip_through;
    duration expected;
    struct request *requests;
    size_t request_count;
    struct scheduled **upstream;
    size_t upstream_count;
    struct scheduled **downstream;
    size_t downstream_count;
};

#define SCHEDULED_OF(node, member) ((struct scheduled *)(void *)((char *)(node)-offsetof(struct scheduled, member)))

struct scheduler {
    struct scheduled **all; /* in the order they were added until linked, then by job_id */
    size_t count;
    size_t capacity;
    struct heap slots;
    struct heap retries;
    struct heap ready[PRIORITY_COUNT];
    struct scheduled **due; /* scratch of a tick */
    size_t due_count;
    size_t due_capacity;
    struct passed *passed;
    size_t passed_count;
    size_t passed_taken;
    size_t passed_capacity;
    size_t busy_count;    /* jobs that are not idle */
    size_t request_count; /* of all jobs */
};

void state_push_due(struct scheduler *scheduler, struct scheduled *it);

#endif
