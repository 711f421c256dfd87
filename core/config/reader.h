/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/config: what the readers of databases, plugins and jobs share while a snapshot is built.
 *
 * Every reader takes a libconfig setting, reports what is wrong with it at its line, and goes on. Strings are copied
 * into the snapshot's arena; nothing of libconfig outlives the reading of one entry. */
#ifndef CHIME_CONFIG_READER_H
#define CHIME_CONFIG_READER_H

#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/config.h"

#define READER_OWNER_SIZE 80

struct reader {
    struct config *config; /* its lists are what follows, until all files are read */
    struct arena *arena;   /* the snapshot's */
    struct arena *scratch; /* of the file being read: for what is not kept */
    struct report *report;
    const char *file;              /* being read */
    char owner[READER_OWNER_SIZE]; /* the job being read, as messages call it: job "nightly" */
    int line;                      /* of the entry being read, which libconfig counts as line 1 */
    const char *folder;            /* absolute: what relative paths are relative to */
    int conf_dir_line;
    int control_socket_line; /* 0: not given */
    struct config_database *databases;
    struct config_plugin *plugins;
    size_t plugin_capacity;
    struct config_alert *alerts;
    size_t alert_capacity;
    struct config_sink *sinks;
    size_t sink_capacity;
    struct config_job *jobs;
    size_t job_capacity;
};

/* A finding at the setting's line. `hint` may be NULL. */
void reader_report(struct reader *reader, const config_setting_t *setting, const char *hint, const char *format, ...)
    CHIME_PRINTF(4, 5);
int reader_line(const struct reader *reader, const config_setting_t *setting);
/* Text that came from a file, fit for a message: cut, and control characters replaced. */
const char *reader_shown(struct reader *reader, const char *text);

void databases_read(struct reader *reader, const config_setting_t *group);
/* Of a database; `group` may be NULL, or be no group. */
void heartbeat_read(struct reader *reader, const config_setting_t *group, struct config_database *database);
/* Once all files are read: whether the databases that alerts and sinks name are configured. */
void databases_check_names(struct reader *reader);
void roles_read(struct reader *reader, const config_setting_t *list);
void alerts_read(struct reader *reader, const config_setting_t *group);
void sinks_read(struct reader *reader, const config_setting_t *group);
void metrics_jobs_read(struct reader *reader, const config_setting_t *setting);
void plugin_read(struct reader *reader, const config_setting_t *group);
void plugin_add(struct reader *reader, const struct config_plugin *plugin);
void views_read(struct reader *reader, const config_setting_t *group);
void job_read(struct reader *reader, const config_setting_t *setting);

#endif
