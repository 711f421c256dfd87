/* SPDX-License-Identifier: PostgreSQL */
/* Who led a database, from when to when, and what was missed until somebody led again; and what was told to sinks. */
#ifndef CHIME_REPORT_HISTORY_LIST_H
#define CHIME_REPORT_HISTORY_LIST_H

#include "config/config.h"
#include "pg/rows.h"
#include "report/output.h"
#include "report/statements.h"

struct output_list *leadership_list_create(void);
/* The latest 100 that began before an instant (NULL: now). */
void leadership_list_ask(struct question *question, const char *before);
void leadership_list_take(struct output_list *list, const struct pg_rows *rows, const struct config_database *database);

struct output_list *notification_list_create(void);
/* The latest 100 with numbers below that one (NULL: of all). */
void notification_list_ask(struct question *question, const char *before);

#endif
