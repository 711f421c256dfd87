/* SPDX-License-Identifier: PostgreSQL */
/* What people did through the page: who, what, why, and what became of it. */
#ifndef CHIME_REPORT_ACTION_LIST_H
#define CHIME_REPORT_ACTION_LIST_H

#include "config/config.h"
#include "pg/rows.h"
#include "report/output.h"
#include "report/statements.h"

/* Its columns, of a row of chime.action that is called a. */
#define ACTION_COLUMNS                                                                                         \
    "a.action_id, a.at, a.actor, a.login, a.verb, a.about, a.kind, a.slot, a.run_id, a.reason, a.request_id, " \
    "a.outcome"

struct output_list *action_list_create(void);
/* The latest 200 that were done before an instant (NULL: now). */
void action_list_ask(struct question *question, const char *until);
void action_list_take(struct output_list *list, const struct pg_rows *rows, const struct config_database *database);

#endif
