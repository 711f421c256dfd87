/* SPDX-License-Identifier: PostgreSQL */
#include "plugin/json_text.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"

static bool needs_escape(char character)
{
    return character == '"' || character == '\\' || (unsigned char)character < 0x20;
}

void json_text_append(struct buffer *json, const char *text, size_t length)
{
    size_t plain = 0; /* where the bytes not yet written start */
    buffer_putc(json, '"');
    for (size_t i = 0; i < length; i++) {
        if (!needs_escape(text[i])) {
            continue;
        }
        buffer_append(json, text + plain, i - plain);
        buffer_printf(json, "\\u%04x", (unsigned)(unsigned char)text[i]);
        plain = i + 1;
    }
    buffer_append(json, text + plain, length - plain);
    buffer_putc(json, '"');
}

void text_make_printable(char *text)
{
    bool is_utf8 = utf8_valid(text, strlen(text));
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == 0x7f) {
            *text = ' ';
        } else if (byte >= 0x80 && !is_utf8) {
            *text = '?';
        }
    }
}
