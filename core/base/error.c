/* SPDX-License-Identifier: PostgreSQL */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"

/* Formatted apart and copied, because an argument may be the very text that is replaced. */
static void CHIME_PRINTF(3, 0) format_into(char *target, size_t size, const char *format, va_list arguments)
{
    char *text = xvasprintf(format, arguments);
    size_t kept = utf8_cut(text, strlen(text), size - 1);
    memcpy(target, text, kept);
    target[kept] = '\0';
    free(text);
}

bool error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
    if (err == NULL) {
        return false;
    }
    va_list arguments;
    va_start(arguments, format);
    format_into(err->message, sizeof(err->message), format, arguments);
    va_end(arguments);
    err->kind = kind;
    err->sqlstate[0] = '\0';
    err->hint[0] = '\0';
    return false;
}

bool error_hint(struct error *err, const char *format, ...)
{
    if (err == NULL) {
        return false;
    }
    va_list arguments;
    va_start(arguments, format);
    format_into(err->hint, sizeof(err->hint), format, arguments);
    va_end(arguments);
    return false;
}

static void CHIME_PRINTF(2, 3) set_message(struct error *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_into(err->message, sizeof(err->message), format, arguments);
    va_end(arguments);
}

bool error_prefix(struct error *err, const char *format, ...)
{
    if (err == NULL) {
        return false;
    }
    va_list arguments;
    va_start(arguments, format);
    char *prefix = xvasprintf(format, arguments);
    va_end(arguments);
    set_message(err, "%s: %s", prefix, err->message);
    free(prefix);
    return false;
}

void error_clear(struct error *err)
{
    if (err != NULL) {
        memset(err, 0, sizeof(*err));
    }
}

void report_init(struct report *report)
{
    report->findings = NULL;
    report->count = 0;
}

void report_finish(struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->findings[i].file);
        free(report->findings[i].message);
        free(report->findings[i].hint);
    }
    free(report->findings);
    report_init(report);
}

void report_add(struct report *report, const char *file, int line, const char *hint, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct finding finding = {.file = file == NULL ? NULL : xstrdup(file),
                              .line = line,
                              .message = xvasprintf(format, arguments),
                              .hint = hint == NULL ? NULL : xstrdup(hint)};
    va_end(arguments);
    /* Grows at powers of two, which the count itself tells. */
    if ((report->count & (report->count - 1)) == 0) {
        size_t capacity = report->count == 0 ? 1 : report->count * 2;
        report->findings = xrealloc(report->findings, capacity, sizeof(*report->findings));
    }
    report->findings[report->count++] = finding;
}

struct placed_finding {
    struct finding finding;
    size_t place; /* qsort is not stable by itself */
};

static int compare_findings(const void *left, const void *right)
{
    const struct placed_finding *a = left;
    const struct placed_finding *b = right;
    const char *a_file = a->finding.file != NULL ? a->finding.file : "";
    const char *b_file = b->finding.file != NULL ? b->finding.file : "";
    int by_file = strcmp(a_file, b_file);
    if (by_file != 0) {
        return by_file;
    }
    if (a->finding.line != b->finding.line) {
        return a->finding.line < b->finding.line ? -1 : 1;
    }
    return a->place < b->place ? -1 : 1;
}

void report_sort(struct report *report)
{
    if (report->count < 2) {
        return;
    }
    struct placed_finding *placed = xcalloc(report->count, sizeof(*placed));
    for (size_t i = 0; i < report->count; i++) {
        placed[i] = (struct placed_finding){.finding = report->findings[i], .place = i};
    }
    qsort(placed, report->count, sizeof(*placed), compare_findings);
    for (size_t i = 0; i < report->count; i++) {
        report->findings[i] = placed[i].finding;
    }
    free(placed);
}

char *finding_line(const struct finding *finding)
{
    struct buffer text = {0};
    if (finding->file != NULL) {
        buffer_puts(&text, finding->file);
        buffer_putc(&text, ':');
        if (finding->line > 0) {
            buffer_put_int(&text, finding->line);
            buffer_putc(&text, ':');
        }
        buffer_putc(&text, ' ');
    }
    buffer_puts(&text, finding->message);
    return buffer_take(&text);
}
