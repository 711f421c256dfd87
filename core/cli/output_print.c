/* SPDX-License-Identifier: PostgreSQL */
#include "cli/output_print.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

static const char *const format_names[] = {"table", "wide", "json", "ndjson", "csv", "tree", "dot"};

bool output_format_parse(const char *name, enum output_format *format, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(format_names); i++) {
        if (strcmp(name, format_names[i]) == 0) {
            *format = (enum output_format)i;
            return true;
        }
    }
    const char *nearest = nearest_word(name, format_names, COUNT_OF(format_names));
    error_set(err, ERROR_USAGE, "there is no output format \"%s\"", name);
    return nearest != NULL ? error_hint(err, "did you mean \"%s\"?", nearest)
                           : error_hint(err, "write -o table, wide, json, ndjson or csv");
}

bool output_is_for_people(const struct output_style *style)
{
    return style->format == OUTPUT_TABLE || style->format == OUTPUT_WIDE || style->format == OUTPUT_TREE;
}

bool output_wants_colour(int descriptor)
{
    const char *refused = getenv("NO_COLOR");
    return isatty(descriptor) && (refused == NULL || refused[0] == '\0');
}

void output_print(struct output_list *const *lists, size_t count, const struct output_style *style, FILE *stream)
{
    struct buffer text = {0};
    switch (style->format) {
    case OUTPUT_TABLE:
    case OUTPUT_WIDE:
    case OUTPUT_TREE:
        output_print_tables(lists, count, style, stream);
        break;
    case OUTPUT_JSON:
        output_put_json(&text, lists, count);
        break;
    case OUTPUT_NDJSON:
        output_put_ndjson(&text, lists, count);
        break;
    case OUTPUT_CSV:
        if (count > 0) {
            output_put_csv(&text, lists[0], !style->no_header);
        }
        break;
    case OUTPUT_DOT:
        fatal("output: lists have no edges to write as dot");
    }
    fwrite(buffer_text(&text), 1, text.length, stream);
    buffer_finish(&text);
}
