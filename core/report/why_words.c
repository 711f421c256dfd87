/* SPDX-License-Identifier: PostgreSQL */
/* `why`: what a job does or waits for now, in words. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ledger/ledger.h"
#include "report/why.h"

static void put_instant(struct buffer *text, instant at)
{
    char shown[INSTANT_TEXT_SIZE];
    buffer_puts(text, instant_format(at - at % USEC_PER_SEC, shown));
}

static void put_since(struct buffer *text, const struct why_facts *facts, instant since)
{
    duration length = since != INSTANT_NONE && since < facts->now ? facts->now - since : 0;
    output_put_duration(text, length < USEC_PER_SEC ? length : length - length % USEC_PER_SEC);
}

static void put_optional(struct buffer *text, const char *before, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        buffer_puts(text, before);
        buffer_puts(text, value);
    }
}

static void say_inactive(struct buffer *text, const struct why_facts *facts)
{
    const char *state = why_value(facts, WHY_PLUGIN_STATE);
    if (state != NULL && strcmp(state, "installed") != 0) {
        buffer_printf(text, "inactive: its plugin %s is %s", why_value(facts, WHY_PLUGIN), state);
        put_optional(text, ", ", why_value(facts, WHY_PLUGIN_REASON));
    } else {
        buffer_printf(text, "inactive: %s", why_value(facts, WHY_INACTIVE));
    }
}

static void say_suspended(struct buffer *text, const struct why_facts *facts)
{
    instant until = why_instant(facts, WHY_SUSPENDED_UNTIL);
    buffer_puts(text, "suspended");
    put_optional(text, " by ", why_value(facts, WHY_SUSPENDED_BY));
    buffer_puts(text, " since ");
    put_instant(text, why_instant(facts, WHY_SUSPENDED_AT));
    put_optional(text, ": ", why_value(facts, WHY_SUSPEND_REASON));
    if (until != INSTANT_NONE) {
        buffer_puts(text, "; until ");
        put_instant(text, until);
    }
}

static void put_run(struct buffer *text, const struct why_facts *facts)
{
    buffer_printf(text, "run %s of slot ", why_value(facts, WHY_RUN_ID));
    put_instant(text, why_instant(facts, WHY_RUN_SLOT));
}

static void say_running(struct buffer *text, const struct why_facts *facts)
{
    put_run(text, facts);
    buffer_printf(text, ", attempt %s, runs since ", why_value(facts, WHY_RUN_ATTEMPT));
    put_since(text, facts, why_instant(facts, WHY_RUN_SINCE));
    buffer_printf(text, " on backend %s", why_value(facts, WHY_RUN_PID));
    put_optional(text, ", which waits for a lock of backend ", why_value(facts, WHY_RUN_BLOCKERS));
}

static void say_retrying(struct buffer *text, const struct why_facts *facts)
{
    put_run(text, facts);
    buffer_printf(text, " waits for its attempt %s, due ", why_value(facts, WHY_RUN_ATTEMPT));
    put_instant(text, why_instant(facts, WHY_RUN_RETRY_AT));
    put_optional(text, "; the one before failed: ", why_value(facts, WHY_RETRIED));
}

/* "a, b and c": those upstreams that the test picks. */
typedef bool upstream_test(const struct why_upstream *upstream);

static size_t put_upstreams(struct buffer *text, const struct why_facts *facts, upstream_test *test)
{
    size_t count = 0;
    for (size_t i = 0; i < facts->upstream_count; i++) {
        const struct why_upstream *upstream = &facts->upstreams[i];
        if (test(upstream)) {
            buffer_printf(text, "%s%s%s", count++ > 0 ? ", " : "", upstream->name, upstream->live ? " (running)" : "");
        }
    }
    return count;
}

static bool is_open(const struct why_upstream *upstream)
{
    return upstream->open;
}

static bool is_absent(const struct why_upstream *upstream)
{
    return upstream->absence != NULL;
}

static bool is_owed(const struct why_upstream *upstream)
{
    return upstream->absence == NULL && !upstream->delivered;
}

static int pool_limit(const struct config_database *database, const char *pool)
{
    for (size_t i = 0; pool != NULL && i < database->pool_count; i++) {
        if (strcmp(database->pools[i].name, pool) == 0) {
            return database->pools[i].limit;
        }
    }
    return 0;
}

static int64_t count_of(const struct why_facts *facts, enum why_column column)
{
    int64_t count = 0;
    const char *value = why_value(facts, column);
    return value != NULL && parse_int64(value, 0, INT64_MAX, &count) ? count : 0;
}

/* What keeps something that is due from starting. */
static void say_hindrance(struct buffer *text, const struct why_facts *facts)
{
    const struct config_database *database = facts->database;
    const char *pool = why_value(facts, WHY_POOL);
    int limit = pool_limit(database, pool);
    struct buffer names = {0};
    if (put_upstreams(&names, facts, is_open) > 0) {
        buffer_printf(text, "waits for %s to finish first", buffer_text(&names));
    } else if (limit > 0 && count_of(facts, WHY_POOL_BUSY) >= limit) {
        buffer_printf(text, "waits for a slot of pool %s, which has %d", pool, limit);
        put_optional(text, ", held by ", why_value(facts, WHY_POOL_HOLDERS));
    } else if (count_of(facts, WHY_BUSY) >= database->pool_size) {
        buffer_printf(text, "waits for a session: all %d are busy", database->pool_size);
    } else if (why_value(facts, WHY_HELD) != NULL) {
        buffer_printf(text, "cannot start: %s", why_value(facts, WHY_HELD));
    } else {
        buffer_puts(text, "is about to start");
    }
    buffer_finish(&names);
}

static void say_due(struct buffer *text, const struct why_facts *facts)
{
    buffer_puts(text, "slot ");
    put_instant(text, facts->due);
    buffer_puts(text, ", due since ");
    put_since(text, facts, facts->due);
    buffer_puts(text, ", ");
    say_hindrance(text, facts);
}

static void say_asked(struct buffer *text, const struct why_facts *facts)
{
    buffer_printf(text, "run %s, that %s asked for at ", why_value(facts, WHY_ASKED_RUN),
                  why_value(facts, WHY_ASKED_BY));
    put_instant(text, why_instant(facts, WHY_ASKED_AT));
    buffer_putc(text, ' ');
    say_hindrance(text, facts);
}

/* Without a slot to come: ends of upstreams that a join is owed, and events. */
static void say_unscheduled(struct buffer *text, const struct why_facts *facts)
{
    struct wakers wakers = wakers_of_row(&facts->rows, 0, WHY_WAKERS);
    struct buffer names = {0};
    struct buffer events = {0};
    bool owed = put_upstreams(&names, facts, is_owed) > 0;
    put_events(&events, &wakers);
    if (owed) {
        buffer_printf(text, "idle: waits for the next end of %s", buffer_text(&names));
        put_optional(text, "; also runs ", buffer_text(&events));
    } else if (events.length > 0) {
        buffer_printf(text, "idle: runs %s", buffer_text(&events));
    } else if (put_upstreams(&names, facts, is_absent) > 0) {
        buffer_printf(text, "idle: it runs only after %s, and that does not run now", buffer_text(&names));
    } else {
        buffer_puts(text, "idle: nothing is due, now or later");
    }
    buffer_finish(&names);
    buffer_finish(&events);
}

static void say_slot(struct buffer *text, const struct why_facts *facts)
{
    if (facts->schedule.form == SCHEDULE_REBOOT) {
        buffer_puts(text, "idle: runs when the server has been restarted");
    } else if (facts->next == INSTANT_NEVER) {
        buffer_puts(text, facts->schedule.form == SCHEDULE_ONCE ? "idle: its one time has passed"
                                                                : "idle: nothing is due, now or later");
    } else {
        buffer_puts(text, "idle: its next slot is ");
        put_instant(text, facts->next);
        buffer_puts(text, ", in ");
        output_put_duration(text, facts->next - facts->now < 0 ? 0 : facts->next - facts->now);
    }
}

static void say_idle(struct buffer *text, const struct why_facts *facts)
{
    struct wakers wakers = wakers_of_row(&facts->rows, 0, WHY_WAKERS);
    struct buffer events = {0};
    if (facts->schedule.form == SCHEDULE_NONE) {
        say_unscheduled(text, facts);
        return;
    }
    say_slot(text, facts);
    put_events(&events, &wakers);
    put_optional(text, "; also runs ", buffer_text(&events));
    buffer_finish(&events);
}

static const char *say_state(struct buffer *text, const struct why_facts *facts)
{
    if (!why_is(facts, WHY_ACTIVE)) {
        say_inactive(text, facts);
        return "inactive";
    }
    if (why_value(facts, WHY_PROBLEM) != NULL && why_value(facts, WHY_RUN_ID) == NULL) {
        buffer_printf(text, "it cannot be scheduled: %s", why_value(facts, WHY_PROBLEM));
        return "refused";
    }
    if (why_value(facts, WHY_COPY) != NULL) {
        buffer_printf(text, "%s: its jobs are held; " LEDGER_COPY_HINT, why_value(facts, WHY_COPY),
                      facts->database->name);
        return "unled";
    }
    if (why_value(facts, WHY_RUN_ID) != NULL && why_value(facts, WHY_RUN_PID) != NULL) {
        say_running(text, facts);
        return "running";
    }
    if (why_value(facts, WHY_RUN_ID) != NULL) {
        say_retrying(text, facts);
        return "retrying";
    }
    if (why_value(facts, WHY_SUSPENDED_AT) != NULL) {
        say_suspended(text, facts);
        return "suspended";
    }
    if (!why_is(facts, WHY_LED)) {
        const char *since = why_value(facts, WHY_UNLED);
        buffer_printf(text, "%s; start pgchime serve", since != NULL ? since : "nobody leads this database");
        return "unled";
    }
    if (why_value(facts, WHY_ASKED_AT) != NULL) {
        say_asked(text, facts);
        return "waiting";
    }
    if (facts->due != INSTANT_NONE) {
        say_due(text, facts);
        return "waiting";
    }
    say_idle(text, facts);
    return "idle";
}

const char *why_say_now(struct buffer *text, const struct why_facts *facts)
{
    const char *state = say_state(text, facts);
    put_optional(text, "; ", why_value(facts, WHY_POSITION));
    return state;
}
