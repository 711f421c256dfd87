/* SPDX-License-Identifier: PostgreSQL */
/* Which jobs are due soonest, by the calendars that they have. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/next_list.h"

/* A calendar of the answer, with its next slot. */
struct candidate {
    struct job_calendars calendars;
    struct schedule schedule;
    instant after;
    instant now;
    instant slot;
};

struct soonest {
    const struct next_question *asked;
    const struct config_database *database;
    struct zones *zones;
    struct pg_rows rows;
    struct candidate *all; /* by slot, once they are taken */
    size_t count;
    size_t due;
    struct calendar_choice *choice;
};

struct soonest *soonest_create(const struct next_question *asked, const struct config_database *database,
                               struct zones *zones)
{
    struct soonest *soonest = xcalloc(1, sizeof(*soonest));
    *soonest = (struct soonest){.asked = asked, .database = database, .zones = zones};
    return soonest;
}

void soonest_destroy(struct soonest *soonest)
{
    if (soonest != NULL) {
        calendar_choice_destroy(soonest->choice);
        free(soonest->all);
        pg_rows_finish(&soonest->rows);
        free(soonest);
    }
}

/* Those that differ only in what was decided come one after the other. */
static bool is_more_of(const struct candidate *last, const struct job_calendars *calendars)
{
    const char *moment = last->calendars.moment;
    return strcmp(last->calendars.key, calendars->key) == 0 &&
           (moment == NULL ? calendars->moment == NULL
                           : calendars->moment != NULL && strcmp(moment, calendars->moment) == 0);
}

static bool take_candidate(struct soonest *soonest, size_t row, struct error *err)
{
    struct candidate candidate = {.calendars = calendars_of_row(&soonest->rows, row)};
    const struct job_calendar *calendar = &candidate.calendars.next;
    struct candidate *last = soonest->count > 0 ? &soonest->all[soonest->count - 1] : NULL;
    if (last != NULL && is_more_of(last, &candidate.calendars)) {
        last->calendars.jobs += candidate.calendars.jobs;
        return true;
    }
    if (!job_schedule(calendar, soonest->database, soonest->zones, &candidate.schedule, err) ||
        !instant_parse(calendar->database_now, &candidate.now, err)) {
        return error_prefix(err, "job \"%s\"", candidate.calendars.name);
    }
    candidate.after = job_slots_after(calendar, &candidate.schedule);
    if (candidate.after != INSTANT_NEVER && candidate.schedule.form != SCHEDULE_DELAY &&
        !next_begin(soonest->asked, candidate.schedule.zone, candidate.after, &candidate.after, err)) {
        return false;
    }
    candidate.slot = schedule_next(&candidate.schedule, candidate.after);
    if (candidate.slot != INSTANT_NEVER) {
        soonest->all[soonest->count++] = candidate;
    }
    return true;
}

static int by_slot(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

bool soonest_take_calendars(struct soonest *soonest, struct pg_rows *rows, struct error *err)
{
    soonest->rows = *rows;
    *rows = (struct pg_rows){.count = 0};
    soonest->all = xcalloc(soonest->rows.count + 1, sizeof(*soonest->all));
    for (size_t row = 0; row < soonest->rows.count; row++) {
        if (!take_candidate(soonest, row, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < soonest->count; i++) {
        soonest->due += soonest->all[i].calendars.jobs;
    }
    qsort(soonest->all, soonest->count, sizeof(*soonest->all), by_slot);
    return true;
}

size_t soonest_due(const struct soonest *soonest)
{
    return soonest->due;
}

/* Those until there are as many jobs as are wanted, and who is due at the same slot as the last of them. */
bool soonest_ask(struct soonest *soonest, struct question *question)
{
    size_t wanted = soonest->asked->count;
    soonest->choice = calendar_choice_create();
    size_t jobs = 0;
    for (size_t i = 0; i < soonest->count; i++) {
        const struct candidate *next = &soonest->all[i];
        if (jobs >= wanted && next->slot != soonest->all[i - 1].slot) {
            break;
        }
        jobs += next->calendars.jobs;
        calendar_choice_add(soonest->choice, &next->calendars);
    }
    calendar_jobs_ask(question, soonest->choice, wanted);
    return jobs > 0;
}

void soonest_add(const struct soonest *soonest, const struct pg_rows *rows, struct next_answers *answers)
{
    for (size_t row = 0; row < rows->count; row++) {
        const struct candidate *of = &soonest->all[strtoull(pg_rows_value(rows, row, 0), NULL, 10)];
        struct next_slots slots;
        next_slots_take(&slots, soonest->asked, &of->schedule, of->after, of->now, 1);
        next_answers_add(answers, pg_rows_value(rows, row, 1), soonest->database->name, &slots);
    }
}
