/* SPDX-License-Identifier: PostgreSQL */
#include "base/text.h"

#include <string.h>

#define LONGEST_WORD 64
#define LONGEST_NAME 63

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Bytes that a character with this first byte has; 0 for a byte that starts none. */
static size_t announced_length(unsigned char byte)
{
    if (byte < 0x80) {
        return 1;
    }
    if (byte >= 0xC2 && byte <= 0xDF) {
        return 2;
    }
    if ((byte & 0xF0) == 0xE0) {
        return 3;
    }
    return byte >= 0xF0 && byte <= 0xF4 ? 4 : 0;
}

/* Overlong forms, surrogates and values past U+10FFFF all show in the second byte. */
static bool second_byte_allowed(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xE0:
        return second >= 0xA0;
    case 0xED:
        return second <= 0x9F;
    case 0xF0:
        return second >= 0x90;
    case 0xF4:
        return second <= 0x8F;
    default:
        return true;
    }
}

size_t utf8_length(const char *text, size_t length)
{
    if (length == 0) {
        return 0;
    }
    const unsigned char *bytes = (const unsigned char *)text;
    size_t announced = announced_length(bytes[0]);
    if (announced > length) {
        return 0;
    }
    for (size_t i = 1; i < announced; i++) {
        if (!is_continuation(bytes[i])) {
            return 0;
        }
    }
    return announced < 2 || second_byte_allowed(bytes[0], bytes[1]) ? announced : 0;
}

size_t utf8_cut(const char *text, size_t length, size_t limit)
{
    if (length <= limit) {
        return length;
    }
    for (size_t back = 1; back <= 3 && back <= limit; back++) {
        size_t start = limit - back;
        if (!is_continuation((unsigned char)text[start])) {
            return utf8_length(text + start, length - start) > back ? start : limit;
        }
    }
    return limit;
}

bool utf8_valid(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        size_t step = utf8_length(text + at, length - at);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

uint32_t utf8_decode(const char *text, size_t length)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t character = (unsigned char)text[0] & masks[length];
    for (size_t i = 1; i < length; i++) {
        character = character << 6 | ((unsigned char)text[i] & 0x3f);
    }
    return character;
}

bool utf8_is_hidden(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x61c || character == 0x200e ||
           character == 0x200f || (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

void utf8_repair(char *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        size_t step = utf8_length(text + at, length - at);
        if (step == 0) {
            text[at++] = '?';
        }
        at += step;
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, substitutions and swaps of neighbours each cost one. Both at most LONGEST_WORD long. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][LONGEST_WORD + 1];
    for (size_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t substitution = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = smaller(substitution, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = smaller(row[j], two_above[j - 2] + 1);
            }
        }
    }
    return rows[a_length % 3][b_length];
}

const char *nearest_word(const char *word, const char *const *candidates, size_t count)
{
    size_t length = strlen(word);
    if (length == 0 || length > LONGEST_WORD) {
        return NULL;
    }
    size_t allowed = length / 3 > 0 ? length / 3 : 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t candidate_length = strlen(candidates[i]);
        if (candidate_length > LONGEST_WORD) {
            continue;
        }
        size_t distance = edit_distance(word, length, candidates[i], candidate_length);
        if (nearest == NULL ? distance <= allowed : distance < allowed) {
            nearest = candidates[i];
            allowed = distance;
        }
    }
    return nearest;
}

bool parse_int64(const char *text, int64_t low, int64_t high, int64_t *value)
{
    bool negative = text[0] == '-';
    const char *digit = negative ? text + 1 : text;
    if (*digit == '\0') {
        return false;
    }
    int64_t result = 0;
    for (; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9') {
            return false;
        }
        int step = negative ? '0' - *digit : *digit - '0';
        if (__builtin_mul_overflow(result, 10, &result) || __builtin_add_overflow(result, step, &result)) {
            return false;
        }
    }
    if (result < low || result > high) {
        return false;
    }
    *value = result;
    return true;
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool name_valid(const char *name)
{
    size_t length = 0;
    while (is_name_character(name[length])) {
        length++;
        if (length > LONGEST_NAME) {
            return false;
        }
    }
    return name[length] == '\0' && length > 0 && name[0] != '-';
}

bool text_same(const char *left, const char *right)
{
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

uint64_t text_hash(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++) {
        hash ^= (unsigned char)*text;
        hash *= UINT64_C(0x100000001b3);
    }
    return hash;
}
