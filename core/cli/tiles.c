/* SPDX-License-Identifier: PostgreSQL */
/* `tiles`: which tiles plugins have, and what one shows. Needs no daemon. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/visit.h"
#include "report/tile_list.h"

struct tile_lists {
    struct output_list *tiles;
    struct output_list *plugins;
};

static bool add_tiles(struct visit *visit, void *data, struct error *err)
{
    struct tile_lists *lists = data;
    struct question tiles;
    struct question plugins;
    tile_list_ask(&tiles, visit->database);
    tile_plugin_list_ask(&plugins, visit->database);
    return visit_take(visit, lists->tiles, &tiles, err) && visit_take(visit, lists->plugins, &plugins, err);
}

static int print_all(const struct invocation *invocation, const struct config *config)
{
    struct tile_lists lists = {.tiles = tile_list_create(), .plugins = tile_plugin_list_create()};
    struct output_list *const both[] = {lists.tiles, lists.plugins};
    int status = visit_all(invocation, config, add_tiles, &lists);
    output_print(both, output_is_for_people(&invocation->style) ? 1 : 2, &invocation->style, stdout);
    if (output_rows(lists.tiles) == 0 && status == EXIT_OK) {
        remark(invocation, "no tiles: no plugin that is installed declares one");
    }
    output_destroy(lists.tiles);
    output_destroy(lists.plugins);
    return status;
}

/* --- one of them -------------------------------------------------------------------------------------------------- */

struct one_tile {
    const struct invocation *invocation;
    char *plugin;
    const char *number;
    const char *choice;
    struct output_list *list;
    bool found;
};

/* A cell as people read it; NULL: it is null. Caller frees. */
static char *cell_text(const json_t *cell)
{
    if (json_is_string(cell)) {
        return xstrdup(json_string_value(cell));
    }
    char *text = json_is_null(cell) ? NULL : json_dumps(cell, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    char *copy = text != NULL ? xstrdup(text) : NULL;
    free(text);
    return copy;
}

/* What a tile has is a table of its own, with the columns of its query. */
static void print_rows(const struct invocation *invocation, const struct pg_rows *answer)
{
    json_t *columns = json_loads(pg_rows_value(answer, 0, TILE_COLUMNS), 0, NULL);
    json_t *rows = json_loads(pg_rows_value(answer, 0, TILE_ROWS), 0, NULL);
    size_t count = json_array_size(columns);
    struct output_column *shown = xcalloc(count + 1, sizeof(*shown));
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(columns, i), "name"));
        shown[i] = (struct output_column){name, name, OUTPUT_LONG, OUTPUT_ALWAYS};
    }
    struct output_list *list = output_create("rows", shown, count);
    for (size_t row = 0; row < json_array_size(rows); row++) {
        output_add_row(list);
        for (size_t i = 0; i < count; i++) {
            char *text = cell_text(json_array_get(json_array_get(rows, row), i));
            output_set(list, i, text);
            free(text);
        }
    }
    output_print(&list, 1, &invocation->style, stdout);
    if (pg_rows_value(answer, 0, TILE_MORE)[0] == 't') {
        remark(invocation, "the first %zu rows; there are more", output_rows(list));
    } else if (output_rows(list) == 0) {
        remark(invocation, "it has no rows now");
    }
    output_destroy(list);
    free(shown);
    json_decref(columns);
    json_decref(rows);
}

static bool add_one(struct visit *visit, void *data, struct error *err)
{
    struct one_tile *tile = data;
    enum output_format format = tile->invocation->style.format;
    struct question question;
    struct pg_rows rows;
    tile_rows_ask(&question, visit->database, tile->plugin, tile->number, tile->choice);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    tile->found = tile->found || rows.count > 0;
    if (format == OUTPUT_JSON || format == OUTPUT_NDJSON) {
        output_take_rows(tile->list, &rows);
    } else if (rows.count > 0) {
        print_rows(tile->invocation, &rows);
    }
    pg_rows_finish(&rows);
    return true;
}

static bool read_tile(const char *text, struct one_tile *tile, struct error *err)
{
    const char *slash = strrchr(text, '/');
    int64_t number;
    if (slash == NULL || slash == text || !parse_int64(slash + 1, 0, INT32_MAX, &number)) {
        error_set(err, ERROR_USAGE, "\"%s\" is not PLUGIN/NUMBER", text);
        return error_hint(err, "pgchime tiles lists them: such as approval_queue/0");
    }
    tile->plugin = xstrndup(text, (size_t)(slash - text));
    tile->number = slash + 1;
    return true;
}

static int print_one(const struct invocation *invocation, const struct config *config, struct one_tile *tile)
{
    struct error err;
    int status = visit_all(invocation, config, add_one, tile);
    if (status == EXIT_OK && !tile->found) {
        error_set(&err, ERROR_NOT_FOUND, "there is no tile \"%s\"", invocation->arguments[0]);
        error_hint(&err, "pgchime tiles lists them");
        return fail(&err);
    }
    if (output_rows(tile->list) > 0) {
        output_print(&tile->list, 1, &invocation->style, stdout);
    }
    return status;
}

static int tiles_run(const struct invocation *invocation)
{
    int status;
    struct error err;
    struct one_tile tile = {.invocation = invocation, .choice = invocation_option(invocation, "choice")};
    if (invocation->argument_count == 0 && tile.choice != NULL) {
        error_set(&err, ERROR_USAGE, "--choice needs one tile");
        error_hint(&err, "name it: pgchime tiles PLUGIN/NUMBER --choice VALUE");
        return fail(&err);
    }
    if (invocation->argument_count > 0 && !read_tile(invocation->arguments[0], &tile, &err)) {
        return fail(&err);
    }
    struct config *config = load_config(invocation, &status);
    if (config != NULL && tile.plugin != NULL) {
        tile.list = tile_rows_create();
        status = print_one(invocation, config, &tile);
        output_destroy(tile.list);
    } else if (config != NULL) {
        status = print_all(invocation, config);
    }
    config_free(config);
    free(tile.plugin);
    return status;
}

const struct command command_tiles = {
    .name = "tiles",
    .arguments = "[TILE]",
    .most = 1,
    .summary = "tiles of plugins, as the page draws them; of one, its rows",
    .details =
        "A tile is named by its plugin and its place there, such as approval_queue/0. Its query is read-only, and\n"
        "500 rows and 256 KiB of it are shown. With -o json it is what the page gets.",
    .options = {{"choice", "VALUE", "of a tile with choices; else the first one"}},
    .run = tiles_run,
};
