/* SPDX-License-Identifier: PostgreSQL */
/* What a reload changes, for people: jobs, plugins, alerts, sinks and heartbeats that two catalogs have differently. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
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

static bool same_and_finish(struct buffer texts[static 2])
{
    bool same = strcmp(buffer_text(&texts[0]), buffer_text(&texts[1])) == 0;
    buffer_finish(&texts[0]);
    buffer_finish(&texts[1]);
    return same;
}

/* --- jobs: both lists are sorted by database, then name ----------------------------------------------------------- */

static bool same_job(const struct job *left, const struct job *right)
{
    struct buffer texts[2] = {{0}};
    fingerprint_job(&texts[0], left);
    fingerprint_job(&texts[1], right);
    return same_and_finish(texts) && text_same(left->ping_file, right->ping_file);
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
        const struct job *old = i < before->job_count ? before->jobs[i] : NULL;
        const struct job *new = j < after->job_count ? after->jobs[j] : NULL;
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

/* --- plugins ------------------------------------------------------------------------------------------------------ */

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

/* --- what is told, and where -------------------------------------------------------------------------------------- */

static const struct config_alert *find_alert(const struct config *config, const struct config_alert *like)
{
    for (size_t i = 0; i < config->alert_count; i++) {
        const struct config_alert *alert = &config->alerts[i];
        if (strcmp(alert->name, like->name) == 0 && text_same(alert->database, like->database)) {
            return alert;
        }
    }
    return NULL;
}

static bool same_alert(const struct config_alert *left, const struct config_alert *right)
{
    struct buffer texts[2] = {{0}};
    fingerprint_alert(&texts[0], left);
    fingerprint_alert(&texts[1], right);
    return same_and_finish(texts);
}

static bool same_sink(const struct config_sink *left, const struct config_sink *right)
{
    struct buffer texts[2] = {{0}};
    fingerprint_sink(&texts[0], left);
    fingerprint_sink(&texts[1], right);
    return same_and_finish(texts) && text_same(left->url_file, right->url_file) &&
           text_same(left->headers_file, right->headers_file) && text_same(left->user_file, right->user_file);
}

static void list_alerts(const struct config *before, const struct config *after, struct catalog_changes *changes)
{
    for (size_t i = 0; i < before->alert_count; i++) {
        const struct config_alert *old = &before->alerts[i];
        const struct config_alert *new = find_alert(after, old);
        if (new == NULL || !same_alert(old, new)) {
            add(changes, new == NULL ? '-' : '~', "alert", old->name, old->database);
        }
    }
    for (size_t i = 0; i < after->alert_count; i++) {
        if (find_alert(before, &after->alerts[i]) == NULL) {
            add(changes, '+', "alert", after->alerts[i].name, after->alerts[i].database);
        }
    }
}

static void list_sinks(const struct config *before, const struct config *after, struct catalog_changes *changes)
{
    for (size_t i = 0; i < before->sink_count; i++) {
        const struct config_sink *old = &before->sinks[i];
        const struct config_sink *new = config_find_sink(after, old->name);
        if (new == NULL || !same_sink(old, new)) {
            add(changes, new == NULL ? '-' : '~', "sink", old->name, NULL);
        }
    }
    for (size_t i = 0; i < after->sink_count; i++) {
        if (config_find_sink(before, after->sinks[i].name) == NULL) {
            add(changes, '+', "sink", after->sinks[i].name, NULL);
        }
    }
}

static bool same_heartbeat(const struct config_heartbeat *left, const struct config_heartbeat *right)
{
    struct buffer texts[2] = {{0}};
    fingerprint_heartbeat(&texts[0], left);
    fingerprint_heartbeat(&texts[1], right);
    return same_and_finish(texts) && text_same(left->url_file, right->url_file);
}

/* By the names of their databases. */
static void list_heartbeats(const struct config *before, const struct config *after, struct catalog_changes *changes)
{
    for (size_t i = 0; i < after->database_count; i++) {
        const char *name = after->databases[i].name;
        const struct config_database *known = config_find_database(before, name);
        const struct config_heartbeat *old = known != NULL ? known->heartbeat : NULL;
        const struct config_heartbeat *new = after->databases[i].heartbeat;
        if (old == NULL ? new != NULL : new == NULL || !same_heartbeat(old, new)) {
            add(changes, old == NULL ? '+' : new == NULL ? '-' : '~', "heartbeat", name, NULL);
        }
    }
}

void catalog_changes_list(const struct catalog *before, const struct catalog *after, struct catalog_changes *changes)
{
    *changes = (struct catalog_changes){0};
    list_plugins(before, after, changes);
    list_jobs(before, after, changes);
    list_alerts(before->config, after->config, changes);
    list_sinks(before->config, after->config, changes);
    list_heartbeats(before->config, after->config, changes);
}

void catalog_changes_finish(struct catalog_changes *changes)
{
    for (size_t i = 0; i < changes->line_count; i++) {
        free(changes->lines[i]);
    }
    *changes = (struct catalog_changes){0};
}
