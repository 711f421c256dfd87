/* SPDX-License-Identifier: PostgreSQL */
/* `why`: the lines about one job, as a list. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/job_options.h"
#include "report/why.h"

static const struct output_column columns[] = {
    {"JOB", "job", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"NOW", "now", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"FAILING", "failing", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"PROBLEM", "problem", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"LAST DECISION", "last_decision", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"MISSED", "missed", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"NEXT SLOT", "next_slot", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"SCHEDULE", "schedule", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"ZONE", "timezone", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"LAST SLOT", "last_slot", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"LAST STATE", "last_state", OUTPUT_STATE, OUTPUT_ALWAYS},
};
enum {
    COLUMN_JOB,
    COLUMN_DATABASE,
    COLUMN_STATE,
    COLUMN_NOW,
    COLUMN_FAILING,
    COLUMN_PROBLEM,
    COLUMN_LAST_DECISION,
    COLUMN_MISSED,
    COLUMN_NEXT_SLOT,
    COLUMN_SCHEDULE,
    COLUMN_ZONE,
    COLUMN_LAST_SLOT,
    COLUMN_LAST_STATE,
};

static void put_second(struct buffer *text, instant at)
{
    char shown[INSTANT_TEXT_SIZE];
    buffer_puts(text, instant_format(at - at % USEC_PER_SEC, shown));
}

/* The first line of what the server said: the whole is in `pgchime runs -o wide`. */
static void put_first_line(struct buffer *text, const char *message)
{
    buffer_append(text, message, strcspn(message, "\n"));
}

static void put_unled(struct buffer *text, const char *unled)
{
    if (unled != NULL) {
        buffer_printf(text, "; %s", unled);
    }
}

static void say_why_once(struct buffer *text, const struct why_facts *facts)
{
    const char *sqlstate = why_value(facts, WHY_LAST_SQLSTATE);
    const char *attempt = why_value(facts, WHY_LAST_ATTEMPT);
    if (sqlstate != NULL && attempt != NULL && strcmp(why_value(facts, WHY_LAST_STATE), "failed") == 0 &&
        job_options_refuse_retry(why_value(facts, WHY_OPTIONS), why_is(facts, WHY_REFRESHES), atoi(attempt),
                                 sqlstate)) {
        buffer_printf(text, "; not tried again: %s is not in retry_on", sqlstate);
    }
}

static void say_last_decision(struct buffer *text, const struct why_facts *facts)
{
    const char *reason = why_value(facts, WHY_LAST_REASON);
    const char *message = why_value(facts, WHY_LAST_MESSAGE);
    if (why_value(facts, WHY_LAST_STATE) == NULL) {
        buffer_puts(text, "none yet");
        return;
    }
    buffer_puts(text, "slot ");
    put_second(text, why_instant(facts, WHY_LAST_SLOT));
    buffer_printf(text, ": %s", why_value(facts, WHY_LAST_STATE));
    if (reason != NULL) {
        buffer_printf(text, ", %s", reason);
        put_unled(text, why_value(facts, WHY_LAST_UNLED));
    }
    if (message != NULL && strcmp(why_value(facts, WHY_LAST_STATE), "succeeded") != 0) {
        buffer_puts(text, ", ");
        put_first_line(text, message);
    }
    say_why_once(text, facts);
}

static void say_missed(struct buffer *text, const struct why_facts *facts)
{
    const char *count = why_value(facts, WHY_MISSED_COUNT);
    if (count == NULL) {
        return;
    }
    buffer_printf(text, "%s slot%s, ", count, strcmp(count, "1") == 0 ? "" : "s");
    put_second(text, why_instant(facts, WHY_MISSED_FIRST));
    if (strcmp(count, "1") != 0) {
        buffer_puts(text, " to ");
        put_second(text, why_instant(facts, WHY_MISSED_LAST));
    }
    buffer_printf(text, ": %s", why_value(facts, WHY_MISSED_REASON));
    put_unled(text, why_value(facts, WHY_MISSED_UNLED));
}

static void set_text(struct output_list *list, size_t column, struct buffer *text)
{
    output_set(list, column, text->length > 0 ? buffer_text(text) : NULL);
    buffer_clear(text);
}

struct output_list *why_list_create(void)
{
    return output_create("jobs", columns, COUNT_OF(columns));
}

void why_list_take(struct output_list *list, const struct why_facts *facts, const struct report *report)
{
    struct buffer text = {0};
    bool active = why_is(facts, WHY_ACTIVE);
    output_add_row(list);
    output_set(list, COLUMN_JOB, facts->job);
    output_set(list, COLUMN_DATABASE, facts->database->name);
    output_set(list, COLUMN_STATE, why_say_now(&text, facts));
    set_text(list, COLUMN_NOW, &text);
    why_say_failing(&text, facts);
    set_text(list, COLUMN_FAILING, &text);
    why_say_problems(&text, facts, report);
    set_text(list, COLUMN_PROBLEM, &text);
    say_last_decision(&text, facts);
    set_text(list, COLUMN_LAST_DECISION, &text);
    say_missed(&text, facts);
    set_text(list, COLUMN_MISSED, &text);
    output_set_instant(list, COLUMN_NEXT_SLOT, active ? facts->next : INSTANT_NEVER);
    output_set(list, COLUMN_SCHEDULE, why_value(facts, WHY_SCHEDULE));
    output_set(list, COLUMN_ZONE, why_zone(facts));
    output_set_instant(list, COLUMN_LAST_SLOT, why_instant(facts, WHY_LAST_SLOT));
    output_set(list, COLUMN_LAST_STATE, why_value(facts, WHY_LAST_STATE));
    buffer_finish(&text);
}
