/* SPDX-License-Identifier: PostgreSQL */
#include "web/files.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct files {
    struct body *bodies; /* in the order of files_data */
    size_t count;
};

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".js", "text/javascript; charset=utf-8"},
                                           {".css", "text/css; charset=utf-8"},
                                           {".svg", "image/svg+xml"},
                                           {".txt", "text/plain; charset=utf-8"}};
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending != NULL && i < COUNT_OF(types); i++) {
        if (strcmp(types[i][0], ending) == 0) {
            return types[i][1];
        }
    }
    return "application/octet-stream";
}

struct files *files_create(void)
{
    struct files *files = xcalloc(1, sizeof(*files));
    while (files_data[files->count].name != NULL) {
        files->count++;
    }
    files->bodies = xcalloc(files->count, sizeof(*files->bodies));
    for (size_t i = 0; i < files->count; i++) {
        const struct file_data *file = &files_data[i];
        body_make(&files->bodies[i], type_of(file->name), (const char *)file->bytes, file->length);
    }
    return files;
}

void files_destroy(struct files *files)
{
    if (files == NULL) {
        return;
    }
    for (size_t i = 0; i < files->count; i++) {
        body_finish(&files->bodies[i]);
    }
    free(files->bodies);
    free(files);
}

const struct body *files_find(const struct files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files_data[i].name, name) == 0) {
            return &files->bodies[i];
        }
    }
    return NULL;
}
