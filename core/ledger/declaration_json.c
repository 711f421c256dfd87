/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/declaration_json.h"

#include <jansson.h>
#include <string.h>

#include "base/buffer.h"
#include "base/instant.h"

static json_t *names_json(const struct names *names)
{
    json_t *list = json_array();
    for (size_t i = 0; i < names->count; i++) {
        json_array_append_new(list, json_string(names->items[i]));
    }
    return list;
}

static char *dump(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

static bool is_own_view(const struct declaration *declaration, const char *relation)
{
    for (size_t i = 0; i < declaration->view_count; i++) {
        if (strcmp(declaration->views[i].relation, relation) == 0) {
            return true;
        }
    }
    return false;
}

char *declaration_json_sources(const struct declaration *declaration, const char *relation)
{
    json_t *list = json_array();
    for (size_t i = 0; i < declaration->source_count; i++) {
        if (relation != NULL ? !source_is_for(&declaration->sources[i], relation)
                             : is_own_view(declaration, declaration->sources[i].table)) {
            continue;
        }
        json_t *source = json_object();
        json_object_set_new(source, "table", json_string(declaration->sources[i].table));
        json_object_set_new(source, "columns", names_json(&declaration->sources[i].columns));
        json_object_set_new(source, "capture", names_json(&declaration->sources[i].capture));
        json_object_set_new(source, "map",
                            declaration->sources[i].map != NULL ? json_string(declaration->sources[i].map)
                                                                : json_null());
        json_object_set_new(source, "trust", json_boolean(declaration->sources[i].trust));
        json_array_append_new(list, source);
    }
    return dump(list);
}

char *declaration_json_indexes(const struct declared_view *view)
{
    json_t *list = json_array();
    for (size_t i = 0; i < view->index_count; i++) {
        json_t *index = json_object();
        json_object_set_new(index, "name", json_string(view->indexes[i].name));
        json_object_set_new(index, "columns", json_string(view->indexes[i].columns));
        json_object_set_new(index, "where",
                            view->indexes[i].where != NULL ? json_string(view->indexes[i].where) : json_null());
        json_array_append_new(list, index);
    }
    return dump(list);
}

char *declaration_json_settings(const struct catalog_plugin *plugin)
{
    json_t *object = json_object();
    for (size_t i = 0; i < plugin->setting_count; i++) {
        json_object_set_new(object, plugin->settings[i].name, json_string(plugin->settings[i].value));
    }
    return dump(object);
}

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, text != NULL ? json_string(text) : json_null());
}

/* As an interval: the server reads "5m" as we do not. */
static void set_interval(json_t *object, const char *key, const char *text)
{
    duration length = 0;
    struct error err;
    bool given = text != NULL && duration_parse(text, &length, &err);
    json_object_set_new(object, key, given ? json_sprintf("%lld us", (long long)length) : json_null());
}

char *declaration_json_tiles(const struct declaration *declaration)
{
    json_t *list = json_array();
    for (size_t i = 0; i < declaration->tile_count; i++) {
        const struct chime_tile *tile = &declaration->tiles[i];
        json_t *object = json_object();
        set_text(object, "title", tile->title);
        set_text(object, "query", tile->query);
        set_text(object, "draw", tile->draw);
        set_text(object, "warn", tile->warn);
        set_text(object, "critical", tile->critical);
        set_text(object, "choices", tile->choices);
        set_text(object, "state", tile->state);
        set_interval(object, "bound", tile->bound);
        set_text(object, "note", tile->note);
        json_array_append_new(list, object);
    }
    return dump(list);
}

char *declaration_json_names(const struct names *names)
{
    struct buffer text = {0};
    buffer_putc(&text, '{');
    for (size_t i = 0; i < names->count; i++) {
        buffer_puts(&text, i > 0 ? ",\"" : "\"");
        for (const char *c = names->items[i]; *c != '\0'; c++) {
            if (*c == '"' || *c == '\\') {
                buffer_putc(&text, '\\');
            }
            buffer_putc(&text, *c);
        }
        buffer_putc(&text, '"');
    }
    buffer_putc(&text, '}');
    return buffer_take(&text);
}
