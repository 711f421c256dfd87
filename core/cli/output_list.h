/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/cli/output*.c: rows as they are held, and the printers. */
#ifndef CHIME_CLI_OUTPUT_LIST_H
#define CHIME_CLI_OUTPUT_LIST_H

#include "cli/output.h"

struct output_value {
    bool given;     /* false: null */
    int64_t number; /* instants and durations too */
    char *text;     /* of texts and data; owned */
};

struct output_list {
    const char *plural;
    const struct output_column *columns;
    size_t column_count;
    struct output_value *values; /* row by row */
    size_t row_count;
    size_t row_capacity;
    bool vertical;
    bool plain; /* JSON has the values of plain_column alone */
    size_t plain_column;
    size_t *parents; /* of each row, from the first output_set_parent on; else NULL */
};

/* output_table.c */
void output_print_tables(struct output_list *const *lists, size_t count, const struct output_style *style,
                         FILE *stream);
/* output_data.c */
void output_print_json(struct output_list *const *lists, size_t count, FILE *stream);
void output_print_ndjson(struct output_list *const *lists, size_t count, FILE *stream);
void output_print_csv(struct output_list *const *lists, size_t count, const struct output_style *style, FILE *stream);

#endif
