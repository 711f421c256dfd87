/* SPDX-License-Identifier: PostgreSQL */
#include "config/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define SHOWN_MAX 64
#define MESSAGE_SIZE 1400 /* an error's and what stands before it */

int reader_line(const struct reader *reader, const config_setting_t *setting)
{
    int line = (int)config_setting_source_line(setting);
    return reader->line + (line > 0 ? line - 1 : 0);
}

/* Bytes that would spoil a terminal or a log line become '?'. */
static void make_printable(char *text)
{
    size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        size_t step = utf8_length(text + at, length - at);
        if (step == 0 || (unsigned char)text[at] < 0x20 || text[at] == 0x7F) {
            text[at] = '?';
        }
        at += step > 0 ? step : 1;
    }
}

const char *reader_shown(struct reader *reader, const char *text)
{
    size_t length = strlen(text);
    size_t kept = utf8_cut(text, length, SHOWN_MAX);
    return arena_printf(reader->scratch, "%.*s%s", (int)kept, text, kept < length ? "..." : "");
}

void reader_report(struct reader *reader, const config_setting_t *setting, const char *hint, const char *format, ...)
{
    char message[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    make_printable(message);
    report_add(reader->report, reader->file, reader_line(reader, setting), hint, "%s", message);
}
