/* SPDX-License-Identifier: PostgreSQL */
/* Checks names that a plugin declares: their form, and that none comes twice. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "plugin/declaration_check.h"

#define NAME_SIZE 63     /* bytes of a name in PostgreSQL */
#define RELATION_SIZE 56 /* leaves room for __live and for index names */
#define NAMES_LIMIT 1600 /* columns that a table may have */

static bool identifier_within(const char *name, size_t limit)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
    static const char letters_and_digits[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
    size_t length = strspn(name, letters_and_digits);
    return length >= 1 && length <= limit && name[length] == '\0' && strchr(letters, name[0]) != NULL;
}

static bool identifier_valid(const char *name)
{
    return identifier_within(name, NAME_SIZE);
}

static bool relation_valid(const char *name)
{
    return identifier_within(name, RELATION_SIZE);
}

static bool catalog_name_valid(const char *name)
{
    size_t length = 0;
    for (; name[length] != '\0'; length++) {
        if (name[length] == '"' || iscntrl((unsigned char)name[length]) || length >= NAME_SIZE) {
            return false;
        }
    }
    return length > 0;
}

const struct name_rule rule_identifier = {identifier_valid,
                                          "names are 1 to 63 of a-z, 0-9 and _, and do not start with a digit"};
const struct name_rule rule_relation = {
    relation_valid, "relations are named with 1 to 56 of a-z, 0-9 and _, not starting with a digit"};
const struct name_rule rule_catalog = {
    catalog_name_valid, "write names as in the server's catalog, 1 to 63 bytes, without quotes, commas between them"};
const struct name_rule rule_key = {name_valid, "names are 1 to 63 of A-Z, a-z, 0-9, _ and -, not starting with -"};

bool check_name(struct check *check, const char *place, const char *member, const char *name,
                const struct name_rule *rule)
{
    if (!check_given(check, place, member, name)) {
        return false;
    }
    return rule->valid(name) || check_fail(check, rule->hint, "%s: %s \"%.80s\" is not a name", place, member, name);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

const char *names_sort(const char **names, size_t count)
{
    if (count > 0) {
        qsort(names, count, sizeof(*names), compare_names);
    }
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i - 1], names[i]) == 0) {
            return names[i];
        }
    }
    return NULL;
}

bool check_unique(struct check *check, const char *what, const char **names, size_t count)
{
    const char *twice = names_sort(names, count);
    return twice == NULL ||
           check_fail(check, "give each a name of its own", "%s \"%s\" is declared twice", what, twice);
}

bool names_contain(const char *const *names, size_t count, const char *name)
{
    return count > 0 && bsearch(&name, names, count, sizeof(*names), compare_names) != NULL;
}

static bool is_space(char character)
{
    return isspace((unsigned char)character);
}

static const char *trimmed(struct arena *arena, const char *start, const char *end)
{
    while (start < end && is_space(*start)) {
        start++;
    }
    while (end > start && is_space(end[-1])) {
        end--;
    }
    return arena_strndup(arena, start, (size_t)(end - start));
}

static size_t count_parts(const char *text)
{
    size_t count = 1;
    for (; *text != '\0'; text++) {
        count += *text == ',';
    }
    return count;
}

static const char **split(struct arena *arena, const char *text, size_t count)
{
    const char **parts = arena_alloc(arena, count * sizeof(*parts));
    for (size_t i = 0; i < count; i++) {
        const char *end = text + strcspn(text, ",");
        parts[i] = trimmed(arena, text, end);
        text = end + 1;
    }
    return parts;
}

static bool names_differ(struct check *check, const char *place, const char *member, const struct names *names)
{
    const char **sorted = arena_alloc(check->arena, names->count * sizeof(*sorted));
    memcpy(sorted, names->items, names->count * sizeof(*sorted));
    const char *twice = names_sort(sorted, names->count);
    return twice == NULL || check_fail(check, "name it once", "%s: %s has \"%s\" twice", place, member, twice);
}

bool check_names(struct check *check, const char *place, const char *member, const char *text,
                 const struct name_rule *rule, struct names *names)
{
    *names = (struct names){NULL, 0};
    if (text == NULL) {
        return true;
    }
    size_t count = count_parts(text);
    if (count > NAMES_LIMIT) {
        return check_fail(check, "shorten the list", "%s: %s has %zu names, and at most %d are read", place, member,
                          count, NAMES_LIMIT);
    }
    *names = (struct names){split(check->arena, text, count), count};
    for (size_t i = 0; i < count; i++) {
        if (!rule->valid(names->items[i])) {
            return check_fail(check, rule->hint, "%s: %s has \"%.80s\", which is not a name", place, member,
                              names->items[i]);
        }
    }
    return names_differ(check, place, member, names);
}

bool check_word(struct check *check, const char *place, const char *member, const char **text, const char *fallback,
                const char *const *words, size_t count)
{
    if (*text == NULL) {
        *text = fallback;
    }
    if (!check_given(check, place, member, *text)) {
        return false;
    }
    char choices[128] = "";
    for (size_t i = 0, used = 0; i < count; i++) {
        if (strcmp(*text, words[i]) == 0) {
            return true;
        }
        used += (size_t)snprintf(choices + used, sizeof(choices) - used, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    char hint[192];
    snprintf(hint, sizeof(hint), "it is one of: %s", choices);
    return check_fail(check, hint, "%s: %s \"%.80s\" is not known", place, member, *text);
}
