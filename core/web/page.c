/* SPDX-License-Identifier: PostgreSQL */
#include "web/page_kind.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "report/database_list.h"

#define LAST_RUNS 10 /* as `pgchime show` */
#define RUNS_DEFAULT 20
#define RUNS_MAX 500
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

/* --- jobs --------------------------------------------------------------------------------------------------------- */

static void create_jobs(struct page *page)
{
    page->lists[page->list_count++] = job_list_create();
}

static bool read_jobs(struct page *page, struct error *err)
{
    page->jobs = (struct job_filter){.plugin = page_query(page, "plugin"),
                                     .like = page_query(page, "like"),
                                     .failing = page_query(page, "failing") != NULL,
                                     .suspended = page_query(page, "suspended") != NULL,
                                     .late = page_query(page, "late") != NULL,
                                     .all = page_query(page, "all") != NULL};
    (void)err;
    return true;
}

static size_t ask_jobs(struct page *page, const struct config_database *database, struct question *questions)
{
    job_list_ask(&questions[0], database, &page->jobs, &page->job_page);
    return 1;
}

static bool take_jobs(struct page *page, const struct config_database *database, struct pg_rows *answers,
                      struct error *err)
{
    (void)err;
    job_list_take(page->lists[0], &answers[0], database, &page->jobs, &page->job_page);
    job_page_finish(&page->job_page);
    if (page->hides) {
        job_list_hide_commands(page->lists[0]);
    }
    return true;
}

/* --- one job ------------------------------------------------------------------------------------------------------ */

static void create_job(struct page *page)
{
    create_jobs(page);
    page->lists[page->list_count++] = run_list_create();
    page->jobs = (struct job_filter){.name = page->job};
    page->runs = (struct run_filter){.job = page->job, .limit = LAST_RUNS};
}

static size_t ask_job(struct page *page, const struct config_database *database, struct question *questions)
{
    job_list_ask(&questions[0], database, &page->jobs, &page->job_page);
    run_list_ask(&questions[1], database, &page->runs);
    return 2;
}

static bool take_job(struct page *page, const struct config_database *database, struct pg_rows *answers,
                     struct error *err)
{
    if (answers[0].count == 0) {
        return page_refuse_job(page, err);
    }
    job_list_take(page->lists[0], &answers[0], database, &page->jobs, &page->job_page);
    job_page_finish(&page->job_page);
    if (page->hides) {
        job_list_hide_commands(page->lists[0]);
    }
    run_list_take(page->lists[1], &answers[1]);
    return true;
}

/* --- runs --------------------------------------------------------------------------------------------------------- */

static void create_runs(struct page *page)
{
    page->lists[page->list_count++] = run_list_create();
    page->runs = (struct run_filter){.job = page->job, .limit = RUNS_DEFAULT};
    page->jobs = (struct job_filter){.name = page->job};
}

/* An instant alone: what is "an hour ago" would be another answer each time. */
static bool read_instant(const struct page *page, const char *name, char *text, const char **value, struct error *err)
{
    const char *given = page_query(page, name);
    instant at;
    if (given == NULL) {
        return true;
    }
    if (!instant_parse(given, &at, err)) {
        return error_prefix(err, "\"%s\"", name);
    }
    *value = instant_format(at, text);
    return true;
}

static bool read_limit(struct page *page, struct error *err)
{
    const char *limit = page_query(page, "limit");
    if (limit != NULL && !parse_int64(limit, 1, RUNS_MAX, &page->runs.limit)) {
        error_set(err, ERROR_USAGE, "\"limit\" is no number from 1 to %d", RUNS_MAX);
        return error_hint(err, "write limit=100, and until=INSTANT for what was before");
    }
    return true;
}

static bool read_runs(struct page *page, struct error *err)
{
    const char *states = page_query(page, "state");
    if (states != NULL && !run_list_read_states(states, &page->states, err)) {
        return false;
    }
    page->runs.states = states != NULL ? buffer_text(&page->states) : NULL;
    return read_limit(page, err) && read_instant(page, "since", page->since, &page->runs.since, err) &&
           read_instant(page, "until", page->until, &page->runs.until, err);
}

static bool read_one_run(struct page *page, struct error *err)
{
    const size_t last = page->target.part_count - 1;
    instant at;
    if (!instant_parse(page->target.parts[last], &at, err)) {
        return error_hint(err, "a run is named by its kind and its slot: /run/schedule/2026-03-27T01:30:00Z");
    }
    page->runs.kind = page->target.parts[last - 1];
    page->runs.slot = instant_format(at, page->since);
    return true;
}

/* Of one job, whether it is there, too. */
static size_t ask_runs(struct page *page, const struct config_database *database, struct question *questions)
{
    run_list_ask(&questions[0], database, &page->runs);
    if (page->job == NULL) {
        return 1;
    }
    job_list_ask(&questions[1], database, &page->jobs, &page->job_page);
    return 2;
}

static bool take_runs(struct page *page, const struct config_database *database, struct pg_rows *answers,
                      struct error *err)
{
    (void)database;
    if (page->job != NULL && answers[1].count == 0) {
        return page_refuse_job(page, err);
    }
    run_list_take(page->lists[0], &answers[0]);
    run_list_sort(page->lists[0], page->runs.limit);
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

static const struct page_kind page_jobs = {
    .parts = {"d", DATABASE, "jobs"},
    .queries = {"plugin", "like", "failing", "suspended", "late", "all"},
    .create = create_jobs,
    .read = read_jobs,
    .ask = ask_jobs,
    .take = take_jobs,
};

static const struct page_kind page_job = {
    .parts = {"d", DATABASE, "job", ANY},
    .create = create_job,
    .ask = ask_job,
    .take = take_job,
};

#define RUN_QUERIES                        \
    {                                      \
        "state", "since", "until", "limit" \
    }

static const struct page_kind page_runs_of_job = {
    .parts = {"d", DATABASE, "job", ANY, "runs"},
    .queries = RUN_QUERIES,
    .create = create_runs,
    .read = read_runs,
    .ask = ask_runs,
    .take = take_runs,
};

static const struct page_kind page_run = {
    .parts = {"d", DATABASE, "job", ANY, "run", ANY, ANY},
    .create = create_runs,
    .read = read_one_run,
    .ask = ask_runs,
    .take = take_runs,
};

static const struct page_kind page_runs = {
    .parts = {"d", DATABASE, "runs"},
    .queries = RUN_QUERIES,
    .create = create_runs,
    .read = read_runs,
    .ask = ask_runs,
    .take = take_runs,
};

static const struct page_kind *const kinds[] = {
    &page_databases_of,   &page_readiness, &page_jobs,    &page_job,           &page_runs_of_job,  &page_run,
    &page_runs,           &page_views,     &page_alerts,  &page_findings,      &page_graph,        &page_why,
    &page_history,        &page_silences,  &page_crowded, &page_notifications, &page_metrics_open, &page_metrics_text,
    &page_tile_databases, &page_tiles,     &page_tile,
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

bool page_is_of_plugins(const struct page *page)
{
    return page->kind->of_plugins;
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
    *page = (struct page){.config = config, .target = *target, .well = true, .job_page.at_once = true};
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
    return page->kind->rounds > page->round;
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
