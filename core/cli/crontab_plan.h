/* SPDX-License-Identifier: PostgreSQL */
/* The plan of `import crontab`: what it will do with each line, and why. The plan is made and shown first; then exactly
 * that is done.
 *
 * Does: find out which lines are SQL for our server, as whom and when they run, under which name; have the server check
 *   what would be refused.
 * Does not: change anything, or touch the crontab. Ownership: texts are the arena's. */
#ifndef CHIME_CLI_CRONTAB_PLAN_H
#define CHIME_CLI_CRONTAB_PLAN_H

#include "calendar/zone.h"
#include "cli/crontab.h"
#include "cli/visit.h"

enum crontab_action {
    CRONTAB_COPY,
    CRONTAB_DONE,  /* such a job is there */
    CRONTAB_LEAVE, /* nothing for us */
    CRONTAB_BLOCK, /* SQL, and it would be refused, or be another thing */
};

struct crontab_step {
    const struct crontab_entry *entry;
    enum crontab_action action;
    const char *name;
    const char *owner;
    const char *database;            /* on the server */
    const char *zone;                /* by which it goes */
    const char *options;             /* of the job, as JSON */
    const char *job_id;              /* of one that is there */
    bool active;                     /* the job is, or will be */
    const char *reason;              /* NULL */
    const struct crontab_step *twin; /* the line before that is the same; NULL */
};

struct crontab_plan {
    const struct invocation *invocation;
    struct visit *visit;
    struct arena *arena;
    struct zones *zones;
    struct crontab crontab;
    const char *user;  /* whose it is; of a file with a column of users, NULL */
    const char *zone;  /* by which cron goes where no CRON_TZ says another */
    const char *hosts; /* further names of the server, NAME or NAME:PORT, with commas; NULL */
    bool active;
    struct crontab_step *steps;
    size_t count;
};

bool crontab_plan_make(struct crontab_plan *plan, struct error *err) CHIME_MUST_CHECK;
void crontab_plan_print(const struct crontab_plan *plan);
size_t crontab_plan_count(const struct crontab_plan *plan, enum crontab_action action);
/* The numbers of the lines of which `is` holds: "3, 5 and 9"; the arena's. */
const char *crontab_plan_lines(const struct crontab_plan *plan, bool (*is)(const struct crontab_step *step),
                               size_t *count);
/* Whether a job does, or is about to do, what the line does, so that cron's run is a second one. */
bool crontab_step_is_double(const struct crontab_step *step);
/* Whether one is there, or about to be, that is not active, so that cron's run is the only one. */
bool crontab_step_is_single(const struct crontab_step *step);
/* Makes the step's job; its number, the arena's. NULL with the error; the step is one that is blocked then. */
const char *crontab_plan_do(const struct crontab_plan *plan, struct crontab_step *step, struct error *err);

#endif
