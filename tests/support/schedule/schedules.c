/* SPDX-License-Identifier: PostgreSQL */
#include "support/schedule/schedules.h"

#include <check.h>
#include <string.h>

#include "support/process/instants.h"

struct schedule parsed(const char *text)
{
    struct schedule schedule = {.form = SCHEDULE_NONE};
    struct error err = {0};
    ck_assert_msg(schedule_parse(text, &schedule, &err), "%s: %s", text, err.message);
    return schedule;
}

void check_next(const char *schedule_text, const char *after, const char *expected)
{
    struct schedule schedule = parsed(schedule_text);
    char text[INSTANT_TEXT_SIZE];
    instant_format(schedule_next(&schedule, at(after)), text);
    ck_assert_msg(strcmp(text, expected) == 0, "%s after %s is %s, not %s", schedule_text, after, text, expected);
}
