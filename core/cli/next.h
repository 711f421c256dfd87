/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/cli/next*.c: what is asked of `pgchime next`, and the rows that answer it. */
#ifndef CHIME_CLI_NEXT_H
#define CHIME_CLI_NEXT_H

#include "cli/command.h"
#include "report/clock_words.h"

struct next_request {
    const struct invocation *invocation;
    size_t count;
    bool explain;
    const char *at; /* as typed; NULL: from now on */
    struct zones *zones;
};

/* next_schedule.c, next_jobs.c: the exit status. */
int next_of_schedule(const struct next_request *request, const char *text);
int next_of_jobs(const struct next_request *request, const char *job);

/* --- next_slots.c ------------------------------------------------------------------------------------------------- */

/* Slots of one schedule, what the clocks did to them included. */
struct next_slots {
    const struct zone *zone;
    instant now; /* INSTANT_NONE: they are not counted from now */
    instant *slots;
    size_t count;
    struct clock_notes notes; /* when they are to be explained */
};

/* Where to begin: `now` itself is over, but a person who writes --at 2026-03-27 means that midnight too. */
bool next_begin(const struct next_request *request, const struct zone *zone, instant now, instant *after,
                struct error *err) CHIME_MUST_CHECK;
/* Slots later than `after`; one alone for a delay, since those that follow depend on how long the run takes. */
void next_slots_take(struct next_slots *slots, const struct next_request *request, const struct schedule *schedule,
                     instant after, instant now, size_t count);
void next_slots_finish(struct next_slots *slots);

/* For people and CSV: a row for each slot. `job` and `database` where `with_jobs`. */
struct next_rows;
struct next_rows *next_rows_create(const struct next_request *request, bool with_jobs);
void next_rows_add(struct next_rows *rows, const char *job, const char *database, const struct next_slots *slots);
void next_rows_print(struct next_rows *rows);
void next_rows_destroy(struct next_rows *rows);

/* Notes as {"at", "slot", "text"}, for programs. */
struct output_list *next_notes_list(const struct clock_notes *notes);

#endif
