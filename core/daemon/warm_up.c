/* SPDX-License-Identifier: PostgreSQL */
/* Warm-up: the run sessions that the next slots will need are opened a second before those fall due. Without it a slot
 * after an idle minute would wait until its session is open. Before the first slot the leader's session is warmed, too.
 *
 * The schedule says what falls due; each role gets one session for each job, within the limits of the pool. A session
 * that nobody uses then goes as any other does (pool.h). */
#include "daemon/lead_state.h"

#define AHEAD USEC_PER_SEC
#define JOBS_MAX 2048 /* looked at for one instant: more would open no more sessions */

struct tally {
    struct lead *lead;
    int left;
};

static bool count_job(void *data, const struct scheduled *it)
{
    struct tally *tally = data;
    roles_of(tally->lead, scheduled_job(it))->coming++;
    return --tally->left > 0;
}

static void open_sessions(struct lead *lead, int most)
{
    for (size_t i = 0; i < lead->roles.count; i++) {
        struct role_sessions *sessions = lead->roles.items[i];
        if (sessions->coming > 0) {
            roles_warm_up(sessions, sessions->coming < most ? sessions->coming : most);
        }
    }
}

/* One session for each role first: they share what there is for roles. */
static void warm_up(struct lead *lead)
{
    struct tally tally = {lead, JOBS_MAX};
    if (lead->warmed_up_to == INSTANT_NONE) {
        ledger_warm_up(&lead->ledger);
    }
    lead->warmed_up_to = lead_now(lead) + AHEAD;
    scheduler_visit_coming(lead->scheduler, lead->warmed_up_to, count_job, &tally);
    open_sessions(lead, 1);
    open_sessions(lead, lead->database->pool_size);
    for (size_t i = 0; i < lead->roles.count; i++) {
        lead->roles.items[i]->coming = 0;
    }
}

static void warm_up_due(void *data)
{
    struct lead *lead = data;
    if (lead->started && !lead->over && !lead->draining && !lead_waits(lead)) {
        warm_up(lead);
        warm_up_plan(lead);
    }
}

void warm_up_plan(struct lead *lead)
{
    instant now = lead_now(lead);
    instant slot = scheduler_next_slot(lead->scheduler);
    if (lead->warmed_up_to > now + AHEAD) { /* the clock was stepped back */
        lead->warmed_up_to = INSTANT_NONE;
    }
    if (slot != INSTANT_NEVER && slot > lead->warmed_up_to) {
        loop_timer_set(lead->warm_up_timer, slot - AHEAD - now);
    }
}

void warm_up_create(struct lead *lead)
{
    lead->warmed_up_to = INSTANT_NONE;
    lead->warm_up_timer = loop_timer_create(lead->loop, warm_up_due, lead);
}

void warm_up_destroy(struct lead *lead)
{
    loop_timer_destroy(lead->warm_up_timer);
}
