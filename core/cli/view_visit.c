/* SPDX-License-Identifier: PostgreSQL */
#include "cli/view_visit.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/load.h"

struct known_view {
    const struct config_database *database;
    char *schema;
    char *relation;
    char *name;
    char *owner; /* NULL: the daemon's */
};

struct known_views {
    struct known_view *views;
    size_t count;
};

static bool add_views(struct visit *visit, void *data, struct error *err)
{
    struct known_views *all = data;
    struct pg_rows rows;
    if (!pg_client_query(visit->client,
                         "SELECT view_schema, relation, NULL FROM chime.view UNION ALL"
                         " SELECT view_schema, relation, owner FROM chime.role_view"
                         " ORDER BY 3 NULLS FIRST, relation, view_schema",
                         NULL, 0, &rows, err)) {
        return false;
    }
    all->views = xrealloc(all->views, all->count + rows.count + 1, sizeof(*all->views));
    for (size_t row = 0; row < rows.count; row++) {
        const char *schema = pg_rows_value(&rows, row, 0);
        const char *relation = pg_rows_value(&rows, row, 1);
        const char *owner = pg_rows_value(&rows, row, 2);
        all->views[all->count++] = (struct known_view){visit->database, xstrdup(schema), xstrdup(relation),
                                                       xasprintf("%s.%s", schema, relation),
                                                       owner != NULL ? xstrdup(owner) : NULL};
    }
    pg_rows_finish(&rows);
    return true;
}

static void known_views_finish(struct known_views *all)
{
    for (size_t i = 0; i < all->count; i++) {
        free(all->views[i].schema);
        free(all->views[i].relation);
        free(all->views[i].name);
        free(all->views[i].owner);
    }
    free(all->views);
}

/* --- which one is meant ------------------------------------------------------------------------------------------- */

static int refuse_unknown(const struct known_views *all, const char *name)
{
    struct error err;
    const char **names = xcalloc(2 * all->count + 1, sizeof(*names));
    for (size_t i = 0; i < all->count; i++) {
        names[2 * i] = all->views[i].relation;
        names[2 * i + 1] = all->views[i].name;
    }
    const char *nearest = nearest_word(name, names, 2 * all->count);
    error_set(&err, ERROR_NOT_FOUND, "there is no view \"%s\"", name);
    if (nearest != NULL) {
        error_hint(&err, "did you mean \"%s\"?", nearest);
    } else {
        error_hint(&err, "pgchime views lists them");
    }
    free(names);
    return fail(&err);
}

static int refuse_ambiguous(const struct known_view *first, const struct known_view *second, const char *name)
{
    struct error err;
    if (strcmp(first->name, second->name) == 0) {
        error_set(&err, ERROR_USAGE, "more than one database has a view \"%s\"", name);
        error_hint(&err, "choose one with --database NAME");
    } else {
        error_set(&err, ERROR_USAGE, "more than one schema has a view \"%s\"", name);
        error_hint(&err, "write \"%s\" or \"%s\"", first->name, second->name);
    }
    return fail(&err);
}

static int refuse_role(const struct known_view *view)
{
    struct error err;
    error_set(&err, ERROR_REFUSED, "view \"%s\" is kept by role %s, and only that role computes it", view->name,
              view->owner);
    error_hint(
        &err,
        "pgchime run %s/%s refreshes it; as role %s: SELECT chime.refresh_view('%s', true) makes it equal to its "
        "definition and says what differed",
        view->owner, view->relation, view->owner, view->name);
    return fail(&err);
}

/* NULL when it is refused. A view of the daemon's goes before one of a role. */
static const struct known_view *choose(const struct known_views *all, const char *name, int *status)
{
    const struct known_view *chosen = NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct known_view *view = &all->views[i];
        if (strcmp(view->relation, name) != 0 && strcmp(view->name, name) != 0) {
            continue;
        }
        if (chosen != NULL && chosen->owner == NULL && view->owner != NULL && strcmp(view->name, name) != 0) {
            continue;
        }
        if (chosen != NULL) {
            *status = refuse_ambiguous(chosen, view, name);
            return NULL;
        }
        chosen = view;
    }
    if (chosen == NULL && *status == EXIT_OK) {
        *status = refuse_unknown(all, name);
    }
    return chosen;
}

/* --- the visits --------------------------------------------------------------------------------------------------- */

void view_lock_hint(struct error *err)
{
    if (strcmp(err->sqlstate, "55P03") == 0) {
        err->kind = ERROR_REFUSED;
        error_hint(err, "a refresh of it, an installation, or what locks a table that it reads, did not end in time:"
                        " try again");
    }
}

static int visit_there(const struct invocation *invocation, const struct known_view *view,
                       view_visit_function *function, void *data)
{
    struct view_visit visit = {.invocation = invocation,
                               .schema = view->schema,
                               .relation = view->relation,
                               .name = view->name,
                               .owner = view->owner};
    struct error err;
    int status = EXIT_OK;
    if (!visit_open(&visit.visit, view->database, &err) || !function(&visit, data, &err)) {
        view_lock_hint(&err);
        error_prefix(&err, "database \"%s\": view \"%s\"", view->database->name, view->name);
        status = fail(&err);
    }
    visit_close(&visit.visit);
    return status;
}

static int visit_each(const struct invocation *invocation, const struct known_view *views, size_t count,
                      view_visit_function *function, void *data)
{
    int status = EXIT_OK;
    for (size_t i = 0; i < count; i++) {
        if (views[i].owner != NULL) {
            continue;
        }
        int failed = visit_there(invocation, &views[i], function, data);
        status = status == EXIT_OK ? failed : status;
    }
    return status;
}

static int visit_known(const struct invocation *invocation, const char *name, bool of_anyone,
                       view_visit_function *function, void *data)
{
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    struct known_views all = {0};
    status = visit_all(invocation, config, add_views, &all);
    if (name == NULL) {
        int failed = visit_each(invocation, all.views, all.count, function, data);
        status = status == EXIT_OK ? failed : status;
    } else {
        const struct known_view *view = choose(&all, name, &status);
        if (view != NULL) {
            status = view->owner != NULL && !of_anyone ? refuse_role(view)
                                                       : visit_there(invocation, view, function, data);
        }
    }
    known_views_finish(&all);
    config_free(config);
    return status;
}

int visit_views(const struct invocation *invocation, const char *name, view_visit_function *function, void *data)
{
    return visit_known(invocation, name, false, function, data);
}

int visit_view_of_anyone(const struct invocation *invocation, const char *name, view_visit_function *function,
                         void *data)
{
    return visit_known(invocation, name, true, function, data);
}
