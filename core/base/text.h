/* SPDX-License-Identifier: PostgreSQL */
/* Small pure functions on text. */
#ifndef CHIME_BASE_TEXT_H
#define CHIME_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many of the first `limit` bytes to keep so that no UTF-8 character is cut. Bytes that are not UTF-8 are
 * kept as they are (never loops, never reads past `length`). */
size_t utf8_cut(const char *text, size_t length, size_t limit);
/* Bytes of the UTF-8 character at the start of `text`; 0 when there is no valid one. */
size_t utf8_length(const char *text, size_t length);
bool utf8_valid(const char *text, size_t length);
/* Puts '?' for every byte that is no part of a valid character. */
/* The number of the character at the start of `text`, which has that many bytes. */
uint32_t utf8_decode(const char *text, size_t length);
/* Controls of both sets, and what separates lines or turns the direction of a text around. */
bool utf8_is_hidden(uint32_t character);
void utf8_repair(char *text, size_t length);
/* The candidate nearest to `word` by edit distance, or NULL when none is near enough to suggest (distance at most
 * a third of the word's length, and at least 1 allowed). */
const char *nearest_word(const char *word, const char *const *candidates, size_t count);
/* Whole decimal number within [low, high]; false otherwise (no sign but '-', no spaces, no overflow). */
bool parse_int64(const char *text, int64_t low, int64_t high, int64_t *value);
/* A name that may be a job, plugin, database key: 1..63 bytes of [A-Za-z0-9_-], not starting with '-'. */
bool name_valid(const char *name);
bool text_same(const char *left, const char *right); /* either may be NULL, which is the same as NULL only */
/* FNV-1a, 64 bits: for jitter and fingerprints, never for security. */
uint64_t text_hash(const char *text);

#endif
