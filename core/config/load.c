/* SPDX-License-Identifier: PostgreSQL */
/* Reads pgchime.conf and the files of conf.d into one configuration. */
#include "config/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "config/environment.h"
#include "config/file.h"
#include "config/settings.h"
#include "config/source.h"

#define JOBS "jobs" /* the section that may have thousands of members */
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

static void read_plugin_dir(struct reader *reader, const config_setting_t *setting);
static void read_conf_dir(struct reader *reader, const config_setting_t *setting);
static void read_log_level(struct reader *reader, const config_setting_t *setting);
static void read_log_format(struct reader *reader, const config_setting_t *setting);
static void read_instance(struct reader *reader, const config_setting_t *setting);
static void read_control_socket(struct reader *reader, const config_setting_t *setting);

static const struct setting_key main_keys[] = {
    {"databases", SETTING_GROUP},
    {"plugin_dir", SETTING_STRING},
    {"conf_dir", SETTING_STRING},
    {"log_level", SETTING_STRING},
    {"log_format", SETTING_STRING},
    {"instance", SETTING_STRING},
    {"control_socket", SETTING_STRING},
    {"roles", SETTING_LIST},
    {"alerts", SETTING_GROUP},
    {"sinks", SETTING_GROUP},
    {"views", SETTING_GROUP},
    {"metrics_jobs", SETTING_COUNT_OR_NAMES},
    {JOBS, SETTING_GROUP},
};
static read_function *const main_readers[] = {
    databases_read, read_plugin_dir,     read_conf_dir, read_log_level, read_log_format,
    read_instance,  read_control_socket, roles_read,    alerts_read,    sinks_read,
    views_read,     metrics_jobs_read,   NULL};
static const struct file_kind main_file = {"pgchime.conf", {main_keys, COUNT_OF(main_keys)}, main_readers, JOBS};

static const struct setting_key part_keys[] = {{"plugin", SETTING_GROUP},
                                               {"alerts", SETTING_GROUP},
                                               {"sinks", SETTING_GROUP},
                                               {"views", SETTING_GROUP},
                                               {JOBS, SETTING_GROUP}};
static read_function *const part_readers[] = {plugin_read, alerts_read, sinks_read, views_read, NULL};
static const struct file_kind part_file = {"a file of conf_dir", {part_keys, COUNT_OF(part_keys)}, part_readers, JOBS};

static const char *absolute_path(struct reader *reader, const char *path)
{
    return path[0] == '/' ? path : arena_printf(reader->arena, "%s/%s", reader->folder, path);
}

/* A path made absolute, or NULL. It goes into messages as it is, so nothing in it may forge a line. */
static const char *read_path(struct reader *reader, const config_setting_t *setting)
{
    const char *name = config_setting_name(setting);
    const char *path = setting_expanded(reader, config_setting_parent(setting), name, main_file.owner);
    for (const char *at = path; at != NULL && *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F) {
            reader_report(reader, setting, NULL, "\"%s\" has control characters: \"%s\"", name,
                          reader_shown(reader, path));
            return NULL;
        }
    }
    return path == NULL ? NULL : absolute_path(reader, path);
}

static void read_plugin_dir(struct reader *reader, const config_setting_t *setting)
{
    reader->config->plugin_dir = read_path(reader, setting);
    reader->config->plugin_dir_line = reader_line(reader, setting);
    reader->config->complete = reader->config->complete && reader->config->plugin_dir != NULL;
}

static void read_conf_dir(struct reader *reader, const config_setting_t *setting)
{
    reader->config->conf_dir = read_path(reader, setting);
    reader->conf_dir_line = reader_line(reader, setting);
    reader->config->complete = reader->config->complete && reader->config->conf_dir != NULL;
}

static void read_log_level(struct reader *reader, const config_setting_t *setting)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    const char *name = config_setting_get_string(setting);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(names[i], name) == 0) {
            reader->config->log_level = (enum log_level)i;
            return;
        }
    }
    reader_report(reader, setting, "choose one of: debug, info, warning, error", "unknown log level \"%s\"",
                  reader_shown(reader, name));
}

static void read_log_format(struct reader *reader, const config_setting_t *setting)
{
    const char *name = config_setting_get_string(setting);
    reader->config->log_json = strcmp(name, "json") == 0;
    if (!reader->config->log_json && strcmp(name, "text") != 0) {
        reader_report(reader, setting, "choose one of: text, json", "unknown log format \"%s\"",
                      reader_shown(reader, name));
    }
}

static void read_instance(struct reader *reader, const config_setting_t *setting)
{
    reader->config->instance = setting_expanded(reader, config_setting_parent(setting), "instance", main_file.owner);
}

static void read_control_socket(struct reader *reader, const config_setting_t *setting)
{
    reader->config->control_socket = read_path(reader, setting);
    reader->control_socket_line = reader_line(reader, setting);
}

/* Absolute even where the file was named by a relative path: the folder is known by then. */
static const char *default_socket(struct reader *reader)
{
    char *path = config_default_socket(reader->config->file);
    const char *slash = strrchr(path, '/');
    const char *kept = path[0] == '/' ? path : absolute_path(reader, slash != NULL ? slash + 1 : path);
    kept = arena_strdup(reader->arena, kept);
    free(path);
    return kept;
}

/* The kernel takes no longer path for a socket. */
static void validate_control_socket(struct reader *reader)
{
    struct config *config = reader->config;
    if (config->control_socket == NULL) {
        config->control_socket = default_socket(reader);
    }
    if (strlen(config->control_socket) > SOCKET_PATH_MAX) {
        report_add(reader->report, config->file, reader->control_socket_line,
                   "write control_socket = \"...\"; with a shorter path, such as one below /run",
                   "the path of the control socket is longer than %zu bytes: \"%s\"", SOCKET_PATH_MAX,
                   config->control_socket);
    }
}

static void read_parts(struct reader *reader)
{
    struct source_list list;
    if (!source_list_read(reader->config->conf_dir, &list, reader->report)) {
        report_add(reader->report, reader->config->file, reader->conf_dir_line,
                   errno == ENOENT ? "make the folder, or remove the line" : NULL, "cannot read conf_dir \"%s\": %s",
                   reader->config->conf_dir, strerror(errno));
        reader->config->complete = false;
        return;
    }
    source_judge_folder(reader->config->conf_dir, reader->report);
    for (size_t i = 0; i < list.count; i++) {
        file_read(reader, &part_file, list.files[i], "a link that leads nowhere: remove it");
    }
    source_list_finish(&list);
}

/* Several daemons of one host are told apart by their pids. */
static const char *host_and_pid(struct arena *arena)
{
    char name[256] = "";
    if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0') {
        memcpy(name, "pgchime", sizeof("pgchime"));
    }
    return arena_printf(arena, "%s:%d", name, (int)getpid());
}

static int compare_plugins(const void *left, const void *right)
{
    const struct config_plugin *a = left;
    const struct config_plugin *b = right;
    int by_name = strcmp(a->name, b->name);
    int by_file = by_name != 0 ? by_name : strcmp(a->file, b->file);
    return by_file != 0 ? by_file : a->line - b->line;
}

static int compare_jobs(const void *left, const void *right)
{
    const struct config_job *a = left;
    const struct config_job *b = right;
    int by_name = strcmp(a->name, b->name);
    int by_file = by_name != 0 ? by_name : strcmp(a->file, b->file);
    return by_file != 0 ? by_file : a->line - b->line;
}

/* Of those with one name the first stays. */
static void refuse_repeated_plugins(struct reader *reader)
{
    struct config_plugin *plugins = reader->plugins;
    size_t kept = 0;
    for (size_t i = 0; i < reader->config->plugin_count; i++) {
        const struct config_plugin *first = kept > 0 ? &plugins[kept - 1] : NULL;
        if (first != NULL && strcmp(plugins[i].name, first->name) == 0) {
            report_add(reader->report, plugins[i].file, plugins[i].line, "keep one of the two",
                       "plugin \"%s\" is already configured at %s:%d", plugins[i].name, first->file, first->line);
        } else {
            plugins[kept++] = plugins[i];
        }
    }
    reader->config->plugin_count = kept;
}

static void refuse_repeated_jobs(struct reader *reader)
{
    struct config_job *jobs = reader->jobs;
    size_t kept = 0;
    for (size_t i = 0; i < reader->config->job_count; i++) {
        const struct config_job *first = kept > 0 ? &jobs[kept - 1] : NULL;
        if (first != NULL && strcmp(jobs[i].name, first->name) == 0) {
            report_add(reader->report, jobs[i].file, jobs[i].line, "rename or remove one of the two",
                       "job \"%s\" is already given at %s:%d", jobs[i].name, first->file, first->line);
        } else {
            jobs[kept++] = jobs[i];
        }
    }
    reader->config->job_count = kept;
}

/* Sorts the lists and hands them to the snapshot. */
static void validate_lists(struct reader *reader)
{
    struct config *config = reader->config;
    if (config->plugin_count > 0) {
        qsort(reader->plugins, config->plugin_count, sizeof(*reader->plugins), compare_plugins);
        refuse_repeated_plugins(reader);
        size_t size = config->plugin_count * sizeof(*reader->plugins);
        config->plugins = memcpy(arena_alloc(reader->arena, size), reader->plugins, size);
    }
    if (config->job_count > 0) {
        qsort(reader->jobs, config->job_count, sizeof(*reader->jobs), compare_jobs);
        refuse_repeated_jobs(reader);
        reader->jobs = xrealloc(reader->jobs, config->job_count, sizeof(*reader->jobs));
    }
    free(reader->plugins);
    config->jobs = reader->jobs;
}

static struct config *start_config(const char *file)
{
    struct arena *arena = arena_create();
    struct config *config = arena_alloc(arena, sizeof(*config));
    *config = (struct config){.arena = arena,
                              .job_texts = arena_create(),
                              .file = arena_strdup(arena, file),
                              .instance = host_and_pid(arena),
                              .log_level = LOG_LEVEL_INFO,
                              .metrics_jobs.most = METRICS_JOBS_DEFAULT,
                              .complete = true,
                              .databases_sound = true,
                              .databases_named = true};
    return config;
}

struct config *config_gather(const char *file, struct report *report)
{
    struct config *config = start_config(file);
    struct reader reader = {
        .config = config, .arena = config->arena, .report = report, .folder = file_folder(config->arena, file)};
    source_judge_folder(reader.folder, report);
    file_read(&reader, &main_file, file,
              "write it (it says at least: databases: { main: { conninfo = \"...\"; }; };) "
              "or name another with --config");
    config->databases_sound = config->databases_sound && (config->database_count > 0 || config->complete);
    config->databases_named = config->databases_named && (config->database_count > 0 || config->databases_sound);
    validate_control_socket(&reader);
    if (config->conf_dir != NULL) {
        read_parts(&reader);
    }
    validate_lists(&reader);
    databases_check_names(&reader);
    return config;
}

struct config *config_load(const char *file, struct report *report)
{
    size_t findings_before = report->count;
    struct config *config = config_gather(file, report);
    if (report->count != findings_before) {
        config_free(config);
        return NULL;
    }
    return config;
}

char *config_find_socket(const char *file, struct report *report)
{
    struct config *config = start_config(file);
    struct reader reader = {
        .config = config, .arena = config->arena, .report = report, .folder = file_folder(config->arena, file)};
    file_read(&reader, &main_file, file, NULL);
    validate_control_socket(&reader);
    char *path = xstrdup(config->control_socket);
    config->jobs = reader.jobs;
    config_free(config);
    return path;
}
