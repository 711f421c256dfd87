/* SPDX-License-Identifier: PostgreSQL */
/* Instants as texts. */
#ifndef CHIME_TESTS_SUPPORT_INSTANTS_H
#define CHIME_TESTS_SUPPORT_INSTANTS_H

#include <check.h>

#include "base/instant.h"

/* The test fails where the text is none. */
instant at(const char *text);

#define ck_assert_instant(actual, text)                        \
    do {                                                       \
        char shown[INSTANT_TEXT_SIZE];                         \
        ck_assert_str_eq(instant_format(actual, shown), text); \
    } while (0)

#endif
