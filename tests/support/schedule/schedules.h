/* SPDX-License-Identifier: PostgreSQL */
/* Schedules as texts. */
#ifndef CHIME_TESTS_SUPPORT_SCHEDULES_H
#define CHIME_TESTS_SUPPORT_SCHEDULES_H

#include "calendar/schedule.h"

/* The test fails where it is refused. */
struct schedule parsed(const char *text);
void check_next(const char *schedule_text, const char *after, const char *expected);

#endif
