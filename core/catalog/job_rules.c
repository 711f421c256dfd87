/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/job_rules.h"

#include <string.h>

#include "model/slot_parameters.h"

struct check {
    const struct job *job;
    void (*found)(void *data, const struct error *problem);
    void *data;
};

bool job_pool_known(const struct config_database *database, const char *name)
{
    for (size_t i = 0; i < database->pool_count; i++) {
        if (strcmp(database->pools[i].name, name) == 0) {
            return true;
        }
    }
    return strcmp(name, POOL_DEFAULT) == 0;
}

static void check_start(const struct check *check)
{
    const struct job_options *options = check->job->options;
    char deadline[DURATION_TEXT_SIZE];
    char jitter[DURATION_TEXT_SIZE];
    if (options->starting_deadline > 0 && options->starting_deadline <= options->jitter) {
        struct error problem;
        error_set(&problem, ERROR_CONFIG, "may start up to %s late by its jitter, but its starting_deadline is %s",
                  duration_format(options->jitter, jitter), duration_format(options->starting_deadline, deadline));
        error_hint(&problem, "make starting_deadline longer than jitter, or leave one of them out");
        check->found(check->data, &problem);
    }
}

/* Each of these slots would take the turn of the one before. */
static void check_overlap(const struct check *check)
{
    const struct job_options *options = check->job->options;
    if (options->overlap_policy == OVERLAP_CANCEL_PREVIOUS && options->catchup == CATCHUP_ALL) {
        struct error problem;
        error_set(&problem, ERROR_CONFIG,
                  "has overlap_policy cancel_previous, by which the newest slot alone runs, "
                  "but its catchup is all");
        error_hint(&problem, "set catchup = \"latest\", or overlap_policy = \"buffer_all\"");
        check->found(check->data, &problem);
    }
}

static void refuse_cursor(const struct check *check, const char *what, const char *hint)
{
    struct error problem;
    error_set(&problem, ERROR_CONFIG, "has a cursor, %s", what);
    error_hint(&problem, "%s", hint);
    check->found(check->data, &problem);
}

/* Its position is committed with its effect, or it would process twice what a fault left half done. */
static void check_cursor(const struct check *check)
{
    const struct job *job = check->job;
    const struct job_options *options = job->options;
    enum schedule_form form = job->schedule.form;
    if (options->cursor_source != NULL && options->cursor != CURSOR_SEQUENCE) {
        struct error problem;
        error_set(&problem, ERROR_CONFIG, "has a cursor_source, and no cursor that reads one");
        error_hint(&problem, "set cursor = \"sequence\", or take cursor_source out");
        check->found(check->data, &problem);
    }
    bool bounded = options->cursor == CURSOR_SEQUENCE || options->cursor == CURSOR_INTERVAL;
    if (!bounded && slot_parameters_name_cursor(job->command)) {
        struct error problem;
        error_set(&problem, ERROR_CONFIG, "uses $cursor_start or $cursor_end, and has no cursor with bounds");
        error_hint(&problem, "set cursor = \"sequence\" or \"interval\"");
        check->found(check->data, &problem);
    }
    if (options->cursor == CURSOR_NONE) {
        return;
    }
    if (job->work == JOB_REFRESH) {
        refuse_cursor(check, "but refreshes views", "take cursor out: a refresh knows what has changed");
    } else if (options->delivery != DELIVERY_TRANSACTIONAL) {
        refuse_cursor(check, "but its position would not be committed with its effect",
                      "set delivery = \"transactional\"");
    }
    if (options->cursor == CURSOR_SEQUENCE && options->cursor_source == NULL) {
        refuse_cursor(check, "but names no column whose numbers it follows",
                      "set cursor_source = \"schema.table.column\"");
    }
    if (options->cursor == CURSOR_INTERVAL && form != SCHEDULE_CRON && form != SCHEDULE_INTERVAL) {
        refuse_cursor(check, "but no slots whose intervals follow one another",
                      "set a schedule such as \"0 * * * *\" or \"@every 15m\"");
    }
}

static void refuse_without_views(const struct check *check, const char *option, duration value, const char *hint)
{
    if (value != 0) {
        struct error problem;
        error_set(&problem, ERROR_CONFIG, "has %s, but refreshes no views", option);
        error_hint(&problem, "%s", hint);
        check->found(check->data, &problem);
    }
}

static void check_lag(const struct check *check)
{
    const struct job_options *options = check->job->options;
    if (check->job->work == JOB_REFRESH) {
        return;
    }
    refuse_without_views(check, "target_lag", options->target_lag,
                         "take target_lag out; a schedule, after, or on = [\"...\"]; may start a command");
    refuse_without_views(check, "warn_after", options->warn_after,
                         "take warn_after out: it is an age of changes that a view lacks");
    refuse_without_views(check, "error_after", options->error_after,
                         "take error_after out: it is an age of changes that a view lacks");
}

static void check_thresholds(const struct check *check)
{
    const struct job_options *options = check->job->options;
    char warn[DURATION_TEXT_SIZE];
    char stale[DURATION_TEXT_SIZE];
    if (options->error_after > 0 && options->error_after < options->warn_after) {
        struct error problem;
        error_set(&problem, ERROR_CONFIG, "warns after %s, but its error_after is %s",
                  duration_format(options->warn_after, warn), duration_format(options->error_after, stale));
        error_hint(&problem, "make error_after at least as long as warn_after");
        check->found(check->data, &problem);
    }
}

/* A text of several statements has parameters where each is sent by itself. */
static void check_parameters(const struct check *check)
{
    const struct job *job = check->job;
    struct error problem;
    bool several = job->options->delivery == DELIVERY_TRANSACTIONAL;
    if (job->work == JOB_COMMAND && !slot_parameters_check(job->command, several, &problem)) {
        check->found(check->data, &problem);
    }
}

void job_rules_check(const struct job *job, void (*found)(void *data, const struct error *problem), void *data)
{
    const struct check check = {job, found, data};
    check_start(&check);
    check_overlap(&check);
    check_cursor(&check);
    check_lag(&check);
    check_thresholds(&check);
    check_parameters(&check);
}
