/* SPDX-License-Identifier: PostgreSQL */
#include "support/month/month_database.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "ledger/migrate.h"
#include "ledger/sync.h"
#include "ledger/upkeep.h"
#include "loop/loop.h"
#include "pg/connection.h"
#include "pg/session.h"

#define ROWS_AT_ONCE 2000
#define PID_OF_NOBODY 5000000    /* the kernel gives none so high */
#define DRIFT_MOST USEC_PER_MSEC /* from one look at the clock to the next */
#define STEP_MOST (2 * USEC_PER_HOUR)

struct month_database {
    struct cluster *cluster;
    struct loop *loop;
    struct ledger ledger;
    struct month *month;
    const struct job *jobs[MONTH_JOBS];
    struct random chance;
    instant clock;  /* as the session has it */
    duration apart; /* from the simulation's */
    duration drift; /* the most, either way */
    size_t pending;
    struct leader_lock lock;
    bool leading;
    const void *question; /* what the answer under way is to be compared with */
    size_t question_size;
};

/* --- the session -------------------------------------------------------------------------------------------------- */

static void turn(struct month_database *database)
{
    database->pending--;
    loop_stop(database->loop);
}

static void ready(void *data)
{
    turn(data);
}

static void closed(void *data, const struct error *reason)
{
    (void)data;
    ck_abort_msg("the ledger's session ended: %s", reason->message);
}

static const struct pg_handlers handlers = {.ready = ready, .closed = closed};

static void await(struct month_database *database)
{
    while (database->pending > 0) {
        loop_run(database->loop);
    }
}

static void require_ok(const struct pg_reply *reply)
{
    ck_assert_msg(pg_reply_ok(reply), "the ledger answered: %s", pg_reply_message(reply));
}

static void answered(void *data, const struct pg_reply *reply)
{
    require_ok(reply);
    turn(data);
}

static void ask(struct month_database *database, const char *sql, const char *const *parameters, int count)
{
    struct pg_statement statement = {.sql = sql, .parameter_count = count, .parameters = parameters};
    database->pending++;
    pg_send(database->ledger.connection, &statement, 1, answered, database);
}

static instant their_time(struct month_database *database, instant now)
{
    if (random_within(&database->chance, 1, 100) == 1) {
        database->apart = random_within(&database->chance, -STEP_MOST, STEP_MOST);
        database->drift = random_within(&database->chance, -DRIFT_MOST, DRIFT_MOST);
    }
    database->apart += database->drift;
    return now + database->apart;
}

/* The ledger's functions read the database's clock as it is now. */
static void set_clock(struct month_database *database, instant now)
{
    char text[INSTANT_TEXT_SIZE];
    const char *parameters[] = {text};
    if (database->clock != now) {
        database->clock = now;
        instant_format(their_time(database, now), text);
        ask(database, "SELECT pg_catalog.set_config('fake.now', $1, false)", parameters, 1);
    }
}

static void begin(struct month_database *database, const void *question, size_t size)
{
    set_clock(database, database->month->now);
    database->question = question;
    database->question_size = size;
    database->pending++;
}

static void open_session(struct month_database *database)
{
    char *conninfo = cluster_conninfo(database->cluster, "postgres");
    struct pg_target target = {.conninfo = conninfo,
                               .application_name = "pgchime",
                               .settings = pg_leader_settings,
                               .setting_count = pg_leader_setting_count,
                               .connect_timeout = 60 * USEC_PER_SEC};
    pg_close(database->ledger.connection);
    database->clock = INSTANT_NONE;
    database->pending = 1;
    database->ledger.connection = pg_open(database->loop, NULL, &target, &handlers, database);
    await(database);
    free(conninfo);
}

/* --- leading ------------------------------------------------------------------------------------------------------ */

static void looked(void *data, const struct pg_reply *reply)
{
    struct month_database *database = data;
    ck_assert(ledger_read_leader_lock(reply, &database->lock));
    turn(database);
}

static void taken(void *data, const struct pg_reply *reply)
{
    struct month_database *database = data;
    require_ok(reply);
    database->leading = ledger_read_leading(reply, &database->ledger);
    turn(database);
}

/* The session of the leader before may take a moment to go. */
static void take_leader_lock(struct month_database *database)
{
    static const struct pg_lineage lineage;
    for (database->leading = false; !database->leading;) {
        begin(database, NULL, 0);
        ledger_check_leader(database->ledger.connection, looked, database);
        await(database);
        begin(database, NULL, 0);
        ledger_take_over(database->ledger.connection, &database->lock, "test", "test", &lineage, taken, database);
        await(database);
    }
}

static struct month_job *job_named(struct month *month, const char *name)
{
    for (size_t i = 0; i < month->job_count; i++) {
        if (strcmp(month->jobs[i].name, name) == 0) {
            return &month->jobs[i];
        }
    }
    ck_abort_msg("the ledger knows a job %s", name);
}

static void require_memory(struct month *month, struct month_job *it, const struct job_memory *memory)
{
    const struct job_memory *mine = &it->memory;
    MONTH_REQUIRE(month, it, memory->job_id == mine->job_id && memory->cursor == mine->cursor);
    MONTH_REQUIRE(month, it, memory->has_outcome == mine->has_outcome && memory->outcome_at == mine->outcome_at);
    MONTH_REQUIRE(month, it, memory->missed_at == mine->missed_at && memory->missed_after == mine->missed_after);
    MONTH_REQUIRE(month, it, !memory->has_outcome || memory->last_outcome == mine->last_outcome);
    MONTH_REQUIRE(month, it, memory->last_end == mine->last_end && memory->failures == mine->failures);
    MONTH_REQUIRE(month, it, memory->cursor_skipped == mine->cursor_skipped && memory->suspended == mine->suspended);
    it->memory = *memory;
}

static void synced(void *data, const struct pg_reply *reply, const struct ledger_synced *jobs, size_t count)
{
    struct month_database *database = data;
    require_ok(reply);
    for (size_t i = 0; i < count; i++) {
        require_memory(database->month, job_named(database->month, jobs[i].job->name), &jobs[i].memory);
    }
    ck_assert_uint_eq(count, database->month->job_count);
    turn(database);
}

static void lead(void *data, struct month *month)
{
    struct month_database *database = data;
    bool first = database->ledger.connection == NULL;
    open_session(database);
    take_leader_lock(database);
    begin(database, NULL, 0);
    upkeep_send(&database->ledger, UPKEEP_HISTORY, 0, 0, answered, database);
    if (first) { /* jobs that are new begin with the simulation */
        set_clock(database, month->start);
    }
    database->pending++;
    ledger_sync_start(&database->ledger, database->jobs, month->job_count, first ? month->start : month->now, true,
                      synced, database);
    await(database);
}

/* --- runs --------------------------------------------------------------------------------------------------------- */

static void require_granted(const struct month_database *database, const struct pg_reply *reply, size_t statements,
                            const int64_t *wanted, size_t count)
{
    int64_t *granted;
    require_ok(reply);
    size_t granted_count = ledger_read_granted(reply, statements, &granted);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(ledger_granted(granted, granted_count, wanted[i]),
                      "PGCHIME_TEST_SEED=%llu: the ledger refuses job %lld", (unsigned long long)database->month->seed,
                      (long long)wanted[i]);
    }
    free(granted);
}

static void claimed(void *data, const struct pg_reply *reply)
{
    struct month_database *database = data;
    const struct due *dues = database->question;
    int64_t wanted[MONTH_SESSIONS];
    for (size_t i = 0; i < database->question_size; i++) {
        wanted[i] = scheduled_id(dues[i].scheduled);
    }
    require_granted(database, reply, 2, wanted, database->question_size);
    turn(database);
}

static void claim(void *data, struct month *month, const struct due *dues, size_t count)
{
    struct month_database *database = data;
    struct ledger_claim claims[MONTH_SESSIONS];
    (void)month;
    for (size_t i = 0; i < count; i++) {
        claims[i] = (struct ledger_claim){
            dues[i], {PID_OF_NOBODY + (int)scheduled_id(dues[i].scheduled), "2026-01-01 00:00:00+00"}};
    }
    begin(database, dues, count);
    ledger_claim(&database->ledger, claims, count, claimed, database);
    await(database);
}

static void finished(void *data, const struct pg_reply *reply)
{
    struct month_database *database = data;
    const struct ledger_finish *finish = database->question;
    require_granted(database, reply, 1, &finish->job_id, 1);
    turn(database);
}

static void finish_run(void *data, struct month *month, const struct ledger_finish *finish)
{
    struct month_database *database = data;
    (void)month;
    begin(database, finish, 1);
    ledger_finish(&database->ledger, finish, 1, NULL, finished, database);
    await(database);
}

static void passed_written(void *data, const struct pg_reply *reply)
{
    struct month_database *database = data;
    const struct skipped *passed = database->question;
    bool missed = false;
    bool skipped = false;
    int64_t *wanted = xcalloc(database->question_size, sizeof(*wanted));
    for (size_t i = 0; i < database->question_size; i++) {
        wanted[i] = scheduled_id(passed[i].scheduled);
        missed = missed || passed[i].missed;
        skipped = skipped || !passed[i].missed;
    }
    require_granted(database, reply, (missed ? 1u : 0u) + (skipped ? 1u : 0u), wanted, database->question_size);
    free(wanted);
    turn(database);
}

static void pass(void *data, struct month *month, const struct skipped *passed, size_t count)
{
    struct month_database *database = data;
    (void)month;
    begin(database, passed, count);
    ledger_skip(&database->ledger, passed, count, passed_written, database);
    await(database);
}

static void suspended(void *data, const struct pg_reply *reply)
{
    const struct month_database *database = data;
    const struct suspension *suspension = database->question;
    int64_t job_id = scheduled_id(suspension->scheduled);
    require_granted(database, reply, 1, &job_id, 1);
    turn(data);
}

static void suspend(void *data, struct month *month, const struct suspension *suspension)
{
    struct month_database *database = data;
    begin(database, suspension, 1);
    ledger_suspend(&database->ledger, suspension, 1, month->now, suspended, database);
    await(database);
}

/* --- people ------------------------------------------------------------------------------------------------------- */

static void told_requests(void *data, const struct pg_reply *reply)
{
    struct month_database *database = data;
    const struct month_job *it = database->question;
    struct open_request *requests;
    struct ledger_heartbeat heartbeat;
    ck_assert(ledger_read_heartbeat(reply, &heartbeat) && heartbeat.leads);
    size_t count;
    ck_assert(ledger_read_requests(reply, &requests, &count, NULL));
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(requests[0].verb, LEDGER_RESUME);
    ck_assert_int_eq(requests[0].run.job_id, it->memory.job_id);
    database->pending++;
    ledger_acknowledge(&database->ledger, &requests[0].request_id, 1, database->month->now, answered, database);
    ledger_free_requests(requests, count);
    turn(database);
}

static void resume(void *data, struct month *month, struct month_job *it)
{
    struct month_database *database = data;
    (void)month;
    begin(database, it, 1);
    struct buffer job_id = {0};
    buffer_put_int(&job_id, it->memory.job_id);
    const char *parameters[] = {buffer_text(&job_id)};
    ask(database, "SELECT chime.resume($1, 'mended')", parameters, 1);
    ledger_heartbeat(&database->ledger, told_requests, database);
    await(database);
    buffer_finish(&job_id);
}

/* --- deaths ------------------------------------------------------------------------------------------------------- */

static void commit(void *data, struct month *month, const struct month_job *it)
{
    struct month_database *database = data;
    char slot[INSTANT_TEXT_SIZE];
    struct buffer job_id = {0};
    (void)month;
    set_clock(database, database->month->now);
    buffer_put_int(&job_id, it->memory.job_id);
    const char *parameters[] = {database->ledger.token, buffer_text(&job_id), run_kind_name(it->kind),
                                instant_format(it->slot, slot)};
    ask(database, "SELECT chime.finish_own($1, $2, $3, $4, public.fake_now(), 1, NULL)", parameters, 4);
    await(database);
    buffer_finish(&job_id);
}

struct adoption {
    struct month_database *database;
    struct unfinished_run *unfinished;
    struct ledger_verdict *verdicts;
    size_t count;
};

static struct month_job *job_of(struct month *month, const struct unfinished_run *unfinished)
{
    return &month->jobs[unfinished->job_id - MONTH_FIRST_ID];
}

static void adopted(void *data, const struct pg_reply *reply)
{
    struct adoption *adoption = data;
    struct month *month = adoption->database->month;
    require_ok(reply);
    for (size_t i = 0; i < adoption->count; i++) {
        const struct month_job *it = job_of(month, &adoption->unfinished[i]);
        enum run_state state = RUN_DUE;
        bool again;
        MONTH_REQUIRE(month, it, ledger_read_adopted(reply, adoption->unfinished[i].run_id, &again, &state));
        MONTH_REQUIRE(month, it, again == (it->retry_at != INSTANT_NONE));
        MONTH_REQUIRE(month, it, again || state == (it->committed ? RUN_SUCCEEDED : RUN_LOST));
    }
    turn(adoption->database);
}

static void recovery_known(void *data, const struct pg_reply *reply)
{
    struct adoption *adoption = data;
    struct month *month = adoption->database->month;
    int64_t from;
    require_ok(reply);
    ck_assert(ledger_read_unfinished(reply, &adoption->unfinished, &adoption->count, &from, NULL));
    ck_assert_int_eq(from, 0);
    adoption->verdicts = xcalloc(adoption->count + 1, sizeof(*adoption->verdicts));
    for (size_t i = 0; i < adoption->count; i++) {
        const struct unfinished_run *unfinished = &adoption->unfinished[i];
        const struct month_job *it = job_of(month, unfinished);
        MONTH_REQUIRE(month, it, it->live && it->kind == unfinished->kind && it->slot == unfinished->slot);
        MONTH_REQUIRE(month, it, unfinished->gone && !unfinished->own && unfinished->attempt == it->attempt);
        MONTH_REQUIRE(month, it, unfinished->done == it->committed && unfinished->waits == !it->has_session);
        MONTH_REQUIRE(month, it, unfinished->missed_after == (it->missed_from != INSTANT_NONE));
        adoption->verdicts[i] = (struct ledger_verdict){
            .job_id = unfinished->job_id,
            .run_id = unfinished->run_id,
            .again = it->retry_at != INSTANT_NONE,
            .retry_at = it->retry_at,
            .outcome_at = month_outcome_time(month, it, scheduled_joined(it->scheduled)),
            .reason = "its session is gone"};
    }
    turn(adoption->database);
}

static void adopt(void *data, struct month *month)
{
    struct month_database *database = data;
    struct adoption adoption = {.database = database};
    size_t live = 0;
    for (size_t i = 0; i < month->job_count; i++) {
        live += month->jobs[i].live;
    }
    begin(database, NULL, 0);
    ledger_unfinished(&database->ledger, NULL, 0, 0, recovery_known, &adoption);
    await(database);
    ck_assert_uint_eq(adoption.count, live);
    begin(database, NULL, 0);
    ledger_adopt(&database->ledger, adoption.verdicts, adoption.count, month->now, adopted, &adoption);
    await(database);
    free(adoption.unfinished);
    free(adoption.verdicts);
}

static const struct month_mirror mirror = {.start = lead,
                                           .claim = claim,
                                           .finish = finish_run,
                                           .pass = pass,
                                           .suspend = suspend,
                                           .resume = resume,
                                           .commit = commit,
                                           .adopt = adopt};

/* --- life --------------------------------------------------------------------------------------------------------- */

/* The functions as they are, but for the clock they read. */
static const char *const fake_clock =
    "CREATE FUNCTION public.fake_now() RETURNS timestamptz LANGUAGE sql STABLE AS"
    " $$SELECT coalesce(nullif(pg_catalog.current_setting('fake.now', true), '')::timestamptz, pg_catalog.now())$$;"
    "DO $$DECLARE v record; BEGIN"
    " FOR v IN SELECT regexp_replace(regexp_replace(pg_get_functiondef(p.oid), "
    "'(pg_catalog\\.)?\\m(clock_timestamp|now)\\(\\)',"
    " 'public.fake_now()', 'g'), '\\mcurrent_date\\M', '(public.fake_now())::date', 'gi') AS text"
    " FROM pg_proc p WHERE p.pronamespace = 'chime'::regnamespace LOOP EXECUTE v.text; END LOOP;"
    " FOR v IN SELECT format('ALTER TABLE %s ALTER %I SET DEFAULT public.fake_now()', a.attrelid::regclass, a.attname) "
    "AS text"
    " FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum"
    " WHERE pg_get_expr(d.adbin, d.adrelid) ~ 'clock_timestamp' LOOP EXECUTE v.text; END LOOP; END$$;";

static int by_name(const void *left, const void *right)
{
    return strcmp((*(const struct job *const *)left)->name, (*(const struct job *const *)right)->name);
}

struct month_database *month_database_create(struct cluster *cluster, struct month *month)
{
    struct month_database *database = xcalloc(1, sizeof(*database));
    database->cluster = cluster;
    database->month = month;
    database->chance.state = month->seed;
    database->loop = loop_create();
    char *migrations = migrate_text(0);
    cluster_execute(cluster, migrations);
    free(migrations);
    cluster_execute(cluster, fake_clock);
    char start[INSTANT_TEXT_SIZE];
    instant_format(month->start, start);
    for (size_t i = 0; i < month->job_count; i++) {
        const struct month_job *it = &month->jobs[i];
        database->jobs[i] = &it->job;
        cluster_execute_format(
            cluster,
            "INSERT INTO chime.job (job_id, name, origin, command, since) VALUES (%lld, '%s', 'config', 'x', '%s')",
            (long long)it->memory.job_id, it->name, start);
        cluster_execute_format(cluster, "INSERT INTO chime.job_state (job_id, last_slot) VALUES (%lld, '%s')",
                               (long long)it->memory.job_id, start);
    }
    qsort(database->jobs, month->job_count, sizeof(*database->jobs), by_name);
    month->mirror = &mirror;
    month->mirror_data = database;
    return database;
}

void month_database_destroy(struct month_database *database)
{
    pg_close(database->ledger.connection);
    loop_destroy(database->loop);
    free(database);
}

/* --- what to expect ----------------------------------------------------------------------------------------------- */

static void flush(const struct month_database *database, struct buffer *rows)
{
    if (buffer_text(rows)[0] != '\0') {
        char *values = buffer_take(rows);
        cluster_execute_format(database->cluster, "INSERT INTO expected VALUES %s", values);
        free(values);
    }
}

static void add_row(struct buffer *rows, const struct month_job *it, const struct month_slot *slot)
{
    char at[INSTANT_TEXT_SIZE];
    const char *kind = run_kind_name(it->form == MONTH_JOIN ? RUN_DEPENDENCY : RUN_SCHEDULE);
    buffer_printf(rows, "%s(%lld, '%s', '%s', ", buffer_text(rows)[0] == '\0' ? "" : ",", (long long)it->memory.job_id,
                  kind, instant_format(slot->at, at));
    if (slot->ended) {
        buffer_printf(rows, "'%s')", run_state_name(slot->state));
    } else {
        buffer_puts(rows, "NULL)");
    }
}

void month_database_expect(struct month_database *database, const struct month *month)
{
    struct buffer rows = {0};
    size_t count = 0;
    cluster_execute(database->cluster, "CREATE TABLE expected (job_id bigint, kind chime.run_kind, slot timestamptz,"
                                       " state chime.run_state, PRIMARY KEY (job_id, kind, slot))");
    for (size_t i = 0; i < month->job_count; i++) {
        const struct month_job *it = &month->jobs[i];
        for (size_t n = 0; it->job.active && n < it->slot_count; n++) {
            bool due = it->form == MONTH_JOIN || month_due(it, n) <= month->end;
            if (due) {
                add_row(&rows, it, &it->slots[n]);
                count++;
            }
            if (due && count % ROWS_AT_ONCE == 0) {
                flush(database, &rows);
            }
        }
    }
    flush(database, &rows);
}
