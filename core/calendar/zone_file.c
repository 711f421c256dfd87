/* SPDX-License-Identifier: PostgreSQL */
/* A TZif file, as bytes (RFC 8536, section 3). Nothing in it is believed before it is checked. */
#include <string.h>

#include "calendar/zone_state.h"

#define HEADER_SIZE 44
#define TYPE_SIZE 6 /* offset 4, is daylight 1, index of the abbreviation 1 */

struct header {
    char version; /* '\0' is 1 */
    uint64_t ut_flag_count;
    uint64_t standard_flag_count;
    uint64_t leap_count;
    uint64_t transition_count;
    uint64_t type_count;
    uint64_t abbreviation_size; /* of all of them together */
};

struct cursor {
    const uint8_t *at;
    size_t left;
};

static bool refuse(struct error *err, const char *reason)
{
    return error_set(err, ERROR_CONFIG, "%s", reason);
}

static bool take(struct cursor *cursor, uint64_t size, const uint8_t **part)
{
    if (size > cursor->left) {
        return false;
    }
    *part = cursor->at;
    cursor->at += size;
    cursor->left -= (size_t)size;
    return true;
}

static uint32_t read_uint32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool read_header(struct cursor *cursor, struct header *header, struct error *err)
{
    const uint8_t *bytes = NULL;
    if (cursor->left < 4 || memcmp(cursor->at, "TZif", 4) != 0) {
        return refuse(err, "it is not a TZif file");
    }
    if (!take(cursor, HEADER_SIZE, &bytes)) {
        return refuse(err, "the file is cut short in a header");
    }
    header->version = (char)bytes[4];
    if (header->version != '\0' && (header->version < '2' || header->version > '4')) {
        return error_set(err, ERROR_CONFIG, "its format has version 0x%02X; 1 to 4 are known", bytes[4]);
    }
    header->ut_flag_count = read_uint32(bytes + 20);
    header->standard_flag_count = read_uint32(bytes + 24);
    header->leap_count = read_uint32(bytes + 28);
    header->transition_count = read_uint32(bytes + 32);
    header->type_count = read_uint32(bytes + 36);
    header->abbreviation_size = read_uint32(bytes + 40);
    return true;
}

/* A sum of 32-bit counts times small sizes: far from overflow. */
static uint64_t block_size(const struct header *header, size_t time_size)
{
    return header->transition_count * (time_size + 1) + header->type_count * TYPE_SIZE + header->abbreviation_size +
           header->leap_count * (time_size + 4) + header->standard_flag_count + header->ut_flag_count;
}

static bool check_counts(const struct header *header, struct error *err)
{
    if (header->leap_count != 0) {
        refuse(err, "the file counts leap seconds");
        return error_hint(err, "choose the zone of the same name without \"right/\"");
    }
    if (header->type_count < 1 || header->type_count > ZONE_KINDS_MAX) {
        return error_set(err, ERROR_CONFIG, "the file has %llu local time types instead of 1 to %d",
                         (unsigned long long)header->type_count, ZONE_KINDS_MAX);
    }
    if ((header->ut_flag_count != 0 && header->ut_flag_count != header->type_count) ||
        (header->standard_flag_count != 0 && header->standard_flag_count != header->type_count)) {
        return refuse(err, "the file has another number of UT or standard flags than of local time types");
    }
    return header->abbreviation_size > 0 || refuse(err, "the file has no abbreviations");
}

static bool take_block(struct cursor *cursor, const struct header *header, struct zone_image *image, struct error *err)
{
    if (block_size(header, image->time_size) > cursor->left) {
        return refuse(err, "the file is shorter than its counts say");
    }
    const uint8_t *abbreviations = NULL;
    const uint8_t *flags = NULL;
    bool taken = take(cursor, header->transition_count * image->time_size, &image->times) &&
                 take(cursor, header->transition_count, &image->kinds) &&
                 take(cursor, header->type_count * TYPE_SIZE, &image->types) &&
                 take(cursor, header->abbreviation_size, &abbreviations) &&
                 take(cursor, header->standard_flag_count + header->ut_flag_count, &flags);
    image->transition_count = (size_t)header->transition_count;
    image->type_count = (size_t)header->type_count;
    image->abbreviations = (const char *)abbreviations;
    return taken;
}

int64_t zone_image_time(const struct zone_image *image, size_t transition)
{
    const uint8_t *bytes = image->times + transition * image->time_size;
    if (image->time_size == 4) {
        return (int32_t)read_uint32(bytes);
    }
    return (int64_t)((uint64_t)read_uint32(bytes) << 32 | read_uint32(bytes + 4));
}

int32_t zone_image_offset(const struct zone_image *image, size_t type)
{
    return (int32_t)read_uint32(image->types + type * TYPE_SIZE);
}

const char *zone_image_abbreviation(const struct zone_image *image, size_t type)
{
    return image->abbreviations + image->types[type * TYPE_SIZE + 5];
}

static bool check_transitions(const struct zone_image *image, struct error *err)
{
    for (size_t i = 0; i < image->transition_count; i++) {
        if (i > 0 && zone_image_time(image, i) <= zone_image_time(image, i - 1)) {
            return refuse(err, "its transitions are not in ascending order");
        }
        if (image->kinds[i] >= image->type_count) {
            return refuse(err, "a transition leads to a local time type that is not there");
        }
    }
    return true;
}

static bool is_abbreviation(const char *text)
{
    return text[0] != '\0' &&
           text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-")] == '\0';
}

static bool check_types(const struct zone_image *image, size_t abbreviation_size, struct error *err)
{
    if (image->abbreviations[abbreviation_size - 1] != '\0') {
        return refuse(err, "its last abbreviation has no end");
    }
    for (size_t i = 0; i < image->type_count; i++) {
        int32_t offset = zone_image_offset(image, i);
        if (offset <= ZONE_OFFSET_ABOVE || offset >= ZONE_OFFSET_BELOW) {
            return error_set(err, ERROR_CONFIG, "a local time is %ld s from UTC: beyond -25 or +26 hours",
                             (long)offset);
        }
        if (image->types[i * TYPE_SIZE + 4] > 1) {
            return refuse(err, "a flag of daylight saving is neither 0 nor 1");
        }
        if (image->types[i * TYPE_SIZE + 5] >= abbreviation_size ||
            !is_abbreviation(zone_image_abbreviation(image, i))) {
            return refuse(err, "a local time type has no abbreviation of letters, digits, \"+\" and \"-\"");
        }
    }
    return true;
}

/* A line of its own and the last: "\nCET-1CEST,M3.5.0,M10.5.0/3\n". */
static bool take_footer(struct cursor *cursor, struct zone_image *image, struct error *err)
{
    const char *text = (const char *)cursor->at;
    if (cursor->left < 2 || text[0] != '\n' || text[cursor->left - 1] != '\n') {
        return refuse(err, "the file is cut short in its footer");
    }
    image->footer = text + 1;
    image->footer_length = cursor->left - 2;
    cursor->left = 0;
    return true;
}

bool zone_image_read(struct zone_image *image, const void *bytes, size_t size, struct error *err)
{
    struct cursor cursor = {.at = bytes, .left = size};
    struct header header = {0};
    *image = (struct zone_image){.time_size = 4};
    if (!read_header(&cursor, &header, err)) {
        return false;
    }
    bool has_second = header.version != '\0';
    if (has_second) {
        const uint8_t *unused = NULL; /* the block for readers of 32 bits: an excerpt of the next */
        if (!take(&cursor, block_size(&header, 4), &unused)) {
            return refuse(err, "the file is shorter than its counts say");
        }
        image->time_size = 8;
        if (!read_header(&cursor, &header, err)) {
            return false;
        }
    }
    if (!check_counts(&header, err) || !take_block(&cursor, &header, image, err) ||
        !check_types(image, (size_t)header.abbreviation_size, err) || !check_transitions(image, err) ||
        (has_second && !take_footer(&cursor, image, err))) {
        return false;
    }
    return cursor.left == 0 || refuse(err, "there are bytes after the file's end");
}
