/* SPDX-License-Identifier: PostgreSQL */
/* What each role has of what all share. Sessions of other roles than the daemon's are role_sessions at most. Where that
 * is too few for all who have something to run, those who have none get one from those who have most, as soon as one of
 * their runs has ended. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/lead_state.h"

#define STARTS_AT_ONCE (10 * USEC_PER_SEC)

struct role_sessions *roles_own(const struct lead *lead)
{
    return lead->roles.items[0];
}

static bool is_full(const struct roles *roles)
{
    return roles->budget.open >= roles->budget.limit;
}

static struct role_sessions *find_hungry(const struct roles *roles)
{
    for (size_t i = 1; i < roles->count; i++) {
        if (roles->items[i]->hungry) {
            return roles->items[i];
        }
    }
    return NULL;
}

/* Of those who run something, since a session that is still opening has served nobody yet; all that have most, so that
 * whose run ends first gives. */
static void ask_richest(struct roles *roles)
{
    int most = 0;
    for (size_t i = 1; i < roles->count; i++) {
        const struct role_sessions *it = roles->items[i];
        int open = pool_open_count(it->pool);
        most = it->run_queue_count > 0 && open > most ? open : most;
    }
    for (size_t i = 1; i < roles->count; i++) {
        struct role_sessions *it = roles->items[i];
        it->giving = it->run_queue_count > 0 && pool_open_count(it->pool) == most;
    }
}

/* It goes behind the others, who are looked at in this order. */
static void move_back(struct roles *roles, const struct role_sessions *sessions)
{
    size_t place = 1;
    while (roles->items[place] != sessions) {
        place++;
    }
    struct role_sessions *moved = roles->items[place];
    for (; place + 1 < roles->count; place++) {
        roles->items[place] = roles->items[place + 1];
    }
    roles->items[place] = moved;
}

static void feed(struct lead *lead, struct role_sessions *hungry)
{
    hungry->hungry = false;
    pool_want(hungry->pool, 1);
    move_back(&lead->roles, hungry);
}

void roles_give(struct role_sessions *sessions)
{
    struct roles *roles = &sessions->lead->roles;
    struct role_sessions *hungry = sessions->giving ? find_hungry(roles) : NULL;
    if (hungry != NULL && pool_give_up(sessions->pool)) {
        sessions->giving = false;
        feed(sessions->lead, hungry);
    }
}

static bool take_idle(struct lead *lead, struct role_sessions *hungry)
{
    for (size_t i = 1; i < lead->roles.count; i++) {
        if (pool_give_up(lead->roles.items[i]->pool)) {
            feed(lead, hungry);
            return true;
        }
    }
    return false;
}

void roles_begin_round(struct lead *lead)
{
    for (size_t i = 1; i < lead->roles.count; i++) {
        lead->roles.items[i]->hungry = false;
    }
}

bool roles_share(struct lead *lead)
{
    struct roles *roles = &lead->roles;
    struct role_sessions *hungry = find_hungry(roles);
    bool gave_way = false;
    for (size_t i = 1; i < roles->count; i++) {
        gave_way = gave_way || roles->items[i]->giving;
        roles->items[i]->giving = false;
    }
    while (hungry != NULL && take_idle(lead, hungry)) {
        hungry = find_hungry(roles);
    }
    if (hungry != NULL) {
        ask_richest(roles);
    } else if (gave_way) {
        dispatch_soon(lead); /* it was passed over in this round, and need not be */
    }
    return hungry != NULL;
}

void roles_await(struct role_sessions *sessions)
{
    struct roles *roles = &sessions->lead->roles;
    sessions->told = sessions->told && is_full(roles);
    if (sessions == roles_own(sessions->lead) || pool_open_count(sessions->pool) > 0 || !is_full(roles)) {
        return;
    }
    sessions->hungry = true;
    if (!sessions->told) {
        log_warning("database %s: role %s waits for a session: all %d of other roles are taken (role_sessions)",
                    sessions->lead->database->name, sessions->role != NULL ? sessions->role : "of the daemon",
                    roles->budget.limit);
        sessions->told = true;
    }
}

/* --- starts ------------------------------------------------------------------------------------------------------- */

static duration wait_for_start(const struct role_sessions *sessions)
{
    duration wait = sessions->starts_to - clock_boot() - STARTS_AT_ONCE;
    return sessions->max_starts < 0 || wait <= 0 ? 0 : wait;
}

duration roles_start_wait(struct role_sessions *sessions)
{
    duration wait = wait_for_start(sessions);
    if (wait == 0) {
        return 0;
    }
    if (!sessions->held) {
        sessions->held = true;
        log_warning("database %s: runs of role %s wait: it starts more than %d a second (max_starts)",
                    sessions->lead->database->name, sessions->role, sessions->max_starts);
    }
    return wait;
}

void roles_count_start(struct role_sessions *sessions)
{
    instant now = clock_boot();
    if (sessions->max_starts < 0) {
        return;
    }
    if (sessions->starts_to < now) {
        sessions->starts_to = now;
        sessions->held = false;
    }
    sessions->starts_to += USEC_PER_SEC / sessions->max_starts;
}

bool roles_hold_back(const struct role_sessions *sessions)
{
    return sessions != roles_own(sessions->lead) &&
           (sessions->run_queue_count > 0 || is_full(&sessions->lead->roles) || wait_for_start(sessions) > 0);
}
