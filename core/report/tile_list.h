/* SPDX-License-Identifier: PostgreSQL */
/* Tiles: which there are, and what one shows. */
#ifndef CHIME_REPORT_TILE_LIST_H
#define CHIME_REPORT_TILE_LIST_H

#include "config/config.h"
#include "report/output.h"
#include "report/statements.h"

struct output_list *tile_list_create(void);
void tile_list_ask(struct question *question, const struct config_database *database);
/* Plugins, with how fresh the worst of their views is: without the words of an error. */
struct output_list *tile_plugin_list_create(void);
void tile_plugin_list_ask(struct question *question, const struct config_database *database);

/* When views of each plugin changed last; NULL: they never did. */
enum { TILE_MOVE_PLUGIN, TILE_MOVE_CHANGED };
void tile_moves_ask(struct question *question);

/* One tile with its rows: one row of the list; none: there is no such tile. `choice` NULL: the first one. The answer
 * has TILE_TOOK beside the list's columns: how long it took, in microseconds. */
enum { TILE_BOUND = 9, TILE_COLUMNS = 13, TILE_ROWS, TILE_MORE, TILE_TOOK };
struct output_list *tile_rows_create(void);
void tile_rows_ask(struct question *question, const struct config_database *database, const char *plugin,
                   const char *tile, const char *choice);

#endif
