/* SPDX-License-Identifier: PostgreSQL */
#include "cli/import_dump.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"

#define COPY_START "COPY cron.job ("
#define COPY_END ") FROM stdin;"
#define COLUMNS_MAX 32

struct dump {
    const char *path;
    FILE *file;
    char *line;
    size_t room;
    int number;
    char *names[COLUMNS_MAX];
    size_t columns;
    struct arena *arena;
    struct import_row *rows;
    size_t count;
};

static bool next_line(struct dump *dump)
{
    ssize_t length = getline(&dump->line, &dump->room, dump->file);
    if (length < 0) {
        return false;
    }
    while (length > 0 && (dump->line[length - 1] == '\n' || dump->line[length - 1] == '\r')) {
        dump->line[--length] = '\0';
    }
    dump->number++;
    return true;
}

static bool refuse_line(const struct dump *dump, const char *problem, struct error *err)
{
    error_set(err, ERROR_USAGE, "%s:%d: %s", dump->path, dump->number, problem);
    return error_hint(err, "dump it again: pg_dump --data-only --table cron.job DATABASE > FILE");
}

/* JSON has no other text: jansson would leave the value out without a word. */
static bool refuse_encoding(const struct dump *dump, const char *column, struct error *err)
{
    error_set(err, ERROR_USAGE, "%s:%d: column \"%s\" is not UTF-8", dump->path, dump->number, column);
    return error_hint(err, "dump it again: pg_dump --encoding=UTF8 --data-only --table cron.job DATABASE > FILE");
}

/* --- a value ------------------------------------------------------------------------------------------------------ */

static int digits_value(const char *text, int base, size_t most, size_t *used)
{
    char digits[4] = "";
    size_t length = 0;
    while (length < most &&
           (base == 16 ? isxdigit((unsigned char)text[length]) != 0 : text[length] >= '0' && text[length] <= '7')) {
        digits[length] = text[length];
        length++;
    }
    *used = length;
    return (int)strtol(digits, NULL, base);
}

/* One character after a backslash, as COPY writes it; how much of the text it was. */
static size_t put_escaped(struct buffer *value, const char *text)
{
    static const char letters[] = "bfnrtv";
    static const char meant[] = "\b\f\n\r\t\v";
    size_t used;
    const char *letter = *text != '\0' ? strchr(letters, *text) : NULL;
    if (letter != NULL) {
        buffer_putc(value, meant[letter - letters]);
        return 1;
    }
    if (*text == 'x' && isxdigit((unsigned char)text[1])) {
        buffer_putc(value, (char)digits_value(text + 1, 16, 2, &used));
        return used + 1;
    }
    if (*text >= '0' && *text <= '7') {
        buffer_putc(value, (char)digits_value(text, 8, 3, &used));
        return used;
    }
    buffer_putc(value, *text);
    return *text != '\0' ? 1 : 0;
}

/* NULL for \N. */
static const char *read_value(const struct dump *dump, const char *text)
{
    struct buffer value = {0};
    if (strcmp(text, "\\N") == 0) {
        return NULL;
    }
    while (*text != '\0') {
        if (*text == '\\') {
            text++;
            text += put_escaped(&value, text);
        } else {
            buffer_putc(&value, *text++);
        }
    }
    const char *kept = arena_strdup(dump->arena, buffer_text(&value));
    buffer_finish(&value);
    return kept;
}

/* --- a row -------------------------------------------------------------------------------------------------------- */

static json_t *value_json(const char *name, const char *value)
{
    if (value == NULL) {
        return json_null();
    }
    if (strcmp(name, "jobid") == 0 || strcmp(name, "nodeport") == 0) {
        return json_integer(strtoll(value, NULL, 10));
    }
    if (strcmp(name, "active") == 0) {
        return json_boolean(strcmp(value, "t") == 0);
    }
    return json_string(value);
}

static void keep_value(struct import_row *row, const char *name, const char *value)
{
    const char **const places[] = {&row->jobid, &row->name, &row->owner, &row->database, &row->schedule, &row->node};
    static const char *const names[] = {"jobid", "jobname", "username", "database", "schedule", "nodename"};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        if (strcmp(names[i], name) == 0) {
            *places[i] = value;
        }
    }
    if (strcmp(name, "active") == 0) {
        row->active = value != NULL && strcmp(value, "t") == 0;
    }
}

static bool row_is_whole(const struct import_row *row)
{
    int64_t number;
    return row->jobid != NULL && parse_int64(row->jobid, 1, INT64_MAX, &number) && row->owner != NULL &&
           row->database != NULL && row->schedule != NULL;
}

static bool read_values(const struct dump *dump, struct import_row *row, json_t *object, struct error *err)
{
    char *rest = dump->line;
    size_t column = 0;
    while (rest != NULL && column < dump->columns) {
        const char *name = dump->names[column++];
        const char *value = read_value(dump, strsep(&rest, "\t"));
        if (value != NULL && !utf8_valid(value, strlen(value))) {
            return refuse_encoding(dump, name, err);
        }
        json_object_set_new(object, name, value_json(name, value));
        keep_value(row, name, value);
    }
    bool whole = rest == NULL && column == dump->columns && row_is_whole(row);
    return whole || refuse_line(dump, "this is no row of cron.job", err);
}

static bool read_row(struct dump *dump, struct error *err)
{
    struct import_row row = {.active = true}; /* before 1.1 it had no such column */
    json_t *object = json_object();
    bool good = read_values(dump, &row, object, err);
    char *text = json_dumps(object, JSON_COMPACT);
    row.json = arena_strdup(dump->arena, text);
    free(text);
    json_decref(object);
    if (!good) {
        return false;
    }
    dump->rows = xrealloc(dump->rows, dump->count + 1, sizeof(*dump->rows));
    dump->rows[dump->count++] = row;
    return true;
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static bool read_columns(struct dump *dump, struct error *err)
{
    char *list = arena_strdup(dump->arena, dump->line + strlen(COPY_START));
    list[strlen(list) - strlen(COPY_END)] = '\0';
    for (char *name = strsep(&list, ","); name != NULL; name = strsep(&list, ",")) {
        if (dump->columns == COLUMNS_MAX) {
            return refuse_line(dump, "this is not the table of pg_cron: it has too many columns", err);
        }
        dump->names[dump->columns++] = name + strspn(name, " ");
    }
    return true;
}

static bool begins_copy(const char *line)
{
    size_t length = strlen(line);
    return strncmp(line, COPY_START, strlen(COPY_START)) == 0 && length > strlen(COPY_START) + strlen(COPY_END) &&
           strcmp(line + length - strlen(COPY_END), COPY_END) == 0;
}

static bool read_copy(struct dump *dump, struct error *err)
{
    if (!read_columns(dump, err)) {
        return false;
    }
    while (next_line(dump)) {
        if (strcmp(dump->line, "\\.") == 0) {
            return true;
        }
        if (!read_row(dump, err)) {
            return false;
        }
    }
    return refuse_line(dump, "the file ends among the jobs", err);
}

static bool refuse_without(const struct dump *dump, bool custom, struct error *err)
{
    if (custom) {
        error_set(err, ERROR_USAGE, "%s: this dump is not plain text", dump->path);
        return error_hint(err, "write it as one: pg_restore --data-only --table job -f FILE %s", dump->path);
    }
    error_set(err, ERROR_USAGE, "%s: there is no \"COPY cron.job (...) FROM stdin;\"", dump->path);
    return error_hint(err,
                      "dump the database that has pg_cron, without --inserts: pg_dump --data-only --table cron.job "
                      "DATABASE > FILE");
}

static bool read_file(struct dump *dump, struct error *err)
{
    bool custom = false;
    while (next_line(dump)) {
        custom = custom || (dump->number == 1 && strncmp(dump->line, "PGDMP", 5) == 0);
        if (begins_copy(dump->line)) {
            return read_copy(dump, err);
        }
    }
    return refuse_without(dump, custom, err);
}

bool import_dump_read(const char *path, struct arena *arena, struct import_row **rows, size_t *count, struct error *err)
{
    struct dump dump = {.path = path, .file = fopen(path, "re"), .arena = arena};
    if (dump.file == NULL) {
        error_set(err, ERROR_USAGE, "cannot read %s: %s", path, strerror(errno));
        return error_hint(err, "name a file that pg_dump wrote as text");
    }
    bool read = read_file(&dump, err);
    *rows = arena_alloc(arena, (dump.count + 1) * sizeof(**rows));
    *count = dump.count;
    if (dump.count > 0) {
        memcpy(*rows, dump.rows, dump.count * sizeof(**rows));
    }
    free(dump.rows);
    free(dump.line);
    fclose(dump.file);
    return read;
}
