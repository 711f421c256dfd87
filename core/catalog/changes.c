/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "catalog/fingerprint.h"

static void add(struct catalog_changes *changes, char mark, const char *kind, const char *name, const char *database)
{
    size_t *count = mark == '+' ? &changes->added : mark == '-' ? &changes->removed : &changes->changed;
    ++*count;
    if (changes->line_count < CATALOG_CHANGES_LISTED) {
        changes->lines[changes->line_count++] = database != NULL
                                                    ? xasprintf("%c %s %s (%s)", mark, kind, name, database)
                                                    : xasprintf("%c %s %s", mark, kind, name);
    }
}

/* --- jobs: both lists are sorted by database, then name ------------------------------------------------------------------ */

static bool same_job(const struct job *left, const struct job *right)
{
    struct buffer a = {0};
    struct buffer b = {0};
    fingerprint_job(&a, left);
    fingerprint_job(&b, right);
    bool same = strcmp(buffer_text(&a), buffer_text(&b)) == 0;
    buffer_finish(&a);
    buffer_finish(&b);
    return same;
}

/* Behind all others: a list that is at its end. */
static int compare(const struct job *left, const struct job *right)
{
    if (left == NULL || right == NULL) {
        return left == NULL ? 1 : -1;
    }
    int by_database = strcmp(left->database, right->database);
    return by_database != 0 ? by_database : strcmp(left->name, right->name);
}

static const char *told(const struct catalog *catalog, const char *database)
{
    return catalog->config->database_count > 1 ? database : NULL;
}

static void list_jobs(const struct catalog *before, const struct catalog *after, struct catalog_changes *changes)
{
    size_t i = 0;
    size_t j = 0;
    while (i < before->job_count || j < after->job_count) {
        const struct job *old = i < before->job_count ? &before->jobs[i] : NULL;
        const struct job *new = j < after->job_count ? &after->jobs[j] : NULL;
        int order = compare(old, new);
        if (order < 0) {
            add(changes, '-', "job", old->name, told(before, old->database));
        } else if (order > 0) {
            add(changes, '+', "job", new->name, told(after, new->database));
        } else if (!same_job(old, new)) {
            add(changes, '~', "job", new->name, told(after, new->database));
        }
        i += order <= 0 ? 1 : 0;
        j += order >= 0 ? 1 : 0;
    }
}

/* --- plugins ------------------------------------------------------------------------------------------------------------- */

static void list_plugins(const struct catalog *before, const struct catalog *after, struct catalog_changes *changes)
{
    for (size_t i = 0; i < before->plugin_count; i++) {
        const struct catalog_plugin *old = &before->plugins[i];
        const struct catalog_plugin *new = fingerprint_find_plugin(after, old);
        if (new == NULL || !fingerprint_same_plugin(old, new)) {
            add(changes, new == NULL ? '-' : '~', "plugin", old->declaration->name, told(before, old->database));
        }
    }
    for (size_t i = 0; i < after->plugin_count; i++) {
        const struct catalog_plugin *new = &after->plugins[i];
        if (fingerprint_find_plugin(before, new) == NULL) {
            add(changes, '+', "plugin", new->declaration->name, told(after, new->database));
        }
    }
}

void catalog_changes_list(const struct catalog *before, const struct catalog *after, struct catalog_changes *changes)
{
    *changes = (struct catalog_changes){0};
    list_plugins(before, after, changes);
    list_jobs(before, after, changes);
}

void catalog_changes_finish(struct catalog_changes *changes)
{
    for (size_t i = 0; i < changes->line_count; i++) {
        free(changes->lines[i]);
    }
    *changes = (struct catalog_changes){0};
}
