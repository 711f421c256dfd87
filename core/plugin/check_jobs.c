/* SPDX-License-Identifier: PostgreSQL */
/* Checks the jobs that a plugin declares. */
#include <string.h>

#include "base/instant.h"
#include "calendar/schedule.h"
#include "plugin/declaration_check.h"

/* Names that the jobs are checked against, sorted. */
struct known_names {
    const char **views;
    size_t view_count;
};

static bool check_option(struct check *check, const char *place, const struct chime_option *option,
                         struct job_options *options)
{
    if (!check_given(check, place, "the name of an option", option->name)) {
        return false;
    }
    struct error fault = {.kind = ERROR_NONE};
    if (options_set(options, option->name, option->value == NULL ? "" : option->value, &fault)) {
        return true;
    }
    return check_fail(check, fault.hint, "%s: %s", place, fault.message);
}

static bool option_repeats(const struct chime_option *options, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(options[i].name, options[index].name) == 0) {
            return true;
        }
    }
    return false;
}

/* Starts from nothing, so that options.set tells what the plugin gave. */
static bool check_options(struct check *check, const char *place, const struct chime_list *list,
                          struct job_options *options)
{
    const struct chime_option *from = list->items;
    for (size_t i = 0; i < list->count; i++) {
        if (!check_option(check, place, &from[i], options)) {
            return false;
        }
        if (option_repeats(from, i)) {
            return check_fail(check, "give it once", "%s: option \"%s\" is given twice", place, from[i].name);
        }
    }
    return true;
}

static bool check_schedule(struct check *check, const char *place, const struct declared_job *job)
{
    if (job->schedule[0] == '\0') {
        return job->after.count > 0 || job->on.count > 0 || job->options.target_lag != 0 ||
               check_fail(check, "give it a schedule, or jobs to come after, or channels to wake it, or a target_lag",
                          "%s: nothing makes it run", place);
    }
    struct schedule schedule;
    struct error fault = {.kind = ERROR_NONE};
    return schedule_parse(job->schedule, &schedule, &fault) ||
           check_fail(check, fault.hint, "%s: %s", place, fault.message);
}

static bool check_debounce(struct check *check, const char *place, const struct declared_job *job)
{
    if (job->debounce == NULL) {
        return true;
    }
    if (job->on.count == 0) {
        return check_fail(check, "name the channels in .on, or leave .debounce out",
                          "%s: debounce is given, but no channel wakes it", place);
    }
    struct job_options scratch = job->options;
    if (options_gives(&job->options, "debounce")) {
        return check_fail(check, "give it once: as .debounce or among .options", "%s: debounce is given twice", place);
    }
    struct error fault = {.kind = ERROR_NONE};
    return options_set(&scratch, "debounce", job->debounce, &fault) ||
           check_fail(check, fault.hint, "%s: %s", place, fault.message);
}

static bool check_work(struct check *check, const char *place, const struct declared_job *job,
                       const struct known_names *known)
{
    bool has_command = job->command[0] != '\0';
    if (has_command == (job->refresh.count > 0)) {
        return check_fail(check, "give the views to refresh, or the SQL to run: exactly one of the two", "%s: %s",
                          place, has_command ? "both refresh and command are given" : "refresh or command is missing");
    }
    for (size_t i = 0; i < job->refresh.count; i++) {
        if (!names_contain(known->views, known->view_count, job->refresh.items[i])) {
            return check_fail(check, "a job refreshes views that the same plugin declares under .views",
                              "%s: refresh names \"%s\", which is no view of this plugin", place,
                              job->refresh.items[i]);
        }
    }
    return true;
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static bool check_job(struct check *check, size_t index, const struct chime_job *from, const struct known_names *known,
                      struct declared_job *to)
{
    char place[CHECK_PLACE_SIZE];
    check_place(place, "jobs", index, from->name);
    *to = (struct declared_job){.name = from->name,
                                .schedule = or_empty(from->schedule),
                                .command = or_empty(from->command),
                                .debounce = from->debounce};
    return check_name(check, place, "name", from->name, &rule_key) &&
           check_names(check, place, "refresh", from->refresh, &rule_relation, &to->refresh) &&
           check_names(check, place, "after", from->after, &rule_key, &to->after) &&
           check_names(check, place, "on", from->on, &rule_catalog, &to->on) && check_work(check, place, to, known) &&
           check_options(check, place, &from->options, &to->options) && check_schedule(check, place, to) &&
           check_debounce(check, place, to);
}

static struct known_names known_names(struct check *check)
{
    const struct declaration *declaration = check->declaration;
    struct known_names known = {.view_count = declaration->view_count};
    known.views = arena_alloc(check->arena, known.view_count * sizeof(*known.views));
    for (size_t i = 0; i < known.view_count; i++) {
        known.views[i] = declaration->views[i].relation;
    }
    names_sort(known.views, known.view_count);
    return known;
}

bool check_jobs(struct check *check)
{
    const struct chime_list *list = &check->plugin->jobs;
    const struct chime_job *from = list->items;
    struct declared_job *to = arena_alloc(check->arena, list->count * sizeof(*to));
    const char **names = arena_alloc(check->arena, list->count * sizeof(*names));
    struct known_names known = known_names(check);
    for (size_t i = 0; i < list->count; i++) {
        if (!check_job(check, i, &from[i], &known, &to[i])) {
            return false;
        }
        names[i] = to[i].name;
    }
    check->declaration->jobs = to;
    check->declaration->job_count = list->count;
    return check_unique(check, "jobs: the job", names, list->count);
}
