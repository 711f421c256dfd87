/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/sql_waiting.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* The job's own text: that of the caller may go before it. */
static const char *own_name(const struct job *job, const char *name)
{
    for (size_t i = 0; i < job->after_count; i++) {
        if (strcmp(job->after[i], name) == 0) {
            return job->after[i];
        }
    }
    return job->name;
}

void sql_waiting_add(struct sql_waiting *waiting, const struct job *job, const struct job_memory *memory,
                     const char *missing)
{
    if (waiting->count == waiting->capacity) {
        waiting->capacity = waiting->capacity == 0 ? 16 : waiting->capacity * 2;
        waiting->items = xrealloc(waiting->items, waiting->capacity, sizeof(*waiting->items));
    }
    waiting->items[waiting->count++] = (struct sql_waiting_job){
        .job = job, .memory = *memory, .missing = own_name(job, missing), .hash = text_hash(missing)};
}

bool sql_waiting_take(struct sql_waiting *waiting, const char *name, struct sql_waiting_job *taken)
{
    uint64_t hash = name != NULL ? text_hash(name) : 0;
    for (size_t i = 0; i < waiting->count; i++) {
        const struct sql_waiting_job *item = &waiting->items[i];
        if (name == NULL || (item->hash == hash && strcmp(item->missing, name) == 0)) {
            *taken = *item;
            waiting->items[i] = waiting->items[--waiting->count];
            return true;
        }
    }
    return false;
}

void sql_waiting_forget(struct sql_waiting *waiting, int64_t job_id)
{
    for (size_t i = 0; i < waiting->count; i++) {
        if (waiting->items[i].memory.job_id == job_id) {
            job_drop(waiting->items[i].job);
            waiting->items[i] = waiting->items[--waiting->count];
            return;
        }
    }
}

void sql_waiting_finish(struct sql_waiting *waiting)
{
    for (size_t i = 0; i < waiting->count; i++) {
        job_drop(waiting->items[i].job);
    }
    free(waiting->items);
    *waiting = (struct sql_waiting){0};
}
