/* SPDX-License-Identifier: PostgreSQL */
/* A growing string. Always NUL-terminated; may hold NUL bytes; length is what counts.
 * `struct buffer b = {0};` is an empty one; buffer_finish frees it. */
#ifndef CHIME_BASE_BUFFER_H
#define CHIME_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

struct buffer {
    char *data; /* NULL until the first append: use buffer_text to read it */
    size_t length;
    size_t capacity;
};

void buffer_finish(struct buffer *buffer);
void buffer_clear(struct buffer *buffer); /* keeps the memory */
void buffer_append(struct buffer *buffer, const void *bytes, size_t length);
void buffer_puts(struct buffer *buffer, const char *text);
void buffer_putc(struct buffer *buffer, char character);
void buffer_printf(struct buffer *buffer, const char *format, ...) CHIME_PRINTF(2, 3);
void buffer_put_int(struct buffer *buffer, int64_t value); /* decimal, without printf's cost */
const char *buffer_text(const struct buffer *buffer);      /* "" when empty; borrowed until the next change */
char *buffer_take(struct buffer *buffer);                  /* caller frees; the buffer is empty again */

#endif
