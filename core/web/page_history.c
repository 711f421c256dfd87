/* SPDX-License-Identifier: PostgreSQL */
/* What was: who led, what people did, what was told; the silences that are in force; and what will be due at once. */
#include "base/memory.h"
#include "base/text.h"
#include "report/action_list.h"
#include "report/alert_list.h"
#include "report/crowd_list.h"
#include "report/history_list.h"
#include "web/page_kind.h"

/* --- who led, and what people did --------------------------------------------------------------------------------- */

static void create_history(struct page *page)
{
    page->lists[page->list_count++] = leadership_list_create();
    page->lists[page->list_count++] = action_list_create();
}

static bool read_before(struct page *page, struct error *err)
{
    return page_read_instant(page, "before", page->until, &page->runs.until, err);
}

static size_t ask_history(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)database;
    leadership_list_ask(&questions[0], page->runs.until);
    action_list_ask(&questions[1], page->runs.until);
    return 2;
}

static bool take_history(struct page *page, const struct config_database *database, struct pg_rows *answers,
                         struct error *err)
{
    (void)err;
    leadership_list_take(page->lists[0], &answers[0], database);
    action_list_take(page->lists[1], &answers[1], database);
    return true;
}

static bool take_lists(struct page *page, const struct config_database *database, struct pg_rows *answers,
                       struct error *err)
{
    (void)database;
    (void)err;
    for (size_t i = 0; i < page->list_count; i++) {
        output_take_rows(page->lists[i], &answers[i]);
    }
    return true;
}

const struct page_kind page_history = {
    .parts = {"d", DATABASE, "history"},
    .queries = {"before"},
    .create = create_history,
    .read = read_before,
    .ask = ask_history,
    .take = take_history,
};

/* --- silences ----------------------------------------------------------------------------------------------------- */

static void create_silences(struct page *page)
{
    page->lists[page->list_count++] = silence_list_create();
}

static size_t ask_silences(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)page;
    silence_list_ask(&questions[0], database);
    return 1;
}

const struct page_kind page_silences = {
    .parts = {"d", DATABASE, "silences"},
    .create = create_silences,
    .ask = ask_silences,
    .take = take_lists,
};

/* --- what was told ------------------------------------------------------------------------------------------------ */

static void create_notifications(struct page *page)
{
    page->lists[page->list_count++] = notification_list_create();
}

static bool read_number(struct page *page, struct error *err)
{
    const char *before = page_query(page, "before");
    int64_t number;
    if (before != NULL && !parse_int64(before, 1, INT64_MAX, &number)) {
        error_set(err, ERROR_USAGE, "\"before\" is no number of a notification");
        return error_hint(err, "it is the last one of the list before");
    }
    return true;
}

static size_t ask_notifications(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)database;
    notification_list_ask(&questions[0], page_query(page, "before"));
    return 1;
}

const struct page_kind page_notifications = {
    .parts = {"d", DATABASE, "notifications"},
    .queries = {"before"},
    .create = create_notifications,
    .read = read_number,
    .ask = ask_notifications,
    .take = take_lists,
};

/* --- what is due at once ------------------------------------------------------------------------------------------ */

static void create_crowded(struct page *page)
{
    page->lists[page->list_count++] = crowd_list_create();
}

static size_t ask_crowded(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)page;
    (void)database;
    crowd_list_ask(questions);
    return CROWD_QUESTIONS;
}

static bool take_crowded(struct page *page, const struct config_database *database, struct pg_rows *answers,
                         struct error *err)
{
    (void)err;
    crowd_list_take(page->lists[0], answers, database);
    return true;
}

const struct page_kind page_crowded = {
    .parts = {"d", DATABASE, "crowded"},
    .create = create_crowded,
    .ask = ask_crowded,
    .take = take_crowded,
};
