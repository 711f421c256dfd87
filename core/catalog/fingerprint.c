/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "catalog/fingerprint.h"

/* Every text goes in with its length before it, so that no two different lists read the same. */
static void put_text(struct buffer *buffer, const char *text)
{
    if (text == NULL) {
        buffer_puts(buffer, "-;");
        return;
    }
    buffer_printf(buffer, "%zu:", strlen(text));
    buffer_puts(buffer, text);
}

static void put_count(struct buffer *buffer, size_t count)
{
    buffer_printf(buffer, "#%zu;", count);
}

static void put_texts(struct buffer *buffer, const char *const *texts, size_t count)
{
    put_count(buffer, count);
    for (size_t i = 0; i < count; i++) {
        put_text(buffer, texts[i]);
    }
}

static void put_names(struct buffer *buffer, const struct names *names)
{
    put_texts(buffer, names->items, names->count);
}

void fingerprint_job(struct buffer *buffer, const struct job *job)
{
    put_text(buffer, job->database);
    put_text(buffer, job->name);
    put_text(buffer, job->plugin);
    put_text(buffer, job->schedule_text);
    put_text(buffer, job_work_name(job->work));
    put_text(buffer, job->command);
    put_texts(buffer, job->views, job->view_count);
    put_texts(buffer, job->after, job->after_count);
    put_texts(buffer, job->on, job->on_count);
    put_text(buffer, job->active ? "active" : "inactive");
    put_text(buffer, job->ping_file != NULL ? "pinged" : NULL); /* wherever the file is on each machine */
    put_count(buffer, job->setting_count);
    for (size_t i = 0; i < job->setting_count; i++) {
        put_text(buffer, job->settings[i].name);
        put_text(buffer, job->settings[i].value);
    }
    for (size_t i = 0; options_name(i) != NULL; i++) {
        char *value = options_value_text(job->options, options_name(i));
        put_text(buffer, value);
        free(value);
    }
}

void fingerprint_alert(struct buffer *buffer, const struct config_alert *alert)
{
    put_text(buffer, "alert");
    put_text(buffer, alert->name);
    put_text(buffer, alert->database);
    put_text(buffer, alert->condition);
    put_text(buffer, alert->severity);
    buffer_printf(buffer, "%lld %d;", (long long)alert->hold, (int)alert->enabled);
}

static void put_list(struct buffer *buffer, const char *const *texts)
{
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
        put_text(buffer, texts[i]);
    }
    put_text(buffer, NULL);
}

void fingerprint_sink(struct buffer *buffer, const struct config_sink *sink)
{
    put_text(buffer, "sink");
    put_text(buffer, sink->name);
    put_text(buffer, sink->database);
    put_text(buffer, sink_type_names[sink->type]);
    put_text(buffer, sink->url);
    put_text(buffer, sink->from);
    put_list(buffer, sink->to);
    put_list(buffer, sink->command);
    put_count(buffer, sink->match_count);
    for (size_t i = 0; i < sink->match_count; i++) {
        put_text(buffer, sink->match[i].name);
        put_text(buffer, sink->match[i].value);
    }
}

void fingerprint_heartbeat(struct buffer *buffer, const struct config_heartbeat *heartbeat)
{
    if (heartbeat != NULL) {
        put_text(buffer, "heartbeat");
        put_text(buffer, heartbeat->url);
        buffer_printf(buffer, "%lld;", (long long)heartbeat->every);
    }
}

static void put_pools(struct buffer *buffer, const struct config_database *database)
{
    put_text(buffer, database->name);
    put_count(buffer, database->pool_count);
    for (size_t i = 0; i < database->pool_count; i++) {
        put_text(buffer, database->pools[i].name);
        put_count(buffer, (size_t)database->pools[i].limit);
    }
}

static void put_sources(struct buffer *buffer, const struct declaration *declaration)
{
    put_count(buffer, declaration->source_count);
    for (size_t i = 0; i < declaration->source_count; i++) {
        const struct declared_source *source = &declaration->sources[i];
        put_text(buffer, source->table);
        put_names(buffer, &source->columns);
        put_names(buffer, &source->capture);
        put_text(buffer, source->map);
        put_text(buffer, source->trust ? "trust" : NULL);
        put_names(buffer, &source->views);
    }
}

static void put_view(struct buffer *buffer, const struct declared_view *view)
{
    put_text(buffer, view->relation);
    put_text(buffer, view->definition);
    put_names(buffer, &view->key);
    put_text(buffer, view->key_index);
    put_names(buffer, &view->grain);
    put_text(buffer, view->mode);
    put_names(buffer, &view->stamps);
    put_text(buffer, view->revisit);
    put_text(buffer, view->rejected);
    put_text(buffer, view->comment);
    put_text(buffer, view->timezone);
    put_count(buffer, view->index_count);
    for (size_t i = 0; i < view->index_count; i++) {
        put_text(buffer, view->indexes[i].name);
        put_text(buffer, view->indexes[i].columns);
        put_text(buffer, view->indexes[i].where);
    }
}

static void put_declaration(struct buffer *buffer, const struct declaration *declaration)
{
    put_text(buffer, declaration->name);
    put_text(buffer, declaration->version);
    put_sources(buffer, declaration);
    put_count(buffer, declaration->view_count);
    for (size_t i = 0; i < declaration->view_count; i++) {
        put_view(buffer, &declaration->views[i]);
    }
    put_count(buffer, declaration->plain_view_count);
    for (size_t i = 0; i < declaration->plain_view_count; i++) {
        put_text(buffer, declaration->plain_views[i].relation);
        put_text(buffer, declaration->plain_views[i].definition);
        put_text(buffer, declaration->plain_views[i].comment);
    }
    put_count(buffer, declaration->function_count);
    for (size_t i = 0; i < declaration->function_count; i++) {
        put_text(buffer, declaration->functions[i].signature);
        put_text(buffer, declaration->functions[i].definition);
    }
    put_count(buffer, declaration->alert_count);
    for (size_t i = 0; i < declaration->alert_count; i++) {
        put_text(buffer, declaration->alerts[i].name);
        put_text(buffer, declaration->alerts[i].condition);
        put_text(buffer, declaration->alerts[i].severity);
        put_text(buffer, declaration->alerts[i].hold);
    }
}

static void put_plugin(struct buffer *buffer, const struct catalog_plugin *plugin)
{
    put_text(buffer, plugin->database);
    put_text(buffer, plugin->view_schema);
    put_text(buffer, plugin->source_schema);
    put_count(buffer, plugin->setting_count);
    for (size_t i = 0; i < plugin->setting_count; i++) {
        put_text(buffer, plugin->settings[i].name);
        put_text(buffer, plugin->settings[i].type);
        put_text(buffer, plugin->settings[i].value);
    }
    put_count(buffer, plugin->channel_count);
    for (size_t i = 0; i < plugin->channel_count; i++) {
        put_text(buffer, plugin->channels[i].name);
        put_text(buffer, plugin->channels[i].table);
        put_text(buffer, plugin->channels[i].definition);
    }
    put_texts(buffer, plugin->modes, plugin->declaration->view_count);
    put_texts(buffer, plugin->frozen, plugin->declaration->view_count);
    put_declaration(buffer, plugin->declaration);
}

/* Hashes what was put for one item and starts anew: the whole is never held as one text. */
static void fold(struct buffer *item, struct buffer *hashes)
{
    buffer_printf(hashes, "%016llx", (unsigned long long)text_hash(buffer_text(item)));
    buffer_clear(item);
}

static size_t count_of(const struct catalog *catalog, const char *database)
{
    size_t count = 0;
    for (size_t i = 0; i < catalog->plugin_count; i++) {
        count += strcmp(catalog->plugins[i].database, database) == 0 ? 1 : 0;
    }
    return count;
}

/* What is told, and where, of the database. */
static void fold_alerts(const struct config *config, const char *database, struct buffer *item, struct buffer *hashes)
{
    for (size_t i = 0; i < config->alert_count; i++) {
        if (config->alerts[i].database == NULL || strcmp(config->alerts[i].database, database) == 0) {
            fingerprint_alert(item, &config->alerts[i]);
            fold(item, hashes);
        }
    }
    for (size_t i = 0; i < config->sink_count; i++) {
        if (config->sinks[i].database == NULL || strcmp(config->sinks[i].database, database) == 0) {
            fingerprint_sink(item, &config->sinks[i]);
            fold(item, hashes);
        }
    }
}

void catalog_fingerprint(const struct catalog *catalog, const char *database, char hex[static 17])
{
    struct buffer item = {0};
    struct buffer hashes = {0};
    size_t job_count;
    const struct job *const *jobs = catalog_jobs_of(catalog, database, &job_count);
    const struct config_database *settings = config_find_database(catalog->config, database);
    if (settings != NULL && settings->pool_count > 0) {
        put_pools(&item, settings);
        fold(&item, &hashes);
    }
    if (settings != NULL && settings->heartbeat != NULL) {
        fingerprint_heartbeat(&item, settings->heartbeat);
        fold(&item, &hashes);
    }
    put_count(&hashes, count_of(catalog, database));
    for (size_t i = 0; i < catalog->plugin_count; i++) {
        if (strcmp(catalog->plugins[i].database, database) == 0) {
            put_plugin(&item, &catalog->plugins[i]);
            fold(&item, &hashes);
        }
    }
    for (size_t i = 0; i < job_count; i++) {
        fingerprint_job(&item, jobs[i]);
        fold(&item, &hashes);
    }
    fold_alerts(catalog->config, database, &item, &hashes);
    snprintf(hex, 17, "%016llx", (unsigned long long)text_hash(buffer_text(&hashes)));
    buffer_finish(&item);
    buffer_finish(&hashes);
}

/* --- the same plugins? --- */

const struct catalog_plugin *fingerprint_find_plugin(const struct catalog *catalog, const struct catalog_plugin *like)
{
    for (size_t i = 0; i < catalog->plugin_count; i++) {
        const struct catalog_plugin *plugin = &catalog->plugins[i];
        if (strcmp(plugin->database, like->database) == 0 &&
            strcmp(plugin->declaration->name, like->declaration->name) == 0) {
            return plugin;
        }
    }
    return NULL;
}

bool fingerprint_same_plugin(const struct catalog_plugin *left, const struct catalog_plugin *right)
{
    struct buffer texts[2] = {{0}};
    put_plugin(&texts[0], left);
    put_plugin(&texts[1], right);
    bool same = strcmp(buffer_text(&texts[0]), buffer_text(&texts[1])) == 0;
    buffer_finish(&texts[0]);
    buffer_finish(&texts[1]);
    return same;
}

bool catalog_same_plugins(const struct catalog *left, const struct catalog *right, const char *database)
{
    bool same = count_of(left, database) == count_of(right, database);
    for (size_t i = 0; same && i < left->plugin_count; i++) {
        const struct catalog_plugin *plugin = &left->plugins[i];
        if (strcmp(plugin->database, database) == 0) {
            const struct catalog_plugin *other = fingerprint_find_plugin(right, plugin);
            same = other != NULL && fingerprint_same_plugin(plugin, other);
        }
    }
    return same;
}
