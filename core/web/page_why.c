/* SPDX-License-Identifier: PostgreSQL */
/* What a job does or waits for now: its number is asked for first, then the facts, then what it comes after. */
#include <stdio.h>

#include "report/job_search.h"
#include "web/page_kind.h"

enum { ROUND_NUMBER, ROUND_FACTS, ROUND_UPSTREAMS, ROUND_COUNT };

static void create_why(struct page *page)
{
    page->why = (struct why_facts){.job = page->job, .job_id = page->job_id, .database = page->database};
}

static size_t ask_why(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)database;
    if (page->round == ROUND_NUMBER) {
        job_id_ask(&questions[0], page->job);
    } else if (page->round == ROUND_FACTS) {
        why_ask(&questions[0], &page->why);
    } else {
        why_ask_upstreams(&questions[0], &page->why);
        why_ask_failing(&questions[1], &page->why);
        return 2;
    }
    return 1;
}

static bool take_number(struct page *page, const struct pg_rows *rows, struct error *err)
{
    if (rows->count == 0) {
        return page_refuse_job(page, err);
    }
    snprintf(page->job_id, sizeof(page->job_id), "%s", pg_rows_value(rows, 0, 0));
    return true;
}

/* The rows are its own from then on. */
static bool take_facts(struct page *page, struct pg_rows *rows, struct error *err)
{
    bool taken = why_take(&page->why, rows, err);
    *rows = (struct pg_rows){.count = 0};
    return taken;
}

static bool take_why(struct page *page, const struct config_database *database, struct pg_rows *answers,
                     struct error *err)
{
    (void)database;
    if (page->round == ROUND_NUMBER) {
        return take_number(page, &answers[0], err);
    }
    if (page->round == ROUND_FACTS) {
        return take_facts(page, &answers[0], err);
    }
    why_take_upstreams(&page->why, &answers[0]);
    why_take_failing(&page->why, &answers[1]);
    page->lists[page->list_count++] = why_list_create();
    why_list_take(page->lists[0], &page->why, NULL);
    return true;
}

const struct page_kind page_why = {
    .parts = {"d", DATABASE, "job", ANY, "why"},
    .create = create_why,
    .ask = ask_why,
    .take = take_why,
    .rounds = ROUND_COUNT,
};
