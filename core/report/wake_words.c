/* SPDX-License-Identifier: PostgreSQL */
#include "report/wake_words.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

struct wakers wakers_of_row(const struct pg_rows *rows, size_t row, size_t first)
{
    return (struct wakers){
        .after = pg_rows_value(rows, row, first),
        .channels = pg_rows_value(rows, row, first + 1),
        .target_lag = pg_rows_value(rows, row, first + 2),
    };
}

static void put_separator(struct buffer *text, size_t start)
{
    buffer_puts(text, text->length > start ? "; " : "");
}

static void put_names(struct buffer *text, size_t start, const char *lead, const char *list)
{
    json_t *names = json_loads(list, 0, NULL);
    for (size_t i = 0; i < json_array_size(names); i++) {
        if (i == 0) {
            put_separator(text, start);
        }
        buffer_printf(text, "%s%s", i > 0 ? ", " : lead, json_string_value(json_array_get(names, i)));
    }
    json_decref(names);
}

static void put_events_from(struct buffer *text, size_t start, const struct wakers *wakers)
{
    put_names(text, start, "on ", wakers->channels);
    if (wakers->target_lag != NULL) {
        put_separator(text, start);
        bool asked = strcmp(wakers->target_lag, "downstream") == 0;
        buffer_puts(text, asked ? "when views that read it need it" : "when its sources change");
    }
}

void put_events(struct buffer *text, const struct wakers *wakers)
{
    put_events_from(text, text->length, wakers);
}

void put_wakers(struct buffer *text, const struct wakers *wakers)
{
    size_t start = text->length;
    put_names(text, start, "after ", wakers->after);
    put_events_from(text, start, wakers);
}
