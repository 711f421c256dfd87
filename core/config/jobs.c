/* jobs: { NAME: { schedule = "..."; command = "..."; <option> = ...; }; }; */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/sqltext.h"
#include "base/text.h"
#include "calendar/schedule.h"
#include "config/reader.h"
#include "config/settings.h"

static const struct setting_key keys[] = {
    {"schedule", SETTING_STRING}, {"command", SETTING_STRING},  {"database", SETTING_STRING},
    {"after", SETTING_NAMES},     {"enabled", SETTING_BOOLEAN},
};
static const struct setting_table table = {keys, COUNT_OF(keys)};

static const char *owner_of(struct reader *reader, const struct config_job *job)
{
    return arena_printf(reader->arena, "job \"%s\"", job->name);
}

static void report_error(struct reader *reader, const config_setting_t *setting, const struct config_job *job,
                         const struct error *err)
{
    reader_report(reader, setting, err->hint[0] != '\0' ? err->hint : NULL, "%s: %s", owner_of(reader, job),
                  err->message);
}

static bool is_option(const char *name)
{
    for (size_t i = 0; options_name(i) != NULL; i++) {
        if (strcmp(options_name(i), name) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether it is more like one of the job's own keys; else options_set knows what to say. */
static bool resembles_key(const char *name)
{
    const char *names[COUNT_OF(keys)];
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        names[i] = keys[i].name;
    }
    return !is_option(name) && nearest_word(name, names, COUNT_OF(keys)) != NULL;
}

static void set_option(struct reader *reader, const config_setting_t *setting, struct config_job *job, const char *name,
                       const char *value)
{
    struct error err = {.kind = ERROR_NONE};
    if (!options_set(&job->options, name, value, &err)) {
        report_error(reader, setting, job, &err);
    }
}

static void read_backoff(struct reader *reader, const config_setting_t *group, struct config_job *job)
{
    for (size_t i = 0; i < setting_count(group); i++) {
        const config_setting_t *setting = setting_at(group, i);
        if (setting_is_duplicate(setting)) {
            continue;
        }
        const char *name = arena_printf(reader->arena, "backoff.%s", config_setting_name(setting));
        const char *value = setting_scalar_text(reader, setting);
        if (value == NULL) {
            reader_report(reader, setting, NULL, "\"%s\" of %s: expected one value, found %s",
                          reader_shown(reader, name), owner_of(reader, job), setting_type_found(setting));
            continue;
        }
        set_option(reader, setting, job, name, value);
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
                      owner_of(reader, job));
    }
    buffer_finish(&text);
}

static void read_option(struct reader *reader, const config_setting_t *setting, struct config_job *job)
{
    const char *name = config_setting_name(setting);
    const char *value = setting_scalar_text(reader, setting);
    bool group = config_setting_is_group(setting);
    if (value != NULL) {
        set_option(reader, setting, job, name, value);
    } else if (group && strcmp(name, "backoff") == 0) {
        read_backoff(reader, setting, job);
    } else if (!group && strcmp(name, "retry_on") == 0) {
        read_retry_on(reader, setting, job);
    } else if (is_option(name) || strcmp(name, "backoff") == 0) {
        reader_report(reader, setting, NULL, "\"%s\" of %s: expected %s, found %s", name, owner_of(reader, job),
                      strcmp(name, "backoff") == 0 ? "a group" : "one value", setting_type_found(setting));
    } else {
        set_option(reader, setting, job, name, ""); /* says that there is no such option */
    }
}

static void read_schedule(struct reader *reader, const config_setting_t *setting, struct config_job *job)
{
    const char *text = config_setting_get_string(setting);
    struct schedule schedule;
    struct error err = {.kind = ERROR_NONE};
    if (text[0] != '\0' && !schedule_parse(text, &schedule, &err)) {
        report_error(reader, setting, job, &err);
        return;
    }
    job->schedule = arena_strdup(reader->arena, text);
}

static void read_command(struct reader *reader, const config_setting_t *setting, struct config_job *job)
{
    const char *text = config_setting_get_string(setting);
    if (!utf8_valid(text, strlen(text))) {
        reader_report(reader, setting, "\\x escapes must give UTF-8", "the command of %s is not UTF-8",
                      owner_of(reader, job));
    } else if (sql_statement_count(text) == 0) {
        reader_report(reader, setting, "write the SQL to run, or remove the job", "the command of %s has no statement",
                      owner_of(reader, job));
    } else {
        job->command = arena_strdup(reader->arena, text);
    }
}

/* NULL, reported, when it can be no job's name. */
static const char *upstream_name(struct reader *reader, const config_setting_t *setting, const struct config_job *job)
{
    const char *name = config_setting_get_string(setting);
    if (name == NULL) {
        reader_report(reader, setting, NULL, "\"after\" of %s: expected a list of strings, found %s in it",
                      owner_of(reader, job), setting_type_found(setting));
        return NULL;
    }
    if (!name_valid(name)) {
        reader_report(reader, setting, "write a list: after = [\"a\", \"b\"];",
                      "\"after\" of %s: \"%s\" cannot be a job's name", owner_of(reader, job),
                      reader_shown(reader, name));
        return NULL;
    }
    return arena_strdup(reader->arena, name);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void refuse_repeated(struct reader *reader, const config_setting_t *setting, const struct config_job *job)
{
    if (job->after_count < 2) {
        return;
    }
    const char **names = arena_alloc(reader->arena, job->after_count * sizeof(*names));
    memcpy(names, job->after, job->after_count * sizeof(*names));
    qsort(names, job->after_count, sizeof(*names), compare_names);
    for (size_t i = 1; i < job->after_count; i++) {
        if (strcmp(names[i], names[i - 1]) == 0) {
            reader_report(reader, setting, "name it once", "\"after\" of %s names \"%s\" twice", owner_of(reader, job),
                          names[i]);
            return;
        }
    }
}

static void read_after(struct reader *reader, const config_setting_t *setting, struct config_job *job)
{
    bool single = config_setting_type(setting) == CONFIG_TYPE_STRING;
    size_t count = single ? 1 : setting_count(setting);
    const char **names = arena_alloc(reader->arena, (count + 1) * sizeof(*names));
    job->after_given = true;
    job->after = names;
    for (size_t i = 0; i < count; i++) {
        const char *name = upstream_name(reader, single ? setting : setting_at(setting, i), job);
        if (name != NULL) {
            names[job->after_count++] = name;
        }
    }
    refuse_repeated(reader, setting, job);
}

static void read_key(struct reader *reader, const config_setting_t *setting, const struct setting_key *key,
                     struct config_job *job)
{
    if (!setting_accept(reader, setting, key, owner_of(reader, job))) {
        return;
    }
    if (strcmp(key->name, "schedule") == 0) {
        read_schedule(reader, setting, job);
    } else if (strcmp(key->name, "command") == 0) {
        read_command(reader, setting, job);
    } else if (strcmp(key->name, "after") == 0) {
        read_after(reader, setting, job);
    } else if (strcmp(key->name, "enabled") == 0) {
        job->enabled = config_setting_get_bool(setting) != CONFIG_FALSE;
    } else {
        job->database = setting_string(reader, config_setting_parent(setting), key->name, owner_of(reader, job));
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
        } else if (resembles_key(name)) {
            setting_refuse_unknown(reader, setting, &table, owner_of(reader, job));
        } else {
            read_option(reader, setting, job);
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

void job_read(struct reader *reader, const config_setting_t *setting)
{
    const char *name = config_setting_name(setting);
    if (!name_valid(name)) {
        reader_report(reader, setting, "a name has 1 to 63 letters, digits, \"_\" and \"-\"",
                      "\"%s\" cannot name a job", reader_shown(reader, name));
        return;
    }
    struct setting_key key = {name, SETTING_GROUP};
    if (!setting_accept(reader, setting, &key, "\"jobs\"")) {
        return;
    }
    struct config_job job = {.name = arena_strdup(reader->arena, name),
                             .enabled = true,
                             .file = reader->file,
                             .line = reader_line(reader, setting)};
    read_members(reader, setting, &job);
    add_job(reader, &job);
}
