/* SPDX-License-Identifier: PostgreSQL */
/* Collects the jobs of each database, from plugins and conf.d, and puts what conf.d says over what a plugin
 * declares. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sqltext.h"
#include "base/text.h"
#include "catalog/builder.h"

/* --- what plugins declare --- */

static int compare_declared(const void *left, const void *right)
{
    const struct declared_place *a = left;
    const struct declared_place *b = right;
    int order = strcmp(a->job->name, b->job->name);
    return order != 0 ? order : strcmp(a->choice->declaration->name, b->choice->declaration->name);
}

static void index_declared(struct builder *builder)
{
    size_t count = 0;
    for (size_t i = 0; i < builder->choice_count; i++) {
        count += builder->choices[i].declaration->job_count;
    }
    builder->declared = arena_alloc(builder->arena, (count + 1) * sizeof(*builder->declared));
    builder->declared_count = 0;
    for (size_t i = 0; i < builder->choice_count; i++) {
        const struct choice *choice = &builder->choices[i];
        for (size_t j = 0; j < choice->declaration->job_count; j++) {
            builder->declared[builder->declared_count++] = (struct declared_place){.job = &choice->declaration->jobs[j],
                                                                                   .choice = choice};
        }
    }
    qsort(builder->declared, count, sizeof(*builder->declared), compare_declared);
}

static bool override_applies(const struct config_job *override, const struct declared_place *place)
{
    return override->command == NULL && place->choice->state == CHOICE_TAKEN &&
           (override->database == NULL || strcmp(override->database, place->choice->database) == 0);
}

static int compare_to_job(const void *name, const void *job)
{
    return strcmp(name, ((const struct config_job *)job)->name);
}

static const struct config_job *find_entry(const struct config *config, const char *name)
{
    return config->job_count == 0
               ? NULL
               : bsearch(name, config->jobs, config->job_count, sizeof(*config->jobs), compare_to_job);
}

/* NULL when conf.d says nothing about the job. */
static const struct config_job *find_override(const struct builder *builder, const struct declared_place *place)
{
    const struct config_job *found = find_entry(builder->config, place->job->name);
    return found != NULL && override_applies(found, place) ? found : NULL;
}

/* --- one job --- */

/* The statement as a message shows it: "create index concurrently". */
static const char *statement_name(struct builder *builder, const struct sql_statement *statement)
{
    return arena_printf(builder->arena, "%s%s%s%s%s", statement->words[0], statement->words[1][0] != '\0' ? " " : "",
                        statement->words[1], statement->words[2][0] != '\0' ? " " : "", statement->words[2]);
}

/* DO and CALL may end transactions or not: only the server can tell, so they pass. */
static bool runs_in_transaction(struct builder *builder, const struct sql_statement *statement)
{
    if (sql_is_transaction_control(statement)) {
        return false;
    }
    if (strcmp(statement->words[0], "do") == 0 || strcmp(statement->words[0], "call") == 0) {
        return true;
    }
    return sql_is_one_transaction(arena_strndup(builder->arena, statement->start, statement->length));
}

static void check_transactional(struct builder *builder, const struct job *job)
{
    const char *cursor = job->command;
    struct sql_statement statement;
    while (sql_next_statement(&cursor, &statement)) {
        if (!runs_in_transaction(builder, &statement)) {
            report_add(builder->report, job->file, job->line,
                       "write delivery = \"at_most_once\", or take the statement out",
                       "job \"%s\" is transactional, but \"%s\" cannot be part of a transaction", job->name,
                       statement_name(builder, &statement));
            return;
        }
    }
}

static void check_delivery(struct builder *builder, const struct job *job)
{
    if (job->work == JOB_COMMAND && job->options->delivery == DELIVERY_TRANSACTIONAL) {
        check_transactional(builder, job);
    } else if (job->work == JOB_REFRESH && job->options->delivery != DELIVERY_TRANSACTIONAL) {
        report_add(builder->report, job->file, job->line, "take delivery out",
                   "job \"%s\" refreshes views, which is always transactional", job->name);
    }
}

static void add_job(struct builder *builder, struct job *job)
{
    struct job_options defaults;
    options_defaults(&defaults, job->work == JOB_REFRESH);
    options_inherit(job->options, &defaults);
    job_validate(builder, job);
    check_delivery(builder, job);
    builder->jobs[builder->job_count++] = job_hold(job);
}

static void refuse_idle(struct builder *builder, const struct job *job)
{
    if (job->active && !job_is_driven(job)) {
        report_add(builder->report, job->file, job->line,
                   job->work == JOB_REFRESH
                       ? "write schedule = \"*/10 * * * *\"; or after = [\"...\"]; or on = [\"...\"]; or target_lag = "
                         "\"10s\"; or enabled = false;"
                       : "write schedule = \"*/10 * * * *\"; or after = [\"...\"]; or on = [\"...\"]; or enabled = "
                         "false;",
                   "job \"%s\" has neither a schedule nor a job to come after nor a channel to wake it: it would never "
                   "run",
                   job->name);
    }
}

static void apply_override(struct job *job, const struct config_job *override)
{
    *job->options = override->options;
    job->file = override->file;
    job->line = override->line;
    job->active = override->enabled;
    if (override->schedule != NULL) {
        job->schedule_text = override->schedule;
    }
    if (override->after_given) {
        job->after = override->after;
        job->after_count = override->after_count;
    }
    if (override->on_given) {
        job->on = override->on;
        job->on_count = override->on_count;
    }
    job->ping_file = override->ping_file;
    job->settings = override->settings;
    job->setting_count = override->setting_count;
}

/* The plugin's debounce belongs to its channels: a job that listens to none any more has no use for it. */
static void inherit_declared(struct builder *builder, struct job *job, const struct declared_job *declared)
{
    struct job_options options = declared->options;
    struct error err = {.kind = ERROR_NONE};
    if (declared->debounce != NULL && job->on_count > 0 &&
        !options_set(&options, "debounce", declared->debounce, &err)) {
        report_add(builder->report, job->file, job->line, err.hint[0] != '\0' ? err.hint : NULL, "job \"%s\": %s",
                   job->name, err.message);
    }
    options_inherit(job->options, &options);
}

/* "schema.relation": a relation's name alone may stand for several. */
static const char *const *qualified_views(struct builder *builder, const struct declared_place *place)
{
    const struct names *views = &place->job->refresh;
    const char **names = arena_alloc(builder->arena, (views->count + 1) * sizeof(*names));
    for (size_t i = 0; i < views->count; i++) {
        names[i] = arena_printf(builder->arena, "%s.%s", place->choice->view_schema, views->items[i]);
    }
    return names;
}

static void add_declared(struct builder *builder, const struct declared_place *place)
{
    const struct declared_job *declared = place->job;
    const struct config_job *override = find_override(builder, place);
    struct job_options options = {.set = 0};
    struct job job = {.name = declared->name,
                      .database = place->choice->database,
                      .origin = JOB_FROM_PLUGIN,
                      .plugin = place->choice->declaration->name,
                      .file = place->choice->declaration->file,
                      .schedule_text = declared->schedule,
                      .work = declared->refresh.count > 0 ? JOB_REFRESH : JOB_COMMAND,
                      .command = declared->command,
                      .views = qualified_views(builder, place),
                      .view_count = declared->refresh.count,
                      .after = declared->after.items,
                      .after_count = declared->after.count,
                      .on = declared->on.items,
                      .on_count = declared->on.count,
                      .active = true,
                      .options = &options};
    if (override != NULL) {
        apply_override(&job, override);
    }
    inherit_declared(builder, &job, declared);
    if (override != NULL && !override->refused) {
        refuse_idle(builder, &job);
    }
    add_job(builder, &job);
}

/* --- the jobs of conf.d --- */

/* Known by its name, so that jobs which come after it are not refused for that. */
static void add_refused(struct builder *builder, const struct config_job *from)
{
    const struct config *config = builder->config;
    const char *database = from->database != NULL || config->database_count != 1 ? from->database
                                                                                 : config->databases[0].name;
    size_t declared = 0;
    declared_find(builder, from->name, &declared);
    if (database == NULL || config_find_database(config, database) == NULL) {
        builder->complete = false;
    } else if (declared == 0) {
        struct job_options none = {.set = 0};
        const struct job job = {.name = from->name,
                                .database = database,
                                .origin = JOB_FROM_CONFIG,
                                .file = from->file,
                                .line = from->line,
                                .schedule_text = "",
                                .after = from->after,
                                .after_count = from->after_count,
                                .options = &none};
        builder->jobs[builder->job_count++] = job_hold(&job);
    }
}

static void add_configured(struct builder *builder, const struct config_job *from)
{
    struct subject subject = {"job", from->name, from->file, from->line};
    const char *database = choice_database(builder, from->database, &subject);
    if (database == NULL) {
        return;
    }
    struct job_options options = from->options;
    struct job job = {.name = from->name,
                      .database = database,
                      .origin = JOB_FROM_CONFIG,
                      .file = from->file,
                      .line = from->line,
                      .ping_file = from->ping_file,
                      .schedule_text = from->schedule != NULL ? from->schedule : "",
                      .work = JOB_COMMAND,
                      .command = from->command,
                      .after = from->after,
                      .after_count = from->after_count,
                      .on = from->on,
                      .on_count = from->on_count,
                      .settings = from->settings,
                      .setting_count = from->setting_count,
                      .active = from->enabled,
                      .options = &options};
    refuse_idle(builder, &job);
    add_job(builder, &job);
}

/* --- the product's own job: every night all views of a database are compared with their definitions --- */

#define VERIFY_JOB "verify-views"

/* It commits view by view, so it cannot be transactional; a night that it missed by hours is left to the next. That it
 * fails is the alert, so it is never suspended. */
static const char *const verify_options[][2] = {
    {"attempt_timeout", "6h"}, {"lock_timeout", "10min"}, {"max_attempts", "1"},
    {"catchup_window", "2h"},  {"priority", "9"},         {"suspend_after_failures", "0"},
};

static bool is_verified(const struct builder *builder, const struct config_database *database)
{
    for (size_t i = 0; database->verify[0] != '\0' && i < builder->choice_count; i++) {
        const struct choice *choice = &builder->choices[i];
        if (choice->state == CHOICE_TAKEN && choice->declaration->view_count > 0 &&
            strcmp(choice->database, database->name) == 0) {
            return true;
        }
    }
    return false;
}

static bool overrides_verification(const struct builder *builder, const struct config_job *entry,
                                   const struct config_database *database)
{
    return entry->command == NULL && (entry->database == NULL || strcmp(entry->database, database->name) == 0) &&
           strcmp(entry->name, VERIFY_JOB) == 0 && is_verified(builder, database);
}

static bool overrides_any_verification(const struct builder *builder, const struct config_job *entry)
{
    for (size_t i = 0; i < builder->config->database_count; i++) {
        if (overrides_verification(builder, entry, &builder->config->databases[i])) {
            return true;
        }
    }
    return false;
}

/* An entry that was refused has its finding, and only keeps the name. */
static bool refuse_namesake(struct builder *builder, const struct config_database *database)
{
    for (size_t i = 0; i < builder->job_count; i++) {
        const struct job *job = builder->jobs[i];
        if (strcmp(job->name, VERIFY_JOB) != 0 || strcmp(job->database, database->name) != 0) {
            continue;
        }
        if (job->command != NULL) {
            report_add(builder->report, job->file, job->line,
                       arena_printf(builder->arena,
                                    "give yours another name, or write verify = \"\"; in database \"%s\" of %s",
                                    database->name, builder->config->file),
                       "job \"" VERIFY_JOB "\" of database \"%s\" is pgchime's own: it verifies the views",
                       database->name);
        }
        return true;
    }
    return false;
}

static void add_verification(struct builder *builder, const struct config_database *database)
{
    const struct config_job *entry = find_entry(builder->config, VERIFY_JOB);
    struct job_options usual = {.set = 0};
    struct job_options options = {.set = 0};
    struct job job = {.name = VERIFY_JOB,
                      .database = database->name,
                      .origin = JOB_FROM_CONFIG,
                      .file = builder->config->file,
                      .line = database->line,
                      .schedule_text = database->verify,
                      .work = JOB_COMMAND,
                      .command = "CALL chime.verify_views(true)",
                      .active = true,
                      .options = &options};
    if (!is_verified(builder, database) || refuse_namesake(builder, database)) {
        return;
    }
    if (entry != NULL && overrides_verification(builder, entry, database)) {
        apply_override(&job, entry);
        refuse_idle(builder, &job);
    }
    for (size_t i = 0; i < COUNT_OF(verify_options); i++) {
        struct error err;
        if (!options_set(&usual, verify_options[i][0], verify_options[i][1], &err)) {
            fatal("%s: %s", VERIFY_JOB, err.message);
        }
    }
    options_inherit(&options, &usual);
    add_job(builder, &job);
}

/* --- overrides --- */

static void refuse_unknown_override(struct builder *builder, const struct config_job *override)
{
    const char **names = arena_alloc(builder->arena, (builder->declared_count + 1) * sizeof(*names));
    for (size_t i = 0; i < builder->declared_count; i++) {
        names[i] = builder->declared[i].job->name;
    }
    const char *nearest = nearest_word(override->name, names, builder->declared_count);
    report_add(builder->report, override->file, override->line,
               nearest != NULL ? arena_printf(builder->arena, "did you mean \"%s\"?", nearest)
                               : "write command = \"...\"; for a job of your own",
               "job \"%s\" has no command, and no plugin declares it", override->name);
}

/* Refuses an override that overrides nothing. */
static void check_override(struct builder *builder, const struct config_job *override)
{
    size_t count = 0;
    const struct declared_place *places = declared_find(builder, override->name, &count);
    const struct declared_place *taken = NULL;
    for (size_t i = 0; i < count; i++) {
        if (override_applies(override, &places[i])) {
            return;
        }
        taken = places[i].choice->state == CHOICE_TAKEN ? &places[i] : taken;
    }
    if (taken != NULL) {
        report_add(builder->report, override->file, override->line,
                   "a plugin's database is given in its plugin entry; leave it out here",
                   "job \"%s\" belongs to plugin \"%s\", which is in database \"%s\", not in \"%.100s\"",
                   override->name, taken->choice->declaration->name, taken->choice->database, override->database);
    } else if (count == 0 && builder->complete && !overrides_any_verification(builder, override) &&
               !choice_absent_beside(builder, override->file)) {
        refuse_unknown_override(builder, override);
    }
}

/* --- all of them --- */

static int compare_jobs(const void *left, const void *right)
{
    const struct job *a = *(const struct job *const *)left;
    const struct job *b = *(const struct job *const *)right;
    int order = strcmp(a->database, b->database);
    order = order != 0 ? order : strcmp(a->name, b->name);
    order = order != 0 ? order : (a->origin > b->origin) - (a->origin < b->origin);
    return order != 0 || a->plugin == NULL || b->plugin == NULL ? order : strcmp(a->plugin, b->plugin);
}

static void refuse_repeated(struct builder *builder, const struct job *first, const struct job *second)
{
    const char *place = place_text(builder->arena, first->file, first->line);
    bool configured = second->origin == JOB_FROM_CONFIG;
    report_add(builder->report, second->file, second->line,
               configured ? "leave the command out to change the plugin's job, or rename yours"
                          : "disable one of the plugins in conf.d, or give it another database",
               "job \"%s\" of database \"%s\" is already declared by plugin \"%s\" at %s", second->name,
               second->database, first->plugin, place);
}

static void sort_jobs(struct builder *builder)
{
    if (builder->job_count < 2) {
        return;
    }
    qsort(builder->jobs, builder->job_count, sizeof(*builder->jobs), compare_jobs);
    for (size_t i = 1; i < builder->job_count; i++) {
        const struct job *first = builder->jobs[i - 1];
        const struct job *second = builder->jobs[i];
        if (strcmp(first->database, second->database) == 0 && strcmp(first->name, second->name) == 0) {
            refuse_repeated(builder, first, second);
        }
    }
}

void jobs_collect(struct builder *builder)
{
    index_declared(builder);
    size_t most = builder->declared_count + builder->config->job_count + builder->config->database_count;
    builder->jobs = arena_alloc(builder->arena, (most + 1) * sizeof(*builder->jobs));
    for (size_t i = 0; i < builder->declared_count; i++) {
        if (builder->declared[i].choice->state == CHOICE_TAKEN) {
            add_declared(builder, &builder->declared[i]);
        }
    }
    for (size_t i = 0; i < builder->config->job_count; i++) {
        if (builder->config->jobs[i].refused) {
            add_refused(builder, &builder->config->jobs[i]);
        } else if (builder->config->jobs[i].command != NULL) {
            add_configured(builder, &builder->config->jobs[i]);
        } else {
            check_override(builder, &builder->config->jobs[i]);
        }
    }
    for (size_t i = 0; i < builder->config->database_count; i++) {
        add_verification(builder, &builder->config->databases[i]);
    }
    sort_jobs(builder);
}
