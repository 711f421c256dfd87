/* SPDX-License-Identifier: PostgreSQL */
/* What is asked for below /api/v1, and its answer from what databases say: the JSON that the command of that name
 * prints with -o json, made by the same functions (core/report).
 *
 * Does: find what a target names, say what is asked of which database, make the answer.
 * Does not: ask. */
#ifndef CHIME_WEB_PAGE_H
#define CHIME_WEB_PAGE_H

#include <stdint.h>

#include "base/buffer.h"
#include "config/config.h"
#include "http/target.h"
#include "pg/rows.h"
#include "report/statements.h"

#define PAGE_QUESTIONS_MAX 10
#define PAGE_LISTS_MAX 6

struct page;
struct page_kind;

/* What a tile took; its texts are the page's. */
struct page_cost {
    const char *plugin; /* NULL: this is no tile that was answered */
    const char *tile;
    int64_t took_us;
    int64_t bound_us; /* 0: it has none */
};

/* NULL with ERROR_NOT_FOUND or ERROR_USAGE: there is no such page, or not with such a query. Takes the target over,
 * also then. The configuration is borrowed. */
struct page *page_create(const struct config *config, struct http_target *target, struct error *err);
void page_destroy(struct page *page);
void page_hide_commands(struct page *page); /* its answer has no texts of jobs */
/* Whether whoever has the role tiles may see what the target names, which is below /api/v1: tiles and freshness. */
bool page_is_for_tiles(const struct http_target *target);
/* Of a page that is a tile. Its query is a plugin's, and may be slow; what it shows is the same for as long as the
 * query `version` of its target is, which is no part of its name. */
struct page_tile {
    const char *plugin; /* NULL: the page is no tile; the texts are the page's */
    const char *number;
    const struct config_database *database;
    bool asked_more; /* the target has a query */
};
struct page_tile page_tile_of(const struct page *page);
struct page_cost page_took(const struct page *page);
/* Which databases are to be asked: [first, first + count) of the configuration. */
void page_databases(const struct page *page, size_t *first, size_t *count);
/* What is asked of one. */
size_t page_ask(struct page *page, const struct config_database *database,
                struct question questions[static PAGE_QUESTIONS_MAX]);
/* What each said, in the order of the configuration: an answer to each question, or why there is none. False: the page
 * is that error. */
bool page_take(struct page *page, const struct config_database *database, struct pg_rows *answers, struct error *err);
bool page_take_failure(struct page *page, const struct config_database *database, struct error *err);
/* Once all are taken: whether it has questions that follow from the answers. */
bool page_asks_again(struct page *page);
void page_put(const struct page *page, struct buffer *text);
const char *page_type(const struct page *page);        /* of that text */
duration page_fresh_for(const struct page *page);      /* how old it may be for the next who asks */
struct metrics *page_figures(const struct page *page); /* to add more to, before it is put; NULL: it has none */
/* False for readiness alone, where it is not: the answer is 503. */
bool page_is_well(const struct page *page);

#endif
