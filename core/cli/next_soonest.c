/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/next_soonest.h"
#include "report/calendars.h"

/* A calendar of the answer, with its next slot. */
struct candidate {
    struct job_calendars calendars;
    struct schedule schedule;
    instant after;
    instant now;
    instant slot;
};

struct candidates {
    struct candidate *all;
    size_t count;
};

/* Those that differ only in what was decided come one after the other. */
static bool is_more_of(const struct candidate *last, const struct job_calendars *calendars)
{
    const char *moment = last->calendars.moment;
    return strcmp(last->calendars.key, calendars->key) == 0 &&
           (moment == NULL ? calendars->moment == NULL
                           : calendars->moment != NULL && strcmp(moment, calendars->moment) == 0);
}

static bool take_candidate(struct candidates *candidates, const struct visit *visit, const struct next_request *request,
                           const struct pg_rows *rows, size_t row, struct error *err)
{
    struct candidate candidate = {.calendars = calendars_of_row(rows, row)};
    const struct job_calendar *calendar = &candidate.calendars.next;
    struct candidate *last = candidates->count > 0 ? &candidates->all[candidates->count - 1] : NULL;
    if (last != NULL && is_more_of(last, &candidate.calendars)) {
        last->calendars.jobs += candidate.calendars.jobs;
        return true;
    }
    if (!job_schedule(calendar, visit->database, request->zones, &candidate.schedule, err) ||
        !instant_parse(calendar->database_now, &candidate.now, err)) {
        return error_prefix(err, "job \"%s\"", candidate.calendars.name);
    }
    candidate.after = job_slots_after(calendar, &candidate.schedule);
    if (candidate.after != INSTANT_NEVER && candidate.schedule.form != SCHEDULE_DELAY &&
        !next_begin(request, candidate.schedule.zone, candidate.after, &candidate.after, err)) {
        return false;
    }
    candidate.slot = schedule_next(&candidate.schedule, candidate.after);
    if (candidate.slot != INSTANT_NEVER) {
        candidates->all[candidates->count++] = candidate;
    }
    return true;
}

static int by_slot(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

/* The soonest until they have as many jobs as are wanted, and who is due at the same slot as the last of them. */
static size_t choose(const struct candidates *candidates, size_t wanted, struct calendar_choice *choice)
{
    size_t count = 0;
    for (size_t jobs = 0; count < candidates->count; count++) {
        const struct candidate *next = &candidates->all[count];
        if (jobs >= wanted && next->slot != candidates->all[count - 1].slot) {
            break;
        }
        jobs += next->calendars.jobs;
        calendar_choice_add(choice, &next->calendars);
    }
    return count;
}

static bool each_job(struct visit *visit, const struct candidates *candidates, size_t wanted,
                     soonest_function *function, void *data, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    struct calendar_choice *choice = calendar_choice_create();
    bool asked = true;
    if (choose(candidates, wanted, choice) > 0) {
        calendar_jobs_ask(&question, choice, wanted);
        asked = visit_ask(visit, &question, &rows, err);
        for (size_t row = 0; asked && row < rows.count; row++) {
            const struct candidate *of = &candidates->all[strtoull(pg_rows_value(&rows, row, 0), NULL, 10)];
            function(data, pg_rows_value(&rows, row, 1), &of->schedule, of->after, of->now);
        }
        if (asked) {
            pg_rows_finish(&rows);
        }
    }
    calendar_choice_destroy(choice);
    return asked;
}

bool next_soonest(struct visit *visit, const struct next_request *request, size_t *due, soonest_function *function,
                  void *data, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    calendars_ask(&question);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    struct candidates candidates = {.all = xcalloc(rows.count + 1, sizeof(*candidates.all))};
    bool read = true;
    for (size_t row = 0; read && row < rows.count; row++) {
        read = take_candidate(&candidates, visit, request, &rows, row, err);
    }
    for (size_t i = 0; i < candidates.count; i++) {
        *due += candidates.all[i].calendars.jobs;
    }
    qsort(candidates.all, candidates.count, sizeof(*candidates.all), by_slot);
    read = read && each_job(visit, &candidates, request->count, function, data, err);
    free(candidates.all);
    pg_rows_finish(&rows);
    return read;
}
