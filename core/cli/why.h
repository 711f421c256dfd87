/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/cli/why*.c: what the ledger knows about one job, and what follows from it.
 *
 * The rules are those of the scheduler, read back from what it wrote: a command has no other way to the leader's
 * memory. */
#ifndef CHIME_CLI_WHY_H
#define CHIME_CLI_WHY_H

#include "base/buffer.h"
#include "cli/job_visit.h"
#include "report/job_slots.h"
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

struct why_facts {
    struct pg_rows rows;
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
    WHY_UNLED,                     /* nobody leads, and since when */
    WHY_LAST_UNLED,                /* nobody led at the last decision's slot: from when to when */
    WHY_MISSED_UNLED,              /* and when slots were missed last */
    WHY_HELD,                      /* who keeps the leader from starting anything */
    WHY_RETRIED,                   /* what the server said of the attempt before */
    WHY_WAKERS,                    /* the wakers' columns begin here */
    WHY_SCHEDULE = WHY_WAKERS + 3, /* the calendar's columns begin here */
};

bool why_read(struct why_facts *facts, struct job_visit *visit, struct error *err) CHIME_MUST_CHECK;
void why_finish(struct why_facts *facts);
const char *why_value(const struct why_facts *facts, enum why_column column); /* NULL is null */
bool why_is(const struct why_facts *facts, enum why_column column);
instant why_instant(const struct why_facts *facts, enum why_column column); /* INSTANT_NONE for null */

/* why_words.c: what the job does or waits for now. Returns one word for programs: inactive, suspended, running,
 * retrying, unled, waiting, idle. */
const char *why_say_now(struct buffer *text, const struct why_facts *facts, const struct config_database *database);

/* Of a schedule that goes by the wall clock; else NULL. */
const char *why_zone(const struct why_facts *facts);

/* why_slot.c: what became of a slot of the past (--at), and why. */
bool why_print_slot(const struct why_facts *facts, struct job_visit *visit, struct error *err) CHIME_MUST_CHECK;

/* why_problems.c: what is amiss with what the job needs: its plugin failed or is refused, its events are not heard;
 * with the way out. Nothing is added when there is nothing. `report` may be NULL. */
void why_say_problems(struct buffer *text, const struct why_facts *facts, const struct report *report);

#endif
