/* SPDX-License-Identifier: PostgreSQL */
/* When a job is due next, and which jobs are due soonest, without a look at each. */
#ifndef CHIME_REPORT_NEXT_LIST_H
#define CHIME_REPORT_NEXT_LIST_H

#include "report/calendars.h"
#include "report/clock_words.h"
#include "report/output.h"
#include "report/wake_words.h"

/* What is asked for. */
struct next_question {
    size_t count;   /* slots of a job, or jobs */
    bool explain;   /* what the clocks do to the slots */
    const char *at; /* as typed; NULL: from now on */
};

/* Slots of one schedule, what the clocks did to them included. */
struct next_slots {
    const struct zone *zone;
    instant now; /* INSTANT_NONE: they are not counted from now */
    instant *slots;
    size_t count;
    struct clock_notes notes; /* when they are to be explained */
};

/* Where to begin: `now` itself is over, but a person who writes --at 2026-03-27 means that midnight too. */
bool next_begin(const struct next_question *asked, const struct zone *zone, instant now, instant *after,
                struct error *err) CHIME_MUST_CHECK;
/* Slots later than `after`, no more than `count`; one alone for a delay, since those that follow depend on how long the
 * run takes. */
void next_slots_take(struct next_slots *slots, const struct next_question *asked, const struct schedule *schedule,
                     instant after, instant now, size_t count);
void next_slots_finish(struct next_slots *slots);

/* --- of one job --------------------------------------------------------------------------------------------------- */

/* A row for each job of that name, removed ones, too. Borrows from the answer and its zones. */
struct next_job {
    const char *job;
    bool active;
    struct job_calendar calendar;
    struct wakers wakers;
    struct schedule schedule;
    struct next_slots slots; /* owned */
};

void next_of_job_ask(struct question *question, const char *name);
bool next_of_job_take(struct next_job *job, const struct pg_rows *rows, size_t row, const struct next_question *asked,
                      const struct config_database *database, struct zones *zones, struct error *err) CHIME_MUST_CHECK;

/* Jobs with their slots, to be listed. Begins as zeros. */
struct next_answers {
    struct next_answer *all;
    size_t count;
};

struct next_answer {
    char *job;
    const char *database; /* borrowed, as the zone of the slots is */
    struct next_slots slots;
};

/* The slots are its own from then on. */
void next_answers_add(struct next_answers *answers, const char *job, const char *database,
                      const struct next_slots *slots);
/* Soonest first, and no more than `count`. Each has a slot. */
void next_answers_sort(struct next_answers *answers, size_t count);
/* For programs: an object for each job. */
struct output_list *next_answers_list(const struct next_answers *answers, bool explain);
void next_answers_finish(struct next_answers *answers);

/* --- soonest ------------------------------------------------------------------------------------------------------ */

struct soonest;

/* All are borrowed until it is destroyed. */
struct soonest *soonest_create(const struct next_question *asked, const struct config_database *database,
                               struct zones *zones);
void soonest_destroy(struct soonest *soonest); /* takes NULL */
/* The answer to calendars_ask, which is its own from then on. */
bool soonest_take_calendars(struct soonest *soonest, struct pg_rows *rows, struct error *err) CHIME_MUST_CHECK;
size_t soonest_due(const struct soonest *soonest); /* so many jobs have a next slot */
/* False: there is none to ask for. */
bool soonest_ask(struct soonest *soonest, struct question *question);

/* At least the jobs that are among the count that is asked for of the soonest, each with its next slot. `rows` answers
 * soonest_ask. */
void soonest_add(const struct soonest *soonest, const struct pg_rows *rows, struct next_answers *answers);

#endif
