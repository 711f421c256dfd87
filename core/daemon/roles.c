/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "daemon/lead_state.h"
#include "pg/conninfo.h"

#define STARTS_AT_ONCE (10 * USEC_PER_SEC)

struct role_sessions *roles_own(const struct lead *lead)
{
    return lead->roles.items[0];
}

/* --- shares ------------------------------------------------------------------------------------------------------- */

/* Sessions of other roles than the daemon's are role_sessions at most. Where that is too few for all who have something
 * to run, those who have none get one from those who have most, as soon as one of their runs has ended. */
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

/* --- news of a pool ----------------------------------------------------------------------------------------------- */

static void session_available(void *data)
{
    struct role_sessions *sessions = data;
    if (pool_idle(sessions->pool) > 0) {
        free(sessions->problem);
        sessions->problem = NULL;
    }
    if (sessions->dropped) { /* it ran while its role was dropped, so roles_check.c did not find it idle */
        pool_close_idle(sessions->pool);
        roles_check(sessions->lead); /* somebody may have made the role again */
    }
    roles_give(sessions);
    dispatch_soon(sessions->lead);
}

static void session_lost(void *data, struct pool_session *session, const struct error *reason)
{
    struct role_sessions *sessions = data;
    log_warning("database %s: a run session ended: %s", sessions->lead->database->name, reason->message);
    if (pool_tag(session) == sessions) {
        pool_drop(sessions->pool, session); /* it was lent to interrupt another */
    } else {
        run_queues_lost(sessions, pool_tag(session));
    }
}

static void remember_problem(struct role_sessions *sessions, const char *problem)
{
    free(sessions->problem);
    sessions->problem = xstrdup(problem);
}

/* A reason is logged when it is new. */
static void session_failed(void *data, const struct error *reason)
{
    struct role_sessions *sessions = data;
    struct lead *lead = sessions->lead;
    if (sessions->role == NULL && sessions->target == NULL) {
        struct error copy = *reason;
        error_prefix(&copy, "database %s: no run session", lead->database->name);
        log_error(&copy);
        return;
    }
    if (sessions->problem == NULL || strcmp(sessions->problem, reason->message) != 0) {
        log_warning("database %s: no session as role %s%s%s: %s", lead->database->name,
                    sessions->role != NULL ? sessions->role : "of the daemon", sessions->target != NULL ? " in " : "",
                    sessions->target != NULL ? sessions->target : "", reason->message);
    }
    remember_problem(sessions, reason->message);
    pool_want(sessions->pool, 0); /* it is tried again when a job wants it */
    roles_check(lead);
    dispatch_soon(lead);
}

/* --- making ------------------------------------------------------------------------------------------------------- */

static char *conninfo_of(const struct lead *lead, const char *role, const char *target, struct error *err)
{
    const struct config_role *given = role != NULL ? config_find_role(lead->snapshot->config, role) : NULL;
    if (role == NULL && target == NULL) {
        return xstrdup(lead->database->conninfo);
    }
    if (role != NULL && config_login_as(lead->snapshot->config, role) == LOGIN_NEVER) {
        error_set(err, ERROR_REFUSED, "pgchime.conf excludes role \"%s\"", role);
        return NULL;
    }
    /* Named in any case: without a name the server would take that of the user. */
    const char *name = target != NULL ? target : pg_database_name(lead->ledger.connection);
    return conninfo_for_role(lead->database->conninfo, given != NULL ? given->conninfo : NULL, role, name, err);
}

/* No role alone can take all that there is for roles. */
static int limit_of_role(const struct lead *lead)
{
    int half = lead->database->role_sessions > 1 ? lead->database->role_sessions / 2 : 1;
    return half < lead->database->pool_size ? half : lead->database->pool_size;
}

/* The daemon's own is what its conninfo says. */
static bool must_be_plain(const struct lead *lead, const char *role)
{
    return role != NULL && config_login_as(lead->snapshot->config, role) != LOGIN_ANY;
}

static int max_starts_of(const struct lead *lead, const char *role)
{
    return role != NULL ? config_max_starts(lead->snapshot->config, role) : -1;
}

/* A certificate needs TCP, and peer a socket, whichever the daemon takes. */
static bool has_own_hosts(const struct lead *lead, const char *role)
{
    const struct config_role *given = role != NULL ? config_find_role(lead->snapshot->config, role) : NULL;
    return given != NULL && given->conninfo != NULL && conninfo_names_host(given->conninfo);
}

static struct role_sessions *make(struct lead *lead, const char *role, const char *target)
{
    static const struct pool_handlers handlers = {
        .available = session_available, .lost = session_lost, .failed = session_failed};
    struct role_sessions *sessions = xcalloc(1, sizeof(*sessions));
    struct error err;
    sessions->lead = lead;
    sessions->role = role != NULL ? xstrdup(role) : NULL;
    sessions->target = target != NULL ? xstrdup(target) : NULL;
    sessions->conninfo = conninfo_of(lead, role, target, &err);
    sessions->plain = must_be_plain(lead, role);
    sessions->max_starts = max_starts_of(lead, role);
    bool own = role == NULL && target == NULL;
    struct pool_settings settings = {.conninfo = sessions->conninfo != NULL ? sessions->conninfo : "",
                                     .application_name = "pgchime run",
                                     .limit = own ? lead->database->pool_size : limit_of_role(lead),
                                     .plain = sessions->plain,
                                     .cold = !own,
                                     .server = &lead->ledger.server,
                                     .own_hosts = has_own_hosts(lead, role),
                                     .budget = own ? NULL : &lead->roles.budget};
    if (sessions->conninfo == NULL) { /* nothing will be opened */
        remember_problem(sessions, err.message);
    }
    sessions->pool = pool_create(lead->loop, lead->resolver, &settings, &handlers, sessions);
    lead->roles.items = xrealloc(lead->roles.items, lead->roles.count + 1, sizeof(*lead->roles.items));
    lead->roles.items[lead->roles.count++] = sessions;
    return sessions;
}

static void place_freed(void *data)
{
    dispatch_soon(data);
}

void roles_create(struct lead *lead)
{
    lead->roles.budget = (struct pool_budget){
        .limit = lead->database->role_sessions, .freed = place_freed, .data = lead};
    pool_want(make(lead, NULL, NULL)->pool, 1);
}

struct role_sessions *roles_of(struct lead *lead, const struct job *job)
{
    for (size_t i = 0; i < lead->roles.count; i++) {
        struct role_sessions *sessions = lead->roles.items[i];
        if (!sessions->leaving && text_same(sessions->role, job->owner) && text_same(sessions->target, job->target)) {
            return sessions;
        }
    }
    return make(lead, job->owner, job->target);
}

void roles_warm_up(struct role_sessions *sessions, int wanted)
{
    if (sessions->conninfo != NULL && sessions->problem == NULL && !sessions->dropped) {
        pool_want(sessions->pool, wanted);
    }
}

const char *roles_failure(const struct role_sessions *sessions)
{
    bool failed_now = pool_open_count(sessions->pool) == 0 && pool_backs_off(sessions->pool);
    bool hopeless = sessions->problem != NULL && (sessions->conninfo == NULL || failed_now);
    return hopeless ? sessions->problem : NULL;
}

/* --- going -------------------------------------------------------------------------------------------------------- */

static void destroy(struct role_sessions *sessions)
{
    for (size_t i = 0; i < sessions->run_queue_count; i++) {
        run_queue_abandon(sessions->queues[i]);
    }
    pool_destroy(sessions->pool);
    free(sessions->queues);
    free(sessions->role);
    free(sessions->target);
    free(sessions->conninfo);
    free(sessions->problem);
    free(sessions);
}

void roles_destroy(struct lead *lead)
{
    for (size_t i = 0; i < lead->roles.count; i++) {
        destroy(lead->roles.items[i]);
    }
    free(lead->roles.items);
    roles_forget_problems(&lead->roles);
}

void roles_follow(struct lead *lead)
{
    lead->roles.budget.limit = lead->database->role_sessions;
    pool_resize(roles_own(lead)->pool, lead->database->pool_size);
    for (size_t i = 1; i < lead->roles.count; i++) {
        struct role_sessions *sessions = lead->roles.items[i];
        struct error err;
        char *conninfo = conninfo_of(lead, sessions->role, sessions->target, &err);
        bool same = text_same(conninfo, sessions->conninfo) && sessions->plain == must_be_plain(lead, sessions->role);
        sessions->leaving = sessions->leaving || !same;
        sessions->max_starts = max_starts_of(lead, sessions->role);
        pool_resize(sessions->pool, limit_of_role(lead));
        free(conninfo);
    }
    roles_tell(lead);
}

void roles_tidy(struct lead *lead)
{
    for (size_t i = lead->roles.count; i-- > 1;) {
        struct role_sessions *sessions = lead->roles.items[i];
        if (sessions->leaving && sessions->run_queue_count == 0) {
            lead->roles.items[i] = lead->roles.items[--lead->roles.count];
            destroy(sessions);
            dispatch_soon(lead); /* there may be room for another */
        }
    }
}

size_t roles_pids(const struct lead *lead, int **pids)
{
    size_t total = 0;
    *pids = NULL;
    for (size_t i = 0; i < lead->roles.count; i++) {
        int *some;
        size_t count = pool_pids(lead->roles.items[i]->pool, &some);
        *pids = xrealloc(*pids, total + count + 1, sizeof(**pids));
        memcpy(*pids + total, some, count * sizeof(**pids));
        total += count;
        free(some);
    }
    return total;
}

/* --- interrupting ------------------------------------------------------------------------------------------------- */

/* A session whose run is to end. */
struct interruption {
    struct lead *lead;
    struct pool_session *helper; /* of the same role, that asks first; NULL: there is none */
    struct pg_identity session;
    bool terminate;
};

static struct run_queue *find_queue(const struct lead *lead, int pid, struct role_sessions **found)
{
    for (size_t i = 0; i < lead->roles.count; i++) {
        *found = lead->roles.items[i];
        for (size_t n = 0; n < (*found)->run_queue_count; n++) {
            if (run_queue_identity((*found)->queues[n])->pid == pid) {
                return (*found)->queues[n];
            }
        }
    }
    *found = NULL;
    return NULL;
}

/* The reply says true where there was such a session, which was sent the signal. */
static bool has_hit(const struct pg_reply *reply)
{
    return pg_reply_ok(reply) && pg_reply_rows(reply, 0) > 0 && pg_reply_value(reply, 0, 0, 0) != NULL &&
           pg_reply_value(reply, 0, 0, 0)[0] == 't';
}

/* The server notices within a second that nobody is there any more, and ends the statement. */
static void tell_missed(const struct interruption *interruption, const char *why)
{
    struct lead *lead = interruption->lead;
    struct role_sessions *sessions;
    struct run_queue *queue = find_queue(lead, interruption->session.pid, &sessions);
    if (queue == NULL) {
        return;
    }
    const char *role = sessions->role != NULL ? sessions->role : "of the daemon";
    if (!interruption->terminate) {
        log_warning("database %s: a session of role %s could not be cancelled (%s): its run is ended after its "
                    "cancel_grace",
                    lead->database->name, role, why);
        return;
    }
    log_warning("database %s: a session of role %s can neither be cancelled nor terminated (%s), and is cut off: "
                "GRANT pg_signal_backend to the daemon's role",
                lead->database->name, role, why);
    run_queue_cut(queue);
    run_queues_lost(sessions, queue);
}

static void interrupted(void *data, const struct pg_reply *reply)
{
    struct interruption *interruption = data;
    if (!pg_reply_lost(reply) && !has_hit(reply)) {
        tell_missed(interruption, pg_reply_ok(reply) ? "the server knows of no such session" : pg_reply_message(reply));
    }
    free(interruption);
}

static void interrupt_by_leader(struct interruption *interruption)
{
    ledger_cancel(&interruption->lead->ledger, &interruption->session, interruption->terminate, interrupted,
                  interruption);
}

/* What a role's own session answers is that role's word: where nobody was hit, the leader asks, and sees to it. */
static void helped(void *data, const struct pg_reply *reply)
{
    struct interruption *interruption = data;
    if (pg_reply_lost(reply)) {
        free(interruption);
        return;
    }
    struct role_sessions *sessions = pool_tag(interruption->helper);
    bool hit = has_hit(reply);
    pool_return(sessions->pool, interruption->helper, RESET_NONE);
    if (hit) {
        free(interruption);
    } else {
        interrupt_by_leader(interruption);
    }
}

/* Between the same role's sessions no right is needed. */
static void interrupt_by_helper(struct role_sessions *sessions, struct interruption *interruption)
{
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", interruption->session.pid);
    const char *parameters[] = {pid, interruption->session.backend_start, interruption->terminate ? "t" : "f"};
    const struct pg_statement statement = {
        .sql = "SELECT CASE WHEN $3::pg_catalog.bool THEN pg_catalog.pg_terminate_backend(a.pid)"
               " ELSE pg_catalog.pg_cancel_backend(a.pid) END FROM pg_catalog.pg_stat_activity a"
               " WHERE a.pid OPERATOR(pg_catalog.=) $1::pg_catalog.int4"
               " AND a.backend_start OPERATOR(pg_catalog.=) $2::pg_catalog.timestamptz",
        .parameter_count = COUNT_OF(parameters),
        .parameters = parameters};
    pool_set_tag(interruption->helper, sessions);
    pg_send(pool_connection(interruption->helper), &statement, 1, helped, interruption);
}

bool roles_interrupt(struct lead *lead, const struct pg_identity *session, bool terminate)
{
    struct role_sessions *sessions;
    if (find_queue(lead, session->pid, &sessions) == NULL || sessions->role == NULL) {
        return false;
    }
    struct interruption *interruption = xcalloc(1, sizeof(*interruption));
    *interruption = (struct interruption){lead, pool_borrow(sessions->pool), *session, terminate};
    if (interruption->helper != NULL) {
        interrupt_by_helper(sessions, interruption);
        return true;
    }
    if (sessions->conninfo != NULL) {
        pool_want(sessions->pool, 1); /* for the next time, where there is room */
    }
    interrupt_by_leader(interruption);
    return true;
}
