/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/columns.h"

#include <string.h>

void columns_init(struct columns *columns)
{
    *columns = (struct columns){0};
}

void columns_finish(struct columns *columns)
{
    for (size_t i = 0; i < COLUMNS_MAX; i++) {
        buffer_finish(&columns->column[i]);
    }
}

static struct buffer *begin(struct columns *columns, size_t column)
{
    struct buffer *buffer = &columns->column[column];
    buffer_putc(buffer, buffer->length == 0 ? '{' : ',');
    return buffer;
}

void columns_int(struct columns *columns, size_t column, int64_t value)
{
    buffer_put_int(begin(columns, column), value);
}

void columns_bool(struct columns *columns, size_t column, bool value)
{
    buffer_putc(begin(columns, column), value ? 't' : 'f');
}

void columns_instant(struct columns *columns, size_t column, instant at)
{
    char text[INSTANT_TEXT_SIZE];
    buffer_puts(begin(columns, column), at == INSTANT_NONE ? "NULL" : instant_format(at, text));
}

void columns_text(struct columns *columns, size_t column, const char *text)
{
    struct buffer *buffer = begin(columns, column);
    if (text == NULL) {
        buffer_puts(buffer, "NULL");
        return;
    }
    buffer_putc(buffer, '"');
    for (size_t plain; *text != '\0'; text += plain) {
        plain = strcspn(text, "\"\\");
        buffer_append(buffer, text, plain);
        if (text[plain] != '\0') {
            buffer_putc(buffer, '\\');
            buffer_putc(buffer, text[plain++]);
        }
    }
    buffer_putc(buffer, '"');
}

void columns_close(struct columns *columns)
{
    for (size_t i = 0; i < COLUMNS_MAX; i++) {
        struct buffer *buffer = &columns->column[i];
        if (buffer->length == 0) {
            buffer_putc(buffer, '{');
        }
        buffer_putc(buffer, '}');
        columns->values[i] = buffer_text(buffer);
    }
}
