/* SPDX-License-Identifier: PostgreSQL */
/* Checks the views, indexes and other objects that a plugin declares. */
#include <stdio.h>
#include <string.h>

#include "model/view_mode.h"
#include "plugin/declaration_check.h"

static bool check_index(struct check *check, const char *view_place, size_t index, const struct chime_index *from,
                        struct declared_index *to)
{
    char place[CHECK_PLACE_SIZE * 2];
    snprintf(place, sizeof(place), "%s indexes[%zu]", view_place, index);
    *to = (struct declared_index){.name = from->name, .columns = from->columns, .where = from->where};
    return check_name(check, place, "name", from->name, &rule_identifier) &&
           check_given(check, place, "columns", from->columns);
}

static bool check_indexes(struct check *check, const char *place, const struct chime_list *list,
                          struct declared_view *view)
{
    const struct chime_index *from = list->items;
    struct declared_index *to = arena_alloc(check->arena, list->count * sizeof(*to));
    for (size_t i = 0; i < list->count; i++) {
        if (!check_index(check, place, i, &from[i], &to[i])) {
            return false;
        }
    }
    view->indexes = to;
    view->index_count = list->count;
    return true;
}

static bool check_mode(struct check *check, const char *place, struct declared_view *view)
{
    if (!check_word(check, place, "mode", &view->mode, "auto", view_modes, VIEW_MODE_COUNT)) {
        return false;
    }
    if (view->grain.count > 0 || check->declaration->derives) {
        return true;
    }
    if (strcmp(view->mode, "keyed") == 0 || strcmp(view->mode, "strict") == 0) {
        return check_fail(check, "declare the columns by which it can be recomputed in parts, or use mode \"full\"",
                          "%s: mode \"%s\" needs grain", place, view->mode);
    }
    return view->revisit == NULL ||
           check_fail(check, "declare the grain, or leave revisit out: without a grain every refresh is whole",
                      "%s: revisit needs grain", place);
}

static bool has_name(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool check_stamps(struct check *check, const char *place, const struct declared_view *view)
{
    for (size_t i = 0; i < view->stamps.count; i++) {
        if (has_name(&view->key, view->stamps.items[i])) {
            return check_fail(check, "a stamp is never compared, so it cannot identify a row: take it out of one",
                              "%s: column \"%s\" is both in key and in stamps", place, view->stamps.items[i]);
        }
    }
    return true;
}

static bool check_columns(struct check *check, const char *place, const struct chime_view *from,
                          struct declared_view *to)
{
    return check_names(check, place, "key", from->key, &rule_catalog, &to->key) &&
           check_names(check, place, "grain", from->grain, &rule_catalog, &to->grain) &&
           check_names(check, place, "stamps", from->stamps, &rule_catalog, &to->stamps) &&
           check_stamps(check, place, to);
}

static bool check_view(struct check *check, size_t index, const struct chime_view *from, struct declared_view *to)
{
    char place[CHECK_PLACE_SIZE];
    check_place(place, "views", index, from->relation);
    *to = (struct declared_view){.relation = from->relation,
                                 .definition = from->definition,
                                 .key_index = from->key_index,
                                 .mode = from->mode,
                                 .revisit = from->revisit,
                                 .rejected = from->rejected,
                                 .comment = from->comment,
                                 .timezone = from->timezone,
                                 .frozen = from->frozen};
    if (!check_name(check, place, "relation", from->relation, &rule_relation) ||
        !check_given(check, place, "definition", from->definition) ||
        !(check->declaration->derives || check_given(check, place, "key", from->key)) ||
        !check_columns(check, place, from, to) || !check_mode(check, place, to)) {
        return false;
    }
    if (to->key_index == NULL) {
        to->key_index = arena_printf(check->arena, "%s_pk", to->relation);
    }
    return check_name(check, place, "key_index", to->key_index, &rule_identifier) &&
           check_indexes(check, place, &from->indexes, to);
}

static bool check_plain_views(struct check *check)
{
    const struct chime_list *list = &check->plugin->plain_views;
    const struct chime_plain_view *from = list->items;
    struct declared_plain_view *to = arena_alloc(check->arena, list->count * sizeof(*to));
    for (size_t i = 0; i < list->count; i++) {
        char place[CHECK_PLACE_SIZE];
        check_place(place, "plain_views", i, from[i].relation);
        to[i] = (struct declared_plain_view){
            .relation = from[i].relation, .definition = from[i].definition, .comment = from[i].comment};
        if (!check_name(check, place, "relation", to[i].relation, &rule_relation) ||
            !check_given(check, place, "definition", to[i].definition)) {
            return false;
        }
    }
    check->declaration->plain_views = to;
    check->declaration->plain_view_count = list->count;
    return true;
}

/* Tables, views and indexes of a schema share their names. */
static bool check_objects(struct check *check)
{
    const struct declaration *declaration = check->declaration;
    const struct declared_view *views = declaration->views;
    size_t object_count = declaration->plain_view_count;
    for (size_t i = 0; i < declaration->view_count; i++) {
        object_count += 3 + views[i].index_count;
    }
    const char **objects = arena_alloc(check->arena, object_count * sizeof(*objects));
    size_t filled = 0;
    for (size_t i = 0; i < declaration->view_count; i++) {
        objects[filled++] = views[i].relation;
        objects[filled++] = arena_printf(check->arena, "%s__live", views[i].relation);
        objects[filled++] = views[i].key_index;
        for (size_t j = 0; j < views[i].index_count; j++) {
            objects[filled++] = views[i].indexes[j].name;
        }
    }
    for (size_t i = 0; i < declaration->plain_view_count; i++) {
        objects[filled++] = declaration->plain_views[i].relation;
    }
    return check_unique(check, "views: the relation or index", objects, filled);
}

bool check_views(struct check *check)
{
    const struct chime_list *list = &check->plugin->views;
    const struct chime_view *from = list->items;
    struct declared_view *to = arena_alloc(check->arena, list->count * sizeof(*to));
    for (size_t i = 0; i < list->count; i++) {
        if (!check_view(check, i, &from[i], &to[i])) {
            return false;
        }
    }
    check->declaration->views = to;
    check->declaration->view_count = list->count;
    return check_plain_views(check) && check_objects(check);
}
