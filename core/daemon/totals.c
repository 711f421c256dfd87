/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/totals.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/lead_state.h"
#include "ledger/answers.h"

#define ADD_EVERY USEC_PER_SEC
#define LAST_TRIES 20 /* before the leader resigns, each of 100 ms at most */

/* An end that is on its way to the ledger. */
struct sent_end {
    int64_t job_id;
    struct run_ended ended;
};

struct totals {
    struct lead *lead;
    struct loop_timer *timer;
    struct run_totals counted;
    struct run_totals sent; /* on its way; of one batch of ends, or alone */
    instant sent_at;        /* by clock_boot */
    bool armed;             /* the timer */
    bool beside;            /* they go with the batch under way */
    bool refused;           /* the last time, as logged */
    int tries;              /* since the leadership is to end */
    struct sent_end *ends;  /* of the batch under way, by job; those that are retried are not among them */
    size_t end_count;
    size_t statements; /* of the batch, but for the totals */
};

/* --- adding ------------------------------------------------------------------------------------------------------- */

/* For a batch of ends to go with, a second at most. */
static void wait(struct totals *totals)
{
    if (totals->counted.count > 0 && totals->sent.count == 0 && !totals->armed) {
        totals->armed = true;
        loop_timer_set(totals->timer, ADD_EVERY);
    }
}

static void send(struct totals *totals)
{
    run_totals_move(&totals->sent, &totals->counted);
    totals->sent_at = clock_boot();
    totals->armed = false;
    loop_timer_clear(totals->timer);
}

static void answered(struct totals *totals, bool added)
{
    if (added) {
        totals->sent.count = 0;
    } else {
        run_totals_move(&totals->counted, &totals->sent);
    }
    if (!added && !totals->refused) {
        log_warning("database %s: totals of runs cannot be added now: the server's log says why",
                    totals->lead->database->name);
    }
    totals->refused = !added;
    wait(totals);
}

static void added_alone(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (!pg_reply_lost(reply) && answer_of(reply) == ANSWER_AGAIN) {
        answered(lead->totals, false);
    } else if (!lead_refused(lead, reply, "totals of runs could not be added")) {
        answered(lead->totals, ledger_read_added(reply, 0));
    } else {
        return;
    }
    dispatch_soon(lead);
}

static void send_alone(void *data)
{
    struct totals *totals = data;
    struct lead *lead = totals->lead;
    totals->armed = false;
    if (!lead->over && totals->sent.count == 0 && totals->counted.count > 0) {
        send(totals);
        ledger_add_totals(&lead->ledger, &totals->sent, added_alone, lead);
    }
}

bool totals_are_left(struct totals *totals)
{
    if (totals->sent.count == 0 && totals->counted.count > 0 && totals->tries < LAST_TRIES) {
        totals->tries++;
        send_alone(totals);
    }
    return totals->sent.count > 0;
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static int by_job(const void *left, const void *right)
{
    const struct sent_end *a = left;
    const struct sent_end *b = right;
    return (a->job_id > b->job_id) - (a->job_id < b->job_id);
}

const struct run_totals *totals_of_batch(struct totals *totals, const struct ledger_finish *finishes, size_t count)
{
    totals->ends = xrealloc(totals->ends, count, sizeof(*totals->ends));
    totals->end_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct ledger_finish *finish = &finishes[i];
        if (finish->retry_at == INSTANT_NONE) {
            totals->ends[totals->end_count++] = (struct sent_end){finish->job_id,
                                                                  {.kind = finish->kind,
                                                                   .slot = finish->slot,
                                                                   .started = finish->outcome.started,
                                                                   .finished = finish->outcome.finished,
                                                                   .first_attempt = finish->first_attempt}};
        }
    }
    qsort(totals->ends, totals->end_count, sizeof(*totals->ends), by_job);
    totals->statements = (totals->end_count > 0 ? 1u : 0u) + (totals->end_count < count ? 1u : 0u);
    totals->beside = totals->sent.count == 0 && totals->counted.count > 0 &&
                     clock_boot() - totals->sent_at >= ADD_EVERY;
    if (totals->beside) {
        send(totals);
    }
    return totals->beside ? &totals->sent : NULL;
}

void totals_take_finished(struct totals *totals, const struct pg_reply *reply)
{
    for (size_t row = 0; totals->end_count > 0 && row < pg_reply_rows(reply, 0); row++) {
        struct sent_end key = {0};
        enum run_state state;
        ledger_read_ended(reply, row, &key.job_id, &state);
        struct sent_end *end = bsearch(&key, totals->ends, totals->end_count, sizeof(key), by_job);
        if (end != NULL) {
            end->ended.state = state;
            run_totals_end(&totals->counted, &end->ended);
        }
    }
    totals->end_count = 0;
    if (totals->beside) {
        totals->beside = false;
        answered(totals, ledger_read_added(reply, totals->statements));
    }
    wait(totals);
}

void totals_take_adopted(struct totals *totals, const struct pg_reply *reply)
{
    for (size_t row = 0; row < pg_reply_rows(reply, 0); row++) {
        struct run_ended ended;
        if (ledger_read_adopted_end(reply, row, &ended)) {
            run_totals_end(&totals->counted, &ended);
        }
    }
    wait(totals);
}

void totals_take_slots(struct totals *totals, enum run_kind kind, enum run_state state, instant at, int64_t slots)
{
    run_totals_slots(&totals->counted, kind, state, at, slots);
    wait(totals);
}

/* --- its life ----------------------------------------------------------------------------------------------------- */

struct totals *totals_create(struct lead *lead)
{
    struct totals *totals = xcalloc(1, sizeof(*totals));
    *totals = (struct totals){.lead = lead, .timer = loop_timer_create(lead->loop, send_alone, totals)};
    return totals;
}

void totals_destroy(struct totals *totals)
{
    if (totals != NULL) {
        loop_timer_destroy(totals->timer);
        run_totals_finish(&totals->counted);
        run_totals_finish(&totals->sent);
        free(totals->ends);
        free(totals);
    }
}
