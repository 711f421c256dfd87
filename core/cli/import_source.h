/* SPDX-License-Identifier: PostgreSQL */
/* Where jobs of pg_cron come from: a server that has the extension, or a dump of one.
 *
 * Does: read cron.job; take a job from pg_cron there, or give it back, at an instant at which no slot is near and none
 *   of its runs goes on.
 * Does not: know what becomes of a job. Of a dump nothing is taken.
 * Failures: ERROR_REFUSED for a role that does not see all jobs or may not change them, ERROR_NOT_FOUND where there is
 *   no pg_cron, ERROR_USAGE for a file that is no plain dump with its jobs. */
#ifndef CHIME_CLI_IMPORT_SOURCE_H
#define CHIME_CLI_IMPORT_SOURCE_H

#include "cli/visit.h"

struct import_row {
    const char *jobid;
    const char *name; /* NULL: it has none */
    const char *owner;
    const char *database;
    const char *schedule;
    const char *node;
    bool active;
    const char *json; /* the row, as to_jsonb writes it */
};

struct import_source {
    const char *key;          /* as chime.imported.source has it */
    const char *zone;         /* of its schedules; NULL: the role may not read it */
    struct pg_client *client; /* NULL: a dump */
    bool borrowed;            /* the client is the visit's */
    bool here;                /* the database of the visit: one transaction does both sides, over `client` */
    bool has_runs;            /* cron.job_run_details is there */
    bool by_call;             /* the role may not write cron.job: by cron.alter_job, which changes jobs of its own */
    struct arena *arena;
    struct import_row *rows; /* by jobid */
    size_t count;
};

/* `from` NULL: the visited database itself. import_source_close also after a failure. */
bool import_source_open(struct import_source *source, const struct visit *visit, const char *from,
                        struct error *err) CHIME_MUST_CHECK;
/* A file that pg_dump wrote as text. */
bool import_source_read_dump(struct import_source *source, const char *path, struct error *err) CHIME_MUST_CHECK;
void import_source_close(struct import_source *source);
const struct import_row *import_source_find(const struct import_source *source, const char *jobid); /* NULL */
/* That of the same owner and name; NULL: there is none, or it has no name. */
const struct import_row *import_source_find_named(const struct import_source *source, const struct import_row *row);

/* Whether the role may change the jobs that it sees, and pg_cron (before 1.1 it had no column for it) can switch them
 * off. */
bool import_source_check_rights(struct import_source *source, struct error *err) CHIME_MUST_CHECK;

enum import_attempt {
    IMPORT_ATTEMPT_FAILED, /* the error says why */
    IMPORT_ATTEMPT_DONE,
    IMPORT_ATTEMPT_RUNNING, /* a run of it goes on */
    IMPORT_ATTEMPT_NEAR,    /* a slot came too near meanwhile */
    IMPORT_ATTEMPT_CHANGED, /* it is not what it was */
};

/* Inside a transaction that the caller has begun over source->client; to be committed at once when it is done, else
 * rolled back. `at` lies in the same minute. */
enum import_attempt import_source_take(const struct import_source *source, const struct import_row *row, const char *at,
                                       struct error *err);
enum import_attempt import_source_give(const struct import_source *source, const char *jobid, const char *at,
                                       struct error *err);
/* Waits until no slot is near; the source's time then, which the arena keeps. NULL with the error. */
const char *import_source_await(const struct import_source *source, struct pg_client *client, struct error *err);

#endif
