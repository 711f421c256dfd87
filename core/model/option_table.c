/* SPDX-License-Identifier: PostgreSQL */
#include "model/option_table.h"

#include <string.h>

#include "base/instant.h"

#define AT(member) offsetof(struct job_options, member)

static const struct option table[] = {
    {.name = "overlap_policy",
     .kind = OPTION_WORD,
     .offset = AT(overlap_policy),
     .words = {"skip", "buffer_one", "buffer_all", "cancel_previous"},
     .reserved = {"allow"}},
    {.name = "catchup", .kind = OPTION_WORD, .offset = AT(catchup), .words = {"latest", "none", "all"}},
    {.name = "catchup_window",
     .kind = OPTION_DURATION,
     .offset = AT(catchup_window),
     .low = 0,
     .high = 36500 * USEC_PER_DAY},
    {.name = "catchup_limit", .kind = OPTION_COUNT, .offset = AT(catchup_limit), .low = 0, .high = 1000000},
    {.name = "starting_deadline",
     .kind = OPTION_LIMIT,
     .offset = AT(starting_deadline),
     .low = 0,
     .high = 365 * USEC_PER_DAY},
    {.name = "jitter", .kind = OPTION_DURATION, .offset = AT(jitter), .low = 0, .high = USEC_PER_DAY},
    {.name = "debounce", .kind = OPTION_DURATION, .offset = AT(debounce), .low = 0, .high = USEC_PER_DAY},
    {.name = "debounce_max", .kind = OPTION_LIMIT, .offset = AT(debounce_max), .low = 0, .high = 365 * USEC_PER_DAY},
    {.name = "target_lag",
     .kind = OPTION_LIMIT,
     .offset = AT(target_lag),
     .low = 50 * USEC_PER_MSEC,
     .high = 365 * USEC_PER_DAY,
     .words = {"downstream"}},
    {.name = "warn_after", .kind = OPTION_LIMIT, .offset = AT(warn_after), .low = 0, .high = 365 * USEC_PER_DAY},
    {.name = "error_after", .kind = OPTION_LIMIT, .offset = AT(error_after), .low = 0, .high = 365 * USEC_PER_DAY},
    {.name = "attempt_timeout",
     .kind = OPTION_LIMIT,
     .offset = AT(attempt_timeout),
     .low = 0,
     .high = 365 * USEC_PER_DAY},
    {.name = "cancel_grace", .kind = OPTION_DURATION, .offset = AT(cancel_grace), .low = 0, .high = USEC_PER_DAY},
    {.name = "lock_timeout", .kind = OPTION_LIMIT, .offset = AT(lock_timeout), .low = 0, .high = 24 * USEC_PER_DAY},
    {.name = "max_attempts", .kind = OPTION_COUNT, .offset = AT(max_attempts), .low = 1, .high = 1000},
    {.name = "backoff.initial",
     .kind = OPTION_DURATION,
     .offset = AT(backoff.initial),
     .low = 0,
     .high = 365 * USEC_PER_DAY},
    {.name = "backoff.coefficient", .kind = OPTION_FACTOR, .offset = AT(backoff.coefficient), .low = 1, .high = 100},
    {.name = "backoff.max", .kind = OPTION_DURATION, .offset = AT(backoff.max), .low = 0, .high = 365 * USEC_PER_DAY},
    {.name = "backoff.jitter", .kind = OPTION_FACTOR, .offset = AT(backoff.jitter), .low = 0, .high = 1},
    {.name = "retry_on", .kind = OPTION_SQLSTATES, .offset = AT(retry_on)},
    {.name = "trigger_rule",
     .kind = OPTION_WORD,
     .offset = AT(trigger_rule),
     .words = {"all_success", "all_done", "one_success", "none_failed", "one_failed"}},
    {.name = "priority", .kind = OPTION_COUNT, .offset = AT(priority), .low = 1, .high = 9},
    {.name = "pool", .kind = OPTION_NAME, .offset = AT(pool)},
    {.name = "suspend_after_failures",
     .kind = OPTION_COUNT,
     .offset = AT(suspend_after_failures),
     .low = 0,
     .high = 1000000},
    {.name = "delivery",
     .kind = OPTION_WORD,
     .offset = AT(delivery),
     .words = {"transactional", "at_most_once", "at_least_once"}},
    {.name = "cursor", .kind = OPTION_WORD, .offset = AT(cursor), .words = {"none", "interval", "sequence", "chunk"}},
    {.name = "cursor_source", .kind = OPTION_COLUMN, .offset = AT(cursor_source)},
    {.name = "log_runs", .kind = OPTION_WORD, .offset = AT(log_runs), .words = {"all", "errors", "off"}},
    {.name = "expect_success_within",
     .kind = OPTION_LIMIT,
     .offset = AT(expect_success_within),
     .low = 0,
     .high = 365 * USEC_PER_DAY},
    {.name = "expect_duration",
     .kind = OPTION_LIMIT,
     .offset = AT(expect_duration),
     .low = 0,
     .high = 365 * USEC_PER_DAY},
    {.name = "expect_min_duration",
     .kind = OPTION_LIMIT,
     .offset = AT(expect_min_duration),
     .low = 0,
     .high = 365 * USEC_PER_DAY},
    {.name = "expect_rows", .kind = OPTION_COUNT, .offset = AT(expect_rows), .low = 0, .high = 1000000},
    {.name = "timezone", .kind = OPTION_ZONE, .offset = AT(timezone)},
    {.name = "dst_gap", .kind = OPTION_WORD, .offset = AT(dst_gap), .words = {"run", "skip"}},
    {.name = "dst_overlap", .kind = OPTION_WORD, .offset = AT(dst_overlap), .words = {"first", "last", "both"}},
};

_Static_assert(COUNT_OF(table) <= 64, "job_options.set has a bit for each option");
_Static_assert(sizeof(enum overlap_policy) == sizeof(int) && sizeof(enum catchup_policy) == sizeof(int) &&
                   sizeof(enum delivery) == sizeof(int) && sizeof(enum trigger_rule) == sizeof(int) &&
                   sizeof(enum log_runs) == sizeof(int) && sizeof(enum dst_gap) == sizeof(int) &&
                   sizeof(enum dst_overlap) == sizeof(int) && sizeof(enum cursor_kind) == sizeof(int),
               "words are kept as an int");

const struct option *option_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

uint64_t option_bit(const struct option *option)
{
    return UINT64_C(1) << (option - table);
}

bool options_has(const char *name)
{
    return option_find(name) != NULL;
}

const struct option *option_at(size_t index)
{
    return index < COUNT_OF(table) ? &table[index] : NULL;
}

const char *options_name(size_t index)
{
    const struct option *option = option_at(index);
    return option != NULL ? option->name : NULL;
}
