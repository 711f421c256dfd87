/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/install.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "ledger/declaration_json.h"
#include "ledger/ledger.h"

#define ATTEMPTS_MAX 20 /* of 200 ms each */
#define TENDING_MAX 60  /* half a second each */

/* Steps of one plugin, in order; those from STEP_VIEW to STEP_TILES repeat. */
enum install_step {
    STEP_SOURCES,
    STEP_SCHEMA,
    STEP_VIEW,
    STEP_KEYS,
    STEP_PLAIN_VIEW,
    STEP_FUNCTION,
    STEP_SILENCE, /* channels that are not asked for any more */
    STEP_CHANNEL,
    STEP_TILES,
    STEP_RECORD
};

struct install {
    struct pg_connection *connection;
    const struct catalog *catalog;
    const struct config_database *settings;
    const char *database;
    install_callback *callback;
    void *data;
    bool waking; /* only what was dormant is looked at */
    struct plugin_states states;
    size_t plugin;
    enum install_step step;
    size_t item; /* of a repeated step */
    int attempts;
    int tendings;
    const char *state;
    char *reason; /* NULL while all is well */
};

static void next_step(struct install *install);

static const struct catalog_plugin *current(const struct install *install)
{
    return &install->catalog->plugins[install->plugin];
}

static void end_early(struct install *install, const char *state, const char *reason)
{
    install->state = state;
    install->reason = xstrndup(reason, strcspn(reason, "\n"));
    install->step = STEP_RECORD;
}

static void fail(struct install *install, const char *state, const char *reason)
{
    end_early(install, state, reason);
    log_warning("plugin %s is %s in database %s: %s", current(install)->declaration->name, state, install->database,
                install->reason);
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

static void stepped(void *data, const struct pg_reply *reply)
{
    struct install *install = data;
    if (pg_reply_lost(reply)) {
        return; /* the connection's owner abandons us */
    }
    if (!pg_reply_ok(reply)) {
        struct error err = {.kind = ERROR_NONE};
        pg_reply_error(reply, &err);
        char *reason = xasprintf("%s%s%s", err.message, err.hint[0] != '\0' ? "; " : "", err.hint);
        fail(install, "failed", reason);
        free(reason);
    }
    next_step(install);
}

static void send(struct install *install, const char *sql, int count, const char *const *parameters,
                 pg_callback *callback)
{
    pg_send_one(install->connection, NULL, sql, count, parameters, callback, install);
}

/* Of the lines that chime.missing_sources gave. */
static void sources_missing(struct install *install, const struct pg_reply *reply)
{
    struct buffer missing = {0};
    bool available = !current(install)->asked_for && pg_reply_value(reply, 0, 0, 1)[0] == 'f';
    bool lacks_table = false;
    for (size_t i = 0; i < pg_reply_rows(reply, 0); i++) {
        const char *line = pg_reply_value(reply, 0, i, 0);
        lacks_table = lacks_table || strncmp(line, "table ", 6) == 0;
        buffer_printf(&missing, "%s%s", i == 0 ? "missing: " : ", ", line);
    }
    if (available && lacks_table) {
        end_early(install, "available", buffer_text(&missing));
    } else {
        fail(install, "dormant", buffer_text(&missing));
    }
    buffer_finish(&missing);
}

static void sources_known(void *data, const struct pg_reply *reply)
{
    struct install *install = data;
    if (pg_reply_ok(reply) && pg_reply_rows(reply, 0) > 0 && install->waking) {
        install->plugin++; /* nothing new */
        install->step = STEP_SOURCES;
    } else if (pg_reply_ok(reply) && pg_reply_rows(reply, 0) > 0) {
        sources_missing(install, reply);
    }
    stepped(data, reply);
}

/* What a view as SQL reads is known of its definition alone. Whoever wrote it wants it: it is never "available". */
static void send_missing(struct install *install)
{
    const struct catalog_plugin *plugin = current(install);
    const char *parameters[] = {plugin->view_schema, plugin->source_schema, plugin->declaration->views[0].definition};
    send(install,
         "SELECT m, true FROM chime.missing_of(pg_catalog.format('%I, %I, pg_temp', $1::text, $2::text), $3) m"
         " WHERE m IS NOT NULL",
         3, parameters, sources_known);
}

static void send_sources(struct install *install)
{
    if (current(install)->declaration->derives) {
        send_missing(install);
        return;
    }
    char *sources = declaration_json_sources(current(install)->declaration, NULL);
    const char *parameters[] = {current(install)->view_schema, current(install)->source_schema, sources,
                                current(install)->declaration->name};
    send(install, "SELECT DISTINCT m, chime.plugin_is_present($4) FROM chime.missing_sources($1, $2, $3) m ORDER BY m",
         4, parameters, sources_known);
    free(sources);
}

static bool stopped_by_locks(const struct pg_reply *reply)
{
    const char *sqlstate = pg_reply_sqlstate(reply);
    return !pg_reply_ok(reply) && !pg_reply_lost(reply) &&
           (strcmp(sqlstate, "55P03") == 0 || strcmp(sqlstate, "40P01") == 0);
}

/* A table in use was not to be had at once: writers that queued behind the attempt go first. And one who refreshes
 * several views in one transaction may hold one and want another. */
static void tried(void *data, const struct pg_reply *reply)
{
    struct install *install = data;
    if (stopped_by_locks(reply) && install->attempts++ < ATTEMPTS_MAX) {
        install->item--;
        next_step(install);
        return;
    }
    install->attempts = 0;
    stepped(install, reply);
}

/* A strict view is keyed, or its plugin failed. The item has been counted. */
static void keyed(void *data, const struct pg_reply *reply)
{
    struct install *install = data;
    const char *reason = pg_reply_ok(reply) ? pg_reply_value(reply, 0, 0, 0) : NULL;
    if (reason != NULL && strcmp(current(install)->modes[install->item - 1], "strict") == 0) {
        const char *relation = current(install)->declaration->views[install->item - 1].relation;
        char *words = xasprintf("view %s is strict, and %s", relation, reason);
        fail(install, "failed", words);
        free(words);
    }
    tried(data, reply);
}

/* Views are made keyed once they all are there, since one may read another. */
static void send_keys(struct install *install)
{
    const struct catalog_plugin *plugin = current(install);
    const char *relation = plugin->declaration->views[install->item].relation;
    char *sources = plugin->declaration->derives ? NULL : declaration_json_sources(plugin->declaration, relation);
    const char *parameters[] = {plugin->view_schema, plugin->source_schema, relation, sources};
    send(install, "SELECT chime.install_keys($1, $2, $3, $4)", 4, parameters, keyed);
    free(sources);
}

static void send_view(struct install *install)
{
    const struct catalog_plugin *plugin = current(install);
    const struct declared_view *view = &plugin->declaration->views[install->item];
    bool derives = plugin->declaration->derives;
    char *key = derives && view->key.count == 0 ? NULL : declaration_json_names(&view->key);
    char *grain = derives && view->grain.count == 0 ? NULL : declaration_json_names(&view->grain);
    char *stamps = declaration_json_names(&view->stamps);
    char *indexes = declaration_json_indexes(view);
    const char *parameters[] = {plugin->declaration->name,
                                plugin->view_schema,
                                plugin->source_schema,
                                view->relation,
                                view->definition,
                                key,
                                view->key_index,
                                grain,
                                plugin->modes[install->item],
                                stamps,
                                view->revisit,
                                view->rejected,
                                indexes,
                                view->comment,
                                view->timezone,
                                plugin->frozen[install->item]};
    send(install, "SELECT chime.install_view($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
         COUNT_OF(parameters), parameters, tried);
    free(key);
    free(grain);
    free(stamps);
    free(indexes);
}

static void send_plain_view(struct install *install)
{
    const struct catalog_plugin *plugin = current(install);
    const struct declared_plain_view *view = &plugin->declaration->plain_views[install->item];
    const char *parameters[] = {plugin->declaration->name, plugin->view_schema, plugin->source_schema, view->relation,
                                view->definition,          view->comment};
    send(install, "SELECT chime.install_plain_view($1, $2, $3, $4, $5, $6)", 6, parameters, stepped);
}

static void send_function(struct install *install)
{
    const struct catalog_plugin *plugin = current(install);
    const struct declared_function *function = &plugin->declaration->functions[install->item];
    const char *parameters[] = {plugin->declaration->name, plugin->view_schema, plugin->source_schema,
                                function->signature, function->definition};
    send(install, "SELECT chime.install_function($1, $2, $3, $4, $5)", 5, parameters, stepped);
}

static void send_silence(struct install *install)
{
    const struct catalog_plugin *plugin = current(install);
    const char **kept = xcalloc(plugin->channel_count + 1, sizeof(*kept));
    for (size_t i = 0; i < plugin->channel_count; i++) {
        kept[i] = plugin->channels[i].name;
    }
    char *array = declaration_json_names(&(struct names){.items = kept, .count = plugin->channel_count});
    const char *parameters[] = {plugin->declaration->name, array};
    send(install, "SELECT chime.remove_channels($1, $2)", 2, parameters, tried);
    free(array);
    free(kept);
}

static void send_channel(struct install *install)
{
    const struct catalog_plugin *plugin = current(install);
    const struct chime_channel *channel = &plugin->channels[install->item];
    const char *parameters[] = {
        plugin->declaration->name, plugin->view_schema, plugin->source_schema, channel->name, channel->table,
        channel->definition};
    send(install, "SELECT chime.install_channel($1, $2, $3, $4, $5, $6)", 6, parameters, tried);
}

/* They are vetted once all plugins are there (vet_tiles). */
static void send_tiles(struct install *install)
{
    const struct catalog_plugin *plugin = current(install);
    char *tiles = declaration_json_tiles(plugin->declaration);
    const char *parameters[] = {plugin->declaration->name, plugin->view_schema, tiles};
    send(install, "SELECT chime.install_tiles($1, $2, $3)", 3, parameters, stepped);
    free(tiles);
}

static void recorded(void *data, const struct pg_reply *reply)
{
    struct install *install = data;
    if (pg_reply_lost(reply)) {
        return;
    }
    if (!pg_reply_ok(reply)) {
        log_warning("plugin %s could not be written down: %s", current(install)->declaration->name,
                    pg_reply_message(reply));
    }
    bool available = strcmp(install->state, "available") == 0;
    bool dormant = available || strcmp(install->state, "dormant") == 0;
    install->states.available[install->plugin] = available;
    install->states.dormant[install->plugin] = dormant;
    install->states.any_failed = install->states.any_failed || strcmp(install->state, "failed") == 0;
    if (install->waking && !dormant) {
        log_info("plugin %s is no longer dormant in database %s: %s", current(install)->declaration->name,
                 install->database, install->state);
    }
    free(install->reason);
    install->reason = NULL;
    install->plugin++;
    install->step = STEP_SOURCES;
    next_step(install);
}

/* chime.view refers to chime.plugin: a plugin is written down before its views, and again with how it ended. */
static void send_record(struct install *install, const char *state, const char *reason, pg_callback *callback)
{
    const struct catalog_plugin *plugin = current(install);
    char *settings = declaration_json_settings(plugin);
    const char *parameters[] = {plugin->declaration->name,
                                plugin->declaration->version,
                                plugin->declaration->summary,
                                plugin->view_schema,
                                plugin->source_schema,
                                state,
                                reason,
                                settings};
    send(install, "SELECT chime.record_plugin($1, $2, $3, $4, $5, $6, $7, $8)", 8, parameters, callback);
    free(settings);
}

static void schema_made(void *data, const struct pg_reply *reply)
{
    struct install *install = data;
    if (!pg_reply_ok(reply)) {
        stepped(data, reply);
        return;
    }
    send_record(install, "installed", NULL, stepped);
}

static void send_schema(struct install *install)
{
    const char *parameters[] = {current(install)->view_schema};
    send(install, "SELECT chime.install_schema($1)", 1, parameters, schema_made);
}

/* From a step that is done as often as there are items to the next. */
static void leave(struct install *install, enum install_step step, size_t count)
{
    if (install->step == step && install->item == count) {
        install->step = step + 1;
        install->item = 0;
    }
}

static void advance(struct install *install)
{
    const struct declaration *declaration = current(install)->declaration;
    leave(install, STEP_VIEW, declaration->view_count);
    leave(install, STEP_KEYS, declaration->view_count);
    leave(install, STEP_PLAIN_VIEW, declaration->plain_view_count);
    leave(install, STEP_FUNCTION, declaration->function_count);
    leave(install, STEP_SILENCE, 1);
    leave(install, STEP_CHANNEL, current(install)->channel_count);
    leave(install, STEP_TILES, 1);
}

static void finish(struct install *install)
{
    install_callback *callback = install->callback;
    void *data = install->data;
    struct plugin_states states = install->states;
    for (size_t i = 0; i < states.count; i++) {
        states.any_dormant = states.any_dormant || states.dormant[i];
    }
    free(install);
    callback(data, &states);
}

/* What could not be done is tried again and told by the leader; until then refreshes do everything. */
static void captured(void *data, const struct pg_reply *reply)
{
    struct install *install = data;
    if (pg_reply_lost(reply)) {
        return;
    }
    install->tendings++;
    if (ledger_tend_more(reply) && install->tendings < TENDING_MAX) {
        ledger_tend_capture(install->connection, captured, install);
        return;
    }
    finish(install);
}

static void tiles_vetted(void *data, const struct pg_reply *reply)
{
    struct install *install = data;
    if (pg_reply_lost(reply)) {
        return;
    }
    if (!pg_reply_ok(reply)) {
        log_warning("tiles of database %s could not be vetted: %s", install->database, pg_reply_message(reply));
    }
    ledger_tend_capture(install->connection, captured, install);
}

/* What cannot be shown is told of the tile (chime.tile.problem): its plugin is installed all the same. Once, in the
 * end: each function that a plugin makes is a reason to look at all tiles again. */
static void vet_tiles(struct install *install)
{
    send(install, "SELECT chime.vet_tiles()", 0, NULL, tiles_vetted);
}

static bool is_concerned(const struct install *install)
{
    return strcmp(current(install)->database, install->database) == 0 &&
           (!install->waking || install->states.dormant[install->plugin]);
}

static void begin_plugin(struct install *install)
{
    install->step = STEP_SCHEMA;
    install->item = 0;
    install->state = "installed";
    send_sources(install);
}

static void next_step(struct install *install)
{
    while (install->plugin < install->catalog->plugin_count && install->step == STEP_SOURCES &&
           !is_concerned(install)) {
        install->plugin++;
    }
    if (install->plugin == install->catalog->plugin_count) {
        vet_tiles(install);
        return;
    }
    advance(install);
    switch (install->step) {
    case STEP_SOURCES:
        begin_plugin(install);
        break;
    case STEP_SCHEMA:
        install->step = STEP_VIEW;
        send_schema(install);
        break;
    case STEP_VIEW:
        send_view(install);
        install->item++;
        break;
    case STEP_KEYS:
        send_keys(install);
        install->item++;
        break;
    case STEP_PLAIN_VIEW:
        send_plain_view(install);
        install->item++;
        break;
    case STEP_FUNCTION:
        send_function(install);
        install->item++;
        break;
    case STEP_SILENCE:
        send_silence(install);
        install->item++;
        break;
    case STEP_CHANNEL:
        send_channel(install);
        install->item++;
        break;
    case STEP_TILES:
        send_tiles(install);
        install->item++;
        break;
    case STEP_RECORD:
        send_record(install, install->state, install->reason, recorded);
        break;
    }
}

static void retired(void *data, const struct pg_reply *reply)
{
    struct install *install = data;
    if (pg_reply_lost(reply)) {
        return;
    }
    if (!pg_reply_ok(reply)) {
        log_warning("plugins that are gone could not be written down: %s", pg_reply_message(reply));
    }
    next_step(install);
}

static void send_retire(struct install *install);

static void trusted(void *data, const struct pg_reply *reply)
{
    struct install *install = data;
    if (pg_reply_lost(reply)) {
        return;
    }
    if (!pg_reply_ok(reply)) {
        log_warning("trusted_owners could not be written down: %s", pg_reply_message(reply));
    }
    send_retire(install);
}

static void send_trusted(struct install *install)
{
    char *array = declaration_json_names(&(struct names){.items = (const char **)install->settings->trusted_owners,
                                                         .count = install->settings->trusted_owner_count});
    const char *parameters[] = {array};
    send(install, "SELECT chime.trust_owners($1)", 1, parameters, trusted);
    free(array);
}

static void send_retire(struct install *install)
{
    const struct catalog *catalog = install->catalog;
    const char **kept = xcalloc(catalog->plugin_count + 1, sizeof(*kept));
    struct names names = {.items = kept};
    for (size_t i = 0; i < catalog->plugin_count; i++) {
        if (strcmp(catalog->plugins[i].database, install->database) == 0) {
            kept[names.count++] = catalog->plugins[i].declaration->name;
        }
    }
    char *array = declaration_json_names(&names);
    const char *parameters[] = {array};
    send(install, "SELECT chime.retire_plugins($1)", 1, parameters, retired);
    free(array);
    free(kept);
}

void plugin_states_finish(struct plugin_states *states)
{
    free(states->dormant);
    free(states->available);
    *states = (struct plugin_states){0};
}

struct plugin_states plugin_states_copy(const struct plugin_states *states)
{
    struct plugin_states copy = *states;
    copy.dormant = xcalloc(states->count + 1, sizeof(*copy.dormant));
    memcpy(copy.dormant, states->dormant, states->count * sizeof(*copy.dormant));
    copy.available = xcalloc(states->count + 1, sizeof(*copy.available));
    memcpy(copy.available, states->available, states->count * sizeof(*copy.available));
    return copy;
}

struct install *install_start(struct pg_connection *connection, const struct catalog *catalog,
                              const struct config_database *database, const struct plugin_states *before,
                              install_callback *callback, void *data)
{
    struct install *install = xcalloc(1, sizeof(*install));
    install->connection = connection;
    install->catalog = catalog;
    install->settings = database;
    install->database = database->name;
    install->callback = callback;
    install->data = data;
    install->step = STEP_SOURCES;
    if (before != NULL) {
        install->waking = true;
        install->states = plugin_states_copy(before);
        install->states.any_dormant = false;
        while (!is_concerned(install)) {
            install->plugin++;
        }
        begin_plugin(install);
    } else {
        install->states.count = catalog->plugin_count;
        install->states.dormant = xcalloc(catalog->plugin_count + 1, sizeof(*install->states.dormant));
        install->states.available = xcalloc(catalog->plugin_count + 1, sizeof(*install->states.available));
        send_trusted(install);
    }
    return install;
}

void install_abandon(struct install *install)
{
    if (install != NULL) {
        plugin_states_finish(&install->states);
        free(install->reason);
        free(install);
    }
}
