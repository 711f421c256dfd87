/* SPDX-License-Identifier: PostgreSQL */
/* Tiles, for people who may see nothing else: what is said here has no text of SQL and no error of a job. */
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "report/database_list.h"
#include "report/tile_list.h"
#include "web/page_kind.h"

/* --- databases ---------------------------------------------------------------------------------------------------- */

static const struct output_column database_columns[] = {
    {NULL, "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {NULL, "reachable", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {NULL, "led", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
};
enum { COLUMN_DATABASE, COLUMN_REACHABLE, COLUMN_LED };

static void create_databases(struct page *page)
{
    page->lists[page->list_count++] = output_create("databases", database_columns, COUNT_OF(database_columns));
}

static size_t ask_databases(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)page;
    database_list_ask(&questions[0], database);
    return 1;
}

static void add_database(struct page *page, const struct config_database *database, bool reachable, bool led)
{
    output_add_row(page->lists[0]);
    output_set(page->lists[0], COLUMN_DATABASE, database->name);
    output_set_number(page->lists[0], COLUMN_REACHABLE, reachable ? 1 : 0);
    output_set_number(page->lists[0], COLUMN_LED, led ? 1 : 0);
}

static bool take_databases(struct page *page, const struct config_database *database, struct pg_rows *answers,
                           struct error *err)
{
    const char *led = answers[0].count > 0 ? pg_rows_value(&answers[0], 0, DATABASE_LIST_SESSION) : NULL;
    (void)err;
    add_database(page, database, true, led != NULL && led[0] == 't');
    return true;
}

static bool take_away(struct page *page, const struct config_database *database, struct error *err)
{
    add_database(page, database, err->kind != ERROR_UNREACHABLE, false);
    return true;
}

const struct page_kind page_tile_databases = {
    .parts = {"tiles"},
    .create = create_databases,
    .ask = ask_databases,
    .take = take_databases,
    .take_failure = take_away,
};

/* --- which there are ---------------------------------------------------------------------------------------------- */

static void create_tiles(struct page *page)
{
    page->lists[page->list_count++] = tile_list_create();
    page->lists[page->list_count++] = tile_plugin_list_create();
}

static size_t ask_tiles(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)page;
    tile_list_ask(&questions[0], database);
    tile_plugin_list_ask(&questions[1], database);
    return 2;
}

static bool take_tiles(struct page *page, const struct config_database *database, struct pg_rows *answers,
                       struct error *err)
{
    (void)database;
    (void)err;
    output_take_rows(page->lists[0], &answers[0]);
    output_take_rows(page->lists[1], &answers[1]);
    return true;
}

const struct page_kind page_tiles = {
    .parts = {"d", DATABASE, "tiles"},
    .create = create_tiles,
    .ask = ask_tiles,
    .take = take_tiles,
};

/* --- one of them -------------------------------------------------------------------------------------------------- */

static const char *number_of(const struct page *page)
{
    return page->target.parts[page->target.part_count - 1];
}

static bool refuse_number(const struct page *page, struct error *err)
{
    error_set(err, ERROR_NOT_FOUND, "there is no tile \"%.80s/%.20s\"", page->job, number_of(page));
    return error_hint(err, "GET /api/v1/d/%s/tiles lists them", page->database->name);
}

static void create_tile(struct page *page)
{
    page->lists[page->list_count++] = tile_rows_create();
}

static bool read_tile(struct page *page, struct error *err)
{
    int64_t number;
    return parse_int64(number_of(page), 0, INT32_MAX, &number) || refuse_number(page, err);
}

static size_t ask_tile(struct page *page, const struct config_database *database, struct question *questions)
{
    tile_rows_ask(&questions[0], database, page->job, number_of(page), page_query(page, "choice"));
    return 1;
}

static int64_t number_at(const struct pg_rows *rows, size_t column)
{
    const char *text = pg_rows_value(rows, 0, column);
    int64_t number = 0;
    return text != NULL && parse_int64(text, 0, INT64_MAX, &number) ? number : 0;
}

static bool take_tile(struct page *page, const struct config_database *database, struct pg_rows *answers,
                      struct error *err)
{
    (void)database;
    if (answers[0].count == 0) {
        return refuse_number(page, err);
    }
    page->cost = (struct page_cost){.plugin = page->job,
                                    .tile = number_of(page),
                                    .took_us = number_at(&answers[0], TILE_TOOK),
                                    .bound_us = number_at(&answers[0], TILE_BOUND)};
    output_take_rows(page->lists[0], &answers[0]);
    return true;
}

/* In words that quote nothing of its query: its error is the log's. */
static bool refuse_tile(struct page *page, const struct config_database *database, struct error *err)
{
    struct error said = *err;
    if (strcmp(said.sqlstate, "P0002") == 0) { /* chime.tile_rows: what was chosen is not there */
        err->kind = ERROR_NOT_FOUND;
        return false;
    }
    if (said.kind == ERROR_UNREACHABLE) { /* in words that name neither host nor role: everybody may read them */
        error_set(err, ERROR_UNREACHABLE, "database \"%s\" cannot be reached", database->name);
        return error_hint(err, "GET /api/v1/databases says why, to who has the role view");
    }
    if (said.sqlstate[0] == '\0' || strcmp(said.sqlstate, "55000") == 0) { /* chime.tile_rows itself */
        return error_prefix(err, "database \"%s\"", database->name);
    }
    log_warning("database %s: tile %s/%s: %s", database->name, page->job, number_of(page), said.message);
    error_set(err, ERROR_REFUSED,
              strcmp(said.sqlstate, "57014") == 0 ? "its query takes longer than 3 s" : "its query fails");
    memcpy(err->sqlstate, said.sqlstate, sizeof(err->sqlstate));
    return error_hint(err, "pgchime tiles %s/%s says why, and so does the log of pgchime-web", page->job,
                      number_of(page));
}

const struct page_kind page_tile = {
    .parts = {"d", DATABASE, "tile", ANY, ANY},
    .queries = {"choice", "version"},
    .create = create_tile,
    .read = read_tile,
    .ask = ask_tile,
    .take = take_tile,
    .take_failure = refuse_tile,
    .of_plugins = true,
};
