/* SPDX-License-Identifier: PostgreSQL */
#include "report/tile_list.h"

#include "base/memory.h"

static const struct output_column tile_columns[] = {
    {"PLUGIN", "plugin", OUTPUT_TEXT, OUTPUT_ALWAYS},      {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"TILE", "tile", OUTPUT_INTEGER, OUTPUT_ALWAYS},       {"TITLE", "title", OUTPUT_LONG, OUTPUT_ALWAYS},
    {"DRAW", "draw", OUTPUT_TEXT, OUTPUT_ALWAYS},          {"CHOICES", "has_choices", OUTPUT_BOOLEAN, OUTPUT_WIDER},
    {"BOUND", "bound_ms", OUTPUT_DURATION, OUTPUT_ALWAYS}, {"NOTE", "note", OUTPUT_LONG, OUTPUT_WIDER},
};
static const struct output_column plugin_columns[] = {
    {"PLUGIN", "plugin", OUTPUT_TEXT, OUTPUT_ALWAYS},        {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SUMMARY", "summary", OUTPUT_LONG, OUTPUT_ALWAYS},      {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"FRESH", "freshness", OUTPUT_STATE, OUTPUT_ALWAYS},     {"BEHIND", "behind_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"CHANGED", "changed_at", OUTPUT_INSTANT, OUTPUT_WIDER},
};
static const struct output_column row_columns[] = {
    {"PLUGIN", "plugin", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"TILE", "tile", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"TITLE", "title", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DRAW", "draw", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"NOTE", "note", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"STATE", "state", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"WARN", "warn", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"CRITICAL", "critical", OUTPUT_TEXT, OUTPUT_ALWAYS},
    [TILE_BOUND] = {"BOUND", "bound_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"HAS CHOICES", "has_choices", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"CHOICE", "choice", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"CHOICES", "choices", OUTPUT_DATA, OUTPUT_ALWAYS},
    [TILE_COLUMNS] = {"COLUMNS", "columns", OUTPUT_DATA, OUTPUT_ALWAYS},
    [TILE_ROWS] = {"ROWS", "rows", OUTPUT_DATA, OUTPUT_ALWAYS},
    [TILE_MORE] = {"MORE", "more", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
};

static const char tiles_sql[] =
    "SELECT t.plugin, $1::text, t.tile, t.title, t.draw, t.choices IS NOT NULL,"
    "       (extract(epoch FROM t.bound) * 1000000)::bigint, t.note"
    "  FROM chime.tile t JOIN chime.plugin p ON p.name = t.plugin AND p.state = 'installed' ORDER BY t.plugin, t.tile";
static const char plugins_sql[] =
    "SELECT p.name, $1::text, p.summary, p.state,"
    "       (ARRAY['stale','warn','unknown','fresh'])[min(array_position("
    "ARRAY['stale','warn','unknown','fresh'], f.freshness))],"
    "       (extract(epoch FROM max(f.behind)) * 1000000)::bigint, max(r.changed_at)"
    "  FROM chime.plugin p LEFT JOIN chime.view v ON v.plugin = p.name AND p.state = 'installed'"
    "  LEFT JOIN chime.view_freshness() AS f ON f.view_schema = v.view_schema AND f.relation = v.relation"
    "  LEFT JOIN chime.view_refresh r ON r.view_schema = v.view_schema AND r.relation = v.relation"
    " WHERE p.state NOT IN ('removed', 'available') GROUP BY p.name ORDER BY p.name";
static const char rows_sql[] =
    "SELECT (r.tile).plugin, $1::text, (r.tile).tile, (r.tile).title, (r.tile).draw, (r.tile).note, (r.tile).state,"
    "       (r.tile).warn, (r.tile).critical, (extract(epoch FROM (r.tile).bound) * 1000000)::bigint,"
    "       (r.tile).choices IS NOT NULL, r.choice, r.choices, (r.tile).columns, r.rows, r.more, r.took_us"
    "  FROM chime.tile_rows($2, $3::integer, $4) AS r";

static const char moves_sql[] =
    "SELECT v.plugin, max(r.changed_at)::text"
    "  FROM chime.view v JOIN chime.view_refresh r ON r.view_schema = v.view_schema AND r.relation = v.relation"
    " GROUP BY v.plugin";

static const char *const examples[][QUESTION_PARAMETERS_MAX] = {{"main"}, {NULL}};
static const char *const rows_examples[][QUESTION_PARAMETERS_MAX] = {
    {"main", "example", "0", NULL}, {"main", "example", "0", "x"}, {NULL}};
const struct report_statement tiles_statement = {"tiles", tiles_sql, 1, examples};
const struct report_statement tile_plugins_statement = {"tile_plugins", plugins_sql, 1, examples};
const struct report_statement tile_moves_statement = {"tile_moves", moves_sql, 0, NULL};
const struct report_statement tile_rows_statement = {"tile_rows", rows_sql, 4, rows_examples};

struct output_list *tile_list_create(void)
{
    return output_create("tiles", tile_columns, COUNT_OF(tile_columns));
}

void tile_list_ask(struct question *question, const struct config_database *database)
{
    *question = (struct question){.id = REPORT_TILES, .parameters = {database->name}};
}

struct output_list *tile_plugin_list_create(void)
{
    return output_create("plugins", plugin_columns, COUNT_OF(plugin_columns));
}

void tile_plugin_list_ask(struct question *question, const struct config_database *database)
{
    *question = (struct question){.id = REPORT_TILE_PLUGINS, .parameters = {database->name}};
}

void tile_moves_ask(struct question *question)
{
    *question = (struct question){.id = REPORT_TILE_MOVES};
}

struct output_list *tile_rows_create(void)
{
    return output_create("tiles", row_columns, COUNT_OF(row_columns));
}

void tile_rows_ask(struct question *question, const struct config_database *database, const char *plugin,
                   const char *tile, const char *choice)
{
    *question = (struct question){.id = REPORT_TILE_ROWS, .parameters = {database->name, plugin, tile, choice}};
}
