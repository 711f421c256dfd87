/* SPDX-License-Identifier: PostgreSQL */
/* What a plugin declares, as texts that the functions of sql/functions/install.sql take. All are the caller's. */
#ifndef CHIME_LEDGER_DECLARATION_JSON_H
#define CHIME_LEDGER_DECLARATION_JSON_H

#include "catalog/catalog.h"

/* Those that are for the relation; NULL: all that have to be there before the plugin's views are. */
char *declaration_json_sources(const struct declaration *declaration, const char *relation);
char *declaration_json_indexes(const struct declared_view *view);
char *declaration_json_settings(const struct catalog_plugin *plugin);
char *declaration_json_tiles(const struct declaration *declaration);
/* Names as an array of SQL, not JSON: {"a","b"}. */
char *declaration_json_names(const struct names *names);

#endif
