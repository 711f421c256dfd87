/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/sync.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "ledger/answers.h"
#include "ledger/columns.h"

/* Of the jobs' JSON: with the rest of the message it just fits into what libpq's buffer grows to, and keeps. */
#define PART_SIZE (240 * 1024)

struct ledger_sync {
    const struct ledger *ledger;
    const struct job *const *jobs;
    size_t count;
    char now[INSTANT_TEXT_SIZE];
    bool decided;
    size_t part_start; /* of the part on its way */
    size_t part_end;
    struct ledger_synced *synced; /* room for all jobs */
    size_t synced_count;
    ledger_sync_callback *callback;
    void *data;
};

/* --- a job in words ----------------------------------------------------------------------------------------------- */

static json_t *names_json(const char *const *names, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_string(names[i]));
    }
    return list;
}

/* Only what `usual` does not say (NULL: everything). */
static json_t *options_json(const struct job_options *options, const struct job_options *usual)
{
    json_t *object = json_object();
    for (size_t i = 0; options_name(i) != NULL; i++) {
        char *value = options_value_text(options, options_name(i));
        char *known = usual != NULL ? options_value_text(usual, options_name(i)) : NULL;
        if (known == NULL || strcmp(value, known) != 0) {
            json_object_set_new(object, options_name(i), json_string(value));
        }
        free(known);
        free(value);
    }
    return object;
}

static json_t *settings_json(const struct job *job)
{
    json_t *object = json_object();
    for (size_t i = 0; i < job->setting_count; i++) {
        json_object_set_new(object, job->settings[i].name, json_string(job->settings[i].value));
    }
    return object;
}

static char *dump(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text == NULL) {
        fatal("jobs cannot be written as JSON");
    }
    return text;
}

static char *job_text(const struct job *job)
{
    json_t *object = json_object();
    struct job_options usual;
    options_defaults(&usual, job->work == JOB_REFRESH);
    json_object_set_new(object, "name", json_string(job->name));
    json_object_set_new(object, "origin", json_string(job_origin_name(job->origin)));
    json_object_set_new(object, "plugin", job->plugin != NULL ? json_string(job->plugin) : json_null());
    json_object_set_new(object, "active", json_boolean(job->active));
    json_object_set_new(object, "schedule", json_string(job->schedule_text));
    json_object_set_new(object, "command", json_string(job->command));
    json_object_set_new(object, "views", names_json(job->views, job->view_count));
    json_object_set_new(object, "after", names_json(job->after, job->after_count));
    json_object_set_new(object, "channels", names_json(job->on, job->on_count));
    json_t *options = options_json(job->options, &usual);
    if (job->setting_count > 0) {
        json_object_set_new(options, "settings", settings_json(job)); /* as jobs made by SQL have them */
    }
    json_object_set_new(object, "options", options);
    return dump(object);
}

static char *defaults_text(void)
{
    json_t *object = json_object();
    struct job_options options;
    options_defaults(&options, false);
    json_object_set_new(object, "command", options_json(&options, NULL));
    options_defaults(&options, true);
    json_object_set_new(object, "refresh", options_json(&options, NULL));
    return dump(object);
}

/* Job by job: the tree of a whole part would take many times its text. */
static char *part_text(struct ledger_sync *sync)
{
    struct buffer text = {0};
    size_t next = sync->part_start;
    char *job = job_text(sync->jobs[next]);
    do {
        buffer_putc(&text, next == sync->part_start ? '[' : ',');
        buffer_puts(&text, job);
        free(job);
        next++;
        job = next < sync->count ? job_text(sync->jobs[next]) : NULL;
    } while (job != NULL && text.length + strlen(job) < PART_SIZE);
    free(job);
    sync->part_end = next;
    buffer_putc(&text, ']');
    return buffer_take(&text);
}

/* --- the answers -------------------------------------------------------------------------------------------------- */

static int by_name(const void *name, const void *job)
{
    return strcmp(name, (*(const struct job *const *)job)->name);
}

static const struct job *find_job(const struct ledger_sync *sync, const char *name)
{
    const struct job *const *part = sync->jobs + sync->part_start;
    const struct job *const *found = bsearch(name, part, sync->part_end - sync->part_start, sizeof(*part), by_name);
    return found != NULL ? *found : NULL;
}

enum { SYNC_MEMORY = 3, SYNC_MENDED = SYNC_MEMORY + ANSWER_MEMORY_COLUMNS };

static struct job_memory read_memory(const struct pg_reply *reply, size_t row)
{
    return answer_memory(reply, row, SYNC_MEMORY, atoll(pg_reply_value(reply, 0, row, 1)),
                         atoi(pg_reply_value(reply, 0, row, 2)));
}

static void read_part(struct ledger_sync *sync, const struct pg_reply *reply)
{
    for (size_t row = 0; row < pg_reply_rows(reply, 0) && sync->synced_count < sync->part_end; row++) {
        const struct job *job = find_job(sync, pg_reply_value(reply, 0, row, 0));
        const char *mended = pg_reply_value(reply, 0, row, SYNC_MENDED);
        if (mended != NULL) {
            log_warning("job %s: %s", pg_reply_value(reply, 0, row, 0), mended);
        }
        if (job != NULL) {
            sync->synced[sync->synced_count++] = (struct ledger_synced){.job = job, .memory = read_memory(reply, row)};
        }
    }
}

/* --- step by step ------------------------------------------------------------------------------------------------- */

static void part_answered(void *data, const struct pg_reply *reply);

void ledger_sync_abandon(struct ledger_sync *sync)
{
    if (sync != NULL) {
        ledger_forget(sync->ledger, sync);
        free(sync->synced);
        free(sync);
    }
}

/* It has let go of everything but what it tells when it tells it: the callback may start another. */
static void tell(struct ledger_sync *sync, const struct pg_reply *reply, size_t count)
{
    struct ledger_synced *synced = sync->synced;
    ledger_sync_callback *callback = sync->callback;
    void *data = sync->data;
    free(sync);
    callback(data, reply, synced, count);
    free(synced);
}

static const char *decided_text(const struct ledger_sync *sync)
{
    return sync->decided ? "t" : "f";
}

static void send_part(struct ledger_sync *sync)
{
    char *text = part_text(sync);
    char *defaults = defaults_text();
    const char *parameters[] = {sync->ledger->token, text, defaults, sync->now, decided_text(sync)};
    const struct pg_statement statement = {
        .sql = "SELECT name, job_id, version, last_slot, last_outcome, last_duration_us, outcome_at, last_end,"
               " cursor_skipped, consecutive_failures, suspended, missed_at, missed_after, mended FROM "
               "chime.sync_jobs($1, $2, $3, "
               "$4, $5)",
        .parameter_count = COUNT_OF(parameters),
        .parameters = parameters};
    ledger_send(sync->ledger, &statement, 1, part_answered, sync);
    free(text);
    free(defaults);
}

static void others_removed(void *data, const struct pg_reply *reply);

static void remove_others(struct ledger_sync *sync)
{
    struct columns columns;
    columns_init(&columns);
    for (size_t i = 0; i < sync->synced_count; i++) {
        columns_int(&columns, 0, sync->synced[i].memory.job_id);
    }
    columns_close(&columns);
    const char *parameters[] = {sync->ledger->token, columns.values[0], sync->now, decided_text(sync)};
    const struct pg_statement statement = {.sql = "SELECT chime.remove_others($1, $2, $3, $4)",
                                           .parameter_count = COUNT_OF(parameters),
                                           .parameters = parameters};
    ledger_send(sync->ledger, &statement, 1, others_removed, sync);
    columns_finish(&columns);
}

static void others_removed(void *data, const struct pg_reply *reply)
{
    struct ledger_sync *sync = data;
    if (pg_reply_ok(reply) && answer_is_true(pg_reply_value(reply, 0, 0, 0))) { /* there are more */
        remove_others(sync);
    } else {
        tell(sync, reply, pg_reply_ok(reply) ? sync->synced_count : 0);
    }
}

static void send_next(struct ledger_sync *sync)
{
    if (sync->part_end < sync->count) {
        sync->part_start = sync->part_end;
        send_part(sync);
    } else {
        remove_others(sync);
    }
}

static void part_answered(void *data, const struct pg_reply *reply)
{
    struct ledger_sync *sync = data;
    if (!pg_reply_ok(reply)) {
        tell(sync, reply, 0);
        return;
    }
    read_part(sync, reply);
    send_next(sync);
}

struct ledger_sync *ledger_sync_start(const struct ledger *ledger, const struct job *const *jobs, size_t count,
                                      instant now, bool decided, ledger_sync_callback *callback, void *data)
{
    struct ledger_sync *sync = xcalloc(1, sizeof(*sync));
    *sync = (struct ledger_sync){
        .ledger = ledger, .jobs = jobs, .count = count, .decided = decided, .callback = callback, .data = data};
    instant_format(now, sync->now);
    sync->synced = xcalloc(count + 1, sizeof(*sync->synced));
    send_next(sync);
    return sync;
}
