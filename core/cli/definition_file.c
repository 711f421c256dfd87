/* SPDX-License-Identifier: PostgreSQL */
#include "cli/definition_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/declaration_json.h"
#include "plugin/plugins.h"
#include "plugin/view_text.h"

static bool read_bytes(const char *path, struct buffer *bytes, struct error *err)
{
    FILE *file = fopen(path, "re");
    char some[16384];
    size_t got = 1;
    if (file == NULL) {
        error_set(err, ERROR_NOT_FOUND, "cannot read %.200s: %s", path, strerror(errno));
        return error_hint(err, "name a view, or a file that ends in .sql");
    }
    while (got > 0 && bytes->length <= VIEW_TEXT_LIMIT) {
        got = fread(some, 1, sizeof(some), file);
        buffer_append(bytes, some, got);
    }
    bool whole = ferror(file) == 0;
    fclose(file);
    return whole || error_set(err, ERROR_FAILED, "cannot read %.200s: %s", path, strerror(errno));
}

/* The name is what stands before ".sql"; options that the name does not suit are refused as they would be there. */
static char *declare(struct arena *arena, const struct buffer *bytes, const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    size_t length = strlen(base);
    size_t suffix = strlen(PLUGIN_SQL_SUFFIX);
    struct view_text text;
    if (length <= suffix || strcmp(base + length - suffix, PLUGIN_SQL_SUFFIX) != 0) {
        error_set(err, ERROR_USAGE, "%.200s is not the name of a view as SQL", path);
        error_hint(err, "name it NAME.sql");
        return NULL;
    }
    const char *name = arena_strndup(arena, base, length - suffix);
    return view_text_read(arena, buffer_text(bytes), bytes->length, &text, err)
               ? declaration_encode(view_text_plugin(arena, name, &text), name, err)
               : NULL;
}

struct declaration *definition_file_read(const char *path, struct error *err)
{
    struct buffer bytes = {0};
    struct declaration *declaration = NULL;
    if (read_bytes(path, &bytes, err)) {
        struct arena *arena = arena_create();
        char *answer = declare(arena, &bytes, path, err);
        declaration = answer != NULL ? declaration_decode(answer, strlen(answer), path, err) : NULL;
        if (declaration == NULL) {
            error_prefix(err, "%.200s", path);
        }
        free(answer);
        arena_destroy(arena);
    }
    buffer_finish(&bytes);
    return declaration;
}

static char *names_or_null(const struct names *names)
{
    return names->count > 0 ? declaration_json_names(names) : NULL;
}

bool definition_explain(struct visit *visit, const struct declaration *declaration, const char *view_schema,
                        struct pg_rows *rows, struct error *err)
{
    const struct declared_view *view = &declaration->views[0];
    char *key = names_or_null(&view->key);
    char *grain = names_or_null(&view->grain);
    char *stamps = declaration_json_names(&view->stamps);
    const char *parameters[] = {view_schema != NULL ? view_schema : visit->database->view_schema,
                                visit->database->source_schema,
                                view->relation,
                                view->definition,
                                key,
                                grain,
                                view->mode,
                                stamps,
                                view->revisit,
                                view->timezone,
                                view->frozen};
    bool explained = pg_client_query(visit->client,
                                     "SELECT chime.explain_definition($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                                     parameters, COUNT_OF(parameters), rows, err);
    free(key);
    free(grain);
    free(stamps);
    return explained;
}
