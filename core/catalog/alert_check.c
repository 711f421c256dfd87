/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "catalog/builder.h"
#include "model/alert_names.h"

static bool is_standard(const char *name)
{
    for (size_t i = 0; alert_standard_names[i] != NULL; i++) {
        if (strcmp(alert_standard_names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* NULL: none declares it. */
static const struct declaration *declaring(const struct builder *builder, const char *name)
{
    for (size_t i = 0; i < builder->set->count; i++) {
        const struct declaration *plugin = builder->set->plugins[i];
        for (size_t j = 0; j < plugin->alert_count; j++) {
            if (strcmp(plugin->alerts[j].name, name) == 0) {
                return plugin;
            }
        }
    }
    return NULL;
}

/* Beside an entry without a condition, for one database, may be one with a condition, for another. */
static bool is_configured(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->alert_count; i++) {
        if (config->alerts[i].condition != NULL && strcmp(config->alerts[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static const char *nearest_rule(struct builder *builder, const char *name)
{
    size_t count = 0;
    size_t most = builder->config->alert_count;
    for (size_t i = 0; alert_standard_names[i] != NULL; i++) {
        most++;
    }
    for (size_t i = 0; i < builder->set->count; i++) {
        most += builder->set->plugins[i]->alert_count;
    }
    const char **names = arena_alloc(builder->arena, (most + 1) * sizeof *names);
    for (size_t i = 0; alert_standard_names[i] != NULL; i++) {
        names[count++] = alert_standard_names[i];
    }
    for (size_t i = 0; i < builder->set->count; i++) {
        for (size_t j = 0; j < builder->set->plugins[i]->alert_count; j++) {
            names[count++] = builder->set->plugins[i]->alerts[j].name;
        }
    }
    for (size_t i = 0; i < builder->config->alert_count; i++) {
        if (builder->config->alerts[i].condition != NULL) {
            names[count++] = builder->config->alerts[i].name;
        }
    }
    return nearest_word(name, names, count);
}

static void check_change(struct builder *builder, const struct config_alert *alert)
{
    if (is_standard(alert->name) || declaring(builder, alert->name) != NULL ||
        is_configured(builder->config, alert->name) || !builder->complete ||
        choice_absent_beside(builder, alert->file)) {
        return;
    }
    const char *nearest = nearest_rule(builder, alert->name);
    report_add(builder->report, alert->file, alert->line,
               nearest != NULL ? arena_printf(builder->arena, "did you mean \"%s\"?", nearest)
                               : "give it a condition, or name a rule of docs/alerts.md or of a plugin",
               "alert \"%.100s\" has no condition, and there is no rule of that name", alert->name);
}

/* Its condition would never be looked at. */
static void check_own(struct builder *builder, const struct config_alert *alert)
{
    const struct declaration *plugin = declaring(builder, alert->name);
    if (is_standard(alert->name)) {
        report_add(builder->report, alert->file, alert->line, "give yours another name",
                   "alert \"%s\" has a condition, but it is a rule that is there already", alert->name);
    } else if (plugin != NULL) {
        report_add(builder->report, alert->file, alert->line, "give yours another name",
                   "alert \"%s\" has a condition, but plugin \"%s\" has a rule of that name", alert->name,
                   plugin->name);
    }
}

void alerts_check(struct builder *builder)
{
    for (size_t i = 0; i < builder->config->alert_count; i++) {
        const struct config_alert *alert = &builder->config->alerts[i];
        if (alert->condition == NULL) {
            check_change(builder, alert);
        } else {
            check_own(builder, alert);
        }
    }
}
