/* SPDX-License-Identifier: PostgreSQL */
/* What the ledger knows about one job, and what follows from it: what it does or waits for now, or what became of a
 * slot of the past.
 *
 * Does: ask for the facts (why_ask, then why_ask_upstreams and why_ask_failing), make a list of them, or ask for a slot
 *   by them.
 * The rules are those of the scheduler, read back from what it wrote: a command has no other way to the leader's
 * memory. */
#ifndef CHIME_REPORT_WHY_H
#define CHIME_REPORT_WHY_H

#include "base/buffer.h"
#include "base/error.h"
#include "report/job_slots.h"
#include "report/output.h"
#include "report/statements.h"
#include "report/wake_words.h"

/* A job that the one asked about comes after. */
struct why_upstream {
    char *name;
    char *outcome; /* NULL: none yet */
    char *absence; /* "suspended by ann: too slow", "inactive": it is not waited for; NULL: it is */
    bool live;
    bool open;      /* has a slot that the job's slot has to wait for */
    bool delivered; /* for a join: an outcome since its last decision */
};

/* Begins with its first three alone. */
struct why_facts {
    const char *job; /* borrowed */
    const char *job_id;
    const struct config_database *database;
    struct pg_rows rows;
    struct pg_rows failing; /* how often in a row, and since when; of a job that does not fail none */
    struct schedule schedule;
    struct zones *zones;
    instant now;
    instant cursor;
    instant due;  /* the first undecided slot that is due; INSTANT_NONE: none */
    instant next; /* INSTANT_NEVER: not known, or never */
    struct why_upstream *upstreams;
    size_t upstream_count;
};

enum why_column {
    WHY_ACTIVE,
    WHY_PLUGIN,
    WHY_PLUGIN_STATE,
    WHY_PLUGIN_REASON,
    WHY_INACTIVE,
    WHY_POOL,
    WHY_SUSPENDED_BY,
    WHY_SUSPENDED_AT,
    WHY_SUSPENDED_UNTIL,
    WHY_SUSPEND_REASON,
    WHY_LED,
    WHY_RUN_ID,
    WHY_RUN_KIND,
    WHY_RUN_SLOT,
    WHY_RUN_ATTEMPT,
    WHY_RUN_PID,
    WHY_RUN_RETRY_AT,
    WHY_RUN_SINCE,
    WHY_RUN_BLOCKERS,
    WHY_LAST_SLOT,
    WHY_LAST_STATE,
    WHY_LAST_REASON,
    WHY_LAST_MESSAGE,
    WHY_MISSED_FIRST,
    WHY_MISSED_LAST,
    WHY_MISSED_COUNT,
    WHY_MISSED_REASON,
    WHY_ASKED_AT,
    WHY_ASKED_BY,
    WHY_ASKED_RUN,
    WHY_POOL_BUSY,
    WHY_BUSY,
    WHY_WATCH_SINCE, /* events are not heard since then */
    WHY_WATCH_REASON,
    WHY_FAILURE, /* of a refresh whose last run failed */
    WHY_PROBLEM,
    WHY_AHEAD, /* its number, where its cursor is in the future */
    WHY_COPY,
    WHY_UNLED,        /* nobody leads, and since when */
    WHY_LAST_UNLED,   /* nobody led at the last decision's slot: from when to when */
    WHY_MISSED_UNLED, /* and when slots were missed last */
    WHY_HELD,         /* who keeps the leader from starting anything */
    WHY_RETRIED,      /* what the server said of the attempt before */
    WHY_POSITION,     /* of a job with a cursor, in words */
    WHY_POOL_HOLDERS, /* jobs whose runs have the pool's slots, five at most */
    WHY_LAST_ATTEMPT,
    WHY_LAST_SQLSTATE,
    WHY_OPTIONS,
    WHY_REFRESHES,
    WHY_WAKERS,                    /* the wakers' columns begin here */
    WHY_SCHEDULE = WHY_WAKERS + 3, /* the calendar's columns begin here */
};

void why_ask(struct question *question, const struct why_facts *facts);
/* The rows are the facts' from then on, also after a failure. */
bool why_take(struct why_facts *facts, const struct pg_rows *rows, struct error *err) CHIME_MUST_CHECK;
void why_ask_upstreams(struct question *question, const struct why_facts *facts);
void why_take_upstreams(struct why_facts *facts, const struct pg_rows *rows);
void why_ask_failing(struct question *question, const struct why_facts *facts);
/* The rows are the facts' from then on. */
void why_take_failing(struct why_facts *facts, struct pg_rows *rows);
/* "it failed 3 times in a row, first at slot ...: 42P01 ...; after it comes report"; nothing of a job that does not. */
void why_say_failing(struct buffer *text, const struct why_facts *facts);
void why_finish(struct why_facts *facts);
const char *why_value(const struct why_facts *facts, enum why_column column); /* NULL is null */
bool why_is(const struct why_facts *facts, enum why_column column);
instant why_instant(const struct why_facts *facts, enum why_column column); /* INSTANT_NONE for null */

/* why_words.c: what the job does or waits for now. Returns one word for programs: inactive, suspended, running,
 * retrying, unled, waiting, idle. */
const char *why_say_now(struct buffer *text, const struct why_facts *facts);

/* Of a schedule that goes by the wall clock; else NULL. */
const char *why_zone(const struct why_facts *facts);

/* why_list.c: all of it. `report` is what is wrong with the configuration and the plugins' files; it may be NULL. */
struct output_list *why_list_create(void);
void why_list_take(struct output_list *list, const struct why_facts *facts, const struct report *report);

/* why_slot.c: what became of the slot of a time, or of the last one before it, and why. Stays where it is. */
struct why_slot {
    struct question question;
    char slot[INSTANT_TEXT_SIZE];
    char at[INSTANT_TEXT_SIZE];
};

void why_slot_ask(struct why_slot *slot, const struct why_facts *facts, instant at);
struct output_list *why_slot_list_create(void);
void why_slot_list_take(struct output_list *list, const struct pg_rows *rows, const struct why_facts *facts);

/* why_problems.c: what is amiss with what the job needs: its plugin failed or is refused, its events are not heard;
 * with the way out. Nothing is added when there is nothing. `report` may be NULL. */
void why_say_problems(struct buffer *text, const struct why_facts *facts, const struct report *report);

#endif
