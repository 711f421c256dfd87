/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ledger/answers.h"
#include "ledger/columns.h"

#define NUMBER_SIZE 24

enum column {
    COLUMN_SEEN,
    COLUMN_JOB,
    COLUMN_VERSION,
    COLUMN_NAME,
    COLUMN_OWNER,
    COLUMN_TARGET,
    COLUMN_ACTIVE,
    COLUMN_REMOVED,
    COLUMN_SCHEDULE,
    COLUMN_COMMAND,
    COLUMN_AFTER,
    COLUMN_CHANNELS,
    COLUMN_OPTIONS,
    COLUMN_SINCE,
    COLUMN_LAST_SLOT, /* and the others of answer_memory */
    COLUMN_PROBLEM = COLUMN_LAST_SLOT + ANSWER_MEMORY_COLUMNS,
    COLUMN_FAULT,
    COLUMN_FOUND,
    COLUMN_CHANGED,
    COLUMN_VIEWS,
};

/* Two transactions: a session that stops and begins in one stays where it is in the queue. */
void changes_listen(const struct ledger *ledger, pg_callback *callback, void *data)
{
    ledger_send_one(ledger, NULL, "UNLISTEN " CHANGES_CHANNEL, 0, NULL, callback, data);
    ledger_send_one(ledger, NULL, "LISTEN " CHANGES_CHANNEL, 0, NULL, callback, data);
}

/* An owner who is the daemon's role needs no session of another role; a name is compared as the server keeps it. */
void changes_ask(const struct ledger *ledger, const char *seen, const char *changed, int64_t from,
                 pg_callback *callback, void *data)
{
    char after[NUMBER_SIZE];
    char limit[NUMBER_SIZE];
    snprintf(after, sizeof(after), "%lld", (long long)from);
    snprintf(limit, sizeof(limit), "%d", CHANGES_PART);
    const char *parameters[] = {ledger->token, seen, after, limit, changed != NULL ? changed : "0"};
    ledger_send_one(
        ledger, "chime_changes",
        "SELECT c.seen, c.job_id, c.version, c.name, nullif(c.owner, current_user), nullif(c.database, "
        "pg_catalog.current_database()), c.active, c.removed, c.schedule,"
        " c.command, pg_catalog.to_jsonb(c.after), pg_catalog.to_jsonb(c.channels), c.options, c.since, c.last_slot,"
        " c.last_outcome, c.last_duration_us, c.outcome_at, c.last_end, c.cursor_skipped, c.consecutive_failures, "
        "c.suspended, c.missed_at, c.missed_after, c.has_problem, c.fault, c.found, c.changed, "
        "pg_catalog.to_jsonb(c.views) "
        "FROM chime.changed_jobs($1, $2, $3, $4, $5) c",
        COUNT_OF(parameters), parameters, callback, data);
}

/* A row without a job only brings `seen`. */
size_t changes_count(const struct pg_reply *reply)
{
    return pg_reply_rows(reply, 0) > 0 && pg_reply_value(reply, 0, 0, COLUMN_JOB) != NULL ? pg_reply_rows(reply, 0) : 0;
}

bool changes_more(const struct pg_reply *reply)
{
    size_t count = changes_count(reply);
    size_t found = count > 0 ? strtoull(pg_reply_value(reply, 0, 0, COLUMN_FOUND), NULL, 10) : 0;
    return found == CHANGES_PART || count < found;
}

const char *changes_seen(const struct pg_reply *reply)
{
    return pg_reply_value(reply, 0, 0, COLUMN_SEEN);
}

struct changed_job changes_read(const struct pg_reply *reply, size_t index)
{
    struct changed_job changed = {
        .changed = pg_reply_value(reply, 0, index, COLUMN_CHANGED),
        .row = {.name = pg_reply_value(reply, 0, index, COLUMN_NAME),
                .owner = pg_reply_value(reply, 0, index, COLUMN_OWNER),
                .target = pg_reply_value(reply, 0, index, COLUMN_TARGET),
                .active = answer_is_true(pg_reply_value(reply, 0, index, COLUMN_ACTIVE)),
                .schedule = pg_reply_value(reply, 0, index, COLUMN_SCHEDULE),
                .command = pg_reply_value(reply, 0, index, COLUMN_COMMAND),
                .after = pg_reply_value(reply, 0, index, COLUMN_AFTER),
                .channels = pg_reply_value(reply, 0, index, COLUMN_CHANNELS),
                .views = pg_reply_value(reply, 0, index, COLUMN_VIEWS),
                .options = pg_reply_value(reply, 0, index, COLUMN_OPTIONS),
                .fault = pg_reply_value(reply, 0, index, COLUMN_FAULT),
                .since = answer_instant(pg_reply_value(reply, 0, index, COLUMN_SINCE))},
        .memory = answer_memory(reply, index, COLUMN_LAST_SLOT, atoll(pg_reply_value(reply, 0, index, COLUMN_JOB)),
                                atoi(pg_reply_value(reply, 0, index, COLUMN_VERSION))),
        .removed = answer_is_true(pg_reply_value(reply, 0, index, COLUMN_REMOVED)),
        .has_problem = answer_is_true(pg_reply_value(reply, 0, index, COLUMN_PROBLEM)),
    };
    return changed;
}

/* --- what is written back ----------------------------------------------------------------------------------------- */

void changes_note_problem(const struct ledger *ledger, int64_t job_id, int version, const char *problem,
                          pg_callback *callback, void *data)
{
    char job[NUMBER_SIZE];
    char number[NUMBER_SIZE];
    snprintf(job, sizeof(job), "%lld", (long long)job_id);
    snprintf(number, sizeof(number), "%d", version);
    const char *parameters[] = {ledger->token, job, number, problem};
    ledger_send_one(ledger, NULL, "SELECT chime.note_job_error($1, $2, $3, $4)", COUNT_OF(parameters), parameters,
                    callback, data);
}

void changes_restart(const struct ledger *ledger, const int64_t *job_ids, const instant *at, size_t count,
                     pg_callback *callback, void *data)
{
    struct columns columns;
    columns_init(&columns);
    for (size_t i = 0; i < count; i++) {
        columns_int(&columns, 0, job_ids[i]);
        columns_instant(&columns, 1, at[i]);
    }
    columns_close(&columns);
    const char *parameters[] = {ledger->token, columns.values[0], columns.values[1]};
    ledger_send_one(ledger, "chime_restart", "SELECT chime.restart_jobs($1, $2, $3)", COUNT_OF(parameters), parameters,
                    callback, data);
    columns_finish(&columns);
}

/* --- schedules that ended ----------------------------------------------------------------------------------------- */

void changes_follow_zone(const struct ledger *ledger, const char *timezone, instant now, pg_callback *callback,
                         void *data)
{
    char at[INSTANT_TEXT_SIZE];
    const char *parameters[] = {ledger->token, timezone, instant_format(now, at)};
    ledger_send_one(ledger, NULL, "SELECT chime.follow_zone($1, $2, $3)", COUNT_OF(parameters), parameters, callback,
                    data);
}

void changes_ask_expired(const struct ledger *ledger, const int64_t *of, size_t of_count, int64_t job_id, int version,
                         pg_callback *callback, void *data)
{
    struct columns columns;
    char job[NUMBER_SIZE];
    char number[NUMBER_SIZE];
    snprintf(job, sizeof(job), "%lld", (long long)job_id);
    snprintf(number, sizeof(number), "%d", version);
    columns_init(&columns);
    for (size_t i = 0; i < of_count; i++) {
        columns_int(&columns, 0, of[i]);
    }
    columns_close(&columns);
    const char *parameters[] = {ledger->token, job, number, of_count > 0 ? columns.values[0] : NULL};
    ledger_send_one(ledger, NULL, "SELECT * FROM chime.expired_schedules($1, $2, $3, $4)", COUNT_OF(parameters),
                    parameters, callback, data);
    columns_finish(&columns);
}

struct expired_schedule changes_read_expired(const struct pg_reply *reply, size_t index)
{
    enum { JOB, VERSION, NAME, SCHEDULE, OPTIONS, CURSOR, LAST_END, UNTIL };
    return (struct expired_schedule){
        .job_id = atoll(pg_reply_value(reply, 0, index, JOB)),
        .version = atoi(pg_reply_value(reply, 0, index, VERSION)),
        .name = pg_reply_value(reply, 0, index, NAME),
        .schedule = pg_reply_value(reply, 0, index, SCHEDULE),
        .options = pg_reply_value(reply, 0, index, OPTIONS),
        .cursor = answer_instant(pg_reply_value(reply, 0, index, CURSOR)),
        .last_end = answer_instant(pg_reply_value(reply, 0, index, LAST_END)),
        .until = answer_instant(pg_reply_value(reply, 0, index, UNTIL)),
        .first = INSTANT_NONE,
        .last = INSTANT_NONE,
    };
}

void changes_end_expired(const struct ledger *ledger, const struct expired_schedule *expired, size_t count, instant at,
                         pg_callback *callback, void *data)
{
    struct columns columns;
    char decided[INSTANT_TEXT_SIZE];
    columns_init(&columns);
    for (size_t i = 0; i < count; i++) {
        columns_int(&columns, 0, expired[i].job_id);
        columns_int(&columns, 1, expired[i].version);
        columns_instant(&columns, 2, expired[i].until);
        columns_instant(&columns, 3, expired[i].first);
        columns_instant(&columns, 4, expired[i].last);
        columns_int(&columns, 5, expired[i].count);
    }
    columns_close(&columns);
    const char *parameters[] = {ledger->token,     columns.values[0], columns.values[1], columns.values[2],
                                columns.values[3], columns.values[4], columns.values[5], instant_format(at, decided)};
    ledger_send_one(ledger, NULL, "SELECT chime.end_schedules($1, $2, $3, $4, $5, $6, $7, $8)", COUNT_OF(parameters),
                    parameters, callback, data);
    columns_finish(&columns);
}

/* --- slots -------------------------------------------------------------------------------------------------------- */

static void put_slots(struct columns *columns, size_t column, const struct next_slots *job)
{
    struct buffer text = {0};
    char slot[INSTANT_TEXT_SIZE];
    for (size_t i = 0; i < job->count; i++) {
        buffer_printf(&text, "%s%s", i > 0 ? "," : "{", instant_format(job->slots[i], slot));
    }
    buffer_puts(&text, job->count > 0 ? "}" : "");
    columns_text(columns, column, job->count > 0 ? buffer_text(&text) : NULL);
    buffer_finish(&text);
}

void changes_note_next(const struct ledger *ledger, const struct next_slots *jobs, size_t count, pg_callback *callback,
                       void *data)
{
    struct columns columns;
    columns_init(&columns);
    for (size_t i = 0; i < count; i++) {
        columns_int(&columns, 0, jobs[i].job_id);
        put_slots(&columns, 1, &jobs[i]);
    }
    columns_close(&columns);
    const char *parameters[] = {ledger->token, columns.values[0], columns.values[1]};
    ledger_send_one(ledger, "chime_next_slots", "SELECT chime.note_next_slots($1, $2, $3)", COUNT_OF(parameters),
                    parameters, callback, data);
    columns_finish(&columns);
}

void changes_note_done(const struct ledger *ledger, const int64_t *job_ids, const int *versions, size_t count,
                       pg_callback *callback, void *data)
{
    struct columns columns;
    columns_init(&columns);
    for (size_t i = 0; i < count; i++) {
        columns_int(&columns, 0, job_ids[i]);
        columns_int(&columns, 1, versions[i]);
    }
    columns_close(&columns);
    const char *parameters[] = {ledger->token, columns.values[0], columns.values[1]};
    ledger_send_one(ledger, NULL, "SELECT chime.job_done($1, $2, $3)", COUNT_OF(parameters), parameters, callback,
                    data);
    columns_finish(&columns);
}
