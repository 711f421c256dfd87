/* SPDX-License-Identifier: PostgreSQL */
/* Runs, of all jobs or of one; and one run. */
#include "base/memory.h"
#include "report/job_search.h"
#include "report/run_detail.h"
#include "web/page_kind.h"

#define RUNS_DEFAULT 20
#define RUNS_MOST 500

/* --- many --------------------------------------------------------------------------------------------------------- */

static void create_runs(struct page *page)
{
    page->lists[page->list_count++] = run_list_create();
    page->runs = (struct run_filter){.job = page->job, .limit = RUNS_DEFAULT};
    page->jobs = (struct job_filter){.name = page->job};
}

static bool read_before(struct page *page, struct error *err)
{
    const char *before = page_query(page, "before");
    if (before == NULL) {
        return true;
    }
    page->runs.before = &page->before;
    return run_cursor_read(before, &page->before, err) || error_prefix(err, "\"before\"");
}

static bool read_runs(struct page *page, struct error *err)
{
    const char *states = page_query(page, "state");
    if (states != NULL && !run_list_read_states(states, &page->states, err)) {
        return false;
    }
    page->runs.states = states != NULL ? buffer_text(&page->states) : NULL;
    return page_read_number(page, "limit", RUNS_MOST, &page->runs.limit, err) && read_before(page, err) &&
           page_read_instant(page, "since", page->since, &page->runs.since, err) &&
           page_read_instant(page, "until", page->until, &page->runs.until, err);
}

/* Of one job, whether it is there, too. */
static size_t ask_runs(struct page *page, const struct config_database *database, struct question *questions)
{
    run_list_ask(&questions[0], database, &page->runs);
    if (page->job == NULL) {
        return 1;
    }
    job_id_ask(&questions[1], page->job);
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
    return true;
}

#define RUN_QUERIES                                  \
    {                                                \
        "state", "since", "until", "before", "limit" \
    }

const struct page_kind page_runs_of_job = {
    .parts = {"d", DATABASE, "job", ANY, "runs"},
    .queries = RUN_QUERIES,
    .create = create_runs,
    .read = read_runs,
    .ask = ask_runs,
    .take = take_runs,
};

const struct page_kind page_runs = {
    .parts = {"d", DATABASE, "runs"},
    .queries = RUN_QUERIES,
    .create = create_runs,
    .read = read_runs,
    .ask = ask_runs,
    .take = take_runs,
};

/* --- one ---------------------------------------------------------------------------------------------------------- */

static void create_run(struct page *page)
{
    run_detail_lists(page->lists);
    page->list_count = RUN_DETAIL_LISTS;
}

static bool read_run(struct page *page, struct error *err)
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

static size_t ask_run(struct page *page, const struct config_database *database, struct question *questions)
{
    run_detail_ask(questions, database, page->job, page->runs.kind, page->runs.slot);
    job_id_ask(&questions[RUN_DETAIL_LISTS], page->job);
    return RUN_DETAIL_LISTS + 1;
}

static bool take_run(struct page *page, const struct config_database *database, struct pg_rows *answers,
                     struct error *err)
{
    (void)database;
    if (answers[RUN_DETAIL_LISTS].count == 0) {
        return page_refuse_job(page, err);
    }
    run_detail_take(page->lists, answers);
    if (page->hides) {
        run_detail_hide_commands(page->lists);
    }
    return true;
}

const struct page_kind page_run = {
    .parts = {"d", DATABASE, "job", ANY, "run", ANY, ANY},
    .create = create_run,
    .read = read_run,
    .ask = ask_run,
    .take = take_run,
};
_Static_assert(RUN_DETAIL_LISTS <= PAGE_LISTS_MAX && RUN_DETAIL_LISTS < PAGE_QUESTIONS_MAX, "it has room for them");
