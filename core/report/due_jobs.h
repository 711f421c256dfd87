/* SPDX-License-Identifier: PostgreSQL */
/* What is due next in a database, and what is late. */
#ifndef CHIME_REPORT_DUE_JOBS_H
#define CHIME_REPORT_DUE_JOBS_H

#include "base/error.h"
#include "config/config.h"
#include "pg/rows.h"
#include "report/calendars.h"

struct due_jobs {
    instant next; /* INSTANT_NEVER: nothing that is known */
    size_t late;  /* where somebody has led for a minute: what a new leader catches up with is not late yet */
    char *latest; /* the one that is late most; NULL: none */
    instant latest_slot;
};

/* Of the answer to calendars_ask. */
void due_jobs_take(struct due_jobs *due, const struct pg_rows *rows, const struct config_database *database);
void due_jobs_finish(struct due_jobs *due);
/* Whether jobs are late; then `problem` says so, with the way out. */
bool due_jobs_are_late(const struct due_jobs *due, struct error *problem);

#endif
