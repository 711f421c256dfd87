/* SPDX-License-Identifier: PostgreSQL */
/* Texts and durations for people: what a terminal would obey is escaped. */
#include <string.h>

#include "base/text.h"
#include "report/output.h"

static void escape_character(struct buffer *buffer, uint32_t character)
{
    switch (character) {
    case '\n':
        buffer_puts(buffer, "\\n");
        break;
    case '\t':
        buffer_puts(buffer, "\\t");
        break;
    case '\r':
        buffer_puts(buffer, "\\r");
        break;
    default:
        buffer_printf(buffer, "\\u%04x", character);
    }
}

void output_escape_but(struct buffer *buffer, const char *text, const char *kept)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t length = utf8_length(text, left);
        if (length == 0) {
            buffer_puts(buffer, "\\ufffd");
            length = 1;
        } else {
            uint32_t character = utf8_decode(text, length);
            if (utf8_is_hidden(character) && strchr(kept, (int)*text) == NULL) {
                escape_character(buffer, character);
            } else {
                buffer_append(buffer, text, length);
            }
        }
        text += length;
        left -= length;
    }
}

void output_escape(struct buffer *buffer, const char *text)
{
    output_escape_but(buffer, text, "");
}

void output_put_duration(struct buffer *buffer, duration length)
{
    if (length < 0) {
        buffer_putc(buffer, '-');
        length = -length;
    }
    if (length < USEC_PER_SEC) {
        buffer_printf(buffer, length < 10 * USEC_PER_MSEC ? "%.1fms" : "%.0fms", (double)length / USEC_PER_MSEC);
    } else if (length < USEC_PER_MINUTE) {
        buffer_printf(buffer, "%lld.%llds", (long long)(length / USEC_PER_SEC),
                      (long long)(length % USEC_PER_SEC / (USEC_PER_SEC / 10)));
    } else if (length < USEC_PER_HOUR) {
        buffer_printf(buffer, "%lldmin %llds", (long long)(length / USEC_PER_MINUTE),
                      (long long)(length % USEC_PER_MINUTE / USEC_PER_SEC));
    } else if (length < USEC_PER_DAY) {
        buffer_printf(buffer, "%lldh %lldmin", (long long)(length / USEC_PER_HOUR),
                      (long long)(length % USEC_PER_HOUR / USEC_PER_MINUTE));
    } else {
        buffer_printf(buffer, "%lldd %lldh", (long long)(length / USEC_PER_DAY),
                      (long long)(length % USEC_PER_DAY / USEC_PER_HOUR));
    }
}
