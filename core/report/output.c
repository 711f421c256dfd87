/* SPDX-License-Identifier: PostgreSQL */
#include "report/output.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "report/output_list.h"

struct output_list *output_create(const char *plural, const struct output_column *columns, size_t count)
{
    struct output_list *list = xcalloc(1, sizeof(*list));
    *list = (struct output_list){.plural = plural, .columns = columns, .column_count = count};
    return list;
}

void output_destroy(struct output_list *list)
{
    if (list == NULL) {
        return;
    }
    for (size_t i = 0; i < list->row_count * list->column_count; i++) {
        free(list->values[i].text);
    }
    free(list->values);
    free(list->parents);
    free(list);
}

void output_set_vertical(struct output_list *list)
{
    list->vertical = true;
}

void output_set_plain(struct output_list *list, size_t column)
{
    list->plain = true;
    list->plain_column = column;
}

size_t output_rows(const struct output_list *list)
{
    return list->row_count;
}

void output_add_row(struct output_list *list)
{
    if (list->row_count == list->row_capacity) {
        list->row_capacity = list->row_capacity == 0 ? 16 : list->row_capacity * 2;
        list->values = xrealloc(list->values, list->row_capacity * list->column_count, sizeof(*list->values));
        if (list->parents != NULL) {
            list->parents = xrealloc(list->parents, list->row_capacity, sizeof(*list->parents));
        }
    }
    if (list->parents != NULL) {
        list->parents[list->row_count] = OUTPUT_ROOT;
    }
    memset(list->values + list->row_count * list->column_count, 0, list->column_count * sizeof(*list->values));
    list->row_count++;
}

static struct output_value *current(struct output_list *list, size_t column)
{
    if (list->row_count == 0 || column >= list->column_count) {
        fatal("output: no column %zu in \"%s\"", column, list->plural);
    }
    return &list->values[(list->row_count - 1) * list->column_count + column];
}

void output_set_parent(struct output_list *list, size_t row)
{
    if (list->row_count == 0 || (row >= list->row_count - 1 && row != OUTPUT_ROOT)) {
        fatal("output: row %zu is not above the last of \"%s\"", row, list->plural);
    }
    if (list->parents == NULL) {
        list->parents = xcalloc(list->row_capacity, sizeof(*list->parents));
        for (size_t i = 0; i < list->row_count; i++) {
            list->parents[i] = OUTPUT_ROOT;
        }
    }
    list->parents[list->row_count - 1] = row;
}

void output_set_number(struct output_list *list, size_t column, int64_t number)
{
    *current(list, column) = (struct output_value){.given = true, .number = number};
}

void output_set_instant(struct output_list *list, size_t column, instant at)
{
    *current(list, column) = (struct output_value){.given = at != INSTANT_NONE && at != INSTANT_NEVER, .number = at};
}

static void set_text(struct output_list *list, size_t column, const char *text)
{
    struct output_value *value = current(list, column);
    free(value->text);
    *value = (struct output_value){.given = true, .text = xstrdup(text)};
}

void output_set(struct output_list *list, size_t column, const char *text)
{
    int64_t number;
    instant at;
    if (text == NULL) {
        return;
    }
    switch (list->columns[column].kind) {
    case OUTPUT_TEXT:
    case OUTPUT_LONG:
    case OUTPUT_FINDING:
    case OUTPUT_STATE:
    case OUTPUT_DATA:
        set_text(list, column, text);
        break;
    case OUTPUT_INTEGER:
    case OUTPUT_DURATION:
    case OUTPUT_BYTES:
        if (parse_int64(text, INT64_MIN, INT64_MAX, &number)) {
            output_set_number(list, column, number);
        }
        break;
    case OUTPUT_BOOLEAN:
        output_set_number(list, column, text[0] == 't');
        break;
    case OUTPUT_INSTANT:
        if (instant_parse(text, &at, NULL)) {
            output_set_instant(list, column, at);
        }
        break;
    }
}

void output_clear(struct output_list *list, size_t column)
{
    for (size_t row = 0; row < list->row_count; row++) {
        struct output_value *value = &list->values[row * list->column_count + column];
        free(value->text);
        *value = (struct output_value){.given = false};
    }
}

void output_take_row(struct output_list *list, const struct pg_rows *rows, size_t row)
{
    output_add_row(list);
    for (size_t column = 0; column < rows->columns && column < list->column_count; column++) {
        output_set(list, column, pg_rows_value(rows, row, column));
    }
}

void output_take_rows(struct output_list *list, const struct pg_rows *rows)
{
    for (size_t row = 0; row < rows->count; row++) {
        output_take_row(list, rows, row);
    }
}

struct placed_row {
    struct output_value *values;
    size_t row; /* qsort is not stable by itself */
    int64_t key;
};

static int compare_latest(const void *left, const void *right)
{
    const struct placed_row *a = left;
    const struct placed_row *b = right;
    if (a->key != b->key) {
        return a->key > b->key ? -1 : 1;
    }
    return a->row < b->row ? -1 : 1;
}

static void drop_rows(struct output_list *list, size_t keep)
{
    for (size_t i = keep * list->column_count; i < list->row_count * list->column_count; i++) {
        free(list->values[i].text);
    }
    list->row_count = keep;
}

void output_sort_latest(struct output_list *list, size_t column, size_t limit)
{
    size_t width = list->column_count;
    if (list->row_count > 0) {
        struct placed_row *rows = xcalloc(list->row_count, sizeof(*rows));
        struct output_value *sorted = xcalloc(list->row_capacity * width, sizeof(*sorted));
        for (size_t i = 0; i < list->row_count; i++) {
            struct output_value *values = &list->values[i * width];
            rows[i] = (struct placed_row){values, i, values[column].given ? values[column].number : INSTANT_NONE};
        }
        qsort(rows, list->row_count, sizeof(*rows), compare_latest);
        for (size_t i = 0; i < list->row_count; i++) {
            memcpy(sorted + i * width, rows[i].values, width * sizeof(*sorted));
        }
        free(rows);
        free(list->values);
        list->values = sorted;
    }
    if (list->row_count > limit) {
        drop_rows(list, limit);
    }
}
