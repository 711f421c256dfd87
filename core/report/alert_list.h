/* SPDX-License-Identifier: PostgreSQL */
/* Alerts of a database, the silences that are in force, and the rules by which it is looked for them. */
#ifndef CHIME_REPORT_ALERT_LIST_H
#define CHIME_REPORT_ALERT_LIST_H

#include <stdbool.h>

#include "config/config.h"
#include "pg/rows.h"
#include "report/output.h"
#include "report/statements.h"

struct output_list *alert_list_create(void);
/* Those that are open, or also the last that are resolved. */
void alert_list_ask(struct question *question, const struct config_database *database, bool all);
/* Whether one fires that no silence keeps from being told. */
bool alert_list_take(struct output_list *list, const struct pg_rows *rows);

struct output_list *silence_list_create(void);
void silence_list_ask(struct question *question, const struct config_database *database);

struct output_list *alert_rule_list_create(void);
void alert_rule_list_ask(struct question *question, const struct config_database *database);

#endif
