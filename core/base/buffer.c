/* SPDX-License-Identifier: PostgreSQL */
#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define SMALLEST_CAPACITY 64

void buffer_finish(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
    if (buffer->data != NULL) {
        buffer->data[0] = '\0';
    }
}

/* Makes room for `more` bytes and the NUL behind them. */
static void reserve(struct buffer *buffer, size_t more)
{
    if (more > SIZE_MAX / 2 - buffer->length - 1) {
        fatal("out of memory (a text of %zu and %zu bytes)", buffer->length, more);
    }
    size_t needed = buffer->length + more + 1;
    if (needed <= buffer->capacity) {
        return;
    }
    size_t capacity = buffer->capacity > 0 ? buffer->capacity * 2 : SMALLEST_CAPACITY;
    if (capacity < needed) {
        capacity = needed;
    }
    buffer->data = xrealloc(buffer->data, capacity, 1);
    buffer->capacity = capacity;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
    reserve(buffer, length);
    if (length > 0) {
        memcpy(buffer->data + buffer->length, bytes, length);
    }
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void buffer_puts(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_putc(struct buffer *buffer, char character)
{
    buffer_append(buffer, &character, 1);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = xvasprintf(format, arguments);
    va_end(arguments);
    buffer_puts(buffer, text);
    free(text);
}

void buffer_put_int(struct buffer *buffer, int64_t value)
{
    char digits[20];
    char *first = digits + sizeof(digits);
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        *--first = '-';
    }
    buffer_append(buffer, first, (size_t)(digits + sizeof(digits) - first));
}

const char *buffer_text(const struct buffer *buffer)
{
    return buffer->data != NULL ? buffer->data : "";
}

char *buffer_take(struct buffer *buffer)
{
    char *text = buffer->data != NULL ? buffer->data : xstrdup("");
    *buffer = (struct buffer){0};
    return text;
}
