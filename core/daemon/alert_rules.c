/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/alert_rules.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* As an interval: the server reads "5m" as we do not. */
static json_t *interval_json(duration length)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld us", (long long)length);
    return json_string(text);
}

static void set_text(json_t *rule, const char *name, const char *text)
{
    if (text != NULL) {
        json_object_set_new(rule, name, json_string(text));
    }
}

static json_t *plugin_rule(const struct catalog_plugin *plugin, const struct chime_alert *alert)
{
    json_t *rule = json_object();
    duration hold = 0;
    struct error err;
    set_text(rule, "name", alert->name);
    set_text(rule, "plugin", plugin->declaration->name);
    set_text(rule, "view_schema", plugin->view_schema);
    set_text(rule, "condition", alert->condition);
    set_text(rule, "severity", alert->severity);
    if (alert->hold != NULL && duration_parse(alert->hold, &hold, &err)) {
        json_object_set_new(rule, "hold", interval_json(hold));
    }
    return rule;
}

static json_t *config_rule(const struct config_alert *alert, const char *view_schema)
{
    json_t *rule = json_object();
    set_text(rule, "name", alert->name);
    set_text(rule, "view_schema", view_schema);
    set_text(rule, "condition", alert->condition);
    set_text(rule, "severity", alert->severity);
    if (alert->hold >= 0) {
        json_object_set_new(rule, "hold", interval_json(alert->hold));
    }
    if (alert->enabled != CONFIG_AUTO) {
        json_object_set_new(rule, "enabled", json_boolean(alert->enabled == CONFIG_ENABLED));
    }
    return rule;
}

char *alert_rules_json(const struct snapshot *snapshot, const struct config_database *database)
{
    const struct catalog *catalog = snapshot->catalog;
    const struct config *config = snapshot->config;
    json_t *rules = json_array();
    for (size_t i = 0; i < catalog->plugin_count; i++) {
        const struct catalog_plugin *plugin = &catalog->plugins[i];
        for (size_t j = 0; j < plugin->declaration->alert_count && strcmp(plugin->database, database->name) == 0; j++) {
            json_array_append_new(rules, plugin_rule(plugin, &plugin->declaration->alerts[j]));
        }
    }
    for (size_t i = 0; i < config->alert_count; i++) {
        const struct config_alert *alert = &config->alerts[i];
        if (alert->database == NULL || strcmp(alert->database, database->name) == 0) {
            json_array_append_new(rules, config_rule(alert, database->view_schema));
        }
    }
    char *text = json_dumps(rules, JSON_COMPACT);
    json_decref(rules);
    if (text == NULL) {
        fatal("rules of alerts cannot be written as JSON");
    }
    return text;
}
