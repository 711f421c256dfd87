/* SPDX-License-Identifier: PostgreSQL */
/* The entries that the table in command_line.c lists; each is defined in the file of its command's name. */
#ifndef CHIME_CLI_COMMANDS_H
#define CHIME_CLI_COMMANDS_H

#include "cli/command.h"

extern const struct command command_adopt_copy;
extern const struct command command_alerts;
extern const struct command command_alerts_ack;
extern const struct command command_alerts_rules;
extern const struct command command_alerts_silence;
extern const struct command command_alerts_test;
extern const struct command command_alerts_unsilence;
extern const struct command command_backfill;
extern const struct command command_cancel;
extern const struct command command_check;
extern const struct command command_complete;
extern const struct command command_completion;
extern const struct command command_doctor;
extern const struct command command_graph;
extern const struct command command_help;
extern const struct command command_history;
extern const struct command command_import;
extern const struct command command_import_crontab;
extern const struct command command_init;
extern const struct command command_jobs;
extern const struct command command_metrics;
extern const struct command command_migrate;
extern const struct command command_next;
extern const struct command command_plugin_folder;
extern const struct command command_plugin_host;
extern const struct command command_plugins;
extern const struct command command_plugins_adopt;
extern const struct command command_plugins_new;
extern const struct command command_plugins_purge;
extern const struct command command_refresh;
extern const struct command command_reload;
extern const struct command command_resume;
extern const struct command command_retention_confirm;
extern const struct command command_retention_restore;
extern const struct command command_run;
extern const struct command command_runs;
extern const struct command command_serve;
extern const struct command command_show;
extern const struct command command_status;
extern const struct command command_suspend;
extern const struct command command_tiles;
extern const struct command command_verify;
extern const struct command command_version;
extern const struct command command_views;
extern const struct command command_views_explain;
extern const struct command command_web;
extern const struct command command_why;

#endif
