/* SPDX-License-Identifier: PostgreSQL */
#include "web/page_kind.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/database_list.h"

/* --- databases ---------------------------------------------------------------------------------------------------- */

static void create_databases(struct page *page)
{
    page->lists[page->list_count++] = database_list_create();
}

static size_t ask_databases(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)page;
    database_list_ask(&questions[0], database);
    database_problems_ask(&questions[1], database);
    job_problems_ask(&questions[2]);
    calendars_ask(&questions[3]);
    return 4;
}

static void add_problem(struct buffer *text, const char *message)
{
    buffer_printf(text, "%s%s", text->length > 0 ? "; " : "", message);
}

/* As `pgchime status` says it. */
static bool take_databases(struct page *page, const struct config_database *database, struct pg_rows *answers,
                           struct error *err)
{
    struct output_list *list = page->lists[0];
    struct buffer text = {0};
    struct due_jobs due;
    struct error late;
    (void)err;
    database_list_take(list, &answers[0]);
    for (size_t answer = 1; answer <= 2; answer++) {
        for (size_t row = 0; row < answers[answer].count; row++) {
            add_problem(&text, pg_rows_value(&answers[answer], row, 0));
        }
    }
    due_jobs_take(&due, &answers[3], database);
    database_list_set_due(list, &due);
    if (due_jobs_are_late(&due, &late)) {
        add_problem(&text, late.message);
    }
    due_jobs_finish(&due);
    if (text.length > 0) {
        database_list_set_problem(list, buffer_text(&text));
    }
    buffer_finish(&text);
    return true;
}

static void take_unreachable(struct page *page, const struct config_database *database, const struct error *err)
{
    database_list_take_unknown(page->lists[0], database);
    database_list_set_reachable(page->lists[0], err->kind != ERROR_UNREACHABLE);
    database_list_set_problem(page->lists[0], err->message);
}

/* --- readiness ---------------------------------------------------------------------------------------------------- */

static size_t ask_readiness(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)page;
    database_list_ask(&questions[0], database);
    return 1;
}

static bool take_readiness(struct page *page, const struct config_database *database, struct pg_rows *answers,
                           struct error *err)
{
    const char *led = answers[0].count > 0 ? pg_rows_value(&answers[0], 0, DATABASE_LIST_SESSION) : NULL;
    (void)err;
    database_list_take(page->lists[0], &answers[0]);
    if (led == NULL || led[0] != 't') {
        page->well = false;
        database_list_set_problem(page->lists[0], "nobody leads this database: no job runs");
    }
    (void)database;
    return true;
}

/* --- which there are ---------------------------------------------------------------------------------------------- */

static const struct page_kind page_databases_of = {
    .parts = {"databases"},
    .create = create_databases,
    .ask = ask_databases,
    .take = take_databases,
};

static const struct page_kind page_readiness = {
    .parts = {"readyz"},
    .create = create_databases,
    .ask = ask_readiness,
    .take = take_readiness,
};

static const struct page_kind *const kinds[] = {
    &page_databases_of, &page_readiness,    &page_jobs,           &page_job,      &page_runs_of_job,
    &page_run,          &page_runs,         &page_next,           &page_soonest,  &page_days,
    &page_versions,     &page_views,        &page_alerts,         &page_findings, &page_graph,
    &page_why,          &page_history,      &page_silences,       &page_crowded,  &page_notifications,
    &page_metrics_open, &page_metrics_text, &page_tile_databases, &page_tiles,    &page_tile,
};

static bool is_of_kind(const struct page_kind *kind, const struct http_target *target)
{
    size_t part = 0;
    for (; part < target->part_count; part++) {
        const char *wanted = kind->parts[part];
        if (wanted == NULL ||
            (strcmp(wanted, ANY) != 0 && strcmp(wanted, DATABASE) != 0 && strcmp(wanted, target->parts[part]) != 0)) {
            return false;
        }
    }
    return kind->parts[part] == NULL;
}

static const struct page_kind *find_kind(const struct http_target *target)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (is_of_kind(kinds[i], target)) {
            return kinds[i];
        }
    }
    return NULL;
}

bool page_is_for_tiles(const struct http_target *target)
{
    const struct page_kind *kind = find_kind(target);
    return kind == &page_tile_databases || kind == &page_tiles || kind == &page_tile;
}

struct page_tile page_tile_of(const struct page *page)
{
    const struct http_target *target = &page->target;
    return page->kind->of_plugins ? (struct page_tile){.plugin = page->job,
                                                       .number = target->parts[target->part_count - 1],
                                                       .database = page->database,
                                                       .asked_more = target->query_count > 0}
                                  : (struct page_tile){.plugin = NULL};
}

struct page_cost page_took(const struct page *page)
{
    return page->cost;
}

static bool knows_query(const struct page_kind *kind, const char *name)
{
    for (size_t i = 0; i < HTTP_QUERIES_MAX && kind->queries[i] != NULL; i++) {
        if (strcmp(kind->queries[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool check_queries(const struct page *page, struct error *err)
{
    for (size_t i = 0; i < page->target.query_count; i++) {
        if (!knows_query(page->kind, page->target.queries[i].name)) {
            error_set(err, ERROR_USAGE, "there is no \"%s\" to ask for here", page->target.queries[i].name);
            return error_hint(err, "docs/web.md lists what each page knows");
        }
    }
    return true;
}

static bool find_database(struct page *page, struct error *err)
{
    const struct http_target *target = &page->target;
    if (target->part_count < 2) {
        return true;
    }
    page->database = config_find_database(page->config, target->parts[1]);
    if (page->database == NULL) {
        error_set(err, ERROR_NOT_FOUND, "there is no database \"%s\"", target->parts[1]);
        return error_hint(err, "GET /api/v1/databases lists them");
    }
    page->job = target->part_count > 3 ? target->parts[3] : NULL;
    return true;
}

static bool find(struct page *page, struct error *err)
{
    page->kind = find_kind(&page->target);
    if (page->kind == NULL) {
        error_set(err, ERROR_NOT_FOUND, "there is no such page");
        return error_hint(err, "docs/web.md lists them; GET /api/v1/databases is the first");
    }
    if (!check_queries(page, err) || !find_database(page, err)) {
        return false;
    }
    page->kind->create(page);
    return page->kind->read == NULL || page->kind->read(page, err);
}

struct page *page_create(const struct config *config, struct http_target *target, struct error *err)
{
    struct page *page = xcalloc(1, sizeof(*page));
    *page = (struct page){.config = config, .target = *target, .well = true};
    target->text = NULL;
    if (!find(page, err)) {
        page_destroy(page);
        return NULL;
    }
    return page;
}

void page_destroy(struct page *page)
{
    why_finish(&page->why);
    job_page_finish(&page->job_page);
    soonest_destroy(page->soonest);
    next_answers_finish(&page->next);
    zones_destroy(page->zones);
    run_cursor_finish(&page->before);
    metrics_destroy(page->metrics);
    for (size_t i = 0; i < page->list_count; i++) {
        output_destroy(page->lists[i]);
    }
    buffer_finish(&page->states);
    http_target_finish(&page->target);
    free(page);
}

void page_hide_commands(struct page *page)
{
    page->hides = true;
}

void page_databases(const struct page *page, size_t *first, size_t *count)
{
    *first = page->database != NULL ? (size_t)(page->database - page->config->databases) : 0;
    *count = page->database != NULL ? 1 : page->config->database_count;
}

size_t page_ask(struct page *page, const struct config_database *database,
                struct question questions[static PAGE_QUESTIONS_MAX])
{
    return page->kind->ask(page, database, questions);
}

bool page_take(struct page *page, const struct config_database *database, struct pg_rows *answers, struct error *err)
{
    return page->kind->take(page, database, answers, err);
}

bool page_asks_again(struct page *page)
{
    page->round++;
    return page->kind->asks_again != NULL ? page->kind->asks_again(page) : page->kind->rounds > page->round;
}

bool page_take_failure(struct page *page, const struct config_database *database, struct error *err)
{
    page->well = false;
    if (page->kind->take_failure != NULL) {
        return page->kind->take_failure(page, database, err);
    }
    if (page->database != NULL) {
        return error_prefix(err, "database \"%s\"", database->name);
    }
    if (page->kind->take_absent != NULL) {
        page->kind->take_absent(page, database);
    } else {
        take_unreachable(page, database, err);
    }
    return true;
}

void page_put(const struct page *page, struct buffer *text)
{
    if (page->kind->put != NULL) {
        page->kind->put(page, text);
    } else {
        output_put_json(text, page->lists, page->list_count);
    }
}

const char *page_type(const struct page *page)
{
    return page->kind->type != NULL ? page->kind->type : "application/json";
}

duration page_fresh_for(const struct page *page)
{
    return page->kind->fresh_for > 0 ? page->kind->fresh_for : USEC_PER_SEC;
}

struct metrics *page_figures(const struct page *page)
{
    return page->metrics;
}

bool page_is_well(const struct page *page)
{
    return page->well || page->kind->take != take_readiness;
}
