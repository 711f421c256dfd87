/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/answers.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "ledger/ledger.h"

#define EARLIEST INT64_C(-62135596800000000) /* 0001-01-01 */
#define LATEST INT64_C(253402300799999999)   /* 9999-12-31 23:59:59.999999 */

enum ledger_answer answer_of(const struct pg_reply *reply)
{
    /* lock_not_available, query_canceled, deadlock_detected, serialization_failure */
    static const char *const again[] = {"55P03", "57014", "40P01", "40001"};
    if (pg_reply_ok(reply)) {
        return ANSWER_TAKEN;
    }
    if (pg_reply_lost(reply)) {
        return ANSWER_LOST;
    }
    const char *sqlstate = pg_reply_sqlstate(reply);
    for (size_t i = 0; i < COUNT_OF(again); i++) {
        if (strcmp(sqlstate, again[i]) == 0) {
            return ANSWER_AGAIN;
        }
    }
    return strcmp(sqlstate, LEDGER_NOT_LEADER) == 0 ? ANSWER_NOT_LEADER : ANSWER_REFUSED;
}

/* The server's times reach further than ours, and to infinity. What somebody wrote into the ledger by hand ends no
 * process: it counts as the nearest there is. */
static bool is_beyond(const char *text, instant *at)
{
    bool before = strcmp(text, "-infinity") == 0 || strstr(text, " BC") != NULL;
    bool after = strcmp(text, "infinity") == 0 || strspn(text, "0123456789") > 4;
    *at = before ? EARLIEST : LATEST;
    return before || after;
}

instant answer_instant(const char *text)
{
    instant at;
    if (text == NULL) {
        return INSTANT_NONE;
    }
    if (!instant_parse(text, &at, NULL) && !is_beyond(text, &at)) {
        fatal("the ledger answered \"%s\" where an instant was due", text);
    }
    return at;
}

bool answer_is_true(const char *text)
{
    return text != NULL && text[0] == 't';
}

bool answer_unknown(const char *what, const char *text, struct error *err)
{
    error_set(err, ERROR_REFUSED, "the ledger has %s \"%s\", which this pgchime does not know", what, text);
    return error_hint(err, "upgrade this pgchime (%s) to the version that wrote it", PGCHIME_VERSION);
}

bool answer_kind(const char *text, enum run_kind *kind, struct error *err)
{
    for (*kind = 0; *kind < RUN_KIND_COUNT; (*kind)++) {
        if (strcmp(text, run_kind_name(*kind)) == 0) {
            return true;
        }
    }
    return answer_unknown("a run of kind", text, err);
}

enum {
    MEMORY_CURSOR,
    MEMORY_OUTCOME,
    MEMORY_TOOK,
    MEMORY_OUTCOME_AT,
    MEMORY_END,
    MEMORY_SKIPPED,
    MEMORY_FAILURES,
    MEMORY_SUSPENDED,
    MEMORY_MISSED_AT,
    MEMORY_MISSED_AFTER
};

struct job_memory answer_memory(const struct pg_reply *reply, size_t row, int first, int64_t job_id, int version)
{
    const char *outcome = pg_reply_value(reply, 0, row, first + MEMORY_OUTCOME);
    const char *took = pg_reply_value(reply, 0, row, first + MEMORY_TOOK);
    struct job_memory memory = {
        .job_id = job_id,
        .version = version,
        .cursor = answer_instant(pg_reply_value(reply, 0, row, first + MEMORY_CURSOR)),
        .last_duration = took != NULL ? atoll(took) : 0,
        .outcome_at = answer_instant(pg_reply_value(reply, 0, row, first + MEMORY_OUTCOME_AT)),
        .last_end = answer_instant(pg_reply_value(reply, 0, row, first + MEMORY_END)),
        .cursor_skipped = pg_reply_value(reply, 0, row, first + MEMORY_SKIPPED)[0] == 't',
        .failures = atoll(pg_reply_value(reply, 0, row, first + MEMORY_FAILURES)),
        .suspended = pg_reply_value(reply, 0, row, first + MEMORY_SUSPENDED)[0] == 't',
        .missed_at = answer_instant(pg_reply_value(reply, 0, row, first + MEMORY_MISSED_AT)),
        .missed_after = pg_reply_value(reply, 0, row, first + MEMORY_MISSED_AFTER)[0] == 't',
    };
    memory.has_outcome = outcome != NULL;
    if (outcome != NULL && !run_state_parse(outcome, &memory.last_outcome)) {
        memory.last_outcome = RUN_STATE_COUNT;
    }
    return memory;
}

bool answer_memory_known(const struct job_memory *memory, const char *job, struct error *err)
{
    return !memory->has_outcome || memory->last_outcome != RUN_STATE_COUNT ||
           answer_unknown("a last outcome of job", job, err);
}
