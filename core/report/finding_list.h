/* SPDX-License-Identifier: PostgreSQL */
/* What is well in a database and what is not, with the way out: each with its id (finding_kinds.h). */
#ifndef CHIME_REPORT_FINDING_LIST_H
#define CHIME_REPORT_FINDING_LIST_H

#include "catalog/catalog.h"
#include "pg/rows.h"
#include "report/output.h"
#include "report/statements.h"

enum finding_state { FINDING_OK, FINDING_WARN, FINDING_FAILED };

struct output_list *finding_list_create(void);
/* `id`: one of REPORT_..._FINDINGS. REPORT_SERVER_FINDINGS needs no schema chime; REPORT_CONFIGURATION_FINDINGS alone
 * needs a catalog. */
void finding_list_ask(struct question *question, enum report_id id, const struct config_database *database,
                      const struct catalog *catalog);
/* The worst of them. */
enum finding_state finding_list_take(struct output_list *list, const struct pg_rows *rows,
                                     const struct config_database *database);
/* One that is not found by a statement. `database`, `subject` and `hint` may be NULL. */
void finding_list_add(struct output_list *list, const char *database, const char *id, enum finding_state state,
                      const char *subject, const char *finding, const char *hint);

#endif
