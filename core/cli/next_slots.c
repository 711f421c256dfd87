/* SPDX-License-Identifier: PostgreSQL */
/* The slots that `pgchime next` lists, and their rows. */
#include <stdlib.h>

#include "base/memory.h"
#include "cli/next.h"

/* --- rows --------------------------------------------------------------------------------------------------------- */

enum { COLUMN_JOB, COLUMN_DATABASE, COLUMN_SLOT, COLUMN_UTC, COLUMN_LOCAL, COLUMN_IN, COLUMN_NOTE };

static const struct output_column all_columns[] = {
    {"JOB", "job", OUTPUT_TEXT, OUTPUT_ALWAYS},   {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SLOT", NULL, OUTPUT_TEXT, OUTPUT_ALWAYS},   {"UTC", "slot", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {NULL, "local", OUTPUT_TEXT, OUTPUT_ALWAYS},  {"IN", NULL, OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"NOTE", "note", OUTPUT_TEXT, OUTPUT_ALWAYS},
};

struct next_rows {
    const struct next_request *request;
    struct output_column columns[COUNT_OF(all_columns)];
    size_t places[COUNT_OF(all_columns)]; /* of a column among `columns` */
    size_t column_count;
    struct output_list *list;
};

static void take_column(struct next_rows *rows, size_t column)
{
    rows->places[column] = rows->column_count;
    rows->columns[rows->column_count++] = all_columns[column];
}

struct next_rows *next_rows_create(const struct next_request *request, bool with_jobs)
{
    struct next_rows *rows = xcalloc(1, sizeof(*rows));
    rows->request = request;
    for (size_t column = with_jobs ? COLUMN_JOB : COLUMN_SLOT; column <= COLUMN_LOCAL; column++) {
        take_column(rows, column);
    }
    if (request->asked.at == NULL) {
        take_column(rows, COLUMN_IN);
    }
    if (request->asked.explain) {
        take_column(rows, COLUMN_NOTE);
    }
    rows->list = output_create("slots", rows->columns, rows->column_count);
    return rows;
}

static void set_in(struct next_rows *rows, duration until)
{
    struct buffer text = {0};
    buffer_puts(&text, until > 0 ? "in " : "now");
    if (until > 0) {
        output_put_duration(&text, until);
    }
    output_set(rows->list, rows->places[COLUMN_IN], buffer_text(&text));
    buffer_finish(&text);
}

static void add_slot(struct next_rows *rows, const struct next_slots *slots, instant slot)
{
    struct buffer text = {0};
    put_wall_time(&text, slots->zone, slot);
    output_set(rows->list, rows->places[COLUMN_SLOT], buffer_text(&text));
    output_set_instant(rows->list, rows->places[COLUMN_UTC], slot);
    buffer_clear(&text);
    put_wall_iso(&text, slots->zone, slot);
    output_set(rows->list, rows->places[COLUMN_LOCAL], buffer_text(&text));
    if (slots->now != INSTANT_NONE) {
        set_in(rows, slot - slots->now);
    }
    if (rows->request->asked.explain) {
        buffer_clear(&text);
        put_notes_of(&text, &slots->notes, slot);
        output_set(rows->list, rows->places[COLUMN_NOTE], buffer_text(&text));
    }
    buffer_finish(&text);
}

void next_rows_add(struct next_rows *rows, const char *job, const char *database, const struct next_slots *slots)
{
    for (size_t i = 0; i < slots->count; i++) {
        output_add_row(rows->list);
        if (job != NULL) {
            output_set(rows->list, rows->places[COLUMN_JOB], job);
            output_set(rows->list, rows->places[COLUMN_DATABASE], database);
        }
        add_slot(rows, slots, slots->slots[i]);
    }
}

void next_rows_print(struct next_rows *rows)
{
    struct output_style style = rows->request->invocation->style;
    style.utc = true; /* the column says so; the wall time is beside it */
    output_print(&rows->list, 1, &style, stdout);
}

void next_rows_destroy(struct next_rows *rows)
{
    output_destroy(rows->list);
    free(rows);
}

/* --- for programs ------------------------------------------------------------------------------------------------- */

struct output_list *next_notes_list(const struct clock_notes *notes)
{
    static const struct output_column columns[] = {
        {NULL, "at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
        {NULL, "slot", OUTPUT_INSTANT, OUTPUT_ALWAYS},
        {NULL, "text", OUTPUT_TEXT, OUTPUT_ALWAYS},
    };
    struct output_list *list = output_create("notes", columns, COUNT_OF(columns));
    for (size_t i = 0; i < notes->count; i++) {
        output_add_row(list);
        output_set_instant(list, 0, notes->notes[i].at);
        output_set_instant(list, 1, notes->notes[i].slot);
        output_set(list, 2, notes->notes[i].text);
    }
    return list;
}
