/* SPDX-License-Identifier: PostgreSQL */
/* Lists as commands and pages show them: one definition of columns gives the table, the JSON and the CSV.
 *
 * Does: hold rows of typed values; write them as JSON, as lines of JSON, or as CSV.
 * Does not: query, print, or draw tables (cli/output_print.h). Ownership: a list and its rows are the caller's; columns
 *   are borrowed.
 * JSON is one object: schema_version 1 and each list under its plural name. Instants are ISO 8601 in UTC with Z,
 * durations milliseconds (the key says _ms), data is nested as it is. It is stable; the text for people may change. */
#ifndef CHIME_REPORT_OUTPUT_H
#define CHIME_REPORT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/instant.h"
#include "pg/rows.h"

#define OUTPUT_SCHEMA_VERSION 1

enum output_kind {
    OUTPUT_TEXT,
    OUTPUT_LONG,    /* text that a table may cut */
    OUTPUT_FINDING, /* text that a table may wrap, and never cuts */
    OUTPUT_STATE,   /* text; coloured by what it says */
    OUTPUT_INTEGER,
    OUTPUT_BOOLEAN,
    OUTPUT_INSTANT,
    OUTPUT_DURATION, /* held in microseconds */
    OUTPUT_BYTES,
    OUTPUT_DATA, /* JSON text: a list or an object */
};

/* Where the table has a column: always, with -o wide, or only in a vertical one (which has all). */
enum output_place { OUTPUT_ALWAYS, OUTPUT_WIDER, OUTPUT_VERTICAL };

struct output_column {
    const char *header; /* of the table; NULL: not in the table */
    const char *key;    /* in JSON and CSV; NULL: not there */
    enum output_kind kind;
    enum output_place place;
};

struct output_list;

struct output_list *output_create(const char *plural, const struct output_column *columns, size_t count);
void output_destroy(struct output_list *list);      /* takes NULL */
void output_set_vertical(struct output_list *list); /* for people: a line for each column, as for one job */
/* In JSON each row is this column's value alone: a list of values, not of objects. */
void output_set_plain(struct output_list *list, size_t column);
size_t output_rows(const struct output_list *list);

/* A new row, all null; the setters below work on it. */
void output_add_row(struct output_list *list);
/* In a tree the current row is below that earlier one; OUTPUT_ROOT is below none, as every row is at first. */
#define OUTPUT_ROOT SIZE_MAX
void output_set_parent(struct output_list *list, size_t row);
/* From the text that PostgreSQL writes for the column's kind (durations: whole microseconds); NULL is null. */
void output_set(struct output_list *list, size_t column, const char *text);
void output_set_number(struct output_list *list, size_t column,
                       int64_t number);                                       /* integers, bytes, booleans, durations */
void output_set_instant(struct output_list *list, size_t column, instant at); /* INSTANT_NONE, _NEVER: null */

void output_clear(struct output_list *list, size_t column); /* null in every row */

/* An answer whose columns are those of the list, in order; what it has beyond is somebody else's. */
void output_take_row(struct output_list *list, const struct pg_rows *rows, size_t row);
void output_take_rows(struct output_list *list, const struct pg_rows *rows);

/* Latest first by an instant, null last, and no more than `limit` rows. */
void output_sort_latest(struct output_list *list, size_t column, size_t limit);

/* One document of several lists, in this order; a line's end behind it. */
void output_put_json(struct buffer *text, struct output_list *const *lists, size_t count);
/* A line for each row of them. */
void output_put_ndjson(struct buffer *text, struct output_list *const *lists, size_t count);
/* Of one list: CSV has no more. */
void output_put_csv(struct buffer *text, const struct output_list *list, bool header);

/* Appends text with control characters, direction overrides and bytes that are not UTF-8 made visible. */
void output_escape(struct buffer *buffer, const char *text);
void output_escape_but(struct buffer *buffer, const char *text, const char *kept); /* ASCII characters that stay */
/* "12ms", "1.204s", "5min 3s", "2h 10min", "3d 4h". */
void output_put_duration(struct buffer *buffer, duration length);

#endif
