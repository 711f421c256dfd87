/* SPDX-License-Identifier: PostgreSQL */
#include "plugin/set_text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

char *plugin_set_encode(const struct plugin_set *set, const struct report *report)
{
    json_t *plugins = json_array();
    json_t *findings = json_array();
    for (size_t i = 0; i < set->count; i++) {
        json_array_append_new(
            plugins, json_pack("{s:s, s:s}", "file", set->plugins[i]->file, "declaration", set->plugins[i]->text));
    }
    for (size_t i = 0; i < report->count; i++) {
        const struct finding *finding = &report->findings[i];
        json_array_append_new(findings, json_pack("{s:s?, s:i, s:s, s:s?}", "file", finding->file, "line",
                                                  finding->line, "message", finding->message, "hint", finding->hint));
    }
    char stamp[24];
    snprintf(stamp, sizeof(stamp), "%016" PRIx64, set->stamp);
    json_t *root = json_pack("{s:s, s:o, s:o}", "stamp", stamp, "plugins", plugins, "findings", findings);
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static bool read_plugin(const json_t *item, struct plugin_set *set, struct error *err)
{
    const char *file = NULL;
    const char *text = NULL;
    size_t length = 0;
    if (json_unpack((json_t *)item, "{s:s, s:s%!}", "file", &file, "declaration", &text, &length) != 0) {
        return error_set(err, ERROR_FAILED, "a plugin without its declaration");
    }
    struct declaration *declaration = declaration_decode(text, length, file, err);
    if (declaration != NULL) {
        set->plugins[set->count++] = declaration;
    }
    return declaration != NULL;
}

static bool read_finding(const json_t *item, struct report *report, struct error *err)
{
    const char *file = json_string_value(json_object_get(item, "file"));
    const char *message = json_string_value(json_object_get(item, "message"));
    const char *hint = json_string_value(json_object_get(item, "hint"));
    int line = (int)json_integer_value(json_object_get(item, "line"));
    if (message == NULL) {
        return error_set(err, ERROR_FAILED, "a finding without its message");
    }
    report_add(report, file, line, hint, "%s", message);
    return true;
}

static bool read_all(const json_t *plugins, const json_t *findings, struct plugin_set *set, struct report *report,
                     struct error *err)
{
    set->plugins = xcalloc(json_array_size(plugins) + 1, sizeof(*set->plugins));
    for (size_t i = 0; i < json_array_size(plugins); i++) {
        if (!read_plugin(json_array_get(plugins, i), set, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < json_array_size(findings); i++) {
        if (!read_finding(json_array_get(findings, i), report, err)) {
            return false;
        }
    }
    return true;
}

struct plugin_set *plugin_set_decode(const char *text, size_t length, struct report *report, struct error *err)
{
    json_t *plugins = NULL;
    json_t *findings = NULL;
    const char *stamp = NULL;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    struct plugin_set *set = NULL;
    if (json_unpack(root, "{s:s, s:o, s:o!}", "stamp", &stamp, "plugins", &plugins, "findings", &findings) != 0) {
        error_set(err, ERROR_FAILED, "the plugins could not be described: the answer is not whole");
    } else {
        set = xcalloc(1, sizeof(*set));
        set->stamp = strtoull(stamp, NULL, 16);
        set->refused = json_array_size(findings);
        if (!read_all(plugins, findings, set, report, err)) {
            plugin_set_destroy(set);
            set = NULL;
        }
    }
    json_decref(root);
    return set;
}
