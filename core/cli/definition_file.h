/* SPDX-License-Identifier: PostgreSQL */
/* A view as SQL in a file, for commands that say what would become of it in a database.
 *
 * Does: read a file as the plugin folder would (plugin/view_text.h), wherever it is and whoever may write it, since it
 *   is only parsed and planned; ask a database what chime.explain_definition says.
 * Does not: install anything. */
#ifndef CHIME_CLI_DEFINITION_FILE_H
#define CHIME_CLI_DEFINITION_FILE_H

#include "cli/visit.h"
#include "plugin/declaration.h"

/* NULL with an error that names the line, as the folder would refuse it. To be destroyed. */
struct declaration *definition_file_read(const char *path, struct error *err);
/* Lines for people, a row each. */
bool definition_explain(struct visit *visit, const struct declaration *declaration, const char *view_schema,
                        struct pg_rows *rows, struct error *err) CHIME_MUST_CHECK;

#endif
