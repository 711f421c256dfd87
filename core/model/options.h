/* SPDX-License-Identifier: PostgreSQL */
/* The options of a job, as one table that configuration, SQL and plugins share.
 *
 * Every source gives options as names and texts; options_set reads one. Sources are layered with options_inherit:
 * what conf.d sets wins over the plugin's defaults, and those over the product's. */
#ifndef CHIME_MODEL_OPTIONS_H
#define CHIME_MODEL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/instant.h"
#include "calendar/backoff.h"
#include "calendar/schedule.h"

enum overlap_policy { OVERLAP_SKIP, OVERLAP_BUFFER_ONE, OVERLAP_BUFFER_ALL, OVERLAP_CANCEL_PREVIOUS };
enum catchup_policy { CATCHUP_LATEST, CATCHUP_NONE, CATCHUP_ALL };
enum delivery { DELIVERY_TRANSACTIONAL, DELIVERY_AT_MOST_ONCE, DELIVERY_AT_LEAST_ONCE };
enum trigger_rule {
    TRIGGER_ALL_SUCCESS,
    TRIGGER_ALL_DONE,
    TRIGGER_ONE_SUCCESS,
    TRIGGER_NONE_FAILED,
    TRIGGER_ONE_FAILED
};
enum cursor_kind { CURSOR_NONE, CURSOR_INTERVAL, CURSOR_SEQUENCE, CURSOR_CHUNK };
enum log_runs { LOG_RUNS_ALL, LOG_RUNS_ERRORS, LOG_RUNS_OFF };

#define POOL_DEFAULT "default"

/* As fresh as the views need that read its views: scheduled_target_lag() says what that is. */
#define TARGET_LAG_DOWNSTREAM ((duration)-1)

#define RETRY_ON_MAX 16

/* Ordered by size. Its texts are borrowed: of a draft from intern(), of a job from its shared options. */
struct job_options {
    uint64_t set; /* bit n: option n of the table was given by its source */
    enum overlap_policy overlap_policy;
    enum catchup_policy catchup;
    enum trigger_rule trigger_rule;
    enum delivery delivery;
    enum log_runs log_runs;
    enum dst_gap dst_gap;
    enum dst_overlap dst_overlap;
    enum cursor_kind cursor; /* how the job goes on where it was */
    duration catchup_window;
    int64_t catchup_limit;
    duration starting_deadline; /* 0 = none */
    duration jitter;
    duration debounce;        /* of notifications: a run is due this long after the last of a burst */
    duration debounce_max;    /* and no later than this after the first; 0 = ten times debounce */
    duration target_lag;      /* how far behind its sources a refresh may be; 0 = none, they are not watched; or
                                 TARGET_LAG_DOWNSTREAM */
    duration warn_after;      /* age of an unrefreshed change at which a view is late; 0 = none */
    duration error_after;     /* and stale; 0 = none */
    duration attempt_timeout; /* 0 = none */
    duration cancel_grace;
    duration lock_timeout; /* 0 = none */
    int64_t max_attempts;  /* the first included */
    struct backoff backoff;
    const char *retry_on; /* SQLSTATEs with commas; a shorter one is a prefix, so "08" is the class; NULL as "" */
    int64_t priority;     /* 1 first .. 9 */
    const char *pool;
    int64_t suspend_after_failures; /* 0 = never */
    const char *cursor_source;      /* of CURSOR_SEQUENCE: schema.table.column; NULL none */
    const char *timezone;           /* NULL: the database's */
    duration expect_success_within; /* these are for alerts alone; 0 = nothing is expected */
    duration expect_duration;
    duration expect_min_duration;
    int64_t expect_rows;
};

/* The product's defaults; delivery is transactional for refreshes and at most once for commands. */
void options_defaults(struct job_options *options, bool refresh);
/* Reads one option, e.g. ("catchup_window", "24h"), ("backoff.initial", "5s"), ("retry_on", "08,53,40001").
 * Unknown names get a did-you-mean; names and values reserved for later are refused as such; ranges are named. */
bool options_set(struct job_options *options, const char *name, const char *value, struct error *err) CHIME_MUST_CHECK;
bool options_has(const char *name);
/* A name that a later version will know; options_set refuses it with that reason. */
bool options_reserves(const char *name);
/* What was meant by a name that is not known: by what others call it ("retries" for max_attempts), else by its letters.
 * Among the options and `others`; NULL when nothing is near. */
const char *options_suggest(const char *name, const char *const *others, size_t other_count);
/* Takes from `lower` every option that `options` has not set itself. */
void options_inherit(struct job_options *options, const struct job_options *lower);
/* Whether its source gave it. */
bool options_gives(const struct job_options *options, const char *name);
/* Name of option `index` of the table, NULL past its end: for messages, check, documentation. */
const char *options_name(size_t index);
/* The current value as the text that options_set would read; caller frees. NULL for an unknown name. */
char *options_value_text(const struct job_options *options, const char *name);
bool options_retries(const struct job_options *options, const char *sqlstate);

#endif
