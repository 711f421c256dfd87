/* SPDX-License-Identifier: PostgreSQL */
#include "plugin/view_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "model/options.h"

/* --- options ------------------------------------------------------------------------------------------------------ */

static const char *const own_options[] = {"key",     "grain",   "mode",    "stamps",   "revisit", "rejected", "frozen",
                                          "comment", "version", "summary", "schedule", "after",   "on"};

#define NAMES_MAX 128

static size_t list_names(const char *names[static NAMES_MAX])
{
    size_t count = COUNT_OF(own_options);
    memcpy(names, own_options, sizeof(own_options));
    for (size_t i = 0; options_name(i) != NULL && count < NAMES_MAX; i++) {
        names[count++] = options_name(i);
    }
    return count;
}

static bool is_option(const char *name)
{
    const char *names[NAMES_MAX];
    size_t count = list_names(names);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_own(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(own_options); i++) {
        if (strcmp(own_options[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool refuse_unknown(const char *name, struct error *err)
{
    const char *names[NAMES_MAX];
    size_t count = list_names(names);
    const char *nearest = nearest_word(name, names, count);
    error_set(err, ERROR_CONFIG, "a view has no option \"%.60s\"", name);
    return nearest != NULL ? error_hint(err, "did you mean \"%s\"?", nearest)
                           : error_hint(err, "options are key, target_lag, schedule and others: man pgchime-plugin");
}

static const struct view_option *find_option(const struct view_text *text, const char *name)
{
    for (size_t i = 0; i < text->option_count; i++) {
        if (strcmp(text->options[i].name, name) == 0) {
            return &text->options[i];
        }
    }
    return NULL;
}

bool view_text_add(struct arena *arena, struct view_text *text, const char *name, const char *value, int line,
                   struct error *err)
{
    const struct view_option *given = find_option(text, name);
    if (!is_option(name)) {
        return refuse_unknown(name, err);
    }
    if (given != NULL || text->option_count == VIEW_OPTIONS_MAX) {
        error_set(err, ERROR_CONFIG, "\"%s\" is given twice", name);
        return given != NULL && given->line > 0 ? error_hint(err, "line %d of its file has it", given->line)
                                                : error_hint(err, "give it once");
    }
    if (value[0] == '\0') {
        error_set(err, ERROR_CONFIG, "\"%s\" has no value", name);
        return error_hint(err, "write one behind it, or leave it out");
    }
    text->options[text->option_count++] = (struct view_option){arena_strdup(arena, name), arena_strdup(arena, value),
                                                               line};
    return true;
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

struct line {
    const char *start; /* without blanks around it */
    size_t length;
    const char *next; /* of what follows */
};

static struct line line_at(const char *at)
{
    size_t length = strcspn(at, "\n");
    struct line line = {.start = at, .length = length, .next = at + length + (at[length] == '\n')};
    while (line.length > 0 && isspace((unsigned char)line.start[line.length - 1])) {
        line.length--;
    }
    while (line.length > 0 && isspace((unsigned char)line.start[0])) {
        line.start++;
        line.length--;
    }
    return line;
}

static bool begins(const struct line *line, const char *word)
{
    size_t length = strlen(word);
    return line->length >= length && memcmp(line->start, word, length) == 0;
}

/* "-- NAME: value", with a NAME as options have it: so no prose, and no address. */
static bool split_option(struct arena *arena, const struct line *line, const char **name, const char **value)
{
    if (!begins(line, "--")) {
        return false;
    }
    const char *end = line->start + line->length;
    const char *at = line->start + 2;
    while (at < end && isblank((unsigned char)*at)) {
        at++;
    }
    size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789");
    const char *colon = at + length;
    if (length == 0 || colon >= end || *colon != ':' || (colon + 1 < end && !isblank((unsigned char)colon[1]))) {
        return false;
    }
    *name = arena_strndup(arena, at, length);
    at = colon + 1;
    while (at < end && isblank((unsigned char)*at)) {
        at++;
    }
    *value = arena_strndup(arena, at, (size_t)(end - at));
    return true;
}

/* The options, up to the first line that is no comment; that one's place and number come back. */
static const char *read_options(struct arena *arena, const char *at, int *number, struct view_text *text,
                                struct error *err)
{
    while (*at != '\0') {
        struct line line = line_at(at);
        const char *name = NULL;
        const char *value = NULL;
        if (line.length > 0 && !begins(&line, "--")) {
            break;
        }
        if (split_option(arena, &line, &name, &value) && !view_text_add(arena, text, name, value, *number, err)) {
            error_prefix(err, "line %d", *number);
            return NULL;
        }
        if (begins(&line, "-- chime:begin")) {
            break;
        }
        at = line.next;
        ++*number;
    }
    return at;
}

/* What would be an option above is no comment below: it says something that nobody heeds. */
static bool refuse_late_options(struct arena *arena, const char *at, int number, struct error *err)
{
    for (; *at != '\0'; number++) {
        struct line line = line_at(at);
        const char *name = NULL;
        const char *value = NULL;
        if (split_option(arena, &line, &name, &value) && is_option(name)) {
            error_set(err, ERROR_CONFIG, "line %d: the option \"%s\" stands behind the beginning of the SQL", number,
                      name);
            return error_hint(err, "put it above the first line that is no comment");
        }
        at = line.next;
    }
    return true;
}

static bool take_definition(struct arena *arena, const char *start, const char *end, struct view_text *text,
                            struct error *err)
{
    while (end > start && (isspace((unsigned char)end[-1]) || end[-1] == ';')) {
        end--;
    }
    text->definition = arena_strndup(arena, start, (size_t)(end - start));
    if (end == start) {
        error_set(err, ERROR_CONFIG, "it has no SELECT");
        return error_hint(err, "write the definition of the view below its options");
    }
    return true;
}

/* Between marks, for which the rest is psql's. */
static bool find_definition(struct arena *arena, const char *at, int number, struct view_text *text, struct error *err)
{
    const char *start = NULL;
    const char *end = NULL;
    const char *whole = at;
    for (; *at != '\0'; number++) {
        struct line line = line_at(at);
        bool opens = begins(&line, "-- chime:begin");
        if (opens || begins(&line, "-- chime:end")) {
            if (opens ? start != NULL : start == NULL || end != NULL) {
                error_set(err, ERROR_CONFIG, "line %d: a second mark, or one without its other", number);
                return error_hint(err, "a file is one view: one pair of -- chime:begin and -- chime:end, or none");
            }
            start = opens ? line.next : start;
            end = opens ? NULL : at;
        }
        at = line.next;
    }
    if (start != NULL && end == NULL) {
        error_set(err, ERROR_CONFIG, "there is a -- chime:begin and no -- chime:end");
        return error_hint(err, "close it, or leave it out");
    }
    return start != NULL ? take_definition(arena, start, end, text, err) : take_definition(arena, whole, at, text, err);
}

static bool check_bytes(const char *bytes, size_t length, struct error *err)
{
    if (length > VIEW_TEXT_LIMIT) {
        error_set(err, ERROR_CONFIG, "it is larger than 1 MiB");
        return error_hint(err, "a view is one SELECT: put what it needs into views or functions of the database");
    }
    if (memchr(bytes, '\0', length) != NULL) {
        error_set(err, ERROR_CONFIG, "it has a zero byte");
        return error_hint(err, "save it as a text in UTF-8");
    }
    if (!utf8_valid(bytes, length)) {
        error_set(err, ERROR_CONFIG, "it is not UTF-8");
        return error_hint(err, "save it as UTF-8");
    }
    return true;
}

bool view_text_read(struct arena *arena, const char *bytes, size_t length, struct view_text *text, struct error *err)
{
    int number = 1;
    *text = (struct view_text){.definition = NULL};
    if (!check_bytes(bytes, length, err)) {
        return false;
    }
    const char *at = arena_strndup(arena, bytes, length);
    snprintf(text->version, sizeof(text->version), "%016" PRIx64, text_hash(at));
    at += strncmp(at, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; /* as psql does */
    at = read_options(arena, at, &number, text, err);
    return at != NULL && refuse_late_options(arena, at, number, err) && find_definition(arena, at, number, text, err);
}

/* --- as a plugin -------------------------------------------------------------------------------------------------- */

static const char *value_of(const struct view_text *text, const char *name)
{
    const struct view_option *option = find_option(text, name);
    return option != NULL ? option->value : NULL;
}

static const char *job_name(struct arena *arena, const char *name)
{
    char *job = arena_printf(arena, "refresh-%s", name);
    for (char *c = job; *c != '\0'; c++) {
        *c = (char)(*c == '_' ? '-' : *c);
    }
    return job;
}

static struct chime_list job_options(struct arena *arena, const struct view_text *text)
{
    struct chime_option *options = arena_alloc(arena, (text->option_count + 1) * sizeof(*options));
    uint32_t count = 0;
    bool runs = value_of(text, "schedule") != NULL || value_of(text, "after") != NULL || value_of(text, "on") != NULL ||
                value_of(text, "target_lag") != NULL;
    for (size_t i = 0; i < text->option_count; i++) {
        if (!is_own(text->options[i].name)) {
            options[count++] = (struct chime_option){text->options[i].name, text->options[i].value};
        }
    }
    if (!runs) {
        options[count++] = (struct chime_option){"target_lag", VIEW_TEXT_LAG};
    }
    return (struct chime_list){options, count, sizeof(*options)};
}

const struct chime_plugin *view_text_plugin(struct arena *arena, const char *name, const struct view_text *text)
{
    struct chime_view *view = arena_alloc(arena, sizeof(*view));
    struct chime_job *job = arena_alloc(arena, sizeof(*job));
    struct chime_plugin *plugin = arena_alloc(arena, sizeof(*plugin));
    const char *version = value_of(text, "version");
    const char *comment = value_of(text, "comment");
    const char *summary = value_of(text, "summary");
    if (summary == NULL && comment != NULL) {
        summary = arena_strndup(arena, comment, strcspn(comment, "\r\n"));
    }
    *view = (struct chime_view){.relation = name,
                                .definition = text->definition,
                                .key = value_of(text, "key"),
                                .grain = value_of(text, "grain"),
                                .mode = value_of(text, "mode"),
                                .stamps = value_of(text, "stamps"),
                                .revisit = value_of(text, "revisit"),
                                .rejected = value_of(text, "rejected"),
                                .frozen = value_of(text, "frozen"),
                                .comment = comment,
                                .timezone = value_of(text, "timezone")};
    *job = (struct chime_job){.name = job_name(arena, name),
                              .schedule = value_of(text, "schedule"),
                              .refresh = name,
                              .after = value_of(text, "after"),
                              .on = value_of(text, "on"),
                              .options = job_options(arena, text)};
    *plugin = (struct chime_plugin){.magic = CHIME_MAGIC,
                                    .abi_major = CHIME_ABI_MAJOR,
                                    .abi_minor = CHIME_ABI_MINOR,
                                    .size = (uint32_t)sizeof(*plugin),
                                    .name = name,
                                    .version = version != NULL ? version : arena_strdup(arena, text->version),
                                    .summary = summary,
                                    .views = {view, 1, sizeof(*view)},
                                    .jobs = {job, 1, sizeof(*job)}};
    return plugin;
}
