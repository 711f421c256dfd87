/* SPDX-License-Identifier: PostgreSQL */
/* /metrics, in its two forms: what `pgchime metrics` prints, and figures of this process (pages_on_figures). */
#include "web/page_kind.h"

#define FRESH_FOR (10 * USEC_PER_SEC) /* however many scrape */

static void create_metrics(struct page *page)
{
    page->metrics = metrics_create();
}

static size_t ask_metrics(struct page *page, const struct config_database *database, struct question *questions)
{
    metrics_ask(page->metrics, page->config, database, questions);
    return METRICS_QUESTIONS;
}

static bool take_metrics(struct page *page, const struct config_database *database, struct pg_rows *answers,
                         struct error *err)
{
    (void)err;
    metrics_take(page->metrics, database, answers);
    return true;
}

static void take_absent(struct page *page, const struct config_database *database)
{
    metrics_take_absent(page->metrics, database);
}

static void put_open(const struct page *page, struct buffer *text)
{
    metrics_put(page->metrics, METRICS_OPEN, text);
}

static void put_text(const struct page *page, struct buffer *text)
{
    metrics_put(page->metrics, METRICS_TEXT, text);
}

const struct page_kind page_metrics_open = {.parts = {"metrics.open"},
                                            .create = create_metrics,
                                            .ask = ask_metrics,
                                            .take = take_metrics,
                                            .take_absent = take_absent,
                                            .put = put_open,
                                            .type = METRICS_OPEN_TYPE,
                                            .fresh_for = FRESH_FOR};
const struct page_kind page_metrics_text = {.parts = {"metrics"},
                                            .create = create_metrics,
                                            .ask = ask_metrics,
                                            .take = take_metrics,
                                            .take_absent = take_absent,
                                            .put = put_text,
                                            .type = METRICS_TEXT_TYPE,
                                            .fresh_for = FRESH_FOR};
