/* SPDX-License-Identifier: PostgreSQL */
/* What a merged job's schedule, zone, pool and limits come to, and whether they go together. */
#include <string.h>

#include "base/buffer.h"
#include "base/intern.h"
#include "base/text.h"
#include "catalog/builder.h"
#include "catalog/job_rules.h"

/* --- zones --- */

void zones_validate(struct builder *builder)
{
    const struct config *config = builder->config;
    builder->zones = arena_alloc(builder->arena, (config->database_count + 1) * sizeof(*builder->zones));
    for (size_t i = 0; i < config->database_count; i++) {
        const struct config_database *database = &config->databases[i];
        struct error err = {.kind = ERROR_NONE};
        if (!zones_find(builder->catalog->zones, database->timezone, &builder->zones[i], &err)) {
            report_add(builder->report, config->file, database->line, err.hint[0] != '\0' ? err.hint : NULL,
                       "database \"%s\": %s", database->name, err.message);
        }
    }
}

static void report_job(struct builder *builder, const struct job *job, const struct error *err)
{
    report_add(builder->report, job->file, job->line, err->hint[0] != '\0' ? err->hint : NULL, "job \"%s\": %s",
               job->name, err->message);
}

/* Jobs of one zone mostly follow each other: names are interned, so that the same one is the same pointer. */
static const struct zone *zone_of(struct builder *builder, const struct job *job)
{
    struct zone_search *search = &builder->latest_zone;
    if (search->name != job->options->timezone) {
        *search = (struct zone_search){.name = job->options->timezone};
        if (zones_find(builder->catalog->zones, search->name, &search->zone, &search->err)) {
            search->err.kind = ERROR_NONE;
        }
    }
    if (search->err.kind != ERROR_NONE) {
        report_job(builder, job, &search->err);
    }
    return search->zone;
}

/* Only with its zone it shows that the one time of @at does not exist. */
static void check_once(struct builder *builder, const struct job *job)
{
    if (job->schedule.form == SCHEDULE_ONCE && schedule_next(&job->schedule, INSTANT_NONE) == INSTANT_NEVER) {
        report_add(builder->report, job->file, job->line, "choose another time, or take dst_gap out",
                   "job \"%s\": schedule \"%s\": this schedule can never fire: the clocks of %s skip its time, and "
                   "dst_gap is \"skip\"",
                   job->name, job->schedule_text, job->options->timezone);
    }
}

static void validate_schedule(struct builder *builder, struct job *job, const struct config_database *database)
{
    const struct zone *zone = NULL;
    if (job->options->timezone != NULL) {
        zone = zone_of(builder, job);
    } else {
        job->options->timezone = intern(database->timezone);
        zone = builder->zones[database - builder->config->databases];
    }
    struct error err = {.kind = ERROR_NONE};
    if (job->schedule_text[0] != '\0' && !schedule_parse(job->schedule_text, &job->schedule, &err)) {
        report_job(builder, job, &err);
        return;
    }
    schedule_set_zone(&job->schedule, zone, job->options->dst_gap, job->options->dst_overlap);
    check_once(builder, job);
}

/* --- pools --- */

static const char *pool_hint(struct builder *builder, const struct config_database *database, const char *name)
{
    const char **names = arena_alloc(builder->arena, (database->pool_count + 1) * sizeof(*names));
    for (size_t i = 0; i < database->pool_count; i++) {
        names[i] = database->pools[i].name;
    }
    names[database->pool_count] = POOL_DEFAULT;
    const char *nearest = nearest_word(name, names, database->pool_count + 1);
    return nearest != NULL ? arena_printf(builder->arena, "did you mean \"%s\"?", nearest)
                           : arena_printf(builder->arena, "write pools: { %s = 2; }; in database \"%s\" of %s", name,
                                          database->name, builder->config->file);
}

static void check_pool(struct builder *builder, const struct job *job, const struct config_database *database)
{
    if (!job_pool_known(database, job->options->pool) && builder->config->databases_sound) {
        report_add(builder->report, job->file, job->line, pool_hint(builder, database, job->options->pool),
                   "job \"%s\": database \"%s\" has no pool \"%s\"", job->name, database->name, job->options->pool);
    }
}

/* --- what contradicts itself --- */

/* One of the job's findings. */
struct job_report {
    struct builder *builder;
    const struct job *job;
};

static void report_broken(void *data, const struct error *problem)
{
    const struct job_report *of = data;
    report_add(of->builder->report, of->job->file, of->job->line, problem->hint, "job \"%s\" %s", of->job->name,
               problem->message);
}

static void check_rules(struct builder *builder, const struct job *job)
{
    struct job_report of = {builder, job};
    job_rules_check(job, report_broken, &of);
}

/* A job without a schedule starts when others have ended or something wakes it: no spread and no missed slots, whatever
 * was asked for. */
static void check_slotless(struct builder *builder, const struct job *job)
{
    if (job->schedule_text[0] != '\0') {
        return;
    }
    if (job->options->jitter > 0) {
        report_add(builder->report, job->file, job->line, "take jitter out, or give the job a schedule",
                   "job \"%s\" has a jitter, but no schedule whose slots it could spread", job->name);
    }
    if (job->options->catchup == CATCHUP_ALL) {
        report_add(builder->report, job->file, job->line, "take catchup out, or give the job a schedule",
                   "job \"%s\" is to catch up all slots, but has no schedule: it runs once for all that %s meanwhile",
                   job->name, job->after_count > 0 ? "ended" : "happened");
    }
}

/* --- what wakes it ------------------------------------------------------------------------------------------------ */

static void check_debounce(struct builder *builder, const struct job *job)
{
    const struct job_options *options = job->options;
    const char *given = options->debounce > 0 ? "debounce" : options->debounce_max > 0 ? "debounce_max" : NULL;
    char quiet[DURATION_TEXT_SIZE];
    char most[DURATION_TEXT_SIZE];
    if (given != NULL && job->on_count == 0) {
        report_add(builder->report, job->file, job->line,
                   arena_printf(builder->arena, "name the channels: on = [\"...\"]; or take %s out", given),
                   "job \"%s\" has a %s, but no channel wakes it", job->name, given);
    }
    if (options->debounce_max > 0 && options->debounce_max < options->debounce) {
        report_add(builder->report, job->file, job->line,
                   "make debounce_max longer, or leave it out: it is ten times debounce then",
                   "job \"%s\" waits %s for quiet, but its debounce_max is %s", job->name,
                   duration_format(options->debounce, quiet), duration_format(options->debounce_max, most));
    }
}

void job_validate(struct builder *builder, struct job *job)
{
    const struct config_database *database = config_find_database(builder->config, job->database);
    validate_schedule(builder, job, database);
    check_pool(builder, job, database);
    check_rules(builder, job);
    check_slotless(builder, job);
    check_debounce(builder, job);
}
