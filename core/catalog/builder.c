/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/builder.h"

#include <string.h>

const struct declared_place *declared_find(const struct builder *builder, const char *name, size_t *count)
{
    size_t low = 0;
    size_t high = builder->declared_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool before = strcmp(builder->declared[middle].job->name, name) < 0;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    *count = 0;
    while (low + *count < builder->declared_count && strcmp(builder->declared[low + *count].job->name, name) == 0) {
        (*count)++;
    }
    return &builder->declared[low];
}

size_t jobs_index(const struct builder *builder, const char *database, const char *name)
{
    size_t low = 0;
    size_t high = builder->job_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(builder->jobs[middle]->database, database);
        order = order != 0 ? order : strcmp(builder->jobs[middle]->name, name);
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    bool found = low < builder->job_count && strcmp(builder->jobs[low]->database, database) == 0 &&
                 strcmp(builder->jobs[low]->name, name) == 0;
    return found ? low : builder->job_count;
}

const char *place_text(struct arena *arena, const char *file, int line)
{
    const char *shown = file != NULL ? file : "(no file)";
    return line > 0 ? arena_printf(arena, "%s:%d", shown, line) : shown;
}
