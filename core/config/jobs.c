/* SPDX-License-Identifier: PostgreSQL */
/* jobs: { NAME: { schedule = "..."; command = "..."; <option> = ...; }; }; */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/sqltext.h"
#include "base/text.h"
#include "calendar/schedule.h"
#include "config/name_list.h"
#include "config/reader.h"
#include "config/settings.h"
#include "model/job.h"

#define BACKOFF "backoff" /* the options that are written as a group */
#define KEYS_HINT                                                                                             \
    "known here: schedule, command, database, after, on, enabled, settings, ping_file, and the options that " \
    "docs/jobs.md "                                                                                           \
    "lists"

static const struct setting_key keys[] = {
    {"schedule", SETTING_STRING}, {"command", SETTING_STRING},   {"database", SETTING_STRING},
    {"after", SETTING_NAMES},     {"on", SETTING_NAMES},         {"enabled", SETTING_BOOLEAN},
    {"settings", SETTING_GROUP},  {"ping_file", SETTING_STRING},
};
static const struct setting_table table = {keys, COUNT_OF(keys)};

static void report_error(struct reader *reader, const config_setting_t *setting, const struct error *err)
{
    reader_report(reader, setting, err->hint[0] != '\0' ? err->hint : NULL, "%s: %s", reader->owner, err->message);
}

static void refuse_unknown(struct reader *reader, const config_setting_t *setting, const char *name, const char *known)
{
    const char *names[COUNT_OF(keys) + 1] = {BACKOFF};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        names[i + 1] = keys[i].name;
    }
    const char *meant = options_suggest(name, names, COUNT_OF(names));
    reader_report(reader, setting, meant != NULL ? arena_printf(reader->scratch, "did you mean \"%s\"?", meant) : known,
                  "unknown key \"%s\" in %s", reader_shown(reader, name), reader->owner);
}

static void set_option(struct reader *reader, const config_setting_t *setting, struct config_job *job, const char *name,
                       const char *value)
{
    struct error err = {.kind = ERROR_NONE};
    if (!options_set(&job->options, name, value, &err)) {
        report_error(reader, setting, &err);
    }
}

static void read_backoff_member(struct reader *reader, const config_setting_t *setting, struct config_job *job)
{
    const char *name = arena_printf(reader->scratch, BACKOFF ".%s", config_setting_name(setting));
    const char *value = setting_scalar_text(setting, reader->scratch);
    if (!options_has(name)) {
        refuse_unknown(reader, setting, name, "a " BACKOFF " has initial, coefficient, max and jitter");
    } else if (value == NULL) {
        reader_report(reader, setting, NULL, "\"%s\" of %s: expected one value, found %s", name, reader->owner,
                      setting_type_found(setting));
    } else {
        set_option(reader, setting, job, name, value);
    }
}

static void read_backoff(struct reader *reader, const config_setting_t *group, struct config_job *job)
{
    if (!config_setting_is_group(group)) {
        reader_report(reader, group, "write { initial = \"5s\"; coefficient = 2; max = \"10min\"; jitter = 0.2; }",
                      "\"" BACKOFF "\" of %s: expected a group, found %s", reader->owner, setting_type_found(group));
    }
    for (size_t i = 0; config_setting_is_group(group) && i < setting_count(group); i++) {
        if (!setting_is_duplicate(setting_at(group, i))) {
            read_backoff_member(reader, setting_at(group, i), job);
        }
    }
}

/* retry_on = ["08", "40001"]; numbers would have lost their leading zeros, so only strings are taken. */
static void read_retry_on(struct reader *reader, const config_setting_t *list, struct config_job *job)
{
    struct buffer text = {0};
    bool strings = true;
    for (size_t i = 0; i < setting_count(list); i++) {
        const char *item = config_setting_get_string(setting_at(list, i));
        strings = strings && item != NULL;
        buffer_puts(&text, i > 0 ? "," : "");
        buffer_puts(&text, item != NULL ? item : "");
    }
    if (strings) {
        set_option(reader, list, job, "retry_on", buffer_text(&text));
    } else {
        reader_report(reader, list, "write [\"08\", \"40001\"]", "\"retry_on\" of %s: expected a list of strings",
                      reader->owner);
    }
    buffer_finish(&text);
}

static void read_option(struct reader *reader, const config_setting_t *setting, struct config_job *job)
{
    const char *name = config_setting_name(setting);
    const char *value = setting_scalar_text(setting, reader->scratch);
    if (strcmp(name, BACKOFF) == 0) {
        read_backoff(reader, setting, job);
    } else if (value == NULL && strcmp(name, "retry_on") == 0 && !config_setting_is_group(setting)) {
        read_retry_on(reader, setting, job);
    } else if (value == NULL && options_has(name)) {
        reader_report(reader, setting, NULL, "\"%s\" of %s: expected one value, found %s", name, reader->owner,
                      setting_type_found(setting));
    } else {
        set_option(reader, setting, job, name, value != NULL ? value : "");
    }
}

static bool is_option(const char *name)
{
    return options_has(name) || options_reserves(name) || strcmp(name, BACKOFF) == 0;
}

static void read_schedule(struct reader *reader, const config_setting_t *setting, struct config_job *job)
{
    const char *text = config_setting_get_string(setting);
    struct schedule schedule;
    struct error err = {.kind = ERROR_NONE};
    if (text[0] != '\0' && !schedule_parse(text, &schedule, &err)) {
        report_error(reader, setting, &err);
        return;
    }
    job->schedule = arena_strdup(reader->arena, text);
}

static void read_command(struct reader *reader, const config_setting_t *setting, struct config_job *job)
{
    const char *text = config_setting_get_string(setting);
    if (!utf8_valid(text, strlen(text))) {
        reader_report(reader, setting, "\\x escapes must give UTF-8", "the command of %s is not UTF-8", reader->owner);
    } else if (sql_statement_count(text) == 0) {
        reader_report(reader, setting, "write the SQL to run, or remove the job", "the command of %s has no statement",
                      reader->owner);
    } else {
        job->command = arena_strdup(reader->arena, text);
    }
}

static const struct name_list upstreams = {"after", name_valid, "a job's name",
                                           "write a list: after = [\"a\", \"b\"];"};
static const struct name_list channels = {"on", channel_name_valid, "a channel's name",
                                          "a channel is named with 1 to 63 bytes of UTF-8, as in NOTIFY"};

static void read_after(struct reader *reader, const config_setting_t *setting, struct config_job *job)
{
    job->after_given = true;
    job->after = name_list_read(reader, setting, &upstreams, reader->owner, &job->after_count);
}

static void read_on(struct reader *reader, const config_setting_t *setting, struct config_job *job)
{
    job->on_given = true;
    job->on = name_list_read(reader, setting, &channels, reader->owner, &job->on_count);
}

/* The server's parameters while the job runs; one whose name has a dot is a member of a group: app = { tenant = "7";
 * }. */
static void read_parameter(struct reader *reader, const config_setting_t *setting, const char *group,
                           struct job_setting *settings, struct config_job *job)
{
    const char *own = config_setting_name(setting);
    const char *name = arena_printf(reader->arena, "%s%s%s", group, group[0] != '\0' ? "." : "", own);
    const char *value = setting_scalar_text(setting, reader->arena);
    if (strpbrk(own, "-*") != NULL) {
        reader_report(reader, setting, "letters, digits and \"_\"; a group stands for what is before a dot",
                      "\"%s\" cannot name a setting of %s", reader_shown(reader, own), reader->owner);
    } else if (value == NULL || !utf8_valid(value, strlen(value))) {
        reader_report(reader, setting, "write a text as SET takes it: work_mem = \"256MB\";",
                      "setting \"%s\" of %s: expected one value in UTF-8, found %s", reader_shown(reader, name),
                      reader->owner, setting_type_found(setting));
    } else {
        settings[job->setting_count++] = (struct job_setting){name, value};
    }
}

static size_t member_count(const config_setting_t *setting)
{
    return config_setting_is_group(setting) ? setting_count(setting) : 1;
}

static void read_settings(struct reader *reader, const config_setting_t *group, struct config_job *job)
{
    size_t most = 0;
    for (size_t i = 0; i < setting_count(group); i++) {
        most += member_count(setting_at(group, i));
    }
    struct job_setting *settings = arena_alloc(reader->arena, (most + 1) * sizeof(*settings));
    job->settings = settings;
    for (size_t i = 0; i < setting_count(group); i++) {
        const config_setting_t *setting = setting_at(group, i);
        bool is_group = config_setting_is_group(setting);
        for (size_t k = 0; !setting_is_duplicate(setting) && k < member_count(setting); k++) {
            const config_setting_t *member = is_group ? setting_at(setting, k) : setting;
            if (!setting_is_duplicate(member)) {
                read_parameter(reader, member, is_group ? config_setting_name(setting) : "", settings, job);
            }
        }
    }
}

static void read_key(struct reader *reader, const config_setting_t *setting, const struct setting_key *key,
                     struct config_job *job)
{
    if (!setting_accept(reader, setting, key, reader->owner)) {
        return;
    }
    if (strcmp(key->name, "schedule") == 0) {
        read_schedule(reader, setting, job);
    } else if (strcmp(key->name, "command") == 0) {
        read_command(reader, setting, job);
    } else if (strcmp(key->name, "after") == 0) {
        read_after(reader, setting, job);
    } else if (strcmp(key->name, "on") == 0) {
        read_on(reader, setting, job);
    } else if (strcmp(key->name, "settings") == 0) {
        read_settings(reader, setting, job);
    } else if (strcmp(key->name, "enabled") == 0) {
        job->enabled = config_setting_get_bool(setting) != CONFIG_FALSE;
    } else if (strcmp(key->name, "ping_file") == 0) {
        job->ping_file = setting_path(reader, config_setting_parent(setting), key->name, reader->owner);
    } else {
        job->database = setting_string(reader, config_setting_parent(setting), key->name, reader->owner);
    }
}

static void read_members(struct reader *reader, const config_setting_t *group, struct config_job *job)
{
    for (size_t i = 0; i < setting_count(group); i++) {
        const config_setting_t *setting = setting_at(group, i);
        if (setting_is_duplicate(setting)) {
            continue;
        }
        const char *name = config_setting_name(setting);
        const struct setting_key *key = setting_find_key(&table, name);
        if (key != NULL) {
            read_key(reader, setting, key, job);
        } else if (is_option(name)) {
            read_option(reader, setting, job);
        } else {
            refuse_unknown(reader, setting, name, KEYS_HINT);
        }
    }
}

static void add_job(struct reader *reader, const struct config_job *job)
{
    struct config *config = reader->config;
    if (config->job_count == reader->job_capacity) {
        reader->job_capacity = reader->job_capacity == 0 ? 64 : reader->job_capacity * 2;
        reader->jobs = xrealloc(reader->jobs, reader->job_capacity, sizeof(*reader->jobs));
    }
    reader->jobs[config->job_count++] = *job;
}

static void read_job(struct reader *reader, const config_setting_t *setting)
{
    const char *name = config_setting_name(setting);
    if (!name_valid(name)) {
        reader_report(reader, setting, "a name has 1 to 63 letters, digits, \"_\" and \"-\"",
                      "\"%s\" cannot name a job", reader_shown(reader, name));
        return;
    }
    struct setting_key key = {name, SETTING_GROUP};
    size_t findings_before = reader->report->count;
    struct config_job job = {.name = arena_strdup(reader->arena, name),
                             .enabled = true,
                             .file = reader->file,
                             .line = reader_line(reader, setting)};
    snprintf(reader->owner, sizeof(reader->owner), "job \"%s\"", job.name);
    if (setting_accept(reader, setting, &key, "\"jobs\"")) {
        read_members(reader, setting, &job);
    }
    job.refused = reader->report->count != findings_before;
    add_job(reader, &job);
}

void job_read(struct reader *reader, const config_setting_t *setting)
{
    struct arena *others = reader->arena;
    reader->arena = reader->config->job_texts;
    read_job(reader, setting);
    reader->arena = others;
}
