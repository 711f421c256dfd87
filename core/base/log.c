/* SPDX-License-Identifier: PostgreSQL */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

/* Fixed sizes, because the line that says "out of memory" must not need any. */
#define MESSAGE_SIZE 4096
#define HINT_SIZE sizeof(((struct error *)NULL)->hint)
#define LINE_SIZE ((MESSAGE_SIZE + HINT_SIZE) * 6 + 256) /* each byte as \\u001b, at worst */

struct line {
    size_t length;
    char text[LINE_SIZE];
};

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static enum log_level lowest_level = LOG_LEVEL_INFO;
static bool json;
static void (*capture_sink)(const char *line, void *data);
static void *capture_data;

void log_set_level(enum log_level lowest)
{
    lowest_level = lowest;
}

void log_set_json(bool on)
{
    json = on;
}

void log_capture(void (*sink)(const char *line, void *data), void *data)
{
    capture_sink = sink;
    capture_data = data;
}

static void put_bytes(struct line *line, const char *bytes, size_t length)
{
    memcpy(line->text + line->length, bytes, length);
    line->length += length;
}

static void put_text(struct line *line, const char *text)
{
    put_bytes(line, text, strlen(text));
}

static void put_escaped_byte(struct line *line, unsigned char byte)
{
    char escape[8];
    snprintf(escape, sizeof(escape), !json ? "\\x%02x" : byte < 0x80 ? "\\u%04x" : "\\\\x%02x", byte);
    switch (byte) {
    case '\n':
        put_text(line, "\\n");
        break;
    case '\r':
        put_text(line, "\\r");
        break;
    case '\t':
        put_text(line, "\\t");
        break;
    default:
        put_text(line, escape);
    }
}

/* Where the whole is a JSON string, what that has to escape is. */
static void put_content(struct line *line, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (json && (bytes[i] == '"' || bytes[i] == '\\')) {
            put_bytes(line, "\\", 1);
        }
        put_bytes(line, bytes + i, 1);
    }
}

static void put_escaped(struct line *line, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t length = utf8_length(text, left);
        bool escape = length == 0 || utf8_is_hidden(utf8_decode(text, length));
        size_t step = length > 0 ? length : 1;
        for (size_t i = 0; escape && i < step; i++) {
            put_escaped_byte(line, (unsigned char)text[i]);
        }
        if (!escape) {
            put_content(line, text, step);
        }
        text += step;
        left -= step;
    }
}

static void put_time(struct line *line)
{
    instant now = clock_wall();
    struct civil civil = instant_to_civil(now);
    char text[96];
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", civil.year, civil.month, civil.day, civil.hour,
             civil.minute, civil.second, civil.usec / 1000);
    put_text(line, text);
}

/* One write for the whole line, so that lines of several processes on one stderr do not mix. */
static void deliver(struct line *line)
{
    put_bytes(line, "\n", 2);
    if (capture_sink != NULL) {
        capture_sink(line->text, capture_data);
        return;
    }
    size_t done = 0;
    while (done < line->length - 1) {
        ssize_t written = write(STDERR_FILENO, line->text + done, line->length - 1 - done);
        if (written < 0 && errno != EINTR) {
            return; /* nowhere left to say it */
        }
        done += written > 0 ? (size_t)written : 0;
    }
}

static void write_json(enum log_level level, const char *message, const char *hint)
{
    struct line line = {.length = 0};
    put_text(&line, "{\"time\":\"");
    put_time(&line);
    put_text(&line, "\",\"level\":\"");
    put_text(&line, level_names[level]);
    put_text(&line, "\",\"message\":\"");
    put_escaped(&line, message);
    if (hint != NULL) {
        put_text(&line, "\",\"hint\":\"");
        put_escaped(&line, hint);
    }
    put_text(&line, "\"}");
    deliver(&line);
}

static void write_message(enum log_level level, const char *message)
{
    if (json) {
        write_json(level, message, NULL);
        return;
    }
    struct line line = {.length = 0};
    put_time(&line);
    put_text(&line, " ");
    put_text(&line, level_names[level]);
    put_text(&line, " ");
    put_escaped(&line, message);
    deliver(&line);
}

static void write_hint(const char *hint)
{
    struct line line = {.length = 0};
    put_text(&line, "HINT:  ");
    put_escaped(&line, hint);
    deliver(&line);
}

static void CHIME_PRINTF(2, 0) write_formatted(enum log_level level, const char *format, va_list arguments)
{
    int saved = errno;
    static const char cut_mark[] = "...";
    char message[MESSAGE_SIZE] = "";
    int length = vsnprintf(message, sizeof(message), format, arguments);
    if (length >= MESSAGE_SIZE) {
        size_t kept = utf8_cut(message, sizeof(message) - 1, sizeof(message) - sizeof(cut_mark));
        memcpy(message + kept, cut_mark, sizeof(cut_mark));
    }
    write_message(level, message);
    errno = saved;
}

void log_debug(const char *format, ...)
{
    if (lowest_level > LOG_LEVEL_DEBUG) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    write_formatted(LOG_LEVEL_DEBUG, format, arguments);
    va_end(arguments);
}

void log_info(const char *format, ...)
{
    if (lowest_level > LOG_LEVEL_INFO) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    write_formatted(LOG_LEVEL_INFO, format, arguments);
    va_end(arguments);
}

void log_warning(const char *format, ...)
{
    if (lowest_level > LOG_LEVEL_WARNING) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    write_formatted(LOG_LEVEL_WARNING, format, arguments);
    va_end(arguments);
}

void log_error(const struct error *err)
{
    int saved = errno;
    char message[sizeof(err->message) + sizeof(err->sqlstate) + sizeof(" (SQLSTATE )")];
    if (err->sqlstate[0] != '\0') {
        snprintf(message, sizeof(message), "%s (SQLSTATE %s)", err->message, err->sqlstate);
    } else {
        snprintf(message, sizeof(message), "%s", err->message);
    }
    if (json) {
        write_json(LOG_LEVEL_ERROR, message, err->hint[0] != '\0' ? err->hint : NULL);
    } else {
        write_message(LOG_LEVEL_ERROR, message);
        if (err->hint[0] != '\0') {
            write_hint(err->hint);
        }
    }
    errno = saved;
}

void fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_formatted(LOG_LEVEL_ERROR, format, arguments);
    va_end(arguments);
    abort();
}
