/* SPDX-License-Identifier: PostgreSQL */
/* Settings that a plugin declares: their types and bounds, and whether a value of conf.d fits. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "plugin/declaration_check.h"

enum setting_kind { SETTING_INT, SETTING_NUMBER, SETTING_BOOL, SETTING_TEXT, SETTING_DURATION };

static const char *const setting_types[] = {"int", "number", "bool", "text", "duration"};

static enum setting_kind kind_of(const char *type)
{
    size_t kind = 0;
    while (kind < SETTING_DURATION && strcmp(type, setting_types[kind]) != 0) {
        kind++;
    }
    return (enum setting_kind)kind;
}

/* A value that can be compared: whole numbers and durations are exact. */
struct quantity {
    int64_t whole;
    double number;
};

static bool parse_number(const char *text, double *number)
{
    char *end = NULL;
    *number = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*number) && strspn(text, "+-.0123456789eE") == strlen(text);
}

static bool read_value(enum setting_kind kind, const char *text, struct quantity *value, struct error *err)
{
    *value = (struct quantity){0, 0};
    switch (kind) {
    case SETTING_INT:
        return parse_int64(text, INT64_MIN, INT64_MAX, &value->whole) ||
               error_set(err, ERROR_CONFIG, "\"%.80s\" is not a whole number", text);
    case SETTING_NUMBER:
        return parse_number(text, &value->number) || error_set(err, ERROR_CONFIG, "\"%.80s\" is not a number", text);
    case SETTING_BOOL:
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ||
               error_set(err, ERROR_CONFIG, "\"%.80s\" is neither true nor false", text);
    case SETTING_DURATION:
        return duration_parse(text, &value->whole, err);
    case SETTING_TEXT:
        break;
    }
    return true;
}

static bool is_less(struct quantity left, struct quantity right)
{
    return left.whole < right.whole || left.number < right.number;
}

static const char *or_open(const char *bound)
{
    return bound == NULL ? "any" : bound;
}

bool setting_accepts(const struct declared_setting *setting, const char *value, struct error *err)
{
    enum setting_kind kind = kind_of(setting->type);
    struct quantity given;
    struct quantity low;
    struct quantity high;
    if (!read_value(kind, value, &given, err)) {
        if (err != NULL && err->hint[0] == '\0') {
            error_hint(err, "setting \"%s\" is of type %s", setting->name, setting->type);
        }
        return false;
    }
    bool in_range = (setting->low == NULL || (read_value(kind, setting->low, &low, err) && !is_less(given, low))) &&
                    (setting->high == NULL || (read_value(kind, setting->high, &high, err) && !is_less(high, given)));
    if (in_range) {
        return true;
    }
    error_set(err, ERROR_CONFIG, "%.80s is out of range", value);
    return error_hint(err, "setting \"%s\" is from %s to %s", setting->name, or_open(setting->low),
                      or_open(setting->high));
}

static bool check_value(struct check *check, const char *place, const char *member,
                        const struct declared_setting *setting, const char *value)
{
    struct error fault = {.kind = ERROR_NONE};
    return setting_accepts(setting, value, &fault) ||
           check_fail(check, fault.hint, "%s: %s: %s", place, member, fault.message);
}

/* Each bound is a value of the type, and low is not above high. */
static bool check_bounds(struct check *check, const char *place, const struct declared_setting *setting)
{
    enum setting_kind kind = kind_of(setting->type);
    if (setting->low == NULL && setting->high == NULL) {
        return true;
    }
    if (kind == SETTING_TEXT || kind == SETTING_BOOL) {
        return check_fail(check, "leave low and high out: int, number and duration have them",
                          "%s: a setting of type %s has no range", place, setting->type);
    }
    struct declared_setting open = *setting;
    open.low = NULL;
    open.high = NULL;
    if (setting->low != NULL && !check_value(check, place, "low", &open, setting->low)) {
        return false;
    }
    open.low = setting->low;
    return setting->high == NULL || check_value(check, place, "high", &open, setting->high);
}

static bool check_setting(struct check *check, size_t index, const struct chime_setting *from,
                          struct declared_setting *to)
{
    char place[CHECK_PLACE_SIZE];
    check_place(place, "settings", index, from->name);
    *to = (struct declared_setting){.name = from->name,
                                    .type = from->type,
                                    .value = from->value,
                                    .low = from->low,
                                    .high = from->high,
                                    .summary = from->summary == NULL ? "" : from->summary};
    if (!check_name(check, place, "name", from->name, &rule_identifier) ||
        !check_word(check, place, "type", &to->type, NULL, setting_types, COUNT_OF(setting_types))) {
        return false;
    }
    if (to->value == NULL && kind_of(to->type) == SETTING_TEXT) {
        to->value = "";
    }
    return check_given(check, place, "value", to->value) && check_bounds(check, place, to) &&
           check_value(check, place, "value", to, to->value);
}

bool check_settings(struct check *check)
{
    const struct chime_list *list = &check->plugin->settings;
    const struct chime_setting *from = list->items;
    struct declared_setting *to = arena_alloc(check->arena, list->count * sizeof(*to));
    const char **names = arena_alloc(check->arena, list->count * sizeof(*names));
    for (size_t i = 0; i < list->count; i++) {
        if (!check_setting(check, i, &from[i], &to[i])) {
            return false;
        }
        names[i] = to[i].name;
    }
    check->declaration->settings = to;
    check->declaration->setting_count = list->count;
    return check_unique(check, "settings: the setting", names, list->count);
}
