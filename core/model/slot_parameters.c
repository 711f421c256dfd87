/* SPDX-License-Identifier: PostgreSQL */
#include "model/slot_parameters.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/sqltext.h"

enum {
    PAYLOAD,
    SLOT,
    PREVIOUS_SLOT,
    INTERVAL_START,
    INTERVAL_END,
    RUN_ID,
    ATTEMPT,
    CURSOR_START,
    CURSOR_END,
    NAME_COUNT
};

#define SETTING_PREFIX "chime."

const char *const slot_parameter_settings[NAME_COUNT] = {
    [PAYLOAD] = "chime.payload",
    [SLOT] = "chime.slot",
    [PREVIOUS_SLOT] = "chime.previous_slot",
    [INTERVAL_START] = "chime.interval_start",
    [INTERVAL_END] = "chime.interval_end",
    [RUN_ID] = "chime.run_id",
    [ATTEMPT] = "chime.attempt",
    [CURSOR_START] = "chime.cursor_start",
    [CURSOR_END] = "chime.cursor_end",
};

const unsigned slot_parameter_types[SLOT_PARAMETER_COUNT] = {
    [PAYLOAD] = 25,        [SLOT] = 1184, [PREVIOUS_SLOT] = 1184, [INTERVAL_START] = 1184,
    [INTERVAL_END] = 1184, [RUN_ID] = 20, [ATTEMPT] = 23,
};

/* --- names -------------------------------------------------------------------------------------------------------- */

static const char *name_of(int parameter)
{
    return slot_parameter_settings[parameter] + strlen(SETTING_PREFIX);
}

/* -1: there is none of that name. */
static int find_name(const char *name, size_t length)
{
    for (int i = 0; i < NAME_COUNT; i++) {
        if (strlen(name_of(i)) == length && strncasecmp(name_of(i), name, length) == 0) {
            return i;
        }
    }
    return -1;
}

/* Most texts have no dollar sign, and need no look at their tokens. */
static bool next_parameter(const char **cursor, const char **name, size_t *length)
{
    return strchr(*cursor, '$') != NULL && sqltext_next_name(cursor, name, length);
}

bool slot_parameters_used(const char *text)
{
    const char *name;
    size_t length;
    while (next_parameter(&text, &name, &length)) {
        if (find_name(name, length) >= 0) {
            return true;
        }
    }
    return false;
}

bool slot_parameters_name_cursor(const char *text)
{
    const char *name;
    size_t length;
    while (next_parameter(&text, &name, &length)) {
        if (find_name(name, length) >= CURSOR_START) {
            return true;
        }
    }
    return false;
}

char *slot_parameters_number(const char *text)
{
    char *numbered = xstrdup(text);
    const char *cursor = text;
    const char *name;
    size_t length;
    while (next_parameter(&cursor, &name, &length)) {
        int parameter = find_name(name, length);
        if (parameter >= 0) {
            char *place = numbered + (name - text);
            memset(place, ' ', length);
            *place = (char)('1' + parameter);
        }
    }
    return numbered;
}

/* --- settings ----------------------------------------------------------------------------------------------------- */

static bool names_setting(const char *text)
{
    const char *at = text;
    while ((at = strstr(at, SETTING_PREFIX)) != NULL) {
        at += strlen(SETTING_PREFIX);
        for (int i = 0; i < SLOT_PARAMETER_COUNT; i++) {
            if (strncmp(at, name_of(i), strlen(name_of(i))) == 0) {
                return true;
            }
        }
    }
    return false;
}

bool slot_settings_wanted(const char *text)
{
    struct sql_statement statement;
    if (names_setting(text)) {
        return true;
    }
    while (sql_next_statement(&text, &statement)) {
        if (strcmp(statement.words[0], "call") == 0 || strcmp(statement.words[0], "do") == 0) {
            return true;
        }
    }
    return false;
}

/* --- what is refused ---------------------------------------------------------------------------------------------- */

/* As the server has it; EXPLAIN and CREATE TABLE AS would take them, and nobody schedules these for their slot. */
static bool takes_parameters(const struct sql_statement *statement)
{
    static const char *const words[] = {"select", "insert", "update", "delete", "merge", "values", "with", "call"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(statement->words[0], words[i]) == 0) {
            return true;
        }
    }
    return *statement->start == '(';
}

static bool refuse_name(const char *name, size_t length, struct error *err)
{
    error_set(err, ERROR_CONFIG, "uses $%.*s, which is no parameter", (int)(length < 64 ? length : 64), name);
    return error_hint(err,
                      "the parameters are $slot, $previous_slot, $interval_start, $interval_end, $run_id, $attempt "
                      "and $payload; with a cursor $cursor_start and $cursor_end");
}

/* With the way that is open to every text. */
static bool refuse_place(int parameter, const char *where, struct error *err)
{
    error_set(err, ERROR_CONFIG, "uses $%s %s", name_of(parameter), where);
    return error_hint(err, "read it with current_setting('%s'), which is set while the text runs",
                      slot_parameter_settings[parameter]);
}

static bool check_name(const char *name, size_t length, const struct sql_statement *statement, bool alone,
                       struct error *err)
{
    int parameter = find_name(name, length);
    if (parameter < 0) {
        return refuse_name(name, length, err);
    }
    if (!alone) {
        return refuse_place(parameter, "in a text of several statements, which takes no parameters", err);
    }
    return takes_parameters(statement) || refuse_place(parameter, "in a statement that takes no parameters", err);
}

bool slot_parameters_check(const char *text, bool several, struct error *err)
{
    struct sql_statement statement = {.start = text};
    const char *statements = text;
    const char *cursor = text;
    const char *name;
    size_t length;
    size_t names = 0;
    bool alone = strchr(text, '$') == NULL || several || sql_statement_count(text) == 1;
    for (; next_parameter(&cursor, &name, &length); names++) {
        while (name >= statement.start + statement.length && sql_next_statement(&statements, &statement)) {
        }
        if (!check_name(name, length, &statement, alone, err)) {
            return false;
        }
    }
    size_t highest = names > 0 ? sqltext_highest_parameter(text) : 0;
    if (highest > 1) {
        error_set(err, ERROR_CONFIG, "uses $%zu beside parameters with names", highest);
        return error_hint(err, "of the numbered ones there is $1 alone, which is $payload");
    }
    return true;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

bool slot_timeline_known(const struct schedule *schedule)
{
    return schedule->form == SCHEDULE_CRON || schedule->form == SCHEDULE_INTERVAL;
}

void slot_values_place(struct slot_values *values, const struct schedule *schedule, enum run_kind kind)
{
    values->previous_slot = values->interval_start = values->interval_end = INSTANT_NONE;
    bool of_schedule = kind == RUN_SCHEDULE || kind == RUN_BACKFILL;
    if (!slot_timeline_known(schedule)) {
        return;
    }
    if (kind == RUN_BACKFILL) {
        instant slot = schedule_latest(schedule, INSTANT_NONE, values->slot);
        values->slot = slot != INSTANT_NONE ? slot : values->slot;
    }
    values->previous_slot = schedule_latest(schedule, INSTANT_NONE, values->slot - 1);
    if (of_schedule && values->previous_slot != INSTANT_NONE) {
        values->interval_start = values->previous_slot;
        values->interval_end = values->slot;
    }
}

void slot_values_texts(const struct slot_values *values, struct slot_texts *texts)
{
    const instant instants[] = {values->slot, values->previous_slot, values->interval_start, values->interval_end};
    texts->values[PAYLOAD] = values->payload;
    for (size_t i = 0; i < COUNT_OF(instants); i++) {
        texts->values[SLOT + i] = instants[i] != INSTANT_NONE ? instant_format(instants[i], texts->instants[i]) : NULL;
    }
    snprintf(texts->run_id, sizeof(texts->run_id), "%lld", (long long)values->run_id);
    snprintf(texts->attempt, sizeof(texts->attempt), "%d", values->attempt);
    texts->values[RUN_ID] = texts->run_id;
    texts->values[ATTEMPT] = texts->attempt;
}
