/* SPDX-License-Identifier: PostgreSQL */
/* Jobs, one of them, what its days came to, its texts, and when it is due next. */
#include "base/memory.h"
#include "report/job_past.h"
#include "report/job_search.h"
#include "web/page_kind.h"

#define JOBS_MOST 500
#define LAST_RUNS 10 /* as `pgchime show` */
#define NEXT_DEFAULT 10
#define NEXT_MOST 500

/* --- many --------------------------------------------------------------------------------------------------------- */

static void create_jobs(struct page *page)
{
    page->lists[page->list_count++] = job_list_create();
}

static bool read_jobs(struct page *page, struct error *err)
{
    int64_t limit = JOBS_MOST;
    page->jobs = (struct job_filter){.plugin = page_query(page, "plugin"),
                                     .owner = page_query(page, "owner"),
                                     .origin = page_query(page, "origin"),
                                     .like = page_query(page, "like"),
                                     .part = page_query(page, "q"),
                                     .state = page_query(page, "state"),
                                     .after = page_query(page, "after"),
                                     .failing = page_query(page, "failing") != NULL,
                                     .suspended = page_query(page, "suspended") != NULL,
                                     .late = page_query(page, "late") != NULL,
                                     .all = page_query(page, "all") != NULL};
    if (!page_read_number(page, "limit", JOBS_MOST, &limit, err)) {
        return false;
    }
    page->jobs.limit = (size_t)limit;
    return job_filter_check(&page->jobs, err);
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
    if (page->hides) {
        job_list_hide_commands(page->lists[0]);
    }
    return true;
}

static bool jobs_follow(const struct page *page)
{
    return !page->job_page.ended;
}

const struct page_kind page_jobs = {
    .parts = {"d", DATABASE, "jobs"},
    .queries = {"q", "state", "plugin", "owner", "origin", "like", "failing", "suspended", "late", "all", "after",
                "limit"},
    .create = create_jobs,
    .read = read_jobs,
    .ask = ask_jobs,
    .take = take_jobs,
    .asks_again = jobs_follow,
};

/* --- one ---------------------------------------------------------------------------------------------------------- */

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
    if (page->hides) {
        job_list_hide_commands(page->lists[0]);
    }
    run_list_take(page->lists[1], &answers[1]);
    return true;
}

const struct page_kind page_job = {
    .parts = {"d", DATABASE, "job", ANY},
    .create = create_job,
    .ask = ask_job,
    .take = take_job,
};

/* --- days and versions -------------------------------------------------------------------------------------------- */

static void create_days(struct page *page)
{
    page->lists[page->list_count++] = job_days_create();
}

static bool read_days(struct page *page, struct error *err)
{
    page->days = JOB_DAYS_DEFAULT;
    return page_read_number(page, "count", JOB_DAYS_MAX, &page->days, err);
}

static size_t ask_days(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)database;
    job_days_ask(&questions[0], page->job, page->days);
    job_id_ask(&questions[1], page->job);
    return 2;
}

static void create_versions(struct page *page)
{
    page->lists[page->list_count++] = job_versions_create();
}

static size_t ask_versions(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)database;
    job_versions_ask(&questions[0], page->job);
    job_id_ask(&questions[1], page->job);
    return 2;
}

static bool take_list(struct page *page, const struct config_database *database, struct pg_rows *answers,
                      struct error *err)
{
    (void)database;
    if (answers[1].count == 0) {
        return page_refuse_job(page, err);
    }
    output_take_rows(page->lists[0], &answers[0]);
    return true;
}

static bool take_versions(struct page *page, const struct config_database *database, struct pg_rows *answers,
                          struct error *err)
{
    bool taken = take_list(page, database, answers, err);
    if (page->hides) {
        job_versions_hide_commands(page->lists[0]);
    }
    return taken;
}

const struct page_kind page_days = {
    .parts = {"d", DATABASE, "job", ANY, "days"},
    .queries = {"count"},
    .create = create_days,
    .read = read_days,
    .ask = ask_days,
    .take = take_list,
    .fresh_for = USEC_PER_MINUTE,
};

const struct page_kind page_versions = {
    .parts = {"d", DATABASE, "job", ANY, "versions"},
    .create = create_versions,
    .ask = ask_versions,
    .take = take_versions,
};

/* --- when it is due next ------------------------------------------------------------------------------------------ */

static void create_next(struct page *page)
{
    page->zones = zones_create();
}

static bool read_next(struct page *page, struct error *err)
{
    int64_t count = NEXT_DEFAULT;
    page->asked.explain = page_query(page, "explain") != NULL;
    if (!page_read_number(page, "count", NEXT_MOST, &count, err) ||
        !page_read_instant(page, "from", page->since, &page->asked.at, err)) {
        return false;
    }
    page->asked.count = (size_t)count;
    return true;
}

static size_t ask_next(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)database;
    next_of_job_ask(&questions[0], page->job);
    return 1;
}

static bool take_next(struct page *page, const struct config_database *database, struct pg_rows *answers,
                      struct error *err)
{
    if (answers[0].count == 0) {
        return page_refuse_job(page, err);
    }
    for (size_t row = 0; row < answers[0].count; row++) {
        struct next_job of;
        if (!next_of_job_take(&of, &answers[0], row, &page->asked, database, page->zones, err)) {
            return false;
        }
        next_answers_add(&page->next, of.job, database->name, &of.slots);
    }
    page->lists[page->list_count++] = next_answers_list(&page->next, page->asked.explain);
    return true;
}

const struct page_kind page_next = {
    .parts = {"d", DATABASE, "job", ANY, "next"},
    .queries = {"count", "from", "explain"},
    .create = create_next,
    .read = read_next,
    .ask = ask_next,
    .take = take_next,
};

/* --- which are due soonest: their calendars are asked for first, then their names --------------------------------- */

static size_t ask_soonest(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)database;
    if (page->round == 0) {
        calendars_ask(&questions[0]);
    } else {
        (void)soonest_ask(page->soonest, &questions[0]); /* of none there are no rows */
    }
    return 1;
}

static bool take_soonest(struct page *page, const struct config_database *database, struct pg_rows *answers,
                         struct error *err)
{
    if (page->round == 0) {
        page->soonest = soonest_create(&page->asked, database, page->zones);
        return soonest_take_calendars(page->soonest, &answers[0], err);
    }
    soonest_add(page->soonest, &answers[0], &page->next);
    next_answers_sort(&page->next, page->asked.count);
    page->lists[page->list_count++] = next_answers_list(&page->next, page->asked.explain);
    return true;
}

const struct page_kind page_soonest = {
    .parts = {"d", DATABASE, "next"},
    .queries = {"count", "from", "explain"},
    .create = create_next,
    .read = read_next,
    .ask = ask_soonest,
    .take = take_soonest,
    .rounds = 2,
};
