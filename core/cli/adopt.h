/* SPDX-License-Identifier: PostgreSQL */
/* Adoption: a plugin's view replaces an existing relation of the same name that is not ours. Also the way back.
 *
 * Does: ask chime.adoption_lines and chime.rollback_lines for the plan, hold it, and execute exactly the plan that was
 *   shown, in one transaction of the server (sql/functions/adopt.sql).
 * Does not: ask the user, or decide whether it may be done. */
#ifndef CHIME_CLI_ADOPT_H
#define CHIME_CLI_ADOPT_H

#include "catalog/catalog.h"
#include "cli/visit.h"

/* Which way, and of what. */
struct adoption {
    bool back;        /* --rollback */
    const char *text; /* what the server's functions take: adoption_text's, or the plugin's name to go back */
};

struct adoption_plan {
    struct pg_rows rows;
    size_t count;
    size_t blocks;
};

/* The plugin as chime.adopt_relations takes it; caller frees. */
char *adoption_text(const struct catalog_plugin *plugin);
bool adoption_survey(struct visit *visit, const struct adoption *adoption, struct adoption_plan *plan,
                     struct error *err) CHIME_MUST_CHECK;
void adoption_plan_finish(struct adoption_plan *plan); /* again is allowed */
struct output_list *adoption_output(const struct adoption_plan *plan);
/* Refused when what there is differs from what `plan` says; `done` has a row of three for each relation: its name, what
 * the old one is called aside, rows or NULL. */
bool adoption_perform(struct visit *visit, const struct adoption *adoption, const struct adoption_plan *plan,
                      struct pg_rows *done, struct error *err) CHIME_MUST_CHECK;

#endif
