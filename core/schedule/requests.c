/* SPDX-License-Identifier: PostgreSQL */
/* Runs that were asked for, first come, first served. */
#include <string.h>

#include "base/memory.h"
#include "schedule/state.h"

/* How many go before those of backfills. */
static size_t urgent_count(const struct scheduled *it)
{
    size_t count = 0;
    while (count < it->request_count && it->requests[count].kind != RUN_BACKFILL) {
        count++;
    }
    return count;
}

bool requests_has(const struct scheduled *it, enum run_kind kind, instant slot)
{
    for (size_t i = 0; i < it->request_count; i++) {
        if (it->requests[i].kind == kind && it->requests[i].slot == slot) {
            return true;
        }
    }
    return scheduled_is_at(it, kind, slot);
}

static void insert(struct scheduler *scheduler, struct scheduled *it, size_t place, struct request request)
{
    it->requests = xrealloc(it->requests, it->request_count + 1, sizeof(*it->requests));
    memmove(it->requests + place + 1, it->requests + place, (it->request_count - place) * sizeof(*it->requests));
    it->requests[place] = request;
    it->request_count++;
    scheduler->request_count++;
}

struct request requests_take(struct scheduler *scheduler, struct scheduled *it)
{
    struct request request = it->requests[0];
    memmove(it->requests, it->requests + 1, --it->request_count * sizeof(*it->requests));
    scheduler->request_count--;
    return request;
}

void requests_put_back(struct scheduler *scheduler, struct scheduled *it)
{
    phase_set(scheduler, it, PHASE_IDLE);
    size_t place = it->kind == RUN_BACKFILL ? urgent_count(it) : 0;
    insert(scheduler, it, place, (struct request){it->kind, it->slot});
}

void requests_drop(struct scheduler *scheduler, struct scheduled *it)
{
    scheduler->request_count -= it->request_count;
    it->request_count = 0;
    agenda_add_downstream(scheduler, it);
}

void requests_add(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot)
{
    size_t place = kind == RUN_BACKFILL ? it->request_count : urgent_count(it);
    insert(scheduler, it, place, (struct request){kind, slot});
}
