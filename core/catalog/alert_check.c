/* SPDX-License-Identifier: PostgreSQL */
/* Checks the rules of alerts in conf.d: a rule that is changed has to exist, in that database, and may be changed
 * so. */
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

static bool declares(const struct declaration *plugin, const char *name)
{
    for (size_t i = 0; i < plugin->alert_count; i++) {
        if (strcmp(plugin->alerts[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A plugin with a rule of that name, one in that database (NULL: in any) before others; NULL: none declares it. */
static const struct choice *declaring(const struct builder *builder, const char *name, const char *database)
{
    const struct choice *found = NULL;
    for (size_t i = 0; i < builder->choice_count; i++) {
        const struct choice *choice = &builder->choices[i];
        if (declares(choice->declaration, name)) {
            found = choice;
            if (choice->state != CHOICE_TAKEN || database == NULL || strcmp(choice->database, database) == 0) {
                break;
            }
        }
    }
    return found;
}

static const char *nearest_rule(struct builder *builder, const char *name)
{
    size_t count = 0;
    size_t most = builder->config->alert_count;
    for (size_t i = 0; alert_standard_names[i] != NULL; i++) {
        most++;
    }
    for (size_t i = 0; i < builder->choice_count; i++) {
        most += builder->choices[i].declaration->alert_count;
    }
    const char **names = arena_alloc(builder->arena, (most + 1) * sizeof(*names));
    for (size_t i = 0; alert_standard_names[i] != NULL; i++) {
        names[count++] = alert_standard_names[i];
    }
    for (size_t i = 0; i < builder->choice_count; i++) {
        for (size_t j = 0; j < builder->choices[i].declaration->alert_count; j++) {
            names[count++] = builder->choices[i].declaration->alerts[j].name;
        }
    }
    for (size_t i = 0; i < builder->config->alert_count; i++) {
        if (builder->config->alerts[i].condition != NULL) {
            names[count++] = builder->config->alerts[i].name;
        }
    }
    return nearest_word(name, names, count);
}

static void refuse_unknown(struct builder *builder, const struct config_alert *alert)
{
    const char *nearest = nearest_rule(builder, alert->name);
    if (nearest != NULL && strcmp(nearest, alert->name) == 0) { /* it has a condition, for another database */
        nearest = NULL;
    }
    report_add(builder->report, alert->file, alert->line,
               nearest != NULL ? arena_printf(builder->arena, "did you mean \"%s\"?", nearest)
                               : "give it a condition, or name a rule of docs/alerts.md or of a plugin",
               "alert \"%.100s\" has no condition, and there is no rule of that name%s", alert->name,
               alert->database != NULL ? arena_printf(builder->arena, " in database \"%s\"", alert->database) : "");
}

static void check_change(struct builder *builder, const struct config_alert *alert)
{
    const struct choice *choice = declaring(builder, alert->name, alert->database);
    if (is_standard(alert->name) || !builder->complete) {
        return;
    }
    if (choice == NULL && !choice_absent_beside(builder, alert->file)) {
        refuse_unknown(builder, alert);
    } else if (choice != NULL && choice->state == CHOICE_TAKEN && alert->database != NULL &&
               strcmp(choice->database, alert->database) != 0) {
        report_add(builder->report, alert->file, alert->line,
                   "a plugin's database is given in its plugin entry; leave it out here",
                   "alert \"%.100s\" belongs to plugin \"%s\", which is in database \"%s\", not in \"%s\"", alert->name,
                   choice->declaration->name, choice->database, alert->database);
    }
}

/* Its condition would never be looked at. */
static void check_own(struct builder *builder, const struct config_alert *alert)
{
    const struct choice *choice = declaring(builder, alert->name, NULL);
    if (is_standard(alert->name)) {
        report_add(builder->report, alert->file, alert->line, "give yours another name",
                   "alert \"%s\" has a condition, but it is a rule that is there already", alert->name);
    } else if (choice != NULL) {
        report_add(builder->report, alert->file, alert->line, "give yours another name",
                   "alert \"%s\" has a condition, but plugin \"%s\" has a rule of that name", alert->name,
                   choice->declaration->name);
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
