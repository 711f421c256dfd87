/* SPDX-License-Identifier: PostgreSQL */
/* What the lines of a crontab have psql do, as tools/read-crontab tells it.
 *
 * Does: start that program, which reads crontab(5), shell words, psql's options and files; take its answer over; say
 *   whether SQL can be a job's.
 * Does not: know schedules or servers.
 * Ownership: texts are the crontab's, or the arena's where one is given. */
#ifndef CHIME_CLI_CRONTAB_H
#define CHIME_CLI_CRONTAB_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

struct crontab_setting {
    int line;
    const char *name;
    const char *value;
};

struct crontab_entry {
    int line;
    const char *schedule; /* five fields, or "@daily" */
    const char *user;     /* NULL: the file has no such column */
    const char *command;
    const char *zone;    /* CRON_TZ; NULL */
    bool is_psql;        /* else nothing for us */
    const char *problem; /* NULL: none; else what follows is not there */
    const char *sql;
    const char *name; /* that a job of it may have */
    const char *host; /* NULL: not said; likewise below */
    const char *port;
    const char *database;
    const char *role;
    bool apart; /* psql runs each statement by itself */
    bool stops; /* at the first error */
};

struct crontab {
    struct crontab_setting *settings;
    size_t setting_count;
    struct crontab_entry *entries;
    size_t entry_count;
    json_t *answer;
};

/* `system`: each entry names a user before its command, as in /etc/crontab; `user`: whose it is else, NULL where nobody
 * knows. ERROR_FAILED where the program cannot do its work. */
bool crontab_read(struct crontab *crontab, const char *text, bool system, const char *user,
                  struct error *err) CHIME_MUST_CHECK;
void crontab_finish(struct crontab *crontab); /* also of one that could not be read */

/* Whether SQL of psql can be a job's; ERROR_REFUSED. */
bool crontab_sql_check(const char *sql, struct error *err) CHIME_MUST_CHECK;
/* What is another thing as a job; NULL: nothing. */
const char *crontab_sql_difference(const struct crontab_entry *entry, struct arena *arena);

#endif
