/* SPDX-License-Identifier: PostgreSQL */
#include "plugin/declaration.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "plugin/declaration_check.h"
#include "plugin/plugins.h"
#include "plugin/shape.h"
#include "plugin/vet.h"

/* From bytes to the structures of the ABI, in the declaration's arena; what they say is checked afterwards. The bytes
 * come from a process that ran foreign code: length, depth and number of values are bounded before jansson sees them,
 * because a value of two bytes costs it hundreds. */

#define DEPTH_LIMIT 8
#define VALUE_LIMIT 250000
#define PLACE_SIZE 96
#define FORMED_HINT "the answer did not come from this pgchime's plugin host; the plugin must not write to descriptors"

struct decoder {
    struct arena *arena;
    struct error *err;
};

static bool malformed(struct error *err, const char *place, const char *fault)
{
    error_set(err, ERROR_CONFIG, "its answer is malformed: %.200s%s%s", place, place[0] == '\0' ? "" : " ", fault);
    return error_hint(err, FORMED_HINT);
}

/* Counts brackets and separators outside texts. */
static bool structure_bounded(const char *bytes, size_t length)
{
    size_t values = 0;
    int depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < length; i++) {
        if (in_text && bytes[i] == '\\') {
            i++;
        } else if (bytes[i] == '"') {
            in_text = !in_text;
        } else if (!in_text && (bytes[i] == '{' || bytes[i] == '[')) {
            values++;
            depth++;
        } else if (!in_text && (bytes[i] == '}' || bytes[i] == ']')) {
            depth--;
        } else if (!in_text && bytes[i] == ',') {
            values++;
        }
        if (values > VALUE_LIMIT || depth > DEPTH_LIMIT) {
            return false;
        }
    }
    return true;
}

static json_t *parse(const char *bytes, size_t length, struct error *err)
{
    if (length > PLUGIN_ANSWER_LIMIT) {
        malformed(err, "", "it is larger than 4 MiB");
        return NULL;
    }
    if (!structure_bounded(bytes, length)) {
        malformed(err, "", "it is nested too deep or has too many values");
        return NULL;
    }
    json_error_t fault;
    json_t *root = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &fault);
    if (root == NULL) {
        malformed(err, "", fault.text);
    } else if (!json_is_object(root)) {
        malformed(err, "", "it is not a JSON object");
        json_decref(root);
        root = NULL;
    }
    return root;
}

static bool decode_structure(struct decoder *decoder, const struct shape *shape, json_t *object, char *structure,
                             const char *place);

static bool decode_text(struct decoder *decoder, const json_t *value, char *at, const char *place)
{
    if (!json_is_string(value)) {
        return malformed(decoder->err, place, "is not a text");
    }
    size_t length = json_string_length(value);
    if (length > SHAPE_TEXT_LIMIT) {
        return malformed(decoder->err, place, "is longer than 1 MiB");
    }
    if (length > 0) {
        const char *text = arena_strndup(decoder->arena, json_string_value(value), length);
        memcpy(at, &text, sizeof(text));
    }
    return true;
}

static bool decode_list(struct decoder *decoder, const struct shape *items, const json_t *value, char *at,
                        const char *place)
{
    size_t count = json_array_size(value); /* 0 for what is no array */
    if (!json_is_array(value) || count > SHAPE_LIST_LIMIT) {
        return malformed(decoder->err, place, "is not a list of at most 10000 items");
    }
    if (count == 0) {
        return true;
    }
    char *memory = arena_alloc(decoder->arena, count * items->size);
    for (size_t i = 0; i < count; i++) {
        char item_place[PLACE_SIZE];
        snprintf(item_place, sizeof(item_place), "%.60s[%zu].", place, i);
        if (!decode_structure(decoder, items, json_array_get(value, i), memory + i * items->size, item_place)) {
            return false;
        }
    }
    struct chime_list list = {memory, (uint32_t)count, (uint32_t)items->size};
    memcpy(at, &list, sizeof(list));
    return true;
}

static bool decode_member(struct decoder *decoder, const struct shape *shape, const char *key, const json_t *value,
                          char *structure, const char *place)
{
    const struct shape_member *member = shape_find(shape, key);
    char member_place[PLACE_SIZE];
    snprintf(member_place, sizeof(member_place), "%.60s%.30s", place, key);
    if (member == NULL) {
        return malformed(decoder->err, member_place, "is not a known member");
    }
    char *at = structure + member->offset;
    return member->items == NULL ? decode_text(decoder, value, at, member_place)
                                 : decode_list(decoder, member->items, value, at, member_place);
}

static bool decode_structure(struct decoder *decoder, const struct shape *shape, json_t *object, char *structure,
                             const char *place)
{
    if (!json_is_object(object)) {
        return malformed(decoder->err, place, "is not an object");
    }
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(object, key, value)
    {
        if (!decode_member(decoder, shape, key, value, structure, place)) {
            return false;
        }
    }
    return true;
}

static struct declaration *declaration_create(const char *file)
{
    struct arena *arena = arena_create();
    struct declaration *declaration = arena_alloc(arena, sizeof(*declaration));
    declaration->arena = arena;
    declaration->file = arena_strdup(arena, file);
    return declaration;
}

struct declaration *declaration_of_view(struct arena *arena, const struct chime_plugin *plugin, const char *file,
                                        struct error *err)
{
    struct declaration *declaration = arena_alloc(arena, sizeof(*declaration));
    *declaration = (struct declaration){.arena = arena, .file = arena_strdup(arena, file), .derives = true};
    return declaration_check(declaration, plugin, err) ? declaration : NULL;
}

struct declaration *declaration_decode(const char *bytes, size_t length, const char *file, struct error *err)
{
    json_t *root = parse(bytes, length, err);
    if (root == NULL) {
        return NULL;
    }
    struct declaration *declaration = declaration_create(file);
    struct decoder decoder = {.arena = declaration->arena, .err = err};
    struct chime_plugin plugin = {.magic = 0};
    bool decoded = decode_structure(&decoder, &shape_plugin, root, (char *)&plugin, "");
    json_decref(root);
    declaration->derives = strcmp(file + vet_name_length(file), PLUGIN_SQL_SUFFIX) == 0;
    if (!decoded || !declaration_check(declaration, &plugin, err)) {
        declaration_destroy(declaration);
        return NULL;
    }
    return declaration;
}

void declaration_destroy(struct declaration *declaration)
{
    if (declaration != NULL) {
        arena_destroy(declaration->arena);
    }
}
