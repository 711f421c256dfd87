/* SPDX-License-Identifier: PostgreSQL */
/* Checks the plugins that a database has against its configuration: settings, modes, channels, shared views; orders
 * them. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "catalog/builder.h"
#include "model/graph.h"

/* --- settings --- */

static const struct config_setting *given_setting(const struct config_plugin *entry, const char *name)
{
    for (size_t i = 0; entry != NULL && i < entry->setting_count; i++) {
        if (strcmp(entry->settings[i].name, name) == 0) {
            return &entry->settings[i];
        }
    }
    return NULL;
}

static const char *setting_value(struct builder *builder, const struct choice *choice,
                                 const struct declared_setting *declared)
{
    const struct config_setting *given = given_setting(choice->entry, declared->name);
    struct error err = {.kind = ERROR_NONE};
    if (given == NULL) {
        return declared->value;
    }
    if (!setting_accepts(declared, given->value, &err)) {
        report_add(builder->report, choice->entry->file, given->line, err.hint[0] != '\0' ? err.hint : NULL,
                   "setting \"%s\" of plugin \"%s\": %s", declared->name, choice->declaration->name, err.message);
    }
    return given->value;
}

static void refuse_unknown_setting(struct builder *builder, const struct choice *choice,
                                   const struct config_setting *given)
{
    const struct declaration *declaration = choice->declaration;
    const char **names = arena_alloc(builder->arena, (declaration->setting_count + 1) * sizeof(*names));
    for (size_t i = 0; i < declaration->setting_count; i++) {
        if (strcmp(declaration->settings[i].name, given->name) == 0) {
            return;
        }
        names[i] = declaration->settings[i].name;
    }
    const char *nearest = nearest_word(given->name, names, declaration->setting_count);
    report_add(builder->report, choice->entry->file, given->line,
               nearest != NULL ? arena_printf(builder->arena, "did you mean \"%s\"?", nearest) : NULL,
               "plugin \"%s\" has no setting \"%s\"", declaration->name, given->name);
}

static void merge_settings(struct builder *builder, const struct choice *choice, struct catalog_plugin *plugin)
{
    const struct declaration *declaration = choice->declaration;
    struct catalog_setting *settings = arena_alloc(builder->arena,
                                                   (declaration->setting_count + 1) * sizeof(*settings));
    for (size_t i = 0; i < declaration->setting_count; i++) {
        const struct declared_setting *declared = &declaration->settings[i];
        settings[i] = (struct catalog_setting){
            .name = declared->name, .type = declared->type, .value = setting_value(builder, choice, declared)};
    }
    plugin->settings = settings;
    plugin->setting_count = declaration->setting_count;
    for (size_t i = 0; choice->entry != NULL && i < choice->entry->setting_count; i++) {
        refuse_unknown_setting(builder, choice, &choice->entry->settings[i]);
    }
}

/* --- modes of views, and what freezes of them --- */

static const struct config_setting *given_for(const struct config_setting *given, size_t count, const char *relation)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(given[i].name, relation) == 0) {
            return &given[i];
        }
    }
    return NULL;
}

static const char *view_mode(struct builder *builder, const struct choice *choice, const struct declared_view *view)
{
    const struct config_setting *given = choice->entry != NULL ? given_for(choice->entry->modes,
                                                                           choice->entry->mode_count, view->relation)
                                                               : NULL;
    if (given == NULL) {
        return view->mode;
    }
    if ((strcmp(given->value, "keyed") == 0 || strcmp(given->value, "strict") == 0) && view->grain.count == 0 &&
        !choice->declaration->derives) {
        report_add(builder->report, choice->entry->file, given->line, "use \"full\" or \"matview\"",
                   "view \"%s\" of plugin \"%s\" cannot be keyed: the plugin declares no grain for it", view->relation,
                   choice->declaration->name);
    }
    return given->value;
}

static void refuse_unknown_view(struct builder *builder, const struct choice *choice,
                                const struct config_setting *given)
{
    const struct declaration *declaration = choice->declaration;
    const char **names = arena_alloc(builder->arena, (declaration->view_count + 1) * sizeof(*names));
    for (size_t i = 0; i < declaration->view_count; i++) {
        if (strcmp(declaration->views[i].relation, given->name) == 0) {
            return;
        }
        names[i] = declaration->views[i].relation;
    }
    const char *nearest = nearest_word(given->name, names, declaration->view_count);
    report_add(builder->report, choice->entry->file, given->line,
               nearest != NULL ? arena_printf(builder->arena, "did you mean \"%s\"?", nearest) : NULL,
               "plugin \"%s\" has no view \"%s\"", declaration->name, given->name);
}

static void merge_modes(struct builder *builder, const struct choice *choice, struct catalog_plugin *plugin)
{
    const struct declaration *declaration = choice->declaration;
    const char **modes = arena_alloc(builder->arena, (declaration->view_count + 1) * sizeof(*modes));
    for (size_t i = 0; i < declaration->view_count; i++) {
        modes[i] = view_mode(builder, choice, &declaration->views[i]);
    }
    plugin->modes = modes;
    for (size_t i = 0; choice->entry != NULL && i < choice->entry->mode_count; i++) {
        refuse_unknown_view(builder, choice, &choice->entry->modes[i]);
    }
}

/* "" takes away what the plugin declares. */
static void merge_frozen(struct builder *builder, const struct choice *choice, struct catalog_plugin *plugin)
{
    const struct declaration *declaration = choice->declaration;
    const struct config_plugin *entry = choice->entry;
    const char **frozen = arena_alloc(builder->arena, (declaration->view_count + 1) * sizeof(*frozen));
    for (size_t i = 0; i < declaration->view_count; i++) {
        const struct declared_view *view = &declaration->views[i];
        const struct config_setting *given = entry != NULL
                                                 ? given_for(entry->frozen, entry->frozen_count, view->relation)
                                                 : NULL;
        frozen[i] = given == NULL ? view->frozen : given->value[0] != '\0' ? given->value : NULL;
    }
    plugin->frozen = frozen;
    for (size_t i = 0; entry != NULL && i < entry->frozen_count; i++) {
        refuse_unknown_view(builder, choice, &entry->frozen[i]);
    }
}

/* --- channels --- */

static const struct chime_channel *declared_channel(const struct declaration *declaration, const char *name)
{
    for (size_t i = 0; i < declaration->channel_count; i++) {
        if (strcmp(declaration->channels[i].name, name) == 0) {
            return &declaration->channels[i];
        }
    }
    return NULL;
}

static void refuse_channel(struct builder *builder, const struct choice *choice, const char *name)
{
    const struct declaration *declaration = choice->declaration;
    const char **names = arena_alloc(builder->arena, (declaration->channel_count + 1) * sizeof(*names));
    for (size_t i = 0; i < declaration->channel_count; i++) {
        names[i] = declaration->channels[i].name;
    }
    const char *nearest = nearest_word(name, names, declaration->channel_count);
    report_add(builder->report, choice->entry->file, choice->entry->line,
               nearest != NULL                  ? arena_printf(builder->arena, "did you mean \"%s\"?", nearest)
               : declaration->channel_count > 0 ? arena_printf(builder->arena, "it has \"%s\"", names[0])
                                                : "leave channels out",
               "plugin \"%s\" has no channel \"%.100s\"", declaration->name, name);
}

static int compare_channels(const void *left, const void *right)
{
    return strcmp(((const struct chime_channel *)left)->name, ((const struct chime_channel *)right)->name);
}

/* One named twice is wanted once. */
static void choose_channels(struct builder *builder, const struct choice *choice, struct catalog_plugin *plugin)
{
    const struct config_plugin *entry = choice->entry;
    size_t wanted = entry != NULL ? entry->channel_count : 0;
    struct chime_channel *channels = arena_alloc(builder->arena, (wanted + 1) * sizeof(*channels));
    size_t count = 0;
    for (size_t i = 0; i < wanted; i++) {
        const struct chime_channel *channel = declared_channel(choice->declaration, entry->channels[i]);
        if (channel != NULL) {
            channels[count++] = *channel;
        } else {
            refuse_channel(builder, choice, entry->channels[i]);
        }
    }
    qsort(channels, count, sizeof(*channels), compare_channels);
    plugin->channels = channels;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(channels[i].name, channels[i - 1].name) != 0) {
            channels[plugin->channel_count++] = channels[i];
        }
    }
}

/* --- views that two plugins want to make --- */

struct view_place {
    const char *database;
    const char *schema;
    const char *relation;
    size_t plugin; /* index in what is taken */
};

static int compare_views(const void *left, const void *right)
{
    const struct view_place *a = left;
    const struct view_place *b = right;
    int order = strcmp(a->database, b->database);
    order = order != 0 ? order : strcmp(a->schema, b->schema);
    order = order != 0 ? order : strcmp(a->relation, b->relation);
    return order != 0 ? order : (a->plugin > b->plugin) - (a->plugin < b->plugin);
}

static struct view_place *collect_views(struct builder *builder, const struct catalog_plugin *taken, size_t count,
                                        size_t *view_count)
{
    size_t capacity = 0;
    for (size_t i = 0; i < count; i++) {
        capacity += taken[i].declaration->view_count + taken[i].declaration->plain_view_count;
    }
    struct view_place *views = arena_alloc(builder->arena, (capacity + 1) * sizeof(*views));
    *view_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct declaration *declaration = taken[i].declaration;
        struct view_place place = {.database = taken[i].database, .schema = taken[i].view_schema, .plugin = i};
        for (size_t j = 0; j < declaration->view_count; j++) {
            place.relation = declaration->views[j].relation;
            views[(*view_count)++] = place;
        }
        for (size_t j = 0; j < declaration->plain_view_count; j++) {
            place.relation = declaration->plain_views[j].relation;
            views[(*view_count)++] = place;
        }
    }
    qsort(views, *view_count, sizeof(*views), compare_views);
    return views;
}

static void refuse_shared_views(struct builder *builder, const struct catalog_plugin *taken,
                                const struct view_place *views, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const struct view_place *first = &views[i - 1];
        const struct view_place *second = &views[i];
        if (strcmp(first->database, second->database) == 0 && strcmp(first->schema, second->schema) == 0 &&
            strcmp(first->relation, second->relation) == 0) {
            report_add(builder->report, taken[second->plugin].declaration->file, 0,
                       "give one of the plugins another view_schema in conf.d, or disable it",
                       "view \"%s.%s\" is already declared by %s", second->schema, second->relation,
                       taken[first->plugin].declaration->file);
        }
    }
}

/* --- the order of installation --- */

struct edges {
    struct graph_edge *items;
    size_t count;
    size_t capacity;
};

static void add_edge(struct edges *edges, size_t from, size_t to)
{
    if (from == to) {
        return;
    }
    if (edges->count == edges->capacity) {
        edges->capacity = edges->capacity == 0 ? 32 : edges->capacity * 2;
        edges->items = xrealloc(edges->items, edges->capacity, sizeof(*edges->items));
    }
    edges->items[edges->count++] = (struct graph_edge){from, to};
}

static size_t taken_index(const struct catalog_plugin *taken, size_t count, const char *name)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool before = strcmp(taken[middle].declaration->name, name) < 0;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    return low;
}

static void add_job_edges(const struct builder *builder, const struct catalog_plugin *taken, size_t count,
                          struct edges *edges)
{
    for (size_t i = 0; i < builder->job_count; i++) {
        const struct job *job = builder->jobs[i];
        for (size_t j = 0; job->plugin != NULL && j < job->after_count; j++) {
            size_t upstream = jobs_index(builder, job->database, job->after[j]);
            if (upstream < builder->job_count && builder->jobs[upstream]->plugin != NULL) {
                add_edge(edges, taken_index(taken, count, builder->jobs[upstream]->plugin),
                         taken_index(taken, count, job->plugin));
            }
        }
    }
}

static int compare_view_to_source(const void *key, const void *view)
{
    const struct view_place *wanted = key;
    const struct view_place *place = view;
    int order = strcmp(wanted->database, place->database);
    order = order != 0 ? order : strcmp(wanted->schema, place->schema);
    return order != 0 ? order : strcmp(wanted->relation, place->relation);
}

/* A source may be another plugin's view, found where definitions find their names. */
static void add_source_edges(const struct catalog_plugin *taken, size_t count, const struct view_place *views,
                             size_t view_count, struct edges *edges)
{
    for (size_t i = 0; i < count; i++) {
        const struct declaration *declaration = taken[i].declaration;
        for (size_t j = 0; j < declaration->source_count * 2; j++) {
            struct view_place wanted = {.database = taken[i].database,
                                        .schema = j % 2 == 0 ? taken[i].view_schema : taken[i].source_schema,
                                        .relation = declaration->sources[j / 2].table};
            const struct view_place *found = view_count == 0 ? NULL
                                                             : bsearch(&wanted, views, view_count, sizeof(*views),
                                                                       compare_view_to_source);
            if (found != NULL) {
                add_edge(edges, found->plugin, i);
            }
        }
    }
}

/* Jobs of two plugins may well come after each other's in turn; then what views read decides, or else the name. */
static void order_plugins(struct builder *builder, const struct catalog_plugin *taken, size_t count,
                          const struct view_place *views, size_t view_count)
{
    struct catalog_plugin *plugins = arena_alloc(builder->arena, (count + 1) * sizeof(*plugins));
    size_t *order = xcalloc(count + 1, sizeof(*order));
    size_t *cycle = xcalloc(count + 1, sizeof(*cycle));
    size_t cycle_length = 0;
    struct edges edges = {0};
    add_source_edges(taken, count, views, view_count, &edges);
    size_t source_edges = edges.count;
    add_job_edges(builder, taken, count, &edges);
    bool ordered = graph_order(count, edges.items, edges.count, order, cycle, &cycle_length) ||
                   graph_order(count, edges.items, source_edges, order, cycle, &cycle_length);
    for (size_t i = 0; i < count; i++) {
        plugins[i] = taken[ordered ? order[i] : i];
    }
    builder->catalog->plugins = plugins;
    builder->catalog->plugin_count = count;
    free(edges.items);
    free(order);
    free(cycle);
}

void choices_validate(struct builder *builder)
{
    struct catalog_plugin *taken = arena_alloc(builder->arena, (builder->choice_count + 1) * sizeof(*taken));
    size_t count = 0;
    for (size_t i = 0; i < builder->choice_count; i++) {
        const struct choice *choice = &builder->choices[i];
        if (choice->state != CHOICE_TAKEN) {
            continue;
        }
        taken[count] = (struct catalog_plugin){
            .declaration = choice->declaration,
            .database = choice->database,
            .view_schema = choice->view_schema,
            .source_schema = config_find_database(builder->config, choice->database)->source_schema,
            .asked_for = choice->entry != NULL && choice->entry->enabled == CONFIG_ENABLED};
        choose_channels(builder, choice, &taken[count]);
        merge_settings(builder, choice, &taken[count]);
        merge_frozen(builder, choice, &taken[count]);
        merge_modes(builder, choice, &taken[count++]);
    }
    size_t view_count = 0;
    const struct view_place *views = collect_views(builder, taken, count, &view_count);
    refuse_shared_views(builder, taken, views, view_count);
    order_plugins(builder, taken, count, views, view_count);
}
