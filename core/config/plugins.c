/* SPDX-License-Identifier: PostgreSQL */
/* plugin: { name = "..."; enabled = "auto"; database = "..."; settings: { ... }; channels = [...];
 * modes: { ... }; frozen: { ... }; }; */
#include <string.h>

#include "base/text.h"
#include "config/reader.h"
#include "config/settings.h"
#include "model/job.h"
#include "model/view_mode.h"

#define OWNER "\"plugin\""

static const struct setting_key keys[] = {
    {"name", SETTING_STRING},        {"enabled", SETTING_SWITCH}, {"database", SETTING_STRING},
    {"view_schema", SETTING_STRING}, {"settings", SETTING_GROUP}, {"channels", SETTING_NAMES},
    {"modes", SETTING_GROUP},        {"frozen", SETTING_GROUP},
};
static const struct setting_table table = {keys, COUNT_OF(keys)};

static enum config_enabled read_enabled(const config_setting_t *group)
{
    const config_setting_t *setting = config_setting_get_member(group, "enabled");
    if (setting == NULL || config_setting_type(setting) != CONFIG_TYPE_BOOL) {
        return CONFIG_AUTO;
    }
    return config_setting_get_bool(setting) ? CONFIG_ENABLED : CONFIG_DISABLED;
}

/* Their types are the plugin's to say; here they only need to be one value each. */
static void read_settings(struct reader *reader, const config_setting_t *group, struct config_plugin *plugin)
{
    size_t count = setting_count(group);
    struct config_setting *settings = arena_alloc(reader->arena, (count + 1) * sizeof(*settings));
    plugin->settings = settings;
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *setting = setting_at(group, i);
        if (setting_is_duplicate(setting)) {
            continue;
        }
        const char *value = setting_scalar_text(setting, reader->arena);
        if (value == NULL) {
            reader_report(reader, setting, NULL, "setting \"%s\": expected one value, found %s",
                          reader_shown(reader, config_setting_name(setting)), setting_type_found(setting));
            continue;
        }
        if (!utf8_valid(value, strlen(value))) {
            reader_report(reader, setting, "\\x escapes must give UTF-8", "setting \"%s\" is not UTF-8",
                          reader_shown(reader, config_setting_name(setting)));
            continue;
        }
        settings[plugin->setting_count++] = (struct config_setting){
            .name = arena_strdup(reader->arena, config_setting_name(setting)),
            .value = value,
            .line = reader_line(reader, setting)};
    }
}

/* What no plugin can call a channel would only be shown. */
static bool names_channel(const char *name)
{
    bool printable = true;
    for (const char *c = name; *c != '\0'; c++) {
        printable = printable && (unsigned char)*c >= ' ' && *c != '\x7f';
    }
    return printable && channel_name_valid(name);
}

/* Whether the plugin has them is not known here. */
static void read_channels(struct reader *reader, const config_setting_t *setting, struct config_plugin *plugin)
{
    bool single = config_setting_type(setting) == CONFIG_TYPE_STRING;
    size_t count = single ? 1 : setting_count(setting);
    const char **names = arena_alloc(reader->arena, (count + 1) * sizeof(*names));
    plugin->channels = names;
    for (size_t i = 0; i < count; i++) {
        const char *name = config_setting_get_string(single ? setting : setting_at(setting, i));
        if (name != NULL && names_channel(name)) {
            names[plugin->channel_count++] = arena_strdup(reader->arena, name);
        } else if (name != NULL) {
            reader_report(reader, setting, "name it as the plugin declares it",
                          "\"channels\" of " OWNER ": \"%s\" cannot be a channel's name", reader_shown(reader, name));
        } else {
            reader_report(reader, setting, "write channels = [\"submission_scored\"];",
                          "\"channels\" of " OWNER ": expected a list of strings, found %s in it",
                          setting_type_found(setting_at(setting, i)));
        }
    }
}

static const char *read_mode(struct reader *reader, const config_setting_t *setting)
{
    const char *view = reader_shown(reader, config_setting_name(setting));
    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        reader_report(reader, setting, "write it in double quotes", "mode of view \"%s\": expected a string, found %s",
                      view, setting_type_found(setting));
        return NULL;
    }
    const char *given = config_setting_get_string(setting);
    for (size_t i = 0; i < VIEW_MODE_COUNT; i++) {
        if (strcmp(given, view_modes[i]) == 0) {
            return view_modes[i];
        }
    }
    reader_report(reader, setting, "known modes: auto, keyed, strict, full, matview",
                  "mode of view \"%s\": unknown mode \"%s\"", view, reader_shown(reader, given));
    return NULL;
}

/* What a condition may say is for the server. */
static const char *read_condition(struct reader *reader, const config_setting_t *setting)
{
    const char *view = reader_shown(reader, config_setting_name(setting));
    const char *given = config_setting_get_string(setting);
    if (given == NULL) {
        reader_report(reader, setting, "write it in double quotes",
                      "frozen of view \"%s\": expected a string, found %s", view, setting_type_found(setting));
    } else if (!utf8_valid(given, strlen(given))) {
        reader_report(reader, setting, "\\x escapes must give UTF-8", "frozen of view \"%s\" is not UTF-8", view);
        given = NULL;
    }
    return given != NULL ? arena_strdup(reader->arena, given) : NULL;
}

/* Which views there are is the plugin's to say. */
static const struct config_setting *read_by_view(struct reader *reader, const config_setting_t *group,
                                                 const char *(*read)(struct reader *, const config_setting_t *),
                                                 size_t *taken)
{
    size_t count = setting_count(group);
    struct config_setting *values = arena_alloc(reader->arena, (count + 1) * sizeof(*values));
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *setting = setting_at(group, i);
        const char *value = setting_is_duplicate(setting) ? NULL : read(reader, setting);
        if (value != NULL) {
            values[(*taken)++] = (struct config_setting){
                .name = arena_strdup(reader->arena, config_setting_name(setting)),
                .value = value,
                .line = reader_line(reader, setting)};
        }
    }
    return values;
}

static const char *read_name(struct reader *reader, const config_setting_t *group)
{
    const config_setting_t *setting = config_setting_get_member(group, "name");
    if (setting == NULL) {
        reader_report(reader, group, "write name = \"lane_distribution\"; the plugin's file name without its suffix",
                      OWNER " has no \"name\"");
        return NULL;
    }
    const char *name = setting_string(reader, group, "name", OWNER);
    if (name != NULL && !name_valid(name)) {
        reader_report(reader, setting, "it is the plugin's file name without its suffix", "\"%s\" cannot name a plugin",
                      reader_shown(reader, name));
        return NULL;
    }
    return name;
}

void plugin_add(struct reader *reader, const struct config_plugin *plugin)
{
    struct config *config = reader->config;
    if (config->plugin_count == reader->plugin_capacity) {
        reader->plugin_capacity = reader->plugin_capacity == 0 ? 16 : reader->plugin_capacity * 2;
        reader->plugins = xrealloc(reader->plugins, reader->plugin_capacity, sizeof(*reader->plugins));
    }
    reader->plugins[config->plugin_count++] = *plugin;
}

void plugin_read(struct reader *reader, const config_setting_t *group)
{
    size_t findings_before = reader->report->count;
    settings_check(reader, group, &table, OWNER);
    struct config_plugin plugin = {
        .name = read_name(reader, group),
        .enabled = read_enabled(group),
        .database = setting_string(reader, group, "database", OWNER),
        .view_schema = setting_string(reader, group, "view_schema", OWNER),
        .file = reader->file,
        .line = reader_line(reader, group),
    };
    const config_setting_t *settings = config_setting_get_member(group, "settings");
    if (settings != NULL && config_setting_is_group(settings)) {
        read_settings(reader, settings, &plugin);
    }
    const config_setting_t *modes = config_setting_get_member(group, "modes");
    if (modes != NULL && config_setting_is_group(modes)) {
        plugin.modes = read_by_view(reader, modes, read_mode, &plugin.mode_count);
    }
    const config_setting_t *frozen = config_setting_get_member(group, "frozen");
    if (frozen != NULL && config_setting_is_group(frozen)) {
        plugin.frozen = read_by_view(reader, frozen, read_condition, &plugin.frozen_count);
    }
    const config_setting_t *channels = config_setting_get_member(group, "channels");
    if (channels != NULL && reader->report->count == findings_before) {
        read_channels(reader, channels, &plugin);
    }
    plugin.refused = reader->report->count != findings_before;
    if (plugin.name != NULL) {
        plugin_add(reader, &plugin);
    } else {
        reader->config->complete = false;
    }
}
