/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/sql_job.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/memory.h"
#include "base/text.h"
#include "catalog/job_rules.h"

#define SETTINGS "settings"
#define LIST_MAX 1000 /* names in one list */

/* Everything that the row's texts become; of the arena until the job is copied. */
struct making {
    const struct sql_job_row *row;
    const struct config_database *database;
    struct zones *zones;
    struct arena *arena;
    json_t *options;
    struct job_options read; /* the job's */
    struct job job;
};

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static json_t *read_json(const char *text, json_type type, const char *what, struct error *err)
{
    json_t *value = text != NULL ? json_loads(text, JSON_ALLOW_NUL, NULL) : NULL;
    if (value != NULL && json_typeof(value) == type) {
        return value;
    }
    json_decref(value);
    error_set(err, ERROR_CONFIG, "%s: expected %s", what, type == JSON_ARRAY ? "a list of names" : "an object");
    return NULL;
}

/* Of a value as it may be written in JSON; NULL for what holds others. */
static const char *scalar_text(struct arena *arena, const json_t *value)
{
    if (json_is_string(value)) {
        return arena_strdup(arena, json_string_value(value));
    }
    char *text = json_is_number(value) || json_is_boolean(value) ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    const char *copy = arena_strdup(arena, text);
    free(text);
    return copy;
}

static bool read_names(struct making *making, const char *text, const char *what, const char *const **names,
                       size_t *count, struct error *err)
{
    json_t *list = read_json(text, JSON_ARRAY, what, err);
    if (list == NULL) {
        return false;
    }
    *count = json_array_size(list);
    const char **items = arena_alloc(making->arena, (*count + 1) * sizeof(*items));
    bool good = *count <= LIST_MAX || error_set(err, ERROR_CONFIG, "%s: more than %d names", what, LIST_MAX);
    for (size_t i = 0; good && i < *count; i++) {
        const json_t *item = json_array_get(list, i);
        good = json_is_string(item) || error_set(err, ERROR_CONFIG, "%s: a name is NULL", what);
        items[i] = good ? arena_strdup(making->arena, json_string_value(item)) : NULL;
    }
    *names = items;
    json_decref(list);
    return good;
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static bool read_options(struct making *making, struct error *err)
{
    const char *name;
    json_t *value;
    bool good = true;
    json_object_foreach(making->options, name, value)
    {
        if (strcmp(name, SETTINGS) == 0) {
            continue;
        }
        const char *text = good ? scalar_text(making->arena, value) : NULL;
        if (good && text == NULL) {
            good = error_set(err, ERROR_CONFIG, "option \"%.60s\": expected one value", name);
        }
        good = good && options_set(making->job.options, name, text, err);
    }
    return good;
}

/* As pg_cron: a run of an interval that falls due beside another waits for it, one at most; those of fields all
 * wait. */
static void lay_defaults(struct job *job)
{
    struct job_options usual;
    bool fields = job->schedule.form != SCHEDULE_INTERVAL;
    options_defaults(&usual, job->work == JOB_REFRESH);
    if (job->work == JOB_REFRESH) {
        options_inherit(job->options, &usual);
        return;
    }
    usual.overlap_policy = fields ? OVERLAP_BUFFER_ALL : OVERLAP_BUFFER_ONE;
    usual.catchup = CATCHUP_NONE;
    usual.attempt_timeout = 0;
    usual.max_attempts = 1;
    usual.suspend_after_failures = 0;
    options_inherit(job->options, &usual);
}

static bool refuse(struct error *err, const char *what, const char *hint)
{
    error_set(err, ERROR_CONFIG, "%s", what);
    return error_hint(err, "%s", hint);
}

/* The first fault is the one that is told. */
static void note_broken(void *data, const struct error *problem)
{
    struct error *err = data;
    if (err->kind == ERROR_NONE) {
        error_set(err, problem->kind, "it %s", problem->message);
        error_hint(err, "%s", problem->hint);
    }
}

static bool check_options(const struct making *making, struct error *err)
{
    const struct job_options *options = making->job.options;
    if (making->job.work == JOB_REFRESH && making->job.owner != NULL) {
        return refuse(err, "it refreshes views, and belongs to another role than the daemon's",
                      "views that chime.keep_view made are refreshed as the daemon's role; chime.drop_view drops one");
    }
    if (options->delivery == DELIVERY_TRANSACTIONAL && making->job.work != JOB_REFRESH) {
        return refuse(err, "delivery \"transactional\" is not possible for a job made by SQL",
                      "its run is of its owner, who cannot write the ledger; at_most_once is the default");
    }
    job_rules_check(&making->job, note_broken, err);
    if (err->kind != ERROR_NONE) {
        return false;
    }
    if (!job_pool_known(making->database, options->pool)) {
        error_set(err, ERROR_CONFIG, "there is no pool \"%.100s\"", options->pool);
        return error_hint(err, "name one of the database's pools in pgchime.conf, or none");
    }
    return true;
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static bool read_schedule(struct making *making, struct error *err)
{
    struct job *job = &making->job;
    return job->schedule_text[0] == '\0' || schedule_parse(job->schedule_text, &job->schedule, err);
}

static bool find_zone(struct making *making, struct error *err)
{
    struct job *job = &making->job;
    const struct zone *zone = NULL;
    if (job->options->timezone == NULL) {
        job->options->timezone = intern(making->database->timezone);
    }
    if (!zones_find(making->zones, job->options->timezone, &zone, err)) {
        return false;
    }
    schedule_set_zone(&job->schedule, zone, job->options->dst_gap, job->options->dst_overlap);
    return true;
}

static bool read_settings(struct making *making, struct error *err)
{
    struct job *job = &making->job;
    const json_t *object = json_object_get(making->options, SETTINGS);
    struct job_setting *settings = arena_alloc(making->arena, (json_object_size(object) + 1) * sizeof(*settings));
    const char *name;
    json_t *value;
    bool good = true;
    json_object_foreach((json_t *)object, name, value)
    {
        const char *text = scalar_text(making->arena, value);
        if (text == NULL) {
            good = error_set(err, ERROR_CONFIG, "setting \"%.60s\": expected one value", name);
            continue;
        }
        settings[job->setting_count++] = (struct job_setting){arena_strdup(making->arena, name), text};
    }
    job->settings = settings;
    return good;
}

static bool read_lists(struct making *making, struct error *err)
{
    struct job *job = &making->job;
    bool good = read_names(making, making->row->after, "after", &job->after, &job->after_count, err) &&
                read_names(making, making->row->channels, "channels", &job->on, &job->on_count, err);
    for (size_t i = 0; good && i < job->on_count; i++) {
        good = channel_name_valid(job->on[i]) ||
               error_set(err, ERROR_CONFIG, "\"%.100s\" is no channel's name", job->on[i]);
    }
    return good;
}

/* A view of chime.keep_view. */
static bool read_views(struct making *making, struct error *err)
{
    struct job *job = &making->job;
    if (making->row->views != NULL &&
        !read_names(making, making->row->views, "views", &job->views, &job->view_count, err)) {
        return false;
    }
    job->work = job->view_count > 0 ? JOB_REFRESH : JOB_COMMAND;
    return true;
}

static bool read_definition(struct making *making, struct error *err)
{
    making->options = read_json(making->row->options, JSON_OBJECT, "options", err);
    return making->options != NULL && read_options(making, err) && read_schedule(making, err);
}

static bool read_all(struct making *making, struct error *err)
{
    if (making->row->fault != NULL) {
        return error_set(err, ERROR_CONFIG, "it cannot be read: %.200s", making->row->fault);
    }
    if (!read_views(making, err) || !read_definition(making, err)) {
        return false;
    }
    lay_defaults(&making->job);
    return check_options(making, err) && find_zone(making, err) && read_lists(making, err) &&
           read_settings(making, err);
}

const struct job *sql_job_refused(const struct job *job)
{
    struct job refused = *job;
    refused.holders = 0;
    refused.schedule = (struct schedule){.form = SCHEDULE_NONE};
    refused.schedule_text = "";
    refused.active = false;
    refused.refused = true;
    refused.after_count = refused.on_count = refused.view_count = 0;
    return job_hold(&refused);
}

const struct job *sql_job_make(const struct sql_job_row *row, const struct config_database *database,
                               struct zones *zones, struct error *err)
{
    struct making making = {.row = row, .database = database, .zones = zones, .arena = arena_create()};
    making.job = (struct job){.name = row->name,
                              .database = database->name,
                              .owner = row->owner,
                              .target = row->target,
                              .schedule_text = row->schedule,
                              .command = row->command,
                              .origin = JOB_FROM_SQL,
                              .work = JOB_COMMAND,
                              .since = row->since,
                              .active = row->active,
                              .options = &making.read};
    size_t known = intern_count();
    error_clear(err);
    bool good = read_all(&making, err);
    if (!good) {
        lay_defaults(&making.job);
        making.job.options->delivery = DELIVERY_AT_MOST_ONCE;
        making.job.options->timezone = making.job.options->timezone != NULL ? making.job.options->timezone
                                                                            : intern(database->timezone);
    }
    const struct job *job = good ? job_hold(&making.job) : sql_job_refused(&making.job);
    json_decref(making.options);
    arena_destroy(making.arena);
    intern_forget(known); /* a role may write as many as it likes */
    return job;
}

bool sql_job_schedule(const char *text, const char *options, const struct config_database *database,
                      struct zones *zones, struct schedule *schedule, struct error *err)
{
    const struct sql_job_row row = {.options = options};
    struct making making = {.row = &row, .database = database, .zones = zones, .arena = arena_create()};
    making.job = (struct job){.schedule_text = text, .options = &making.read};
    size_t known = intern_count();
    bool good = read_definition(&making, err) && find_zone(&making, err);
    *schedule = making.job.schedule;
    json_decref(making.options);
    arena_destroy(making.arena);
    intern_forget(known);
    return good;
}
