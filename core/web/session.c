/* SPDX-License-Identifier: PostgreSQL */
#include "web/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "ledger/migrate.h"
#include "pg/pooler.h"
#include "pg/session.h"

#define PATIENCE (8 * USEC_PER_SEC) /* beyond what a statement may take */
#define CONNECT_WITHIN (3 * USEC_PER_SEC)
#define IDLE_FOR (60 * USEC_PER_SEC)
#define AGAIN_AFTER (2 * USEC_PER_SEC)

struct ask {
    struct ask *next;
    struct session *session;
    const struct question *questions; /* or */
    const struct pg_statement *statement;
    size_t count;
    session_callback *callback;
    void *data;
    instant until;
    instant sent;
};

struct session {
    struct loop *loop;
    struct resolver *resolver;
    const struct config_database *database;
    enum session_use use;
    struct pg_connection *connection;
    bool checked;     /* it may be asked */
    bool standby;     /* and cannot be told */
    struct ask *asks; /* oldest first */
    struct loop_timer *timer;
    struct error failure; /* the last one, until `failed_until` */
    instant failed_until;
    uint64_t asked;
    duration took;
};

/* For the oldest that waits; else for when nobody will have asked for long. */
static void set_timer(struct session *session)
{
    duration left = session->asks != NULL ? session->asks->until - clock_boot() : IDLE_FOR;
    loop_timer_set(session->timer, left > 0 ? left : 0);
}

static void hang_up(struct session *session)
{
    pg_close(session->connection);
    session->connection = NULL;
    session->checked = false;
}

/* All that wait are told; they may ask again meanwhile. */
static void fail(struct session *session, const struct error *reason)
{
    struct ask *ask = session->asks;
    session->failure = *reason;
    session->failed_until = clock_boot() + AGAIN_AFTER;
    session->asks = NULL;
    hang_up(session);
    loop_timer_clear(session->timer);
    while (ask != NULL) {
        struct ask *next = ask->next;
        ask->callback(ask->data, NULL, reason);
        free(ask);
        ask = next;
    }
}

static void waited(void *data)
{
    struct session *session = data;
    struct error err;
    if (session->asks == NULL) {
        hang_up(session);
        return;
    }
    error_set(&err, ERROR_UNREACHABLE, "the server does not answer");
    error_hint(&err, "is it up, and is there a network between? It is asked again when this is");
    fail(session, &err);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void unlink_ask(struct session *session, const struct ask *ask)
{
    struct ask **link = &session->asks;
    while (*link != ask) {
        link = &(*link)->next;
    }
    *link = ask->next;
    set_timer(session);
}

static void send_ask(struct ask *ask);

/* Whoever waited for others has all of the patience before him. */
static void send_next(struct session *session)
{
    if (session->use == SESSION_TILES && session->asks != NULL && session->checked) {
        session->asks->until = clock_boot() + PATIENCE;
        set_timer(session);
        send_ask(session->asks);
    }
}

static void explain(const struct pg_reply *reply, struct error *err)
{
    pg_reply_error(reply, err);
    if (strcmp(err->sqlstate, "42501") == 0) {
        error_hint(err, "the role of web.conf has to be one that may read schema chime, as the daemon's");
    } else if (strcmp(err->sqlstate, "55P03") == 0) {
        error_hint(err, "another session holds what it needs: nothing was done, so ask again");
    } else if (strcmp(err->sqlstate, "57014") == 0) {
        error_hint(err, "the server is busy: it is asked again when this is");
    }
}

static void answered(void *data, const struct pg_reply *reply)
{
    struct ask *ask = data;
    struct error err;
    if (pg_reply_lost(reply)) {
        return; /* the end of the connection is told to all at once */
    }
    unlink_ask(ask->session, ask);
    ask->session->asked++;
    ask->session->took += clock_boot() - ask->sent;
    send_next(ask->session);
    if (pg_reply_ok(reply)) {
        ask->callback(ask->data, reply, NULL);
    } else {
        explain(reply, &err);
        ask->callback(ask->data, NULL, &err);
    }
    free(ask);
}

static void send_ask(struct ask *ask)
{
    struct pg_statement statements[SESSION_QUESTIONS_MAX];
    if (ask->statement != NULL) {
        pg_send(ask->session->connection, ask->statement, 1, answered, ask);
        return;
    }
    for (size_t i = 0; i < ask->count; i++) {
        const struct report_statement *statement = report_statement(ask->questions[i].id);
        statements[i] = (struct pg_statement){.name = statement->name,
                                              .sql = statement->sql,
                                              .parameter_count = (int)statement->parameter_count,
                                              .parameters = ask->questions[i].parameters};
    }
    ask->sent = clock_boot();
    pg_send(ask->session->connection, statements, ask->count, answered, ask);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static bool judge(struct session *session, const struct pg_reply *reply, struct error *err)
{
    session->standby = pg_reply_rows(reply, 0) == 1 && pg_reply_value(reply, 0, 0, 1)[0] == 't';
    if (pg_reply_rows(reply, 0) == 1 && atoi(pg_reply_value(reply, 0, 0, 0)) != pg_backend_pid(session->connection)) {
        return pooler_refuse(err);
    }
    if (session->standby && session->use == SESSION_ACTIONS) {
        return pg_refuse_standby(err);
    }
    if (pg_reply_ok(reply)) {
        return migrate_suits(atoi(pg_reply_value(reply, 1, 0, 0)), err);
    }
    if (strcmp(pg_reply_sqlstate(reply), "42P01") == 0) {
        return migrate_suits(0, err);
    }
    explain(reply, err);
    return false;
}

static void check_done(void *data, const struct pg_reply *reply)
{
    struct session *session = data;
    struct error err;
    if (pg_reply_lost(reply)) {
        return;
    }
    if (!judge(session, reply, &err)) {
        fail(session, &err);
        return;
    }
    session->checked = true;
    send_next(session);
    for (struct ask *ask = session->asks; ask != NULL && session->use != SESSION_TILES; ask = ask->next) {
        send_ask(ask);
    }
}

static void ready(void *data)
{
    static const struct pg_statement check[] = {{.sql = "SELECT pg_backend_pid(), pg_is_in_recovery()"},
                                                {.sql = "SELECT coalesce(max(number), 0) FROM chime.migration"}};
    struct session *session = data;
    pg_send(session->connection, check, COUNT_OF(check), check_done, session);
}

static void closed(void *data, const struct error *reason)
{
    struct session *session = data;
    if (session->asks == NULL) { /* nobody is there to be told, and the next one tries again */
        hang_up(session);
        return;
    }
    fail(session, reason);
}

static void connect_now(struct session *session)
{
    static const struct pg_handlers handlers = {.ready = ready, .closed = closed};
    bool tiles = session->use == SESSION_TILES;
    size_t may_write = session->use == SESSION_ACTIONS ? 1 : 0;
    struct pg_target target = {.conninfo = session->database->conninfo,
                               .application_name = "pgchime web",
                               .settings = tiles ? pg_tile_settings : pg_page_settings,
                               .setting_count = tiles ? pg_tile_setting_count : pg_page_setting_count - may_write,
                               .connect_timeout = CONNECT_WITHIN};
    session->connection = pg_open(session->loop, session->resolver, &target, &handlers, session);
}

/* --- from outside ------------------------------------------------------------------------------------------------- */

/* It failed a moment ago. */
static void answer_failed(void *data)
{
    struct ask *ask = data;
    struct error failure = ask->session->failure;
    unlink_ask(ask->session, ask);
    ask->callback(ask->data, NULL, &failure);
    free(ask);
}

static void line_up(struct session *session, struct ask *ask)
{
    struct ask **end = &session->asks;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = ask;
    set_timer(session);
    if (session->connection == NULL && clock_boot() < session->failed_until) {
        loop_defer(session->loop, answer_failed, ask);
    } else if (session->connection == NULL) {
        connect_now(session);
    } else if (session->checked && (session->use != SESSION_TILES || session->asks == ask)) {
        send_ask(ask);
    }
}

void session_ask(struct session *session, const struct question *questions, size_t count, session_callback *callback,
                 void *data)
{
    struct ask *ask = xcalloc(1, sizeof(*ask));
    *ask = (struct ask){.session = session,
                        .questions = questions,
                        .count = count,
                        .callback = callback,
                        .data = data,
                        .until = clock_boot() + PATIENCE};
    line_up(session, ask);
}

void session_call(struct session *session, const struct pg_statement *statement, session_callback *callback, void *data)
{
    struct ask *ask = xcalloc(1, sizeof(*ask));
    *ask = (struct ask){.session = session,
                        .statement = statement,
                        .count = 1,
                        .callback = callback,
                        .data = data,
                        .until = clock_boot() + PATIENCE};
    line_up(session, ask);
}

uint64_t session_asked(const struct session *session)
{
    return session->asked;
}

duration session_took(const struct session *session)
{
    return session->took;
}

static void told(void *data, const struct pg_reply *reply)
{
    const struct session *session = data;
    if (!pg_reply_ok(reply) && !pg_reply_lost(reply)) {
        log_warning("database %s could not be told: %s", session->database->name, pg_reply_message(reply));
    }
}

/* Of one request, and so one transaction, whose first statement takes no snapshot yet. */
void session_tell(struct session *session, const char *sql, const char *const *parameters, int count)
{
    const struct pg_statement statements[] = {{.sql = "SET transaction_read_only = off"},
                                              {.sql = sql, .parameter_count = count, .parameters = parameters}};
    if (session->connection != NULL && session->checked && !session->standby) {
        pg_send(session->connection, statements, COUNT_OF(statements), told, session);
    }
}

struct session *session_create(struct loop *loop, struct resolver *resolver, const struct config_database *database,
                               enum session_use use)
{
    struct session *session = xcalloc(1, sizeof(*session));
    *session = (struct session){.loop = loop, .resolver = resolver, .database = database, .use = use};
    session->timer = loop_timer_create(loop, waited, session);
    return session;
}

void session_destroy(struct session *session)
{
    if (session == NULL) {
        return;
    }
    pg_close(session->connection);
    loop_timer_destroy(session->timer);
    while (session->asks != NULL) {
        struct ask *next = session->asks->next;
        loop_forget(session->loop, session->asks);
        free(session->asks);
        session->asks = next;
    }
    free(session);
}
