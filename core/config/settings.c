/* SPDX-License-Identifier: PostgreSQL */
#include "config/settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"

#define KEYS_MAX 16 /* of one table */

const struct setting_key *setting_find_key(const struct setting_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->keys[i].name, name) == 0) {
            return &table->keys[i];
        }
    }
    return NULL;
}

const char *setting_type_found(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "an integer";
    case CONFIG_TYPE_FLOAT:
        return "a number";
    case CONFIG_TYPE_BOOL:
        return "a boolean";
    case CONFIG_TYPE_GROUP:
        return "a group";
    default:
        return "a list";
    }
}

static bool is_switch(const config_setting_t *setting)
{
    return config_setting_type(setting) == CONFIG_TYPE_BOOL ||
           (config_setting_type(setting) == CONFIG_TYPE_STRING &&
            strcmp(config_setting_get_string(setting), "auto") == 0);
}

static bool is_names(const config_setting_t *setting)
{
    return config_setting_type(setting) == CONFIG_TYPE_STRING || config_setting_is_array(setting) ||
           config_setting_is_list(setting);
}

static bool has_type(const config_setting_t *setting, enum setting_type type)
{
    switch (type) {
    case SETTING_STRING:
        return config_setting_type(setting) == CONFIG_TYPE_STRING;
    case SETTING_INTEGER:
        return config_setting_type(setting) == CONFIG_TYPE_INT || config_setting_type(setting) == CONFIG_TYPE_INT64;
    case SETTING_BOOLEAN:
        return config_setting_type(setting) == CONFIG_TYPE_BOOL;
    case SETTING_SWITCH:
        return is_switch(setting);
    case SETTING_NAMES:
        return is_names(setting);
    case SETTING_COUNT_OR_NAMES:
        return has_type(setting, SETTING_INTEGER) || is_names(setting);
    case SETTING_GROUP:
        return config_setting_is_group(setting);
    case SETTING_LIST:
        return config_setting_is_list(setting);
    }
    return false;
}

static const struct {
    const char *expected;
    const char *hint;
} type_texts[] = {
    [SETTING_STRING] = {"a string", "write it in double quotes"},
    [SETTING_INTEGER] = {"an integer", "write a whole number without quotes"},
    [SETTING_BOOLEAN] = {"a boolean", "write true or false without quotes"},
    [SETTING_SWITCH] = {"true, false or \"auto\"", NULL},
    [SETTING_NAMES] = {"a string or a list of strings", "write \"a\" or [\"a\", \"b\"]"},
    [SETTING_COUNT_OR_NAMES] = {"an integer or a list of strings", "write 500, or [\"a*\", \"b\"]"},
    [SETTING_GROUP] = {"a group", "write { name = value; ... }"},
    [SETTING_LIST] = {"a list of groups", "write ( { name = value; ... }, ... )"},
};

bool setting_accept(struct reader *reader, const config_setting_t *setting, const struct setting_key *key,
                    const char *owner)
{
    if (has_type(setting, key->type)) {
        return true;
    }
    const char *found = setting_type_found(setting);
    if (key->type == SETTING_SWITCH && config_setting_type(setting) == CONFIG_TYPE_STRING) {
        found = arena_printf(reader->scratch, "\"%s\"", reader_shown(reader, config_setting_get_string(setting)));
    }
    reader_report(reader, setting, type_texts[key->type].hint, "\"%s\" of %s: expected %s, found %s", key->name, owner,
                  type_texts[key->type].expected, found);
    return false;
}

static const char *list_of_keys(struct reader *reader, const struct setting_table *table)
{
    struct buffer text = {0};
    for (size_t i = 0; i < table->count; i++) {
        buffer_printf(&text, "%s%s", i == 0 ? "" : ", ", table->keys[i].name);
    }
    const char *copy = arena_strdup(reader->scratch, buffer_text(&text));
    buffer_finish(&text);
    return copy;
}

void setting_refuse_unknown(struct reader *reader, const config_setting_t *setting, const struct setting_table *table,
                            const char *owner)
{
    const char *names[KEYS_MAX];
    for (size_t i = 0; i < table->count && i < KEYS_MAX; i++) {
        names[i] = table->keys[i].name;
    }
    const char *name = config_setting_name(setting);
    const char *nearest = nearest_word(name, names, table->count < KEYS_MAX ? table->count : KEYS_MAX);
    const char *hint = nearest != NULL ? arena_printf(reader->scratch, "did you mean \"%s\"?", nearest)
                                       : arena_printf(reader->scratch, "known here: %s", list_of_keys(reader, table));
    reader_report(reader, setting, hint, "unknown key \"%s\" in %s", reader_shown(reader, name), owner);
}

bool setting_is_duplicate(const config_setting_t *setting)
{
    const char *name = config_setting_name(setting);
    return name != NULL && name[0] == '*';
}

size_t setting_count(const config_setting_t *setting)
{
    return config_setting_is_aggregate(setting) ? (size_t)config_setting_length(setting) : 0;
}

const config_setting_t *setting_at(const config_setting_t *setting, size_t index)
{
    return config_setting_get_elem(setting, (unsigned)index);
}

void settings_check(struct reader *reader, const config_setting_t *group, const struct setting_table *table,
                    const char *owner)
{
    for (size_t i = 0; i < setting_count(group); i++) {
        const config_setting_t *setting = setting_at(group, i);
        if (setting_is_duplicate(setting)) {
            continue;
        }
        const struct setting_key *key = setting_find_key(table, config_setting_name(setting));
        if (key == NULL) {
            setting_refuse_unknown(reader, setting, table, owner);
        } else {
            setting_accept(reader, setting, key, owner);
        }
    }
}

const char *setting_string(struct reader *reader, const config_setting_t *group, const char *name, const char *owner)
{
    const config_setting_t *setting = config_setting_get_member(group, name);
    if (setting == NULL || config_setting_type(setting) != CONFIG_TYPE_STRING) {
        return NULL;
    }
    const char *text = config_setting_get_string(setting);
    if (text[strspn(text, " \t\r\n")] == '\0') {
        reader_report(reader, setting, NULL, "\"%s\" of %s is empty", name, owner);
        return NULL;
    }
    if (!utf8_valid(text, strlen(text))) {
        reader_report(reader, setting, "\\x escapes must give UTF-8", "\"%s\" of %s is not UTF-8", name, owner);
        return NULL;
    }
    return arena_strdup(reader->arena, text);
}

/* The shortest text that reads back as the same number: 0.2 and not 0.20000000000000001. */
static const char *number_text(struct arena *arena, double value)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (!isfinite(value) || fabs(strtod(text, NULL) - value) <= 0.0) {
            break;
        }
    }
    return arena_strdup(arena, text);
}

int setting_whole(struct reader *reader, const config_setting_t *group, const char *name, const char *owner,
                  struct whole bounds)
{
    const config_setting_t *setting = config_setting_get_member(group, name);
    if (setting == NULL || config_setting_is_number(setting) == CONFIG_FALSE ||
        config_setting_type(setting) == CONFIG_TYPE_FLOAT) {
        return bounds.standard;
    }
    long long value = config_setting_get_int64(setting);
    if (value < bounds.low || value > bounds.high) {
        reader_report(reader, setting, NULL, "\"%s\" of %s: expected %d to %d, found %lld", name, owner, bounds.low,
                      bounds.high, value);
        return bounds.standard;
    }
    return (int)value;
}

const char *setting_scalar_text(const config_setting_t *setting, struct arena *arena)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        return arena_strdup(arena, config_setting_get_string(setting));
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return arena_printf(arena, "%lld", config_setting_get_int64(setting));
    case CONFIG_TYPE_FLOAT:
        return number_text(arena, config_setting_get_float(setting));
    case CONFIG_TYPE_BOOL:
        return config_setting_get_bool(setting) ? "true" : "false";
    default:
        return NULL;
    }
}

bool setting_is_one_line(struct reader *reader, const config_setting_t *setting, const char *text, const char *owner)
{
    for (const char *at = text; at != NULL && *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F) {
            reader_report(reader, setting, NULL, "\"%s\" of %s has control characters", config_setting_name(setting),
                          owner);
            return false;
        }
    }
    return true;
}

const char *setting_line(struct reader *reader, const config_setting_t *group, const char *key, const char *owner)
{
    const char *text = setting_string(reader, group, key, owner);
    return setting_is_one_line(reader, config_setting_get_member(group, key), text, owner) ? text : NULL;
}

const char *setting_path(struct reader *reader, const config_setting_t *group, const char *key, const char *owner)
{
    const char *path = setting_line(reader, group, key, owner);
    return path == NULL || path[0] == '/' ? path : arena_printf(reader->arena, "%s/%s", reader->folder, path);
}
