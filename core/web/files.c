/* SPDX-License-Identifier: PostgreSQL */
#include "web/files.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define FILES_MAX 32

struct files {
    struct body bodies[FILES_MAX];
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
    for (const struct file_data *file = files_data; file->name != NULL && files->count < FILES_MAX; file++) {
        body_make(&files->bodies[files->count++], type_of(file->name), (const char *)file->bytes, file->length);
    }
    return files;
}

void files_destroy(struct files *files)
{
    for (size_t i = 0; files != NULL && i < files->count; i++) {
        body_finish(&files->bodies[i]);
    }
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
