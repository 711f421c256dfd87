/* SPDX-License-Identifier: PostgreSQL */
/* Writes lists as JSON, NDJSON and CSV. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "report/output_list.h"

/* Shortest form of three decimals: 12.345 is not to become 12.345000000000001. */
#define REAL_DIGITS 15
#define JSON_FLAGS (JSON_REAL_PRECISION(REAL_DIGITS) | JSON_ENCODE_ANY)

/* A server of another encoding was asked for UTF-8, but SQL_ASCII databases hold anything. */
static json_t *text_json(const char *text)
{
    json_t *made = json_string(text);
    if (made != NULL) {
        return made;
    }
    struct buffer escaped = {0};
    output_escape(&escaped, text);
    made = json_string(buffer_text(&escaped));
    buffer_finish(&escaped);
    return made;
}

static json_t *data_json(const char *text)
{
    json_t *made = json_loads(text, JSON_DECODE_ANY, NULL);
    return made != NULL ? made : text_json(text);
}

static json_t *instant_json(instant at)
{
    char text[INSTANT_TEXT_SIZE];
    return json_string(instant_format(at, text));
}

static json_t *value_json(const struct output_value *value, enum output_kind kind)
{
    if (!value->given) {
        return json_null();
    }
    switch (kind) {
    case OUTPUT_INTEGER:
    case OUTPUT_BYTES:
        return json_integer(value->number);
    case OUTPUT_BOOLEAN:
        return json_boolean(value->number);
    case OUTPUT_INSTANT:
        return instant_json(value->number);
    case OUTPUT_DURATION:
        return json_real((double)value->number / (double)USEC_PER_MSEC);
    case OUTPUT_DATA:
        return data_json(value->text);
    case OUTPUT_TEXT:
    case OUTPUT_LONG:
    case OUTPUT_FINDING:
    case OUTPUT_STATE:
        break;
    }
    return text_json(value->text);
}

static json_t *row_json(const struct output_list *list, size_t row)
{
    if (list->plain) {
        return value_json(&list->values[row * list->column_count + list->plain_column],
                          list->columns[list->plain_column].kind);
    }
    json_t *object = json_object();
    for (size_t i = 0; i < list->column_count; i++) {
        if (list->columns[i].key != NULL) {
            json_object_set_new(object, list->columns[i].key,
                                value_json(&list->values[row * list->column_count + i], list->columns[i].kind));
        }
    }
    return object;
}

static int append(const char *bytes, size_t length, void *text)
{
    buffer_append(text, bytes, length);
    return 0;
}

void output_put_json(struct buffer *text, struct output_list *const *lists, size_t count)
{
    json_t *document = json_object();
    json_object_set_new(document, "schema_version", json_integer(OUTPUT_SCHEMA_VERSION));
    for (size_t i = 0; i < count; i++) {
        json_t *rows = json_array();
        for (size_t row = 0; row < lists[i]->row_count; row++) {
            json_array_append_new(rows, row_json(lists[i], row));
        }
        json_object_set_new(document, lists[i]->plural, rows);
    }
    json_dump_callback(document, append, text, JSON_FLAGS | JSON_INDENT(2));
    buffer_putc(text, '\n');
    json_decref(document);
}

void output_put_ndjson(struct buffer *text, struct output_list *const *lists, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t row = 0; row < lists[i]->row_count; row++) {
            json_t *object = row_json(lists[i], row);
            json_dump_callback(object, append, text, JSON_FLAGS | JSON_COMPACT);
            buffer_putc(text, '\n');
            json_decref(object);
        }
    }
}

/* --- CSV (RFC 4180, but lines end as Unix has it) ----------------------------------------------------------------- */

static void put_quoted(struct buffer *line, const char *text)
{
    if (text[strcspn(text, ",\"\r\n")] == '\0') {
        buffer_puts(line, text);
        return;
    }
    buffer_putc(line, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            buffer_putc(line, '"');
        }
        buffer_putc(line, *text);
    }
    buffer_putc(line, '"');
}

/* Lines stay lines; what a terminal would obey is told. */
static void put_csv(struct buffer *line, const char *given)
{
    struct buffer escaped = {0};
    output_escape_but(&escaped, given, "\n\t");
    put_quoted(line, buffer_text(&escaped));
    buffer_finish(&escaped);
}

/* Texts as they are, everything else as JSON writes it; null is empty. */
static void put_csv_value(struct buffer *line, const struct output_value *value, enum output_kind kind)
{
    if (!value->given) {
        return;
    }
    json_t *json = value_json(value, kind);
    char *text = json_is_string(json) ? xstrdup(json_string_value(json)) : json_dumps(json, JSON_FLAGS | JSON_COMPACT);
    put_csv(line, text);
    free(text);
    json_decref(json);
}

static void put_csv_row(struct buffer *text, const struct output_list *list, const struct output_value *values)
{
    bool first = true;
    for (size_t i = 0; i < list->column_count; i++) {
        if (list->columns[i].key == NULL) {
            continue;
        }
        if (!first) {
            buffer_putc(text, ',');
        }
        first = false;
        if (values != NULL) {
            put_csv_value(text, &values[i], list->columns[i].kind);
        } else {
            buffer_puts(text, list->columns[i].key);
        }
    }
    buffer_putc(text, '\n');
}

void output_put_csv(struct buffer *text, const struct output_list *list, bool header)
{
    if (header) {
        put_csv_row(text, list, NULL);
    }
    for (size_t row = 0; row < list->row_count; row++) {
        put_csv_row(text, list, &list->values[row * list->column_count]);
    }
}
