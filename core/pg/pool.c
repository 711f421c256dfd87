/* SPDX-License-Identifier: PostgreSQL */
#include "pg/pool.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "calendar/backoff.h"

#define CONNECT_TIMEOUT (10 * USEC_PER_SEC)
#define PING_EVERY (5 * USEC_PER_SEC) /* well inside the lease */
#define UNUSED_CLOSE (60 * USEC_PER_SEC)

static const struct backoff reopen = {
    .initial = 200 * USEC_PER_MSEC, .coefficient = 2, .max = 5 * USEC_PER_SEC, .jitter = 0.2};

enum session_state {
    SESSION_OPENING,   /* connecting, or answering the check */
    SESSION_IDLE,      /* clean, waits for work */
    SESSION_LENT,      /* the borrower's */
    SESSION_RESETTING, /* a reset is on its way */
    SESSION_PINGING,   /* answers a ping; work waits until it has */
};

struct pool_session {
    struct pool *pool;
    struct pg_connection *connection;
    struct pg_identity identity;
    enum session_state state;
    instant unused_since;
    void *tag;
};

struct pool {
    struct loop *loop;
    struct resolver *resolver;
    struct pool_settings settings; /* its conninfo is ours: a reload takes the caller's away */
    const struct pool_handlers *handlers;
    void *data;
    struct pool_session **sessions;
    int capacity; /* of `sessions`; a limit that fell may be below `count`, since lent ones stay */
    int count;
    int idle;
    int opening;
    int failures;                    /* to open, in a row */
    struct loop_timer *reopen_timer; /* armed while backing off */
    bool backing_off;
    int wanted;
    struct loop_timer *ping_timer;
};

static void open_session(struct pool *pool);

static void set_state(struct pool_session *session, enum session_state state)
{
    struct pool *pool = session->pool;
    pool->idle += (state == SESSION_IDLE) - (session->state == SESSION_IDLE);
    pool->opening += (state == SESSION_OPENING) - (session->state == SESSION_OPENING);
    session->state = state;
}

static bool has_room(const struct pool *pool)
{
    const struct pool_budget *budget = pool->settings.budget;
    return pool->count < pool->settings.limit && (budget == NULL || budget->open < budget->limit);
}

static void free_place(const struct pool *pool)
{
    struct pool_budget *budget = pool->settings.budget;
    if (budget != NULL && budget->open-- == budget->limit) {
        budget->freed(budget->data);
    }
}

static void discard(struct pool_session *session)
{
    struct pool *pool = session->pool;
    set_state(session, SESSION_LENT); /* counted neither as idle nor as opening */
    for (int i = 0; i < pool->count; i++) {
        if (pool->sessions[i] == session) {
            pool->sessions[i] = pool->sessions[--pool->count];
            break;
        }
    }
    pg_close(session->connection);
    free(session);
    free_place(pool);
}

static void become_idle(struct pool_session *session)
{
    set_state(session, SESSION_IDLE);
    session->pool->handlers->available(session->pool->data);
}

static void open_wanted(struct pool *pool)
{
    while (!pool->backing_off && pool->idle + pool->opening < pool->wanted && has_room(pool)) {
        open_session(pool);
    }
}

/* Closes it, and opens another where one is missed. */
static void drop(struct pool_session *session)
{
    struct pool *pool = session->pool;
    discard(session);
    open_wanted(pool);
}

static void reopen_due(void *data)
{
    struct pool *pool = data;
    pool->backing_off = false;
    open_wanted(pool);
    if (pool->wanted > 0) {
        pool->handlers->available(pool->data);
    }
}

static void open_failed(struct pool_session *session, const struct error *reason)
{
    struct pool *pool = session->pool;
    discard(session);
    pool->failures++;
    if (!pool->backing_off) {
        pool->backing_off = true;
        loop_timer_set(pool->reopen_timer, backoff_delay(&reopen, pool->failures, (uint64_t)clock_boot()));
    }
    pool->handlers->failed(pool->data, reason);
}

static void checked(void *data, const struct pg_reply *reply)
{
    struct pool_session *session = data;
    struct error err;
    enum pg_purpose purpose = session->pool->settings.plain ? PG_PLAIN_WORKER : PG_WORKER;
    if (!pg_read_check(session->connection, reply, purpose, &session->identity, &err)) {
        if (!pg_reply_lost(reply)) { /* else `closed` follows */
            open_failed(session, &err);
        }
        return;
    }
    session->pool->failures = 0;
    session->unused_since = clock_boot();
    become_idle(session);
}

static void session_ready(void *data)
{
    struct pool_session *session = data;
    pg_check(session->connection, checked, session);
}

static void session_closed(void *data, const struct error *reason)
{
    struct pool_session *session = data;
    switch (session->state) {
    case SESSION_OPENING:
        open_failed(session, reason);
        break;
    case SESSION_LENT:
        session->pool->handlers->lost(session->pool->data, session, reason);
        break;
    case SESSION_IDLE:
    case SESSION_RESETTING:
    case SESSION_PINGING:
        log_debug("an idle run session ended: %s", reason->message);
        drop(session);
        break;
    }
}

static const struct pg_handlers session_handlers = {.ready = session_ready, .closed = session_closed};

static void open_session(struct pool *pool)
{
    struct pool_session *session = xcalloc(1, sizeof(*session));
    struct pg_target target = {.conninfo = pool->settings.conninfo,
                               .application_name = pool->settings.application_name,
                               .settings = pg_worker_settings,
                               .setting_count = pg_worker_setting_count,
                               .connect_timeout = CONNECT_TIMEOUT,
                               .server = pool->settings.server,
                               .own_hosts = pool->settings.own_hosts};
    session->pool = pool;
    session->state = SESSION_LENT;
    set_state(session, SESSION_OPENING);
    pool->sessions[pool->count++] = session;
    if (pool->settings.budget != NULL) {
        pool->settings.budget->open++;
    }
    session->connection = pg_open(pool->loop, pool->resolver, &target, &session_handlers, session);
}

void pg_reset_session(struct pg_connection *connection, enum session_reset reset, pg_callback *callback, void *data)
{
    static const struct pg_statement settings[] = {{.name = "chime_reset_all", .sql = "RESET ALL"}};
    static const struct pg_statement all[] = {{.sql = "DISCARD ALL"}};
    switch (reset) {
    case RESET_NONE:
        break;
    case RESET_SETTINGS:
        pg_send(connection, settings, COUNT_OF(settings), callback, data);
        break;
    case RESET_ALL:
        pg_forget_prepared(connection);
        pg_send(connection, all, COUNT_OF(all), callback, data);
        break;
    }
}

static void was_reset(void *data, const struct pg_reply *reply)
{
    struct pool_session *session = data;
    if (pg_reply_ok(reply)) {
        become_idle(session);
    } else if (!pg_reply_lost(reply)) {
        log_warning("a run session could not be reset and is closed: %s", pg_reply_message(reply));
        drop(session);
    }
}

static void pinged(void *data, const struct pg_reply *reply)
{
    struct pool_session *session = data;
    if (!pg_reply_lost(reply)) {
        become_idle(session);
    }
}

static void ping_due(void *data)
{
    static const struct pg_statement ping = {.sql = "SELECT"};
    struct pool *pool = data;
    instant now = clock_boot();
    for (int i = pool->count - 1; i >= 0; i--) {
        struct pool_session *session = pool->sessions[i];
        if (session->state != SESSION_IDLE) {
            continue;
        }
        if (pool->count > (pool->settings.cold ? 0 : 1) && now - session->unused_since > UNUSED_CLOSE) {
            discard(session);
        } else {
            set_state(session, SESSION_PINGING);
            pg_send(session->connection, &ping, 1, pinged, session);
        }
    }
    loop_timer_set(pool->ping_timer, PING_EVERY);
}

struct pool *pool_create(struct loop *loop, struct resolver *resolver, const struct pool_settings *settings,
                         const struct pool_handlers *handlers, void *data)
{
    struct pool *pool = xcalloc(1, sizeof(*pool));
    pool->loop = loop;
    pool->resolver = resolver;
    pool->settings = *settings;
    pool->settings.conninfo = xstrdup(settings->conninfo);
    pool->handlers = handlers;
    pool->data = data;
    pool->capacity = settings->limit;
    pool->sessions = xcalloc((size_t)pool->capacity, sizeof(struct pool_session *));
    pool->reopen_timer = loop_timer_create(loop, reopen_due, pool);
    pool->ping_timer = loop_timer_create(loop, ping_due, pool);
    loop_timer_set(pool->ping_timer, PING_EVERY);
    return pool;
}

void pool_destroy(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    if (pool->settings.budget != NULL) {
        pool->settings.budget->open -= pool->count;
        pool->settings.budget = NULL;
    }
    while (pool->count > 0) {
        discard(pool->sessions[pool->count - 1]);
    }
    loop_timer_destroy(pool->reopen_timer);
    loop_timer_destroy(pool->ping_timer);
    free(pool->sessions);
    free((char *)pool->settings.conninfo);
    free(pool);
}

struct pool_session *pool_borrow(struct pool *pool)
{
    for (int i = 0; i < pool->count; i++) {
        if (pool->sessions[i]->state == SESSION_IDLE) {
            set_state(pool->sessions[i], SESSION_LENT);
            return pool->sessions[i];
        }
    }
    return NULL;
}

int pool_idle(const struct pool *pool)
{
    return pool->idle;
}

void pool_resize(struct pool *pool, int limit)
{
    if (limit > pool->capacity) {
        pool->capacity = limit;
        pool->sessions = xrealloc(pool->sessions, (size_t)pool->capacity, sizeof(struct pool_session *));
    }
    pool->settings.limit = limit;
    for (int i = pool->count; i-- > 0 && pool->count > limit;) {
        if (pool->sessions[i]->state == SESSION_IDLE) {
            discard(pool->sessions[i]);
        }
    }
    open_wanted(pool);
}

void pool_close_idle(struct pool *pool)
{
    pool->wanted = 0;
    for (int i = pool->count; i-- > 0;) {
        if (pool->sessions[i]->state == SESSION_IDLE) {
            discard(pool->sessions[i]);
        }
    }
}

bool pool_give_up(struct pool *pool)
{
    pool->wanted = 0;
    for (int i = pool->count; i-- > 0;) {
        if (pool->sessions[i]->state == SESSION_IDLE) {
            discard(pool->sessions[i]);
            return true;
        }
    }
    return false;
}

void pool_want(struct pool *pool, int sessions)
{
    pool->wanted = sessions;
    open_wanted(pool);
}

void pool_return(struct pool *pool, struct pool_session *session, enum session_reset reset)
{
    session->tag = NULL;
    if (pool->count > pool->settings.limit) {
        discard(session);
        return;
    }
    if (pg_is_swollen(session->connection)) {
        drop(session);
        return;
    }
    session->unused_since = clock_boot();
    if (reset == RESET_NONE) {
        become_idle(session);
        return;
    }
    set_state(session, SESSION_RESETTING);
    pg_reset_session(session->connection, reset, was_reset, session);
}

void pool_drop(struct pool *pool, struct pool_session *session)
{
    (void)pool;
    drop(session);
}

struct pg_connection *pool_connection(const struct pool_session *session)
{
    return session->connection;
}

const struct pg_identity *pool_identity(const struct pool_session *session)
{
    return &session->identity;
}

size_t pool_pids(const struct pool *pool, int **pids)
{
    *pids = xcalloc((size_t)pool->count + 1, sizeof(**pids));
    size_t count = 0;
    for (int i = 0; i < pool->count; i++) {
        if (pool->sessions[i]->state != SESSION_OPENING) {
            (*pids)[count++] = pool->sessions[i]->identity.pid;
        }
    }
    return count;
}

void *pool_tag(const struct pool_session *session)
{
    return session->tag;
}

void pool_set_tag(struct pool_session *session, void *tag)
{
    session->tag = tag;
}

int pool_open_count(const struct pool *pool)
{
    return pool->count;
}

bool pool_backs_off(const struct pool *pool)
{
    return pool->backing_off;
}
