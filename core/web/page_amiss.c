/* SPDX-License-Identifier: PostgreSQL */
/* What is amiss: views that are late, alerts, and what `pgchime doctor` finds in a database. */
#include "base/memory.h"
#include "report/alert_list.h"
#include "report/due_jobs.h"
#include "report/finding_list.h"
#include "report/view_list.h"
#include "web/page_kind.h"

/* --- views -------------------------------------------------------------------------------------------------------- */

static void create_views(struct page *page)
{
    page->lists[page->list_count++] = view_list_create();
}

static size_t ask_views(struct page *page, const struct config_database *database, struct question *questions)
{
    view_list_ask(&questions[0], database, page_query(page, "stale") != NULL);
    return 1;
}

static bool take_views(struct page *page, const struct config_database *database, struct pg_rows *answers,
                       struct error *err)
{
    (void)database;
    (void)err;
    output_take_rows(page->lists[0], &answers[0]);
    return true;
}

const struct page_kind page_views = {
    .parts = {"d", DATABASE, "views"},
    .queries = {"stale"},
    .create = create_views,
    .ask = ask_views,
    .take = take_views,
};

/* --- alerts ------------------------------------------------------------------------------------------------------- */

static void create_alerts(struct page *page)
{
    page->lists[page->list_count++] = alert_list_create();
    page->lists[page->list_count++] = silence_list_create();
}

static size_t ask_alerts(struct page *page, const struct config_database *database, struct question *questions)
{
    alert_list_ask(&questions[0], database, page_query(page, "all") != NULL);
    silence_list_ask(&questions[1], database);
    return 2;
}

static bool take_alerts(struct page *page, const struct config_database *database, struct pg_rows *answers,
                        struct error *err)
{
    (void)database;
    (void)err;
    alert_list_take(page->lists[0], &answers[0]);
    output_take_rows(page->lists[1], &answers[1]);
    return true;
}

const struct page_kind page_alerts = {
    .parts = {"d", DATABASE, "alerts"},
    .queries = {"all"},
    .create = create_alerts,
    .ask = ask_alerts,
    .take = take_alerts,
};

/* --- findings ----------------------------------------------------------------------------------------------------- */

/* As `pgchime doctor` asks, but for the configuration: the daemon's is not known here. */
static const enum report_id findings[] = {REPORT_SERVER_FINDINGS, REPORT_LEADER_FINDINGS, REPORT_OWNER_FINDINGS,
                                          REPORT_WORK_FINDINGS,   REPORT_KEPT_FINDINGS,   REPORT_CALENDARS,
                                          REPORT_OTHERS_FINDINGS, REPORT_CRON_FINDINGS,   REPORT_WRITERS_FINDINGS};

static void create_findings(struct page *page)
{
    page->lists[page->list_count++] = finding_list_create();
}

static size_t ask_findings(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)page;
    for (size_t i = 0; i < COUNT_OF(findings); i++) {
        if (findings[i] == REPORT_CALENDARS) {
            calendars_ask(&questions[i]);
        } else {
            finding_list_ask(&questions[i], findings[i], database, NULL);
        }
    }
    return COUNT_OF(findings);
}

static void take_due(struct page *page, const struct config_database *database, const struct pg_rows *rows)
{
    struct due_jobs due;
    struct error problem;
    due_jobs_take(&due, rows, database);
    if (due_jobs_are_late(&due, &problem)) {
        finding_list_add(page->lists[0], database->name, "job-late", FINDING_WARN, due.latest, problem.message,
                         problem.hint);
    }
    due_jobs_finish(&due);
}

static bool take_findings(struct page *page, const struct config_database *database, struct pg_rows *answers,
                          struct error *err)
{
    (void)err;
    for (size_t i = 0; i < COUNT_OF(findings); i++) {
        if (findings[i] == REPORT_CALENDARS) {
            take_due(page, database, &answers[i]);
        } else {
            finding_list_take(page->lists[0], &answers[i], database);
        }
    }
    return true;
}

const struct page_kind page_findings = {
    .parts = {"d", DATABASE, "doctor"},
    .create = create_findings,
    .ask = ask_findings,
    .take = take_findings,
};
