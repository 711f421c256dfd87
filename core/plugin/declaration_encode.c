/* SPDX-License-Identifier: PostgreSQL */
/* Writes what a plugin declares as JSON, inside the plugin host. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "plugin/declaration.h"
#include "plugin/json_text.h"
#include "plugin/plugins.h"
#include "plugin/shape.h"

/* Runs in the plugin host, where the plugin's memory may say anything: nothing is read past the sizes and counts
 * that were checked first, and a member counts only where the plugin's own size holds all of it. */

#define STRUCTURE_LIMIT 65536 /* bytes; a larger size is garbage, not a newer minor version */
#define PLACE_SIZE 96

struct encoder {
    struct buffer json;
    struct error *err;
};

static bool encode_text(struct encoder *encoder, const char *text, const char *place)
{
    size_t length = strnlen(text, SHAPE_TEXT_LIMIT + 1);
    if (length > SHAPE_TEXT_LIMIT) {
        error_set(encoder->err, ERROR_CONFIG, "%s is longer than 1 MiB", place);
        return error_hint(encoder->err, "shorten it, and see that it ends with a zero byte");
    }
    if (!utf8_valid(text, length)) {
        error_set(encoder->err, ERROR_CONFIG, "%s is not UTF-8", place);
        return error_hint(encoder->err, "save the file that it comes from as UTF-8");
    }
    json_text_append(&encoder->json, text, length);
    if (encoder->json.length > PLUGIN_ANSWER_LIMIT) {
        error_set(encoder->err, ERROR_CONFIG, "the declaration is larger than 4 MiB at %s", place);
        return error_hint(encoder->err, "split the plugin into several");
    }
    return true;
}

static bool list_plausible(const struct chime_list *list, const char *place, struct error *err)
{
    if (list->count > SHAPE_LIST_LIMIT) {
        error_set(err, ERROR_CONFIG, "%s has %u items, and at most %d are read", place, list->count, SHAPE_LIST_LIMIT);
    } else if (list->items == NULL) {
        error_set(err, ERROR_CONFIG, "%s has %u items, but points to none", place, list->count);
    } else if (list->item_size == 0 || list->item_size > STRUCTURE_LIMIT) {
        error_set(err, ERROR_CONFIG, "%s has items of %u bytes", place, list->item_size);
    } else {
        return true;
    }
    return error_hint(err, "write the list as CHIME_LIST(array), which counts by itself");
}

static bool encode_structure(struct encoder *encoder, const struct shape *shape, const char *structure, size_t size,
                             const char *place);

static bool encode_list(struct encoder *encoder, const struct shape *items, const struct chime_list *list,
                        const char *place)
{
    if (!list_plausible(list, place, encoder->err)) {
        return false;
    }
    buffer_putc(&encoder->json, '[');
    for (uint32_t i = 0; i < list->count; i++) {
        char item_place[PLACE_SIZE];
        snprintf(item_place, sizeof(item_place), "%.60s[%u].", place, i);
        if (i > 0) {
            buffer_putc(&encoder->json, ',');
        }
        const char *item = (const char *)list->items + (size_t)i * list->item_size;
        if (!encode_structure(encoder, items, item, list->item_size, item_place)) {
            return false;
        }
    }
    buffer_putc(&encoder->json, ']');
    return true;
}

static void put_key(struct buffer *json, const char *name, bool *first)
{
    buffer_printf(json, "%s\"%s\":", *first ? "" : ",", name);
    *first = false;
}

/* What is not given is not written. */
static bool encode_member(struct encoder *encoder, const struct shape_member *member, const char *at, const char *place,
                          bool *first)
{
    char member_place[PLACE_SIZE];
    snprintf(member_place, sizeof(member_place), "%.60s%.30s", place, member->name);
    if (member->items != NULL) {
        struct chime_list list;
        memcpy(&list, at, sizeof(list));
        if (list.count == 0) {
            return true;
        }
        put_key(&encoder->json, member->name, first);
        return encode_list(encoder, member->items, &list, member_place);
    }
    const char *text = NULL;
    memcpy(&text, at, sizeof(text));
    if (text == NULL || text[0] == '\0') {
        return true;
    }
    put_key(&encoder->json, member->name, first);
    return encode_text(encoder, text, member_place);
}

static bool encode_structure(struct encoder *encoder, const struct shape *shape, const char *structure, size_t size,
                             const char *place)
{
    bool first = true;
    buffer_putc(&encoder->json, '{');
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct shape_member *member = &shape->members[i];
        if (member->offset + shape_member_size(member) > size) {
            continue; /* an older minor version ends before it */
        }
        if (!encode_member(encoder, member, structure + member->offset, place, &first)) {
            return false;
        }
    }
    buffer_putc(&encoder->json, '}');
    return true;
}

static bool prefix_valid(const struct chime_plugin *plugin, struct error *err)
{
    if (plugin->magic != CHIME_MAGIC) {
        error_set(err, ERROR_CONFIG, "its description starts with %08x, not with CHIME_MAGIC", (unsigned)plugin->magic);
        return error_hint(err, "write the description with CHIME_PLUGIN(...) of pgchime/plugin.h");
    }
    if (plugin->abi_major != CHIME_ABI_MAJOR) {
        error_set(err, ERROR_CONFIG, "it was built for plugin ABI %u, and this pgchime has ABI %d",
                  (unsigned)plugin->abi_major, CHIME_ABI_MAJOR);
        return error_hint(err, "build it again with the pgchime/plugin.h of this version");
    }
    if (plugin->size < offsetof(struct chime_plugin, name) || plugin->size > STRUCTURE_LIMIT) {
        error_set(err, ERROR_CONFIG, "its description says that it is %u bytes long", (unsigned)plugin->size);
        return error_hint(err, "write the description with CHIME_PLUGIN(...), which fills in the size");
    }
    return true;
}

static bool name_expected(const struct chime_plugin *plugin, const char *expected_name, struct error *err)
{
    bool has_name = plugin->size >= offsetof(struct chime_plugin, name) + sizeof(plugin->name);
    const char *name = has_name && plugin->name != NULL ? plugin->name : "";
    if (strncmp(name, expected_name, strlen(expected_name) + 1) == 0) {
        return true;
    }
    error_set(err, ERROR_CONFIG, "name is \"%.63s\", but the file is named %s.so", name, expected_name);
    return error_hint(err, "rename the file, or write .name = \"%s\"", expected_name);
}

char *declaration_encode(const struct chime_plugin *plugin, const char *expected_name, struct error *err)
{
    if (plugin == NULL) {
        error_set(err, ERROR_CONFIG, "%s returned NULL", CHIME_ENTRY_NAME);
        error_hint(err, "return the address of a constant struct chime_plugin, as CHIME_PLUGIN(...) does");
        return NULL;
    }
    if (!prefix_valid(plugin, err) || !name_expected(plugin, expected_name, err)) {
        return NULL;
    }
    struct encoder encoder = {.err = err};
    if (!encode_structure(&encoder, &shape_plugin, (const char *)plugin, plugin->size, "")) {
        buffer_finish(&encoder.json);
        return NULL;
    }
    return buffer_take(&encoder.json);
}
