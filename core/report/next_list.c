/* SPDX-License-Identifier: PostgreSQL */
#include "report/next_list.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* --- slots -------------------------------------------------------------------------------------------------------- */

bool next_begin(const struct next_question *asked, const struct zone *zone, instant now, instant *after,
                struct error *err)
{
    *after = now;
    if (asked->at == NULL) {
        return true;
    }
    if (!wall_time_parse(asked->at, zone, after, err)) {
        return error_prefix(err, "--at");
    }
    *after -= 1;
    return true;
}

void next_slots_take(struct next_slots *slots, const struct next_question *asked, const struct schedule *schedule,
                     instant after, instant now, size_t count)
{
    *slots = (struct next_slots){.zone = schedule->zone, .now = asked->at == NULL ? now : INSTANT_NONE};
    slots->slots = xcalloc(count, sizeof(*slots->slots));
    instant slot = schedule_next(schedule, after);
    while (slot != INSTANT_NEVER && slots->count < count) {
        slots->slots[slots->count++] = slot;
        slot = schedule->form == SCHEDULE_DELAY ? INSTANT_NEVER : schedule_next(schedule, slot);
    }
    if (asked->explain) {
        clock_notes_take(&slots->notes, schedule, after + 1, slots->slots, slots->count);
    }
}

void next_slots_finish(struct next_slots *slots)
{
    clock_notes_finish(&slots->notes);
    free(slots->slots);
}

/* --- of one job --------------------------------------------------------------------------------------------------- */

static const char of_job_sql[] = "SELECT j.name, j.active, " WAKERS_COLUMNS ", " JOB_CALENDAR_COLUMNS
                                 "  FROM chime.job j JOIN chime.job_status s USING (job_id)"
                                 " WHERE j.name = $1"
                                 " ORDER BY j.name, j.owner";
static const char *const examples[][QUESTION_PARAMETERS_MAX] = {{"example"}, {NULL}};
const struct report_statement next_of_job_statement = {"next_of_job", of_job_sql, 1, examples};
enum { RESULT_NAME, RESULT_ACTIVE, RESULT_WAKERS, RESULT_CALENDAR = 5 };

void next_of_job_ask(struct question *question, const char *name)
{
    *question = (struct question){.id = REPORT_NEXT_OF_JOB, .parameters = {name}};
}

bool next_of_job_take(struct next_job *job, const struct pg_rows *rows, size_t row, const struct next_question *asked,
                      const struct config_database *database, struct zones *zones, struct error *err)
{
    instant now = INSTANT_NONE;
    *job = (struct next_job){.job = pg_rows_value(rows, row, RESULT_NAME),
                             .active = pg_rows_value(rows, row, RESULT_ACTIVE)[0] == 't',
                             .calendar = job_calendar_of_row(rows, row, RESULT_CALENDAR),
                             .wakers = wakers_of_row(rows, row, RESULT_WAKERS)};
    if (!job_schedule(&job->calendar, database, zones, &job->schedule, err) ||
        !instant_parse(job->calendar.database_now, &now, err)) {
        return error_prefix(err, "job \"%s\"", job->job);
    }
    instant after = job->active ? job_slots_after(&job->calendar, &job->schedule) : INSTANT_NEVER;
    if (after != INSTANT_NEVER && job->schedule.form != SCHEDULE_DELAY &&
        !next_begin(asked, job->schedule.zone, after, &after, err)) {
        return false;
    }
    next_slots_take(&job->slots, asked, &job->schedule, after, now, asked->count);
    return true;
}

/* --- for programs ------------------------------------------------------------------------------------------------- */

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

struct output_list *next_answers_list(const struct next_answers *answers, bool explain)
{
    static const struct output_column columns[] = {
        {NULL, "job", OUTPUT_TEXT, OUTPUT_ALWAYS},      {NULL, "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
        {NULL, "timezone", OUTPUT_TEXT, OUTPUT_ALWAYS}, {NULL, "slots", OUTPUT_DATA, OUTPUT_ALWAYS},
        {NULL, "notes", OUTPUT_DATA, OUTPUT_ALWAYS},
    };
    struct output_list *list = output_create("jobs", columns, COUNT_OF(columns) - (explain ? 0 : 1));
    for (size_t i = 0; i < answers->count; i++) {
        const struct next_answer *answer = &answers->all[i];
        output_add_row(list);
        output_set(list, 0, answer->job);
        output_set(list, 1, answer->database);
        output_set(list, 2, answer->slots.zone != NULL ? zone_name(answer->slots.zone) : "UTC");
        set_json(list, 3, slots_json(&answer->slots));
        if (explain) {
            set_json(list, 4, notes_json(&answer->slots.notes));
        }
    }
    return list;
}

/* --- jobs --------------------------------------------------------------------------------------------------------- */

void next_answers_add(struct next_answers *answers, const char *job, const char *database,
                      const struct next_slots *slots)
{
    answers->all = xrealloc(answers->all, answers->count + 1, sizeof(*answers->all));
    answers->all[answers->count++] = (struct next_answer){.job = xstrdup(job), .database = database, .slots = *slots};
}

static int compare_answers(const void *left, const void *right)
{
    const struct next_answer *a = left;
    const struct next_answer *b = right;
    if (a->slots.slots[0] != b->slots.slots[0]) {
        return a->slots.slots[0] < b->slots.slots[0] ? -1 : 1;
    }
    int order = strcmp(a->database, b->database);
    return order != 0 ? order : strcmp(a->job, b->job);
}

static void drop_last(struct next_answers *answers)
{
    struct next_answer *answer = &answers->all[--answers->count];
    free(answer->job);
    next_slots_finish(&answer->slots);
}

void next_answers_sort(struct next_answers *answers, size_t count)
{
    if (answers->count > 1) {
        qsort(answers->all, answers->count, sizeof(*answers->all), compare_answers);
    }
    while (answers->count > count) {
        drop_last(answers);
    }
}

void next_answers_finish(struct next_answers *answers)
{
    while (answers->count > 0) {
        drop_last(answers);
    }
    free(answers->all);
    *answers = (struct next_answers){NULL, 0};
}
