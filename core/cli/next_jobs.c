/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime next [JOB]`: when one job or all jobs are due next. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/load.h"
#include "cli/next.h"
#include "cli/next_soonest.h"
#include "cli/visit.h"
#include "report/job_slots.h"
#include "report/wake_words.h"

/* One job of one database, with its slots. */
struct job_answer {
    char *job;
    const char *database; /* of the configuration */
    const char *timezone;
    struct next_slots slots;
};

struct search {
    const struct next_request *request;
    struct job_search job; /* name NULL: all */
    struct job_answer *answers;
    size_t count;
    size_t due;     /* of all active jobs those with a slot that is known */
    size_t unknown; /* the others */
};

static const char jobs_sql[] = "SELECT j.name, j.active, " WAKERS_COLUMNS ", " JOB_CALENDAR_COLUMNS
                               "  FROM chime.job j JOIN chime.job_status s USING (job_id)"
                               " WHERE j.name = $1"
                               " ORDER BY j.name, j.owner";
enum { RESULT_NAME, RESULT_ACTIVE, RESULT_WAKERS, RESULT_CALENDAR = 5 };

/* --- why there is none -------------------------------------------------------------------------------------------- */

static void say_unscheduled(const struct invocation *invocation, const char *job, const struct wakers *wakers)
{
    struct buffer text = {0};
    put_wakers(&text, wakers);
    remark(invocation, "job \"%s\" has no schedule: it runs %s", job,
           text.length > 0 ? buffer_text(&text) : "when it is asked for");
    buffer_finish(&text);
}

static void say_none(const struct search *search, const struct pg_rows *rows, size_t row,
                     const struct schedule *schedule)
{
    const struct invocation *invocation = search->request->invocation;
    const char *job = pg_rows_value(rows, row, RESULT_NAME);
    char length[DURATION_TEXT_SIZE];
    if (pg_rows_value(rows, row, RESULT_ACTIVE)[0] != 't') {
        remark(invocation, "job \"%s\" is inactive: it has no slots", job);
    } else if (job_calendar_of_row(rows, row, RESULT_CALENDAR).suspended_at != NULL) {
        remark(invocation, "job \"%s\" is suspended: it has no slots until it is resumed", job);
    } else if (schedule->form == SCHEDULE_NONE) {
        struct wakers wakers = wakers_of_row(rows, row, RESULT_WAKERS);
        say_unscheduled(invocation, job, &wakers);
    } else if (schedule->form == SCHEDULE_REBOOT) {
        remark(invocation, "job \"%s\" is due with the next start of the server", job);
    } else if (schedule->form == SCHEDULE_DELAY) {
        remark(invocation, "job \"%s\" runs now: it is due %s after its end", job,
               duration_format(schedule->interval, length));
    } else {
        remark(invocation, "job \"%s\" has no slots from then on", job);
    }
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void add_answer(struct search *search, const char *job, const struct config_database *database,
                       const struct schedule *schedule, const struct next_slots *slots)
{
    struct job_answer answer = {.job = xstrdup(job), .database = database->name, .slots = *slots};
    answer.timezone = schedule->zone != NULL ? zone_name(schedule->zone) : "UTC";
    search->answers = xrealloc(search->answers, search->count + 1, sizeof(*search->answers));
    search->answers[search->count++] = answer;
}

static bool take_slots(struct search *search, const struct visit *visit, const struct pg_rows *rows, size_t row,
                       struct error *err)
{
    struct job_calendar calendar = job_calendar_of_row(rows, row, RESULT_CALENDAR);
    const char *job = pg_rows_value(rows, row, RESULT_NAME);
    struct next_slots slots;
    struct schedule schedule;
    instant now = INSTANT_NONE;
    if (!job_schedule(&calendar, visit->database, search->request->zones, &schedule, err) ||
        !instant_parse(calendar.database_now, &now, err)) {
        return error_prefix(err, "job \"%s\"", job);
    }
    bool active = pg_rows_value(rows, row, RESULT_ACTIVE)[0] == 't';
    instant after = active ? job_slots_after(&calendar, &schedule) : INSTANT_NEVER;
    if (after != INSTANT_NEVER && schedule.form != SCHEDULE_DELAY &&
        !next_begin(search->request, schedule.zone, after, &after, err)) {
        return false;
    }
    next_slots_take(&slots, search->request, &schedule, after, now, search->request->count);
    if (slots.count == 0) {
        say_none(search, rows, row, &schedule);
    }
    add_answer(search, job, visit->database, &schedule, &slots);
    return true;
}

static bool ask_of_one(struct visit *visit, struct search *search, struct error *err)
{
    struct pg_rows rows;
    bool here;
    if (!job_search_visit(visit, &search->job, &here, err) || !here) {
        return !here;
    }
    if (!pg_client_query(visit->client, jobs_sql, &search->job.name, 1, &rows, err)) {
        return false;
    }
    bool ok = true;
    for (size_t row = 0; row < rows.count && ok; row++) {
        ok = take_slots(search, visit, &rows, row, err);
    }
    pg_rows_finish(&rows);
    return ok;
}

struct asking {
    struct search *search;
    const struct config_database *database;
};

static void take_soonest(void *data, const char *job, const struct schedule *schedule, instant after, instant now)
{
    const struct asking *asking = data;
    struct next_slots slots;
    next_slots_take(&slots, asking->search->request, schedule, after, now, 1);
    add_answer(asking->search, job, asking->database, schedule, &slots);
}

static bool ask_database(struct visit *visit, void *data, struct error *err)
{
    struct search *search = data;
    if (search->job.name != NULL) {
        return ask_of_one(visit, search, err);
    }
    struct asking asking = {search, visit->database};
    struct question question = {.id = REPORT_ACTIVE_JOBS};
    struct pg_rows rows;
    size_t due = 0;
    if (!next_soonest(visit, search->request, &due, take_soonest, &asking, err) ||
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

static json_t *instant_json(instant at)
{
    char text[INSTANT_TEXT_SIZE];
    return json_string(instant_format(at, text));
}

static void set_json(struct output_list *list, size_t column, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    output_set(list, column, text);
    free(text);
    json_decref(json);
}

static json_t *slots_json(const struct next_slots *slots)
{
    json_t *array = json_array();
    for (size_t i = 0; i < slots->count; i++) {
        json_array_append_new(array, instant_json(slots->slots[i]));
    }
    return array;
}

static json_t *notes_json(const struct clock_notes *notes)
{
    json_t *array = json_array();
    for (size_t i = 0; i < notes->count; i++) {
        json_t *note = json_object();
        json_object_set_new(note, "at", instant_json(notes->notes[i].at));
        json_object_set_new(note, "slot", instant_json(notes->notes[i].slot));
        json_object_set_new(note, "text", json_string(notes->notes[i].text));
        json_array_append_new(array, note);
    }
    return array;
}

static void print_data(const struct search *search)
{
    static const struct output_column columns[] = {
        {NULL, "job", OUTPUT_TEXT, OUTPUT_ALWAYS},      {NULL, "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
        {NULL, "timezone", OUTPUT_TEXT, OUTPUT_ALWAYS}, {NULL, "slots", OUTPUT_DATA, OUTPUT_ALWAYS},
        {NULL, "notes", OUTPUT_DATA, OUTPUT_ALWAYS},
    };
    bool explain = search->request->explain;
    struct output_list *list = output_create("jobs", columns, COUNT_OF(columns) - (explain ? 0 : 1));
    for (size_t i = 0; i < search->count; i++) {
        const struct job_answer *answer = &search->answers[i];
        output_add_row(list);
        output_set(list, 0, answer->job);
        output_set(list, 1, answer->database);
        output_set(list, 2, answer->timezone);
        set_json(list, 3, slots_json(&answer->slots));
        if (explain) {
            set_json(list, 4, notes_json(&answer->slots.notes));
        }
    }
    output_print(&list, 1, &search->request->invocation->style, stdout);
    output_destroy(list);
}

static void print_rows(const struct search *search)
{
    struct next_rows *rows = next_rows_create(search->request, true);
    for (size_t i = 0; i < search->count; i++) {
        const struct job_answer *answer = &search->answers[i];
        next_rows_add(rows, answer->job, answer->database, &answer->slots);
    }
    next_rows_print(rows);
    next_rows_destroy(rows);
}

static int compare_answers(const void *left, const void *right)
{
    const struct job_answer *a = left;
    const struct job_answer *b = right;
    if (a->slots.slots[0] != b->slots.slots[0]) {
        return a->slots.slots[0] < b->slots.slots[0] ? -1 : 1;
    }
    int order = strcmp(a->database, b->database);
    return order != 0 ? order : strcmp(a->job, b->job);
}

static void drop_last(struct search *search)
{
    struct job_answer *answer = &search->answers[--search->count];
    free(answer->job);
    next_slots_finish(&answer->slots);
}

static void answer_all(struct search *search)
{
    const struct invocation *invocation = search->request->invocation;
    if (search->count > 1) {
        qsort(search->answers, search->count, sizeof(*search->answers), compare_answers);
    }
    while (search->count > search->request->count) {
        drop_last(search);
    }
    if (search->due > search->count) {
        remark(invocation, "%zu of %zu jobs; --count N shows more", search->count, search->due);
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
    if (search->count == 0 && search->job.name == NULL && status == EXIT_OK && search->unknown == 0) {
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
    while (search.count > 0) {
        drop_last(&search);
    }
    free(search.answers);
    job_search_finish(&search.job);
    config_free(config);
    return status;
}
