/* SPDX-License-Identifier: PostgreSQL */
/* views: { NAME: { sql = "SELECT ..."; key = "day"; target_lag = "1s"; }; };  or file = "NAME.sql" for sql.
 * What options there are is for core/plugin to say (plugin/view_text.h); the file is read here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/reader.h"
#include "config/settings.h"
#include "config/source.h"

#define OWNER_SIZE 80

static const struct setting_key keys[] = {
    {"sql", SETTING_STRING},      {"file", SETTING_STRING},        {"enabled", SETTING_BOOLEAN},
    {"database", SETTING_STRING}, {"view_schema", SETTING_STRING},
};
static const struct setting_table table = {keys, COUNT_OF(keys)};

/* A list of names is one text for options: "day, shop". NULL: it is neither that nor one value. */
static const char *option_text(struct reader *reader, const config_setting_t *setting)
{
    const char *text = setting_scalar_text(setting, reader->arena);
    bool is_list = config_setting_is_array(setting) || config_setting_is_list(setting);
    for (size_t i = 0; is_list && i < setting_count(setting); i++) {
        const char *item = config_setting_get_string(setting_at(setting, i));
        if (item == NULL) {
            return NULL;
        }
        text = arena_printf(reader->arena, "%s%s%s", text != NULL ? text : "", text != NULL ? ", " : "", item);
    }
    return text;
}

static void read_options(struct reader *reader, const config_setting_t *group, const char *owner,
                         struct config_view *view)
{
    struct config_setting *options = arena_alloc(reader->arena, (setting_count(group) + 1) * sizeof(*options));
    view->options = options;
    for (size_t i = 0; i < setting_count(group); i++) {
        const config_setting_t *setting = setting_at(group, i);
        const char *name = config_setting_name(setting);
        const struct setting_key *key = setting_is_duplicate(setting) ? NULL : setting_find_key(&table, name);
        if (setting_is_duplicate(setting) || (key != NULL && setting_accept(reader, setting, key, owner))) {
            continue;
        }
        const char *value = key == NULL ? option_text(reader, setting) : NULL;
        if (value != NULL && utf8_valid(value, strlen(value))) {
            options[view->option_count++] = (struct config_setting){
                .name = arena_strdup(reader->arena, name), .value = value, .line = reader_line(reader, setting)};
        } else if (key == NULL) {
            reader_report(reader, setting, "write it in double quotes", "\"%s\" of %s: expected a text, found %s",
                          reader_shown(reader, name), owner, setting_type_found(setting));
        }
    }
}

static void read_file(struct reader *reader, const char *path, struct config_view *view)
{
    struct source_text source;
    source_judge(path, reader->report);
    if (source_read(path, "write it, or give the view's SELECT as sql = \"...\"", &source, reader->report)) {
        view->text = arena_strndup(reader->arena, source.text, source.length);
        view->file = path;
        free(source.text);
    }
}

static void read_text(struct reader *reader, const config_setting_t *group, const char *owner, struct config_view *view)
{
    const char *sql = setting_string(reader, group, "sql", owner);
    const char *path = setting_path(reader, group, "file", owner);
    if ((sql != NULL) == (path != NULL)) {
        reader_report(reader, group, "write sql = \"SELECT ...\"; or file = \"NAME.sql\";", "%s has %s", owner,
                      sql != NULL ? "both \"sql\" and \"file\"" : "no \"sql\" and no \"file\"");
    } else if (sql != NULL) {
        view->text = sql;
    } else {
        read_file(reader, path, view);
    }
}

static enum config_enabled read_enabled(const config_setting_t *group)
{
    int enabled;
    bool given = config_setting_lookup_bool(group, "enabled", &enabled) != CONFIG_FALSE;
    return given && !enabled ? CONFIG_DISABLED : CONFIG_ENABLED;
}

static void read_view(struct reader *reader, const config_setting_t *group)
{
    char owner[OWNER_SIZE];
    const char *name = config_setting_name(group);
    size_t findings_before = reader->report->count;
    snprintf(owner, sizeof(owner), "view \"%s\"", reader_shown(reader, name));
    struct setting_key entry = {reader_shown(reader, name), SETTING_GROUP};
    if (!setting_accept(reader, group, &entry, "\"views\"")) {
        return;
    }
    struct config_view *view = arena_alloc(reader->arena, sizeof(*view));
    read_options(reader, group, owner, view);
    read_text(reader, group, owner, view);
    if (!name_valid(name)) {
        reader_report(reader, group, "write 1 to 55 of a-z, 0-9 and _", "%s: that cannot name a view", owner);
    }
    struct config_plugin plugin = {
        .name = arena_strdup(reader->arena, name),
        .enabled = read_enabled(group),
        .database = setting_string(reader, group, "database", owner),
        .view_schema = setting_string(reader, group, "view_schema", owner),
        .view = view,
        .file = reader->file,
        .line = reader_line(reader, group),
    };
    plugin.refused = reader->report->count != findings_before;
    plugin_add(reader, &plugin);
}

void views_read(struct reader *reader, const config_setting_t *group)
{
    for (size_t i = 0; i < setting_count(group); i++) {
        if (!setting_is_duplicate(setting_at(group, i))) {
            read_view(reader, setting_at(group, i));
        }
    }
}
