/* SPDX-License-Identifier: PostgreSQL */
/* Chooses which plugins each database has: what conf.d enables, and the views that conf.d declares itself. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "catalog/builder.h"
#include "plugin/view_text.h"

static const char *database_names(struct builder *builder)
{
    struct buffer text = {0};
    for (size_t i = 0; i < builder->config->database_count; i++) {
        buffer_printf(&text, "%s\"%s\"", i == 0 ? "" : ", ", builder->config->databases[i].name);
    }
    const char *copy = arena_strdup(builder->arena, buffer_text(&text));
    buffer_finish(&text);
    return copy;
}

static const char *nearest_database(struct builder *builder, const char *name)
{
    size_t count = builder->config->database_count;
    const char **names = arena_alloc(builder->arena, (count + 1) * sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        names[i] = builder->config->databases[i].name;
    }
    return nearest_word(name, names, count);
}

static void refuse_unknown_database(struct builder *builder, const char *name, const struct subject *subject)
{
    const char *nearest = nearest_database(builder, name);
    const char *hint = nearest != NULL ? arena_printf(builder->arena, "did you mean \"%s\"?", nearest)
                                       : arena_printf(builder->arena, "configured: %s", database_names(builder));
    report_add(builder->report, subject->file, subject->line, builder->config->database_count == 0 ? NULL : hint,
               "%s \"%s\": no database \"%.100s\" is configured", subject->kind, subject->name, name);
}

static void refuse_no_database(struct builder *builder, const struct subject *subject)
{
    const struct config *config = builder->config;
    if (config->database_count == 0) {
        report_add(
            builder->report, subject->file, subject->line,
            arena_printf(builder->arena, "write databases: { main: { conninfo = \"...\"; }; }; in %s", config->file),
            "%s \"%s\": there is no database to run in", subject->kind, subject->name);
    } else {
        report_add(builder->report, subject->file, subject->line,
                   arena_printf(builder->arena, "write database = \"%s\"; (configured: %s)", config->databases[0].name,
                                database_names(builder)),
                   "%s \"%s\": it does not say in which database it runs", subject->kind, subject->name);
    }
}

const char *choice_database(struct builder *builder, const char *name, const struct subject *subject)
{
    const struct config *config = builder->config;
    if (name != NULL && config_find_database(config, name) == NULL) {
        refuse_unknown_database(builder, name, subject);
        return NULL;
    }
    if (name == NULL && config->database_count != 1) {
        refuse_no_database(builder, subject);
        return NULL;
    }
    return name != NULL ? name : config->databases[0].name;
}

static void refuse_unmentioned(struct builder *builder, const struct declaration *declaration)
{
    report_add(
        builder->report, declaration->file, 0,
        arena_printf(builder->arena,
                     "write plugin: { name = \"%s\"; database = \"%s\"; }; in a file of conf_dir (configured: %s)",
                     declaration->name, builder->config->databases[0].name, database_names(builder)),
        "plugin \"%s\", which conf.d does not mention: it does not say in which database it runs", declaration->name);
}

static enum choice_state choose_state(struct builder *builder, struct choice *choice)
{
    const struct config_plugin *entry = choice->entry;
    const struct declaration *declaration = choice->declaration;
    if (entry != NULL && entry->enabled == CONFIG_DISABLED) {
        return CHOICE_DISABLED;
    }
    if (entry != NULL && entry->refused) {
        return CHOICE_BROKEN;
    }
    bool asked_for = entry != NULL && (entry->enabled == CONFIG_ENABLED || entry->database != NULL);
    if (builder->config->database_count == 0 && !asked_for) {
        return CHOICE_IDLE;
    }
    if (entry == NULL && builder->config->database_count > 1) {
        if (builder->complete) {
            refuse_unmentioned(builder, declaration);
        }
        return CHOICE_BROKEN;
    }
    struct subject subject = {"plugin", declaration->name, entry != NULL ? entry->file : NULL,
                              entry != NULL ? entry->line : 0};
    choice->database = choice_database(builder, entry != NULL ? entry->database : NULL, &subject);
    return choice->database == NULL ? CHOICE_BROKEN : CHOICE_TAKEN;
}

static void choose(struct builder *builder, struct choice *choice)
{
    choice->state = choose_state(builder, choice);
    if (choice->state != CHOICE_TAKEN) {
        return;
    }
    choice->view_schema = choice->entry != NULL && choice->entry->view_schema != NULL
                              ? choice->entry->view_schema
                              : config_find_database(builder->config, choice->database)->view_schema;
}

/* A plugin that is there but was refused already has its finding, and harms nothing else. */
static bool was_refused(const struct builder *builder, const char *name)
{
    for (size_t i = 0; i < builder->report->count; i++) {
        if (finding_is_of_plugin(&builder->report->findings[i], name)) {
            return true;
        }
    }
    return false;
}

static bool in_set(const struct builder *builder, const char *name)
{
    size_t low = 0;
    size_t high = builder->set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(builder->set->plugins[middle]->name, name);
        if (order == 0) {
            return true;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return false;
}

static void refuse_unknown_plugin(struct builder *builder, const struct config_plugin *entry)
{
    size_t count = builder->set->count;
    const char **names = arena_alloc(builder->arena, (count + 1) * sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        names[i] = builder->set->plugins[i]->name;
    }
    const char *nearest = nearest_word(entry->name, names, count);
    if (nearest == NULL && entry->enabled == CONFIG_AUTO) {
        return; /* its file was taken away: its jobs stop, its data and its file in conf.d stay */
    }
    const char *hint = nearest != NULL ? arena_printf(builder->arena, "did you mean \"%s\"?", nearest)
                                       : arena_printf(builder->arena,
                                                      "put %s.so or %s.sql into plugin_dir, or write enabled = false",
                                                      entry->name, entry->name);
    report_add(builder->report, entry->file, entry->line, hint, "there is no plugin \"%s\"", entry->name);
}

static void check_entries(struct builder *builder)
{
    for (size_t i = 0; i < builder->config->plugin_count; i++) {
        const struct config_plugin *entry = &builder->config->plugins[i];
        if (entry->view == NULL && entry->enabled != CONFIG_DISABLED && !in_set(builder, entry->name) &&
            !was_refused(builder, entry->name)) {
            refuse_unknown_plugin(builder, entry);
        }
    }
}

bool choice_absent_beside(const struct builder *builder, const char *file)
{
    for (size_t i = 0; i < builder->config->plugin_count; i++) {
        const struct config_plugin *entry = &builder->config->plugins[i];
        if (strcmp(entry->file, file) != 0) {
            continue;
        }
        for (size_t j = 0; j < builder->choice_count; j++) {
            if (builder->choices[j].entry == entry) {
                return builder->choices[j].state != CHOICE_TAKEN;
            }
        }
        return true;
    }
    return false;
}

/* --- views in conf.d ---------------------------------------------------------------------------------------------- */

static bool read_view(struct builder *builder, const struct config_plugin *entry, struct view_text *text)
{
    const struct config_view *view = entry->view;
    struct error err = {.kind = ERROR_NONE};
    if (!view_text_read(builder->arena, view->text, strlen(view->text), text, &err)) {
        report_add(builder->report, view->file != NULL ? view->file : entry->file, view->file != NULL ? 0 : entry->line,
                   err.hint, "view \"%s\": %s", entry->name, err.message);
        return false;
    }
    for (size_t i = 0; i < view->option_count; i++) {
        const struct config_setting *option = &view->options[i];
        if (!view_text_add(builder->arena, text, option->name, option->value, 0, &err)) {
            report_add(builder->report, entry->file, option->line, err.hint, "view \"%s\": %s", entry->name,
                       err.message);
            return false;
        }
    }
    return true;
}

static const struct declaration *declare_view(struct builder *builder, const struct config_plugin *entry)
{
    struct error err = {.kind = ERROR_NONE};
    struct view_text *text = arena_alloc(builder->arena, sizeof(*text));
    if (entry->view->text == NULL || !read_view(builder, entry, text)) {
        return NULL;
    }
    const struct declaration *declaration = declaration_of_view(
        builder->arena, view_text_plugin(builder->arena, entry->name, text), entry->file, &err);
    if (declaration == NULL) {
        report_add(builder->report, entry->file, entry->line, err.hint, "%s", err.message);
    }
    return declaration;
}

static void add_choice(struct builder *builder, const struct declaration *declaration,
                       const struct config_plugin *entry)
{
    struct choice *choice = &builder->choices[builder->choice_count++];
    choice->declaration = declaration;
    choice->entry = entry;
    choose(builder, choice);
}

static void add_view(struct builder *builder, const struct config_plugin *entry)
{
    if (in_set(builder, entry->name)) {
        report_add(builder->report, entry->file, entry->line, "rename one of them, or take it away",
                   "view \"%s\": the plugin folder has a plugin of that name", entry->name);
        return;
    }
    const struct declaration *declaration = declare_view(builder, entry);
    if (declaration != NULL) {
        add_choice(builder, declaration, entry);
    }
}

/* Both lists are sorted by name. */
void choices_make(struct builder *builder)
{
    const struct config *config = builder->config;
    check_entries(builder);
    builder->choices = arena_alloc(builder->arena,
                                   (builder->set->count + config->plugin_count + 1) * sizeof(*builder->choices));
    for (size_t i = 0, j = 0; i < builder->set->count || j < config->plugin_count;) {
        const struct config_plugin *entry = j < config->plugin_count ? &config->plugins[j] : NULL;
        const struct declaration *plugin = i < builder->set->count ? builder->set->plugins[i] : NULL;
        int order = plugin == NULL ? 1 : entry == NULL ? -1 : strcmp(plugin->name, entry->name);
        if (order >= 0 && entry != NULL && entry->view != NULL) {
            add_view(builder, entry);
        }
        if (order <= 0) {
            add_choice(builder, plugin, order == 0 && entry->view == NULL ? entry : NULL);
        }
        i += order <= 0;
        j += order >= 0;
    }
}
