/* SPDX-License-Identifier: PostgreSQL */
/* TZif files made by hand, right or wrong: what a test says is written, believed or not. */
#ifndef CHIME_TESTS_SUPPORT_TZIF_H
#define CHIME_TESTS_SUPPORT_TZIF_H

#include <stddef.h>
#include <stdint.h>

#include "calendar/zone.h"

#define TZIF_SIZE_MAX 4096
#define TZIF_TYPES_MAX 8
#define TZIF_TRANSITIONS_MAX 32

struct tzif_type {
    int32_t offset; /* seconds east */
    uint8_t is_daylight;
    uint8_t abbreviation; /* where it starts among the abbreviations */
};

struct tzif_transition {
    int64_t at; /* seconds since 1970 */
    uint8_t type;
};

struct tzif {
    char version; /* '\0' writes one block, with times of 32 bits and no footer */
    size_t type_count;
    struct tzif_type types[TZIF_TYPES_MAX];
    size_t transition_count;
    struct tzif_transition transitions[TZIF_TRANSITIONS_MAX];
    const char *abbreviations; /* one ends where the next begins: "LMT|CET|CEST" */
    size_t leap_count;
    size_t standard_flag_count;
    size_t ut_flag_count;
    const char *footer; /* NULL: an empty one */
};

/* Returns the size. From version 2 on the first block is empty, as zic -b slim writes it. */
size_t tzif_write(const struct tzif *file, uint8_t bytes[static TZIF_SIZE_MAX]);

/* Central Europe, shortened: local mean time with odd seconds, then three changes of 1980 and 1981, then the rule. */
extern const struct tzif tzif_berlin;

/* A zone "Test/Zone", the caller's; the test fails when it is refused. */
struct zone *tzif_read_bytes(const uint8_t *bytes, size_t size);
struct zone *tzif_read(const struct tzif *file);
struct zone *tzif_read_rule(const char *rule); /* a file without transitions */
/* The test fails unless the file is refused with a message that has `reason`, and a hint. */
void tzif_check_refused_bytes(const uint8_t *bytes, size_t size, const char *reason);
void tzif_check_refused(const struct tzif *file, const char *reason);

#define TZIF_HEADER_SIZE 44
/* Where a header of 44 bytes has its counts, 4 bytes each; the one that counts starts at 44 from version 2 on. */
enum tzif_count {
    TZIF_UT_FLAGS = 20,
    TZIF_STANDARD_FLAGS = 24,
    TZIF_LEAPS = 28,
    TZIF_TRANSITIONS = 32,
    TZIF_TYPES = 36,
    TZIF_ABBREVIATIONS = 40,
};
void tzif_set_count(uint8_t *header, enum tzif_count which, uint32_t count);

#endif
