/* SPDX-License-Identifier: PostgreSQL */
/* What commands print on standard output: lists (report/output.h) as tables, JSON or CSV.
 *
 * Does: draw tables through libsmartcols. Text is escaped for terminals, so that nothing stored in a database can move
 *   a cursor or forge a line.
 * Does not: query. */
#ifndef CHIME_CLI_OUTPUT_PRINT_H
#define CHIME_CLI_OUTPUT_PRINT_H

#include <stdio.h>

#include "report/output.h"

/* A tree is a table whose first column shows what is below what. Dot is for Graphviz: who prints it writes it by
 * himself. */
enum output_format {
    OUTPUT_TABLE,
    OUTPUT_WIDE,
    OUTPUT_JSON,
    OUTPUT_NDJSON,
    OUTPUT_CSV,
    OUTPUT_TREE,
    OUTPUT_DOT,
};

struct output_style {
    enum output_format format;
    bool no_header;
    bool utc;      /* instants for people in UTC instead of local time */
    bool colour;   /* see output_wants_colour */
    bool terminal; /* cells that may be cut are; elsewhere only PostgreSQL's CONTEXT is left out of a table */
};

/* One document of several lists, in this order. */
void output_print(struct output_list *const *lists, size_t count, const struct output_style *style, FILE *stream);

bool output_format_parse(const char *name, enum output_format *format, struct error *err) CHIME_MUST_CHECK;
bool output_is_for_people(const struct output_style *style);
/* A terminal, and NO_COLOR not set (https://no-color.org). */
bool output_wants_colour(int descriptor);

/* output_table.c */
void output_print_tables(struct output_list *const *lists, size_t count, const struct output_style *style,
                         FILE *stream);

#endif
