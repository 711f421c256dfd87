/* SPDX-License-Identifier: PostgreSQL */
/* sinks: { NAME: { type = "webhook"; url_file = "..."; match: { severity = "critical"; }; }; }; */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/reader.h"
#include "config/settings.h"

#define OWNER_SIZE 80

const char *const sink_type_names[] = {
    [SINK_WEBHOOK] = "webhook", [SINK_SLACK] = "slack",     [SINK_ALERTMANAGER] = "alertmanager",
    [SINK_MAIL] = "mail",       [SINK_PROGRAM] = "program", NULL};

static const struct setting_key keys[] = {
    {"type", SETTING_STRING},      {"url", SETTING_STRING},
    {"url_file", SETTING_STRING},  {"headers_file", SETTING_STRING},
    {"user_file", SETTING_STRING}, {"from", SETTING_STRING},
    {"to", SETTING_NAMES},         {"command", SETTING_NAMES},
    {"match", SETTING_GROUP},      {"database", SETTING_STRING},
};
static const struct setting_table table = {keys, COUNT_OF(keys)};

/* Which keys a type has, beside type, match and database. */
static const struct {
    const char *key;
    bool types[SINK_PROGRAM + 1];
} places[] = {
    {"url", {true, true, true, true, false}},           {"url_file", {true, true, true, true, false}},
    {"headers_file", {true, true, true, false, false}}, {"user_file", {true, false, true, true, false}},
    {"from", {false, false, false, true, false}},       {"to", {false, false, false, true, false}},
    {"command", {false, false, false, false, true}},
};

static bool has(const config_setting_t *group, const char *key)
{
    return config_setting_get_member(group, key) != NULL;
}

static const char *const *read_lines(struct reader *reader, const config_setting_t *group, const char *key,
                                     const char *owner)
{
    const config_setting_t *setting = config_setting_get_member(group, key);
    if (setting == NULL) {
        return NULL;
    }
    size_t count = config_setting_is_aggregate(setting) ? setting_count(setting) : 1;
    const char **lines = arena_alloc(reader->arena, (count + 1) * sizeof(*lines));
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *element = config_setting_is_aggregate(setting) ? setting_at(setting, i) : setting;
        const char *text = config_setting_get_string(element);
        if (text == NULL) {
            reader_report(reader, element, NULL, "\"%s\" of %s: expected strings", key, owner);
            return NULL;
        }
        if (!setting_is_one_line(reader, setting, text, owner)) {
            return NULL;
        }
        lines[i] = arena_strdup(reader->arena, text);
    }
    lines[count] = NULL;
    return count > 0 ? lines : NULL;
}

static bool read_type(struct reader *reader, const config_setting_t *group, const char *owner, enum sink_type *type)
{
    const char *given = setting_string(reader, group, "type", owner);
    for (size_t i = 0; sink_type_names[i] != NULL && given != NULL; i++) {
        if (strcmp(given, sink_type_names[i]) == 0) {
            *type = (enum sink_type)i;
            return true;
        }
    }
    static const char hint[] = "types: webhook, slack, alertmanager, mail, program";
    if (given != NULL) {
        reader_report(reader, config_setting_get_member(group, "type"), hint, "%s: unknown type \"%s\"", owner,
                      reader_shown(reader, given));
    } else if (!has(group, "type")) {
        reader_report(reader, group, hint, "%s has no type", owner);
    }
    return false;
}

static void read_match(struct reader *reader, const config_setting_t *group, const char *owner,
                       struct config_sink *sink)
{
    const config_setting_t *match = config_setting_get_member(group, "match");
    size_t count = match != NULL && config_setting_is_group(match) ? setting_count(match) : 0;
    struct config_setting *labels = arena_alloc(reader->arena, (count + 1) * sizeof(*labels));
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *member = setting_at(match, i);
        const char *value = setting_is_duplicate(member) ? NULL : config_setting_get_string(member);
        if (value != NULL) {
            labels[sink->match_count++] = (struct config_setting){
                .name = arena_strdup(reader->arena, config_setting_name(member)),
                .value = arena_strdup(reader->arena, value),
                .line = reader_line(reader, member)};
        } else if (!setting_is_duplicate(member)) {
            reader_report(reader, member, "such as severity = \"critical\" or job = \"report-*\"",
                          "\"match\" of %s: a label's value is a string", owner);
        }
    }
    sink->match = labels;
}

static bool judge_keys(struct reader *reader, const config_setting_t *group, const char *owner, enum sink_type type)
{
    bool good = true;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        if (has(group, places[i].key) && !places[i].types[type]) {
            reader_report(reader, config_setting_get_member(group, places[i].key), NULL,
                          "%s: type \"%s\" has no \"%s\"", owner, sink_type_names[type], places[i].key);
            good = false;
        }
    }
    return good;
}

static bool starts_with_one_of(const char *text, const char *first, const char *second)
{
    return strncmp(text, first, strlen(first)) == 0 || strncmp(text, second, strlen(second)) == 0;
}

bool sink_url_valid(enum sink_type type, const char *url)
{
    return type == SINK_MAIL ? starts_with_one_of(url, "smtps://", "smtp://")
                             : starts_with_one_of(url, "https://", "http://");
}

/* What the type cannot do without. */
static void judge_sink(struct reader *reader, const config_setting_t *group, const char *owner,
                       const struct config_sink *sink)
{
    const char *missing = NULL;
    if (sink->type == SINK_PROGRAM) {
        missing = sink->command == NULL ? "command" : NULL;
    } else if (sink->type == SINK_MAIL && (sink->from == NULL || sink->to == NULL)) {
        missing = sink->from == NULL ? "from" : "to";
    } else if (sink->url == NULL && sink->url_file == NULL) {
        missing = "url_file";
    }
    if (missing != NULL && !has(group, missing)) {
        reader_report(reader, group, NULL, "%s: type \"%s\" needs \"%s\"", owner, sink_type_names[sink->type], missing);
    } else if (sink->url != NULL && sink->url_file != NULL) {
        reader_report(reader, group, "keep url_file where the address is a secret", "%s has both url and url_file",
                      owner);
    } else if (sink->url != NULL && !sink_url_valid(sink->type, sink->url)) {
        reader_report(reader, config_setting_get_member(group, "url"), NULL, "%s: its url begins with neither %s",
                      owner, sink->type == SINK_MAIL ? "smtps:// nor smtp://" : "https:// nor http://");
    } else if (sink->command != NULL && sink->command[0][0] != '/') {
        reader_report(reader, config_setting_get_member(group, "command"),
                      "command = [\"/usr/local/bin/page\", \"--team\", \"data\"]",
                      "%s: its command does not begin with an absolute path", owner);
    }
}

static void add_sink(struct reader *reader, const struct config_sink *sink)
{
    struct config *config = reader->config;
    if (config->sink_count == reader->sink_capacity) {
        size_t capacity = reader->sink_capacity == 0 ? 8 : reader->sink_capacity * 2;
        struct config_sink *sinks = arena_alloc(reader->arena, capacity * sizeof(*sinks));
        if (config->sink_count > 0) {
            memcpy(sinks, reader->sinks, config->sink_count * sizeof(*sinks));
        }
        reader->sinks = sinks;
        reader->sink_capacity = capacity;
        config->sinks = sinks;
    }
    reader->sinks[config->sink_count++] = *sink;
}

static void read_sink(struct reader *reader, const config_setting_t *group)
{
    char owner[OWNER_SIZE];
    const char *name = config_setting_name(group);
    snprintf(owner, sizeof(owner), "sink \"%s\"", reader_shown(reader, name));
    struct setting_key entry = {reader_shown(reader, name), SETTING_GROUP};
    struct config_sink sink = {.name = arena_strdup(reader->arena, name), .file = reader->file};
    if (!setting_accept(reader, group, &entry, "\"sinks\"")) {
        return;
    }
    settings_check(reader, group, &table, owner);
    if (!read_type(reader, group, owner, &sink.type) || !judge_keys(reader, group, owner, sink.type)) {
        return;
    }
    sink.url = setting_line(reader, group, "url", owner);
    sink.url_file = setting_path(reader, group, "url_file", owner);
    sink.headers_file = setting_path(reader, group, "headers_file", owner);
    sink.user_file = setting_path(reader, group, "user_file", owner);
    sink.from = setting_line(reader, group, "from", owner);
    sink.to = read_lines(reader, group, "to", owner);
    sink.command = read_lines(reader, group, "command", owner);
    sink.database = setting_string(reader, group, "database", owner);
    sink.line = reader_line(reader, group);
    read_match(reader, group, owner, &sink);
    judge_sink(reader, group, owner, &sink);
    const struct config_sink *before = config_find_sink(reader->config, name);
    if (before != NULL) {
        reader_report(reader, group, "keep one of the two", "%s is already given at %s:%d", owner, before->file,
                      before->line);
    } else {
        add_sink(reader, &sink);
    }
}

void sinks_read(struct reader *reader, const config_setting_t *group)
{
    for (size_t i = 0; i < setting_count(group); i++) {
        if (!setting_is_duplicate(setting_at(group, i))) {
            read_sink(reader, setting_at(group, i));
        }
    }
}

const struct config_sink *config_find_sink(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->sink_count; i++) {
        if (strcmp(config->sinks[i].name, name) == 0) {
            return &config->sinks[i];
        }
    }
    return NULL;
}
