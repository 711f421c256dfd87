/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime next [JOB]`: when one job or all jobs are due next. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/load.h"
#include "cli/next.h"
#include "cli/next_soonest.h"
#include "cli/visit.h"

struct search {
    const struct next_request *request;
    struct job_search job; /* name NULL: all */
    struct next_answers answers;
    size_t due;     /* of all active jobs those with a slot that is known */
    size_t unknown; /* the others */
};

/* --- why there is none -------------------------------------------------------------------------------------------- */

static void say_unscheduled(const struct invocation *invocation, const char *job, const struct wakers *wakers)
{
    struct buffer text = {0};
    put_wakers(&text, wakers);
    remark(invocation, "job \"%s\" has no schedule: it runs %s", job,
           text.length > 0 ? buffer_text(&text) : "when it is asked for");
    buffer_finish(&text);
}

static void say_none(const struct search *search, const struct next_job *of)
{
    const struct invocation *invocation = search->request->invocation;
    char length[DURATION_TEXT_SIZE];
    if (!of->active) {
        remark(invocation, "job \"%s\" is inactive: it has no slots", of->job);
    } else if (of->calendar.suspended_at != NULL) {
        remark(invocation, "job \"%s\" is suspended: it has no slots until it is resumed", of->job);
    } else if (of->schedule.form == SCHEDULE_NONE) {
        say_unscheduled(invocation, of->job, &of->wakers);
    } else if (of->schedule.form == SCHEDULE_REBOOT) {
        remark(invocation, "job \"%s\" is due with the next start of the server", of->job);
    } else if (of->schedule.form == SCHEDULE_DELAY) {
        remark(invocation, "job \"%s\" runs now: it is due %s after its end", of->job,
               duration_format(of->schedule.interval, length));
    } else {
        remark(invocation, "job \"%s\" has no slots from then on", of->job);
    }
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static bool take_slots(struct search *search, const struct visit *visit, const struct pg_rows *rows, size_t row,
                       struct error *err)
{
    struct next_job of;
    if (!next_of_job_take(&of, rows, row, &search->request->asked, visit->database, search->request->zones, err)) {
        return false;
    }
    if (of.slots.count == 0) {
        say_none(search, &of);
    }
    next_answers_add(&search->answers, of.job, visit->database->name, &of.slots);
    return true;
}

static bool ask_of_one(struct visit *visit, struct search *search, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    bool here;
    if (!job_search_visit(visit, &search->job, &here, err) || !here) {
        return !here;
    }
    next_of_job_ask(&question, search->job.name);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    bool ok = true;
    for (size_t row = 0; row < rows.count && ok; row++) {
        ok = take_slots(search, visit, &rows, row, err);
    }
    pg_rows_finish(&rows);
    return ok;
}

static bool ask_database(struct visit *visit, void *data, struct error *err)
{
    struct search *search = data;
    if (search->job.name != NULL) {
        return ask_of_one(visit, search, err);
    }
    struct question question = {.id = REPORT_ACTIVE_JOBS};
    struct pg_rows rows;
    size_t due = 0;
    if (!next_soonest(visit, search->request, &search->answers, &due, err) ||
        !visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    size_t active = (size_t)strtoull(pg_rows_value(&rows, 0, 0), NULL, 10);
    pg_rows_finish(&rows);
    search->due += due;
    search->unknown += active > due ? active - due : 0;
    return true;
}

/* --- answering ---------------------------------------------------------------------------------------------------- */

static void print_data(const struct search *search)
{
    struct output_list *list = next_answers_list(&search->answers, search->request->asked.explain);
    output_print(&list, 1, &search->request->invocation->style, stdout);
    output_destroy(list);
}

static void print_rows(const struct search *search)
{
    struct next_rows *rows = next_rows_create(search->request, true);
    for (size_t i = 0; i < search->answers.count; i++) {
        const struct next_answer *answer = &search->answers.all[i];
        next_rows_add(rows, answer->job, answer->database, &answer->slots);
    }
    next_rows_print(rows);
    next_rows_destroy(rows);
}

static void answer_all(struct search *search)
{
    const struct invocation *invocation = search->request->invocation;
    next_answers_sort(&search->answers, search->request->asked.count);
    if (search->due > search->answers.count) {
        remark(invocation, "%zu of %zu jobs; --count N shows more", search->answers.count, search->due);
    }
    if (search->unknown > 0) {
        remark(invocation, "%zu active job%s without a slot that is known beforehand", search->unknown,
               search->unknown == 1 ? "" : "s");
    }
}

static int answer(struct search *search, int status)
{
    if (search->job.name == NULL) {
        answer_all(search);
    } else if (search->job.found == 0) {
        return status != EXIT_OK ? status : job_search_refuse(&search->job);
    }
    enum output_format format = search->request->invocation->style.format;
    if (format == OUTPUT_JSON || format == OUTPUT_NDJSON) {
        print_data(search);
    } else {
        print_rows(search);
    }
    if (search->answers.count == 0 && search->job.name == NULL && status == EXIT_OK && search->unknown == 0) {
        remark(search->request->invocation, "no active jobs");
    }
    return status;
}

int next_of_jobs(const struct next_request *request, const char *job)
{
    struct search search = {.request = request, .job.name = job};
    int status;
    struct config *config = load_config(request->invocation, &status);
    if (config == NULL) {
        return status;
    }
    status = answer(&search, visit_all(request->invocation, config, ask_database, &search));
    next_answers_finish(&search.answers);
    job_search_finish(&search.job);
    config_free(config);
    return status;
}
