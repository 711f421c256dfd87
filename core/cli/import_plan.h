/* SPDX-License-Identifier: PostgreSQL */
/* The plan of `import pg_cron`: what it will do with each job, and why. The plan is made and shown first; then exactly
 * that is done.
 *
 * Does: compare the jobs of the source with what was imported before; find out what each schedule means here; take the
 *   answers where that differs; have the server check what would be refused.
 * Does not: change anything. Ownership: texts are the source's arena's. */
#ifndef CHIME_CLI_IMPORT_PLAN_H
#define CHIME_CLI_IMPORT_PLAN_H

#include "cli/import_meaning.h"
#include "cli/import_source.h"

enum import_action {
    IMPORT_TAKE,   /* from pg_cron, where it is active */
    IMPORT_COPY,   /* there is nothing to take: it is inactive there, or the source is a dump */
    IMPORT_FINISH, /* was taken, and ours is not made yet */
    IMPORT_RETURN,
    IMPORT_DONE,    /* imported before */
    IMPORT_LEAVE,   /* never runs, and stays where it is */
    IMPORT_ASK,     /* left out: it means another thing here, and nobody said which is meant */
    IMPORT_BLOCK,   /* left out: it would be refused */
    IMPORT_CHANGED, /* imported before, and edited in pg_cron since */
    IMPORT_TWICE,   /* imported before, and active again in pg_cron */
};

struct import_step {
    struct import_row row;
    enum import_action action;
    const char *job_id;   /* of ours; NULL: the next */
    const char *schedule; /* of ours */
    const char *options;  /* of ours, as JSON */
    bool active;          /* ours will be */
    const char *state;    /* in chime.imported; NULL: it is not there */
    const char *at;       /* likewise */
    bool other;           /* likewise, of a dump by the same name: of another row */
    const char *changed;  /* likewise: what is neither as it was imported nor as ours is; NULL: nothing */
    const char *twin;     /* of ours: the job of the same owner and name, imported by another number; NULL: none */
    const char *there;    /* with --rollback: its number in pg_cron */
    const char *reason;   /* NULL */
    struct import_meaning meaning;
};

struct import_plan {
    const struct invocation *invocation;
    const struct import_source *source;
    struct pg_client *ours; /* writes schema chime */
    const struct zone *zone;
    bool names_zone; /* times of ours would be of another zone unless they say which */
    const char *answers;
    struct import_step *steps;
    size_t count;
};

/* --meaning: "3=theirs,7=ours", "all=ours". */
bool import_answers_check(const char *answers, const struct import_source *source, struct error *err) CHIME_MUST_CHECK;
bool import_plan_make(struct import_plan *plan, struct error *err) CHIME_MUST_CHECK;
bool import_plan_make_back(struct import_plan *plan, struct error *err) CHIME_MUST_CHECK; /* --rollback */
/* Asks at the terminal for the answers that are missing. */
bool import_plan_ask(struct import_plan *plan, struct error *err) CHIME_MUST_CHECK;
void import_plan_print(const struct import_plan *plan);
size_t import_plan_count(const struct import_plan *plan, enum import_action first, enum import_action last);

#endif
