/* SPDX-License-Identifier: PostgreSQL */
/* Draws lists as tables, as wide as the terminal (libsmartcols). */
#include <jansson.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/output_print.h"
#include "report/output_list.h"

#define CELL_LIMIT 60 /* characters, the mark of a cut included */

struct state_colour {
    const char *state;
    const char *colour; /* as libsmartcols names them */
};

static const struct state_colour state_colours[] = {
    {"succeeded", "green"}, {"installed", "green"}, {"running", "cyan"},     {"retrying", "yellow"},
    {"ok", "green"},        {"failing", "red"},     {"suspended", "yellow"}, {"waiting", "yellow"},
    {"skipped", "yellow"},  {"missed", "yellow"},   {"dormant", "yellow"},   {"lost", "red"},
    {"failed", "red"},      {"timed_out", "red"},   {"cancelled", "yellow"}, {"OK", "green"},
    {"DIFFERS", "red"},     {"fresh", "green"},     {"warn", "yellow"},      {"stale", "red"},
};

static const char *state_colour(const char *state)
{
    for (size_t i = 0; i < COUNT_OF(state_colours); i++) {
        if (strcmp(state, state_colours[i].state) == 0) {
            return state_colours[i].colour;
        }
    }
    return NULL;
}

/* --- values as people read them ----------------------------------------------------------------------------------- */

static void put_instant(struct buffer *text, instant at, bool utc)
{
    time_t seconds = (time_t)((at - (at % USEC_PER_SEC + USEC_PER_SEC) % USEC_PER_SEC) / USEC_PER_SEC);
    int milliseconds = (int)(((at % USEC_PER_SEC + USEC_PER_SEC) % USEC_PER_SEC) / USEC_PER_MSEC);
    struct tm parts;
    char day[64];
    char zone[16];
    if ((utc ? gmtime_r(&seconds, &parts) : localtime_r(&seconds, &parts)) == NULL) {
        buffer_puts(text, instant_format(at, day));
        return;
    }
    strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &parts);
    strftime(zone, sizeof(zone), "%z", &parts);
    buffer_puts(text, day);
    if (milliseconds != 0) {
        buffer_printf(text, ".%03d", milliseconds);
    }
    /* "+0530" in full, "+0100" as PostgreSQL has it: +01 */
    buffer_printf(text, "%.*s", strcmp(zone + 3, "00") == 0 ? 3 : 5, utc ? "Z" : zone);
}

static void put_bytes(struct buffer *text, int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double size = (double)bytes;
    size_t unit = 0;
    while (size >= 1024 && unit + 1 < COUNT_OF(units)) {
        size /= 1024;
        unit++;
    }
    buffer_printf(text, unit == 0 || size >= 100 ? "%.0f %s" : "%.1f %s", size, units[unit]);
}

static void put_item(struct buffer *text, const json_t *item)
{
    if (json_is_string(item)) {
        output_escape(text, json_string_value(item));
        return;
    }
    char *encoded = json_dumps(item, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
    output_escape(text, encoded != NULL ? encoded : "");
    free(encoded);
}

static void put_members(struct buffer *text, json_t *object)
{
    const char *key;
    json_t *item;
    json_object_foreach(object, key, item)
    {
        buffer_puts(text, text->length > 0 ? ", " : "");
        output_escape(text, key);
        buffer_puts(text, " = ");
        put_item(text, item);
    }
}

/* Each line is escaped by itself; between them is `between`. Blank ones at both ends are left out. */
static void put_lines(struct buffer *text, const char *lines, const char *between)
{
    size_t before = text->length;
    while (lines[strspn(lines, " \t\r\n")] != '\0') {
        size_t length = strcspn(lines, "\n");
        size_t next = lines[length] == '\n' ? length + 1 : length;
        while (length > 0 && strchr(" \t\r", lines[length - 1]) != NULL) {
            length--;
        }
        if (length > 0 || text->length > before) {
            char *line = xstrndup(lines, length);
            buffer_puts(text, text->length > before ? between : "");
            output_escape(text, line);
            free(line);
        }
        lines += next;
    }
}

/* A list as "a, b", an object as "a = 1, b = 2". */
static void put_data(struct buffer *text, const char *encoded)
{
    json_t *data = json_loads(encoded, JSON_DECODE_ANY, NULL);
    if (json_is_array(data)) {
        for (size_t i = 0; i < json_array_size(data); i++) {
            buffer_puts(text, i > 0 ? ", " : "");
            put_item(text, json_array_get(data, i));
        }
    } else if (json_is_object(data)) {
        put_members(text, data);
    } else {
        output_escape(text, encoded);
    }
    json_decref(data);
}

static void put_value(struct buffer *text, const struct output_value *value, enum output_kind kind,
                      const struct output_style *style, const char *line_break)
{
    if (!value->given) {
        return;
    }
    switch (kind) {
    case OUTPUT_TEXT:
    case OUTPUT_LONG:
    case OUTPUT_FINDING:
    case OUTPUT_STATE:
        put_lines(text, value->text, line_break);
        break;
    case OUTPUT_INTEGER:
        buffer_put_int(text, value->number);
        break;
    case OUTPUT_BOOLEAN:
        buffer_puts(text, value->number != 0 ? "yes" : "no");
        break;
    case OUTPUT_INSTANT:
        put_instant(text, value->number, style->utc);
        break;
    case OUTPUT_DURATION:
        output_put_duration(text, value->number);
        break;
    case OUTPUT_BYTES:
        put_bytes(text, value->number);
        break;
    case OUTPUT_DATA:
        put_data(text, value->text);
        break;
    }
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

static bool is_shown(const struct output_column *column, const struct output_list *list,
                     const struct output_style *style)
{
    enum output_place widest = list->vertical                 ? OUTPUT_VERTICAL
                               : style->format == OUTPUT_WIDE ? OUTPUT_WIDER
                                                              : OUTPUT_ALWAYS;
    return column->header != NULL && column->place <= widest;
}

static bool is_shortened(const struct output_column *column, const struct output_style *style)
{
    return (column->kind == OUTPUT_LONG || column->kind == OUTPUT_DATA) && style->terminal &&
           style->format != OUTPUT_WIDE;
}

/* The first column shown is the tree's. */
static int tree_flag(struct libscols_table *table, const struct output_style *style)
{
    return style->format == OUTPUT_TREE && scols_table_get_ncols(table) == 0 ? SCOLS_FL_TREE : 0;
}

static struct libscols_line *new_line(struct libscols_table *table, const struct output_list *list, size_t row,
                                      const struct output_style *style)
{
    bool below = style->format == OUTPUT_TREE && list->parents != NULL && list->parents[row] != OUTPUT_ROOT;
    return scols_table_new_line(table, below ? scols_table_get_line(table, list->parents[row]) : NULL);
}

static int column_flags(const struct output_column *column, const struct output_style *style)
{
    bool number = column->kind == OUTPUT_INTEGER || column->kind == OUTPUT_DURATION || column->kind == OUTPUT_BYTES;
    return (number ? SCOLS_FL_RIGHT : 0) | (is_shortened(column, style) ? SCOLS_FL_TRUNC : 0) |
           (column->kind == OUTPUT_FINDING ? SCOLS_FL_WRAP : 0);
}

/* The first line, and of that no more than so many characters; what is left out is marked. */
static void shorten(struct buffer *text, size_t limit)
{
    size_t characters = 0;
    size_t at = 0;
    size_t kept = 0; /* leaves room for the mark */
    while (at < text->length && text->data[at] != '\n' && characters < limit) {
        kept = at;
        at += utf8_length(text->data + at, text->length - at); /* escaped, hence valid: never 0 */
        characters++;
    }
    if (at < text->length) {
        char *rest = xstrndup(text->data, characters < limit ? at : kept);
        buffer_clear(text);
        buffer_printf(text, "%s\u2026", rest);
        free(rest);
    }
}

/* What PostgreSQL adds of where in which function an error was: as many lines as there were calls. */
static void leave_out_context(struct buffer *text, const char *line_break)
{
    char *mark = xasprintf("%sCONTEXT:", line_break);
    const char *context = strstr(buffer_text(text), mark);
    if (context != NULL) {
        char *rest = xstrndup(text->data, (size_t)(context - text->data));
        buffer_clear(text);
        buffer_printf(text, "%s\u2026", rest);
        free(rest);
    }
    free(mark);
}

/* So that one long message does not widen the whole table; -o wide and the vertical form have all of it. */
static void fill_cell(struct libscols_line *line, size_t place, const struct output_value *value,
                      const struct output_column *column, const struct output_style *style, bool whole)
{
    struct buffer text = {0};
    bool shortened = is_shortened(column, style) && !whole;
    const char *line_break = shortened || whole ? "\n" : " ";
    put_value(&text, value, column->kind, style, line_break);
    if (column->kind == OUTPUT_LONG && !whole && style->format != OUTPUT_WIDE) {
        leave_out_context(&text, line_break);
    }
    if (shortened) {
        shorten(&text, CELL_LIMIT);
    }
    scols_line_set_data(line, place, buffer_text(&text));
    const char *colour = column->kind == OUTPUT_STATE ? state_colour(buffer_text(&text)) : NULL;
    if (style->colour && colour != NULL) {
        scols_cell_set_color(scols_line_get_cell(line, place), colour);
    }
    buffer_finish(&text);
}

static struct libscols_table *new_table(const struct output_style *style, FILE *stream)
{
    struct libscols_table *table = scols_new_table();
    if (table == NULL) {
        fatal("out of memory");
    }
    scols_table_set_stream(table, stream);
    scols_table_enable_colors(table, style->colour);
    return table;
}

/* On a terminal, libsmartcols cuts columns until the table fits, and does not show where. */
static void mark_cuts(struct libscols_table *table)
{
    char *drawn = NULL;
    if (scols_print_table_to_string(table, &drawn) != 0) {
        fatal("out of memory");
    }
    free(drawn);
    for (size_t i = 0; i < scols_table_get_ncols(table); i++) {
        struct libscols_column *column = scols_table_get_column(table, i);
        for (size_t row = 0; scols_column_is_trunc(column) && row < scols_table_get_nlines(table); row++) {
            struct libscols_cell *cell = scols_line_get_cell(scols_table_get_line(table, row), i);
            struct buffer text = {0};
            buffer_puts(&text, scols_cell_get_data(cell));
            shorten(&text, scols_column_get_width(column));
            scols_cell_set_data(cell, buffer_text(&text));
            buffer_finish(&text);
        }
    }
}

static void print_horizontal(const struct output_list *list, const struct output_style *style, FILE *stream)
{
    struct libscols_table *table = new_table(style, stream);
    scols_table_enable_noheadings(table, style->no_header);
    for (size_t i = 0; i < list->column_count; i++) {
        if (is_shown(&list->columns[i], list, style)) {
            int flags = column_flags(&list->columns[i], style) | tree_flag(table, style);
            scols_table_new_column(table, list->columns[i].header, 0, flags);
        }
    }
    for (size_t row = 0; row < list->row_count; row++) {
        struct libscols_line *line = new_line(table, list, row, style);
        size_t place = 0;
        for (size_t i = 0; i < list->column_count; i++) {
            if (is_shown(&list->columns[i], list, style)) {
                fill_cell(line, place++, &list->values[row * list->column_count + i], &list->columns[i], style, false);
            }
        }
    }
    if (isatty(fileno(stream))) {
        mark_cuts(table);
    }
    scols_print_table(table);
    scols_unref_table(table);
}

/* Null, or a list or text with nothing in it. */
static bool is_empty(const struct output_value *value)
{
    return !value->given || (value->text != NULL && (value->text[0] == '\0' || strcmp(value->text, "[]") == 0));
}

static void print_vertical(const struct output_list *list, const struct output_style *style, FILE *stream)
{
    for (size_t row = 0; row < list->row_count; row++) {
        struct libscols_table *table = new_table(style, stream);
        scols_table_enable_noheadings(table, 1);
        scols_table_new_column(table, "NAME", 0, 0);
        struct libscols_column *values = scols_table_new_column(table, "VALUE", 0, SCOLS_FL_WRAP);
        scols_column_set_safechars(values, "\n");
        scols_column_set_wrapfunc(values, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL);
        for (size_t i = 0; i < list->column_count; i++) {
            const struct output_value *value = &list->values[row * list->column_count + i];
            if (is_shown(&list->columns[i], list, style) && !is_empty(value)) {
                struct libscols_line *line = scols_table_new_line(table, NULL);
                scols_line_set_data(line, 0, list->columns[i].header);
                fill_cell(line, 1, value, &list->columns[i], style, true);
            }
        }
        scols_print_table(table);
        scols_unref_table(table);
    }
}

void output_print_tables(struct output_list *const *lists, size_t count, const struct output_style *style, FILE *stream)
{
    bool printed = false;
    for (size_t i = 0; i < count; i++) {
        if (lists[i]->row_count == 0) {
            continue;
        }
        if (printed) {
            fputc('\n', stream);
        }
        printed = true;
        if (lists[i]->vertical) {
            print_vertical(lists[i], style, stream);
        } else {
            print_horizontal(lists[i], style, stream);
        }
    }
}
