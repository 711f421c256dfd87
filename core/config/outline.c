/* SPDX-License-Identifier: PostgreSQL */
#include "config/outline.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/text.h"
#include "config/lexer.h"

#define SHOWN_MAX 40 /* bytes of a file's text in a message */

/* "name =" somewhere, and the group it is in. */
struct place {
    const char *start;
    size_t length;
    int line;
    size_t group;
};

struct span {
    const char *start;
    const char *end;
    int line;
    bool in_section;
    bool broken; /* a finding was reported inside */
};

struct shape {
    struct lexer lexer;
    struct token token; /* the one to look at */
    struct arena *arena;
    const char *file;
    const char *section;
    struct report *report;
    const char *last_end; /* of the token before */
    size_t group_count;
    size_t depth;
    bool broken;
    struct place *places;
    size_t place_count;
    size_t place_capacity;
    struct span *spans;
    size_t span_count;
    size_t span_capacity;
};

static const char *shown(const struct shape *shape, const char *start, size_t length)
{
    size_t kept = utf8_cut(start, length, SHOWN_MAX);
    char *text = arena_printf(shape->arena, "%.*s%s", (int)kept, start, kept < length ? "..." : "");
    for (char *at = text; *at != '\0'; at++) {
        *at = (unsigned char)*at < 0x20 || *at == 0x7F ? '?' : *at;
    }
    return text;
}

static const char *shown_token(const struct shape *shape)
{
    return shown(shape, shape->token.start, shape->token.length);
}

static void advance(struct shape *shape)
{
    shape->last_end = shape->lexer.at;
    shape->token = lexer_next(&shape->lexer);
}

static bool refuse_unclosed(struct shape *shape)
{
    bool string = shape->token.start[0] == '"';
    report_add(shape->report, shape->file, shape->token.line,
               string ? "close it with \"; inside, write \\\" for a quote" : "close it with */",
               "the %s that begins here never ends", string ? "string" : "comment");
    return false;
}

/* "expected ..., found ..." at the current token. */
static bool refuse(struct shape *shape, const char *expected)
{
    if (shape->token.kind == TOKEN_UNCLOSED) {
        return refuse_unclosed(shape);
    }
    const char *found = shape->token.kind == TOKEN_END      ? "the end of the file"
                        : shape->token.kind == TOKEN_STRING ? "a string"
                                                            : NULL;
    found = found != NULL ? found : arena_printf(shape->arena, "\"%s\"", shown_token(shape));
    report_add(shape->report, shape->file, shape->token.line,
               "entries are written: name = value; with texts in double quotes and groups as name: { ... };",
               "expected %s, found %s", expected, found);
    return false;
}

static void note_place(struct shape *shape, size_t group)
{
    if (shape->place_count == shape->place_capacity) {
        shape->place_capacity = shape->place_capacity == 0 ? 64 : shape->place_capacity * 2;
        shape->places = xrealloc(shape->places, shape->place_capacity, sizeof(*shape->places));
    }
    shape->places[shape->place_count++] = (struct place){
        .start = shape->token.start, .length = shape->token.length, .line = shape->token.line, .group = group};
}

static void note_span(struct shape *shape, const struct token *first, bool in_section, bool broken)
{
    if (shape->span_count == shape->span_capacity) {
        shape->span_capacity = shape->span_capacity == 0 ? 64 : shape->span_capacity * 2;
        shape->spans = xrealloc(shape->spans, shape->span_capacity, sizeof(*shape->spans));
    }
    shape->spans[shape->span_count++] = (struct span){
        .start = first->start, .end = shape->last_end, .line = first->line, .in_section = in_section, .broken = broken};
}

static bool token_is(const struct token *token, const char *text)
{
    return token->length == strlen(text) && memcmp(token->start, text, token->length) == 0;
}

static bool is_boolean(const struct token *token)
{
    return (token->length == 4 && strncasecmp(token->start, "true", 4) == 0) ||
           (token->length == 5 && strncasecmp(token->start, "false", 5) == 0);
}

/* Whether libconfig is to judge it: then it is a number, a boolean, or refused there. */
static bool is_value_word(const struct token *token)
{
    return memchr("+-.0123456789", token->start[0], 13) != NULL || is_boolean(token);
}

/* Whether libconfig would keep all of it: it cuts what is beyond 32 bits, or 64 with an L, without a word. What is no
 * integer is for libconfig to judge. */
static bool integer_fits(const struct token *token)
{
    char digits[32] = "";
    memcpy(digits, token->start, token->length < sizeof(digits) ? token->length : sizeof(digits) - 1);
    bool hexadecimal = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    char *end = NULL;
    errno = 0;
    long long value = strtoll(digits, &end, hexadecimal ? 16 : 10);
    bool is_long = *end == 'L';
    if (*end != '\0' && !is_long) {
        return true;
    }
    return errno == 0 && token->length < sizeof(digits) && (is_long || (value >= INT32_MIN && value <= INT32_MAX));
}

static void check_word(struct shape *shape)
{
    if (is_value_word(&shape->token)) {
        if (!integer_fits(&shape->token)) {
            report_add(shape->report, shape->file, shape->token.line,
                       "whole numbers are from -2147483648 to 2147483647, larger ones end with L",
                       "%s is too large a number", shown_token(shape));
            shape->broken = true;
        }
        return;
    }
    const char *word = shown_token(shape);
    report_add(shape->report, shape->file, shape->token.line,
               arena_printf(shape->arena, "write texts in double quotes: \"%s\"", word),
               "%s is not a value: neither a number nor true or false", word);
    shape->broken = true;
}

/* libconfig would cut the text at the NUL. */
static void check_string(struct shape *shape)
{
    const char *end = shape->token.start + shape->token.length;
    for (const char *at = shape->token.start; at + 3 < end; at++) {
        if (at[0] != '\\') {
            continue;
        }
        if (at[1] == 'x' && at[2] == '0' && at[3] == '0') {
            report_add(shape->report, shape->file, shape->token.line, "leave it out", "\\x00 in a string");
            shape->broken = true;
            return;
        }
        at++;
    }
}

static bool read_entries(struct shape *shape, const struct token *open, bool section);
static bool read_value(struct shape *shape, bool section);

static bool closes(const struct token *open, const struct token *close)
{
    char wanted = open->start[0] == '{' ? '}' : open->start[0] == '[' ? ']' : ')';
    return close->kind == TOKEN_CLOSE && close->start[0] == wanted;
}

/* One value of a list; an array, in [ ], has only single ones. */
static bool read_item(struct shape *shape, const struct token *open)
{
    if (shape->token.kind == TOKEN_END) {
        report_add(shape->report, shape->file, open->line, NULL, "the \"%c\" here is never closed", open->start[0]);
        return false;
    }
    if (open->start[0] == '[' && shape->token.kind == TOKEN_OPEN) {
        report_add(shape->report, shape->file, shape->token.line, "write ( ) for a list of groups or lists",
                   "\"%s\" in a [ ] list, which has single values", shown_token(shape));
        return false;
    }
    return read_value(shape, false);
}

/* What is between ( ) or [ ]. Commas are checked here because libconfig would leak a string at a missing one. */
static bool read_items(struct shape *shape, const struct token *open)
{
    if (shape->token.kind == TOKEN_CLOSE) {
        return true;
    }
    while (read_item(shape, open)) {
        if (shape->token.kind == TOKEN_CLOSE) {
            return true;
        }
        if (shape->token.kind != TOKEN_END && !token_is(&shape->token, ",")) {
            return refuse(shape, "\",\" or the end of the list");
        }
        if (shape->token.kind != TOKEN_END) {
            advance(shape);
        }
    }
    return false;
}

static bool read_bracketed(struct shape *shape, bool section)
{
    struct token open = shape->token;
    if (shape->depth == OUTLINE_DEPTH_MAX) {
        report_add(shape->report, shape->file, open.line, NULL, "nested more than %d deep", OUTLINE_DEPTH_MAX);
        return false;
    }
    shape->depth++;
    advance(shape);
    bool group = open.start[0] == '{';
    if (!(group ? read_entries(shape, &open, section) : read_items(shape, &open))) {
        return false;
    }
    if (!closes(&open, &shape->token)) {
        report_add(shape->report, shape->file, shape->token.line, NULL, "\"%c\" does not close the \"%c\" of line %d",
                   shape->token.start[0], open.start[0], open.line);
        return false;
    }
    shape->depth--;
    advance(shape);
    return true;
}

static bool read_value(struct shape *shape, bool section)
{
    if (shape->token.kind == TOKEN_OPEN) {
        return read_bracketed(shape, section);
    }
    if (shape->token.kind == TOKEN_WORD) {
        check_word(shape);
        advance(shape);
        return true;
    }
    if (shape->token.kind != TOKEN_STRING) {
        return refuse(shape, "a value");
    }
    while (shape->token.kind == TOKEN_STRING) { /* strings side by side are one */
        check_string(shape);
        advance(shape);
    }
    return true;
}

static bool is_name(const struct token *token)
{
    char first = token->start[0];
    if (token->kind != TOKEN_WORD || !((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z'))) {
        return false;
    }
    for (size_t i = 0; i < token->length; i++) {
        char byte = token->start[i];
        if (!((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
              byte == '_' || byte == '-')) {
            return false;
        }
    }
    return true;
}

static bool refuse_name(struct shape *shape)
{
    if (shape->token.kind == TOKEN_WORD && shape->token.start[0] == '@') {
        report_add(shape->report, shape->file, shape->token.line,
                   "put the entries into a file of conf_dir: every *.conf there is read", "\"%s\" is not supported",
                   shown_token(shape));
        return false;
    }
    if (shape->token.kind == TOKEN_WORD) {
        report_add(shape->report, shape->file, shape->token.line,
                   "a name begins with a letter and has letters, digits, \"_\" and \"-\"", "\"%s\" is not a name",
                   shown_token(shape));
        return false;
    }
    return refuse(shape, "a name");
}

/* name = value, and the separator if there is one. */
static bool read_entry(struct shape *shape, size_t group, bool in_section)
{
    if (!is_name(&shape->token)) {
        return refuse_name(shape);
    }
    struct token first = shape->token;
    bool section = group == 0 && token_is(&first, shape->section);
    note_place(shape, group);
    advance(shape);
    if (shape->token.kind != TOKEN_ASSIGN) {
        return refuse(
            shape, arena_printf(shape->arena, "\"=\" or \":\" after \"%s\"", shown(shape, first.start, first.length)));
    }
    advance(shape);
    bool broken_before = shape->broken;
    shape->broken = false;
    section = section && token_is(&shape->token, "{");
    if (!read_value(shape, section)) {
        return false;
    }
    if ((group == 0 && !section) || in_section) {
        note_span(shape, &first, in_section, shape->broken);
    }
    shape->broken = shape->broken || broken_before;
    if (shape->token.kind == TOKEN_SEPARATOR) {
        advance(shape);
    }
    return true;
}

/* `open` is NULL for the file itself. Ends at a closing bracket, or at the end of the file. */
static bool read_entries(struct shape *shape, const struct token *open, bool section)
{
    size_t group = shape->group_count++;
    while (shape->token.kind != TOKEN_CLOSE) {
        if (shape->token.kind == TOKEN_END && open == NULL) {
            return true;
        }
        if (shape->token.kind == TOKEN_END) {
            report_add(shape->report, shape->file, open->line, NULL, "the \"{\" here is never closed");
            return false;
        }
        if (!read_entry(shape, group, section)) {
            return false;
        }
    }
    return open != NULL || refuse(shape, "a name");
}

static int compare_names(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;
    if (a->group != b->group) {
        return a->group < b->group ? -1 : 1;
    }
    if (a->length != b->length) {
        return a->length < b->length ? -1 : 1;
    }
    int by_name = memcmp(a->start, b->start, a->length);
    return by_name != 0 ? by_name : (a->start < b->start ? -1 : 1);
}

static int compare_starts(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;
    return a->start < b->start ? -1 : a->start > b->start;
}

static bool same_name(const struct place *a, const struct place *b)
{
    return a->group == b->group && a->length == b->length && memcmp(a->start, b->start, a->length) == 0;
}

/* Reports names that come again in their group and moves them to the front of the places, in the text's order. */
static size_t find_duplicates(struct shape *shape)
{
    if (shape->place_count < 2) {
        return 0;
    }
    qsort(shape->places, shape->place_count, sizeof(*shape->places), compare_names);
    size_t count = 0;
    struct place first = shape->places[0];
    for (size_t i = 1; i < shape->place_count; i++) {
        struct place place = shape->places[i];
        if (!same_name(&first, &place)) {
            first = place;
            continue;
        }
        report_add(shape->report, shape->file, place.line, "keep one of the two", "\"%s\" is already given at %s:%d",
                   shown(shape, place.start, place.length), shape->file, first.line);
        shape->places[count++] = place;
    }
    qsort(shape->places, count, sizeof(*shape->places), compare_starts);
    return count;
}

/* Copies a span; duplicates get names that nobody can write, so that libconfig takes them and readers pass them by.
 * `next` is the first duplicate that may lie in the span. */
static const char *copy_span(const struct shape *shape, const struct span *span, size_t *next, size_t duplicate_count)
{
    struct buffer text = {0};
    const char *at = span->start;
    for (; *next < duplicate_count && shape->places[*next].start < span->end; (*next)++) {
        const struct place *place = &shape->places[*next];
        if (place->start >= at) {
            buffer_append(&text, at, (size_t)(place->start - at));
            buffer_printf(&text, "*%zu", *next);
            at = place->start + place->length;
        }
    }
    buffer_append(&text, at, (size_t)(span->end - at));
    const char *copy = arena_strndup(shape->arena, text.data, text.length);
    buffer_finish(&text);
    return copy;
}

static void make_units(const struct shape *shape, size_t duplicate_count, struct outline *outline)
{
    struct outline_unit *units = arena_alloc(shape->arena, (shape->span_count + 1) * sizeof(*units));
    size_t next = 0;
    outline->units = units;
    outline->count = 0;
    for (size_t i = 0; i < shape->span_count; i++) {
        const struct span *span = &shape->spans[i];
        if (!span->broken) {
            units[outline->count++] = (struct outline_unit){.text = copy_span(shape, span, &next, duplicate_count),
                                                            .line = span->line,
                                                            .in_section = span->in_section};
        }
    }
}

bool outline_read(struct arena *arena, const char *file, const char *text, size_t length, const char *section,
                  struct outline *outline, struct report *report)
{
    struct shape shape = {.lexer = {.at = text, .end = text + length, .line = 1},
                          .arena = arena,
                          .file = file,
                          .section = section,
                          .report = report};
    *outline = (struct outline){0};
    advance(&shape);
    bool readable = read_entries(&shape, NULL, false);
    if (readable) {
        make_units(&shape, find_duplicates(&shape), outline);
    }
    free(shape.places);
    free(shape.spans);
    return readable;
}
