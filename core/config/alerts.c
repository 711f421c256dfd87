/* SPDX-License-Identifier: PostgreSQL */
/* alerts: { NAME: { condition = "SELECT ..."; severity = "warning"; hold = "5min"; database = "main"; }; }; */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/reader.h"
#include "config/settings.h"

#define OWNER_SIZE 80

static const struct setting_key keys[] = {
    {"condition", SETTING_STRING}, {"severity", SETTING_STRING}, {"hold", SETTING_STRING},
    {"enabled", SETTING_BOOLEAN},  {"database", SETTING_STRING},
};
static const struct setting_table table = {keys, COUNT_OF(keys)};

static const char *read_severity(struct reader *reader, const config_setting_t *group, const char *owner)
{
    static const char *const severities[] = {"info", "warning", "critical"};
    const char *given = setting_string(reader, group, "severity", owner);
    for (size_t i = 0; i < COUNT_OF(severities) && given != NULL; i++) {
        if (strcmp(given, severities[i]) == 0) {
            return severities[i];
        }
    }
    if (given != NULL) {
        reader_report(reader, config_setting_get_member(group, "severity"), "known severities: info, warning, critical",
                      "%s: unknown severity \"%s\"", owner, reader_shown(reader, given));
    }
    return NULL;
}

static duration read_hold(struct reader *reader, const config_setting_t *group, const char *owner)
{
    const char *given = setting_string(reader, group, "hold", owner);
    duration hold;
    struct error err;
    if (given == NULL) {
        return -1;
    }
    if (!duration_parse(given, &hold, &err)) {
        reader_report(reader, config_setting_get_member(group, "hold"), err.hint, "\"hold\" of %s: %s", owner,
                      err.message);
        return -1;
    }
    return hold;
}

static enum config_enabled read_enabled(const config_setting_t *group)
{
    int enabled;
    if (config_setting_lookup_bool(group, "enabled", &enabled) == CONFIG_FALSE) {
        return CONFIG_AUTO;
    }
    return enabled ? CONFIG_ENABLED : CONFIG_DISABLED;
}

static void add_alert(struct reader *reader, const struct config_alert *alert)
{
    struct config *config = reader->config;
    if (config->alert_count == reader->alert_capacity) {
        size_t capacity = reader->alert_capacity == 0 ? 16 : reader->alert_capacity * 2;
        struct config_alert *alerts = arena_alloc(reader->arena, capacity * sizeof(*alerts));
        if (config->alert_count > 0) {
            memcpy(alerts, reader->alerts, config->alert_count * sizeof(*alerts));
        }
        reader->alerts = alerts;
        reader->alert_capacity = capacity;
        config->alerts = alerts;
    }
    reader->alerts[config->alert_count++] = *alert;
}

/* A name may be given once for each database. */
static const struct config_alert *given_before(const struct config *config, const struct config_alert *alert)
{
    for (size_t i = 0; i < config->alert_count; i++) {
        const struct config_alert *known = &config->alerts[i];
        bool apart = known->database != NULL && alert->database != NULL &&
                     strcmp(known->database, alert->database) != 0;
        if (strcmp(known->name, alert->name) == 0 && !apart) {
            return known;
        }
    }
    return NULL;
}

static void read_alert(struct reader *reader, const config_setting_t *group)
{
    char owner[OWNER_SIZE];
    const char *name = config_setting_name(group);
    snprintf(owner, sizeof(owner), "alert \"%s\"", reader_shown(reader, name));
    struct setting_key entry = {reader_shown(reader, name), SETTING_GROUP};
    if (!setting_accept(reader, group, &entry, "\"alerts\"")) {
        return;
    }
    settings_check(reader, group, &table, owner);
    struct config_alert alert = {
        .name = arena_strdup(reader->arena, name),
        .condition = setting_string(reader, group, "condition", owner),
        .severity = read_severity(reader, group, owner),
        .hold = read_hold(reader, group, owner),
        .enabled = read_enabled(group),
        .database = setting_string(reader, group, "database", owner),
        .file = reader->file,
        .line = reader_line(reader, group),
    };
    const struct config_alert *before = given_before(reader->config, &alert);
    if (before != NULL) {
        reader_report(reader, group, "keep one of the two", "%s is already given at %s:%d", owner, before->file,
                      before->line);
    } else if (config_setting_length(group) == 0) {
        reader_report(reader, group, "condition makes a rule; enabled, severity and hold change one that is there",
                      "%s says nothing", owner);
    } else {
        add_alert(reader, &alert);
    }
}

void alerts_read(struct reader *reader, const config_setting_t *group)
{
    for (size_t i = 0; i < setting_count(group); i++) {
        if (!setting_is_duplicate(setting_at(group, i))) {
            read_alert(reader, setting_at(group, i));
        }
    }
}
