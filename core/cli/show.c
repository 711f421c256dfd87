/* SPDX-License-Identifier: PostgreSQL */
#include "base/text.h"
#include "cli/commands.h"
#include "cli/job_visit.h"
#include "cli/ledger_lists.h"
#include "cli/load.h"
#include "report/job_past.h"
#include "report/run_detail.h"

#define LAST_RUNS 10

struct request {
    struct job_search search;
    struct output_list *jobs;
    struct output_list *runs;
};

static bool add_job(struct visit *visit, void *data, struct error *err)
{
    struct request *request = data;
    struct job_filter jobs = {.name = request->search.name};
    struct run_filter runs = {.job = request->search.name, .limit = LAST_RUNS};
    bool here;
    if (!job_search_visit(visit, &request->search, &here, err)) {
        return false;
    }
    struct job_page page = {0};
    bool listed = !here || (job_list_add(visit, request->jobs, &jobs, &page, err) &&
                            run_list_add(visit, request->runs, &runs, err));
    job_page_finish(&page);
    return listed;
}

static int show_job(const struct invocation *invocation, const struct config *config, struct request *request)
{
    int status = visit_all(invocation, config, add_job, request);
    if (request->search.found == 0) {
        return status != EXIT_OK ? status : job_search_refuse(&request->search);
    }
    output_set_vertical(request->jobs);
    output_print((struct output_list *const[]){request->jobs, request->runs}, 2, &invocation->style, stdout);
    return status;
}

static int show_all(const struct invocation *invocation)
{
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    struct request request = {
        .search.name = invocation->arguments[0], .jobs = job_list_create(), .runs = run_list_create()};
    status = show_job(invocation, config, &request);
    output_destroy(request.jobs);
    output_destroy(request.runs);
    job_search_finish(&request.search);
    config_free(config);
    return status;
}

/* --- one run ------------------------------------------------------------------------------------------------------ */

/* By its number, or by its slot. */
struct place {
    const char *number;
    const char *slot;
    char text[INSTANT_TEXT_SIZE];
};

static bool read_place(const struct invocation *invocation, struct place *place, struct error *err)
{
    const char *run = invocation_option(invocation, "run");
    int64_t number;
    instant at;
    if (parse_int64(run, 1, INT64_MAX, &number)) {
        place->number = run;
        return true;
    }
    if (instant_parse(run, &at, NULL)) {
        place->slot = instant_format(at, place->text);
        return true;
    }
    error_set(err, ERROR_USAGE, "--run: \"%s\" is neither the number of a run nor its slot", run);
    return error_hint(err, "the first column of pgchime runs has numbers; with -o json it has slots");
}

static bool ask_detail(struct job_visit *visit, const struct pg_rows *place, struct output_list *const *lists,
                       struct error *err)
{
    struct question questions[RUN_DETAIL_LISTS];
    struct pg_rows answers[RUN_DETAIL_LISTS] = {{.count = 0}};
    bool asked = true;
    run_detail_ask(questions, visit->visit.database, visit->job, pg_rows_value(place, 0, 0),
                   pg_rows_value(place, 0, 1));
    for (size_t i = 0; i < RUN_DETAIL_LISTS && asked; i++) {
        asked = visit_ask(&visit->visit, &questions[i], &answers[i], err);
    }
    if (asked) {
        run_detail_take(lists, answers);
    }
    for (size_t i = 0; i < RUN_DETAIL_LISTS; i++) {
        pg_rows_finish(&answers[i]);
    }
    return asked;
}

static bool find_run(struct job_visit *visit, const struct place *place, struct pg_rows *rows, struct error *err)
{
    struct question question;
    run_place_ask(&question, visit->job, place->number, place->slot);
    if (!visit_ask(&visit->visit, &question, rows, err)) {
        return false;
    }
    if (rows->count == 0) {
        pg_rows_finish(rows);
        error_set(err, ERROR_NOT_FOUND, "job \"%s\" has no run %s on record", visit->job,
                  place->number != NULL ? place->number : place->slot);
        return error_hint(err, "of older ones than its latest 10,000 the slot is asked for: pgchime runs %s -o json",
                          visit->job);
    }
    return true;
}

static int print_run(struct job_visit *visit, void *data, struct error *err)
{
    struct output_list *lists[RUN_DETAIL_LISTS];
    struct pg_rows rows;
    if (!find_run(visit, data, &rows, err)) {
        return (int)err->kind;
    }
    run_detail_lists(lists);
    bool asked = ask_detail(visit, &rows, lists, err);
    if (asked) {
        output_set_vertical(lists[0]);
        output_print(lists, RUN_DETAIL_LISTS, &visit->invocation->style, stdout);
    }
    for (size_t i = 0; i < RUN_DETAIL_LISTS; i++) {
        output_destroy(lists[i]);
    }
    pg_rows_finish(&rows);
    return asked ? EXIT_OK : (int)err->kind;
}

/* --- days and versions -------------------------------------------------------------------------------------------- */

static int print_list(struct job_visit *visit, const struct question *question, struct output_list *list,
                      struct error *err)
{
    struct pg_rows rows;
    bool asked = visit_ask(&visit->visit, question, &rows, err);
    if (asked) {
        output_take_rows(list, &rows);
        pg_rows_finish(&rows);
        output_print(&list, 1, &visit->invocation->style, stdout);
    }
    output_destroy(list);
    return asked ? EXIT_OK : (int)err->kind;
}

static int print_days(struct job_visit *visit, void *data, struct error *err)
{
    const int64_t *count = data;
    struct question question;
    job_days_ask(&question, visit->job, *count);
    return print_list(visit, &question, job_days_create(), err);
}

static int print_versions(struct job_visit *visit, void *data, struct error *err)
{
    struct question question;
    (void)data;
    job_versions_ask(&question, visit->job);
    return print_list(visit, &question, job_versions_create(), err);
}

static bool read_days(const struct invocation *invocation, int64_t *days, struct error *err)
{
    const char *text = invocation_option(invocation, "days");
    return parse_int64(text, 1, JOB_DAYS_MAX, days) ||
           error_set(err, ERROR_USAGE, "--days: \"%s\" is not a number from 1 to %d", text, JOB_DAYS_MAX);
}

static int show_part(const struct invocation *invocation)
{
    const char *job = invocation->arguments[0];
    struct place place = {NULL, NULL, ""};
    struct error err;
    int64_t days = 0;
    if (invocation_has(invocation, "run")) {
        return read_place(invocation, &place, &err) ? visit_job(invocation, job, print_run, &place) : fail(&err);
    }
    if (invocation_has(invocation, "days")) {
        return read_days(invocation, &days, &err) ? visit_job(invocation, job, print_days, &days) : fail(&err);
    }
    return visit_job(invocation, job, print_versions, NULL);
}

static int show_run(const struct invocation *invocation)
{
    struct error err;
    int parts = (invocation_has(invocation, "run") ? 1 : 0) + (invocation_has(invocation, "days") ? 1 : 0) +
                (invocation_has(invocation, "versions") ? 1 : 0);
    if (parts > 1) {
        error_set(&err, ERROR_USAGE, "--run, --days and --versions are three questions");
        error_hint(&err, "ask one at a time");
        return fail(&err);
    }
    return parts > 0 ? show_part(invocation) : show_all(invocation);
}

const struct command command_show = {
    .name = "show",
    .arguments = "JOB",
    .least = 1,
    .most = 1,
    .summary = "everything about one job, and its last runs",
    .details = "With --run: one run instead, with its attempts, what it waited for, the runs of other jobs before and\n"
               "after it, and the text that it ran.",
    .options = {{"run", "RUN|SLOT", "one run of it, by its number or its slot"},
                {"days", "N", "what each of its last days (UTC) came to, as the night after sums it up"},
                {"versions", NULL, "its text, and earlier ones that are kept"}},
    .run = show_run,
};
