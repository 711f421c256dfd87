/* SPDX-License-Identifier: PostgreSQL */
#include "support/schedule/tzif.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/process/process.h"

const struct tzif tzif_berlin = {
    .version = '2',
    .type_count = 3,
    .types = {{.offset = 3208, .abbreviation = 0},
              {.offset = 3600, .abbreviation = 4},
              {.offset = 7200, .is_daylight = 1, .abbreviation = 8}},
    .abbreviations = "LMT|CET|CEST",
    .transition_count = 4,
    .transitions = {{-2422054408, 1}, {323830800, 2}, {338950800, 1}, {354675600, 2}},
    .standard_flag_count = 3,
    .ut_flag_count = 3,
    .footer = "CET-1CEST,M3.5.0,M10.5.0/3",
};

struct writer {
    uint8_t *bytes;
    size_t size;
};

static void put(struct writer *writer, const void *bytes, size_t size)
{
    if (writer->size + size > TZIF_SIZE_MAX)
        support_fail("the file made by hand is too large");
    memcpy(writer->bytes + writer->size, bytes, size);
    writer->size += size;
}

static void put_number(struct writer *writer, int64_t value, size_t size)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((uint64_t)value >> (8 * (size - 1 - i)));
    put(writer, bytes, size);
}

static void put_header(struct writer *writer, const struct tzif *file)
{
    static const uint8_t reserved[15];

    put(writer, "TZif", 4);
    put(writer, &file->version, 1);
    put(writer, reserved, sizeof(reserved));
    put_number(writer, (int64_t)file->ut_flag_count, 4);
    put_number(writer, (int64_t)file->standard_flag_count, 4);
    put_number(writer, (int64_t)file->leap_count, 4);
    put_number(writer, (int64_t)file->transition_count, 4);
    put_number(writer, (int64_t)file->type_count, 4);
    put_number(writer, file->abbreviations != NULL ? (int64_t)strlen(file->abbreviations) + 1 : 0, 4);
}

static void put_abbreviations(struct writer *writer, const char *text)
{
    for (; *text != '\0'; text++)
        put(writer, *text == '|' ? "" : text, 1);
    put(writer, "", 1);
}

static void put_block(struct writer *writer, const struct tzif *file, size_t time_size)
{
    for (size_t i = 0; i < file->transition_count; i++)
        put_number(writer, file->transitions[i].at, time_size);
    for (size_t i = 0; i < file->transition_count; i++)
        put(writer, &file->transitions[i].type, 1);
    for (size_t i = 0; i < file->type_count; i++) {
        put_number(writer, file->types[i].offset, 4);
        put(writer, &file->types[i].is_daylight, 1);
        put(writer, &file->types[i].abbreviation, 1);
    }
    put_abbreviations(writer, file->abbreviations);
    for (size_t i = 0; i < file->leap_count; i++) {
        put_number(writer, 78796800 + (int64_t)i * 31536000, time_size);
        put_number(writer, (int64_t)i + 1, 4);
    }
    for (size_t i = 0; i < file->standard_flag_count + file->ut_flag_count; i++)
        put(writer, "", 1);
}

size_t tzif_write(const struct tzif *file, uint8_t bytes[static TZIF_SIZE_MAX])
{
    struct writer writer = {.size = 0};
    struct tzif empty = {.version = file->version};

    writer.bytes = bytes;
    if (file->version != '\0')
        put_header(&writer, &empty);
    put_header(&writer, file);
    put_block(&writer, file, file->version != '\0' ? 8 : 4);
    if (file->version != '\0') {
        put(&writer, "\n", 1);
        put(&writer, file->footer != NULL ? file->footer : "", file->footer != NULL ? strlen(file->footer) : 0);
        put(&writer, "\n", 1);
    }
    return writer.size;
}

void tzif_set_count(uint8_t *header, enum tzif_count which, uint32_t count)
{
    struct writer writer = {.size = which};

    writer.bytes = header;
    put_number(&writer, count, 4);
}

struct zone *tzif_read_bytes(const uint8_t *bytes, size_t size)
{
    struct error err = {.kind = ERROR_NONE};
    struct zone *zone = zone_read("Test/Zone", bytes, size, &err);

    if (zone == NULL)
        support_fail("%s", err.message);
    return zone;
}

struct zone *tzif_read(const struct tzif *file)
{
    uint8_t bytes[TZIF_SIZE_MAX];

    return tzif_read_bytes(bytes, tzif_write(file, bytes));
}

struct zone *tzif_read_rule(const char *rule)
{
    struct tzif file = {.version = '3', .type_count = 1, .abbreviations = "LMT", .footer = rule};

    return tzif_read(&file);
}

void tzif_check_refused_bytes(const uint8_t *bytes, size_t size, const char *reason)
{
    /* An exact copy, so that a read past the end is seen. */
    uint8_t *copy = xmalloc(size + 1);
    memcpy(copy + 1, bytes, size);
    struct error err = {.kind = ERROR_NONE};
    struct zone *zone = zone_read("Test/Zone", copy + 1, size, &err);

    free(copy);
    if (zone != NULL)
        support_fail("%zu bytes should be refused: %s", size, reason);
    ck_assert_int_eq(err.kind, ERROR_CONFIG);
    ck_assert_msg(strstr(err.message, "time zone \"Test/Zone\": ") == err.message, "%s", err.message);
    ck_assert_msg(strstr(err.message, reason) != NULL, "\"%s\" instead of \"%s\"", err.message, reason);
    ck_assert_str_ne(err.hint, "");
}

void tzif_check_refused(const struct tzif *file, const char *reason)
{
    uint8_t bytes[TZIF_SIZE_MAX];

    tzif_check_refused_bytes(bytes, tzif_write(file, bytes), reason);
}
