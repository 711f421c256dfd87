/* SPDX-License-Identifier: PostgreSQL */
/* databases: { NAME: { conninfo = "..."; ... }; }; */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "calendar/schedule.h"
#include "config/environment.h"
#include "config/name_list.h"
#include "config/reader.h"
#include "config/settings.h"
#include "model/job.h"

#define POOL_SIZE_DEFAULT 8
#define ROLE_SESSIONS_DEFAULT 20
#define POOL_SIZE_MAX 500
#define POOL_LIMIT_MAX 500
#define IDENTIFIER_MAX 63 /* bytes PostgreSQL keeps of a name */
#define VERIFY_DEFAULT "17 3 * * *"

static const struct setting_key keys[] = {
    {"conninfo", SETTING_STRING},      {"view_schema", SETTING_STRING},    {"source_schema", SETTING_STRING},
    {"pool_size", SETTING_INTEGER},    {"timezone", SETTING_STRING},       {"verify", SETTING_STRING},
    {"pools", SETTING_GROUP},          {"role_sessions", SETTING_INTEGER}, {"copies", SETTING_STRING},
    {"trusted_owners", SETTING_NAMES}, {"heartbeat", SETTING_GROUP},
};
static const struct setting_table table = {keys, COUNT_OF(keys)};

static const char *read_schema(struct reader *reader, const config_setting_t *group, const char *name,
                               const char *owner, const char *standard)
{
    const char *schema = setting_string(reader, group, name, owner);
    if (schema != NULL && strlen(schema) > IDENTIFIER_MAX) {
        reader_report(reader, config_setting_get_member(group, name), NULL, "\"%s\" of %s is longer than %d bytes",
                      name, owner, IDENTIFIER_MAX);
    }
    return schema != NULL ? schema : standard;
}

/* The very option that a job may have. */
static const char *read_timezone(struct reader *reader, const config_setting_t *group, const char *owner)
{
    const char *name = setting_string(reader, group, "timezone", owner);
    struct job_options options = {.timezone = "UTC"};
    struct error err = {.kind = ERROR_NONE};
    if (name != NULL && !options_set(&options, "timezone", name, &err)) {
        reader_report(reader, config_setting_get_member(group, "timezone"), err.hint, "%s: %s", owner, err.message);
    }
    return options.timezone;
}

/* Parsed here, where its line is known, and also where no view is there yet; the catalog has the zone. */
static const char *read_verify(struct reader *reader, const config_setting_t *group, const char *owner)
{
    const config_setting_t *setting = config_setting_get_member(group, "verify");
    struct schedule schedule;
    struct error err = {.kind = ERROR_NONE};
    if (setting != NULL && config_setting_type(setting) == CONFIG_TYPE_STRING &&
        config_setting_get_string(setting)[0] == '\0') {
        return "";
    }
    const char *text = setting_string(reader, group, "verify", owner);
    if (text != NULL && !schedule_parse(text, &schedule, &err)) {
        reader_report(reader, setting, err.hint[0] != '\0' ? err.hint : NULL, "\"verify\" of %s: %s", owner,
                      err.message);
        return VERIFY_DEFAULT; /* so that nothing is found in it again */
    }
    return text != NULL ? text : VERIFY_DEFAULT;
}

static enum config_copies read_copies(struct reader *reader, const config_setting_t *group, const char *owner)
{
    const char *text = setting_string(reader, group, "copies", owner);
    if (text == NULL || strcmp(text, "hold") == 0) {
        return CONFIG_COPIES_HOLD;
    }
    if (strcmp(text, "adopt") != 0) {
        reader_report(reader, config_setting_get_member(group, "copies"), NULL,
                      "\"copies\" of %s: expected \"hold\" or \"adopt\", found \"%s\"", owner,
                      reader_shown(reader, text));
        return CONFIG_COPIES_HOLD;
    }
    return CONFIG_COPIES_ADOPT;
}

static const struct name_list trusted_owners = {"trusted_owners", channel_name_valid, "a role's name",
                                                "a role is named with 1 to 63 bytes of UTF-8"};

static void read_trusted_owners(struct reader *reader, const config_setting_t *group, const char *owner,
                                struct config_database *database)
{
    const config_setting_t *setting = config_setting_get_member(group, "trusted_owners");
    if (setting != NULL &&
        (config_setting_type(setting) == CONFIG_TYPE_STRING || config_setting_is_aggregate(setting))) {
        database->trusted_owners = name_list_read(reader, setting, &trusted_owners, owner,
                                                  &database->trusted_owner_count);
    }
}

static bool read_pool(struct reader *reader, const config_setting_t *setting, const char *owner,
                      struct config_pool *pool)
{
    const char *name = config_setting_name(setting);
    if (!name_valid(name)) {
        reader_report(reader, setting, "a name has 1 to 63 letters, digits, \"_\" and \"-\"",
                      "\"%s\" cannot name a pool", reader_shown(reader, name));
        return false;
    }
    struct setting_key key = {name, SETTING_INTEGER};
    if (!setting_accept(reader, setting, &key, owner)) {
        return false;
    }
    long long limit = config_setting_get_int64(setting);
    if (limit < 1 || limit > POOL_LIMIT_MAX) {
        reader_report(reader, setting, "it is how many runs of the pool may be in flight at once",
                      "\"%s\" of %s: expected 1 to %d, found %lld", name, owner, POOL_LIMIT_MAX, limit);
        return false;
    }
    *pool = (struct config_pool){
        .name = arena_strdup(reader->arena, name), .limit = (int)limit, .line = reader_line(reader, setting)};
    return true;
}

static int compare_pools(const void *left, const void *right)
{
    const struct config_pool *a = left;
    const struct config_pool *b = right;
    return strcmp(a->name, b->name);
}

/* pools: { NAME = LIMIT; ... } */
static void read_pools(struct reader *reader, const config_setting_t *group, struct config_database *database)
{
    if (group == NULL || !config_setting_is_group(group)) {
        return;
    }
    size_t count = setting_count(group);
    struct config_pool *pools = arena_alloc(reader->arena, (count + 1) * sizeof(*pools));
    const char *owner = arena_printf(reader->scratch, "pools of database \"%s\"", database->name);
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *setting = setting_at(group, i);
        if (!setting_is_duplicate(setting) && read_pool(reader, setting, owner, &pools[database->pool_count])) {
            database->pool_count++;
        }
    }
    qsort(pools, database->pool_count, sizeof(*pools), compare_pools);
    database->pools = pools;
}

static const char *read_conninfo(struct reader *reader, const config_setting_t *group, const char *owner)
{
    if (config_setting_get_member(group, "conninfo") != NULL) {
        return setting_expanded(reader, group, "conninfo", owner);
    }
    const char *conninfo = environment_conninfo(reader->arena);
    if (conninfo == NULL) {
        reader_report(
            reader, group,
            "write conninfo = \"host=/run/postgresql dbname=app\"; or set DATABASE_URL, or PGHOST and PGDATABASE",
            "%s has no \"conninfo\"", owner);
    }
    return conninfo;
}

static void read_database(struct reader *reader, const config_setting_t *group, struct config_database *database)
{
    const char *owner = arena_printf(reader->scratch, "database \"%s\"", database->name);
    settings_check(reader, group, &table, owner);
    database->conninfo = read_conninfo(reader, group, owner);
    database->view_schema = read_schema(reader, group, "view_schema", owner, "analytics");
    database->source_schema = read_schema(reader, group, "source_schema", owner, "public");
    database->pool_size = setting_whole(reader, group, "pool_size", owner,
                                        (struct whole){1, POOL_SIZE_MAX, POOL_SIZE_DEFAULT});
    database->role_sessions = setting_whole(reader, group, "role_sessions", owner,
                                            (struct whole){1, POOL_SIZE_MAX, ROLE_SESSIONS_DEFAULT});
    database->timezone = read_timezone(reader, group, owner);
    database->verify = read_verify(reader, group, owner);
    database->copies = read_copies(reader, group, owner);
    read_trusted_owners(reader, group, owner, database);
    read_pools(reader, config_setting_get_member(group, "pools"), database);
    heartbeat_read(reader, config_setting_get_member(group, "heartbeat"), database);
}

static bool check_entry(struct reader *reader, const config_setting_t *setting)
{
    const char *name = config_setting_name(setting);
    if (!name_valid(name)) {
        reader_report(reader, setting, "a name has 1 to 63 letters, digits, \"_\" and \"-\"",
                      "\"%s\" cannot name a database", reader_shown(reader, name));
        return false;
    }
    struct setting_key key = {name, SETTING_GROUP};
    return setting_accept(reader, setting, &key, "\"databases\"");
}

static int compare_databases(const void *left, const void *right)
{
    const struct config_database *a = left;
    const struct config_database *b = right;
    return strcmp(a->name, b->name);
}

void databases_read(struct reader *reader, const config_setting_t *group)
{
    size_t count = setting_count(group);
    struct config_database *databases = arena_alloc(reader->arena, (count + 1) * sizeof(*databases));
    size_t findings_before = reader->report->count;
    size_t kept = 0;
    bool named = true;
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *setting = setting_at(group, i);
        if (setting_is_duplicate(setting)) {
            continue;
        }
        if (!check_entry(reader, setting)) {
            named = false;
            continue;
        }
        databases[kept].name = arena_strdup(reader->arena, config_setting_name(setting));
        databases[kept].line = reader_line(reader, setting);
        read_database(reader, setting, &databases[kept++]);
    }
    if (kept > 1) {
        qsort(databases, kept, sizeof(*databases), compare_databases);
    }
    reader->config->databases = databases;
    reader->config->database_count = kept;
    reader->config->databases_sound = reader->report->count == findings_before;
    reader->config->databases_named = named;
}

static void check_name(struct reader *reader, const char *kind, const char *name, const char *database,
                       const char *file, int line)
{
    if (database != NULL && config_find_database(reader->config, database) == NULL) {
        report_add(reader->report, file, line, "name one under \"databases\" in pgchime.conf",
                   "%s \"%s\" names database \"%s\", which is not configured", kind, name, database);
    }
}

void databases_check_names(struct reader *reader)
{
    const struct config *config = reader->config;
    if (!config->databases_named) {
        return;
    }
    for (size_t i = 0; i < config->alert_count; i++) {
        const struct config_alert *alert = &config->alerts[i];
        check_name(reader, "alert", alert->name, alert->database, alert->file, alert->line);
    }
    for (size_t i = 0; i < config->sink_count; i++) {
        const struct config_sink *sink = &config->sinks[i];
        check_name(reader, "sink", sink->name, sink->database, sink->file, sink->line);
    }
}
