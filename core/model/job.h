/* SPDX-License-Identifier: PostgreSQL */
/* A job: a named unit of work of one database, with the schedule and options it ended up with.
 *
 * Who makes one fills in a draft, which borrows what it points to. job_hold makes a job of it: a block that is never
 * changed, and lives as long as somebody holds it (a catalog, the scheduler, a run). Strings are never NULL unless
 * said. */
#ifndef CHIME_MODEL_JOB_H
#define CHIME_MODEL_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"
#include "calendar/schedule.h"
#include "model/options.h"

enum job_origin { JOB_FROM_PLUGIN, JOB_FROM_CONFIG, JOB_FROM_SQL };
enum job_work { JOB_COMMAND, JOB_REFRESH };

/* What a job sets in its session before its text. */
struct job_setting {
    const char *name;
    const char *value;
};

struct job {
    const char *name;
    const char *database;      /* the key under `databases` */
    const char *owner;         /* the role it runs as, over a session of that role; NULL: the daemon's */
    const char *target;        /* the database of the same server that it runs in; NULL: the one that holds the job */
    const char *plugin;        /* NULL for jobs that conf.d or SQL defines */
    const char *file;          /* where it was defined last: conf.d file or plugin file; NULL unknown */
    const char *ping_file;     /* with an address that hears of its runs; NULL: none */
    const char *schedule_text; /* "" for a job without a schedule */
    struct schedule schedule;
    const char *command;      /* JOB_COMMAND: SQL text, "" for a refresh */
    const char *const *views; /* JOB_REFRESH: "schema.relation" of what it refreshes, in order */
    size_t view_count;
    const char *const *after; /* names of jobs of the same database */
    size_t after_count;
    const char *const *on; /* channels whose notifications wake it, as pg_notify names them: 1..63 bytes each */
    size_t on_count;
    const struct job_setting *settings; /* of the session, while it runs */
    size_t setting_count;
    instant since;    /* JOB_FROM_SQL: from when its schedule counts */
    unsigned holders; /* 0: a draft */
    int line;         /* of `file`; these side by side, for there may be many jobs */
    enum job_origin origin;
    enum job_work work;
    bool active;  /* `enabled = false` in conf.d keeps the job known but never due */
    bool refused; /* JOB_FROM_SQL: its definition has a fault; known, not active, and not to be run by hand either */
    struct job_options *options; /* never NULL; of a job: never changed, and shared with others */
};

/* One more holds the job, until job_drop. Of a draft: a job that is made of it, with texts of its own. */
const struct job *job_hold(const struct job *job);
void job_drop(const struct job *job); /* takes NULL */
/* No schedule of its own, but jobs it comes after: due once these have delivered. Channels and target_lag may wake it
 * too. */
bool job_is_join(const struct job *job);
/* Something makes it run unasked: a schedule, jobs before it, channels, or the changes of its sources. */
bool job_is_driven(const struct job *job);
/* What may stand in `on`: 1 to CHANNEL_NAME_SIZE bytes. */
#define CHANNEL_NAME_SIZE 63
bool channel_name_valid(const char *name);

const char *job_origin_name(enum job_origin origin); /* "plugin", "config", "sql" */
const char *job_work_name(enum job_work work);       /* "command", "refresh" */

#endif
