/* SPDX-License-Identifier: PostgreSQL */
/* pgchime.conf and conf.d, read into one immutable snapshot.
 *
 * Does: read pgchime.conf and every *.conf of conf_dir (sorted), each parsed by itself; report every error of every
 *   file at once as file:line, with a did-you-mean for unknown keys.
 * Does not: know plugins or look at databases; jobs that only override a plugin's job stay overrides here (the
 *   catalog joins them).
 * Ownership: config_free frees everything; all strings live in the snapshot's arenas, which the catalog borrows from,
 *   but for its jobs: these have texts of their own.
 * Not config_read and config_destroy: libconfig exports functions of those names, and the linker would mix them up.
 *
 * pgchime.conf:  databases: { NAME: { conninfo = "..."; view_schema = "analytics"; source_schema = "public";
 *                           pool_size = 8; role_sessions = 20; timezone = "UTC"; verify = "17 3 * * *";
 *                           copies = "hold"; pools: { heavy = 2; };
 *                           heartbeat: { url_file = "..."; every = "60s"; }; }; };
 *                plugin_dir = "..."; conf_dir = "..."; log_level = "info"; log_format = "text"; instance = "...";
 *                control_socket = "...";
 *                roles = ( { name = "app"; conninfo = "user=app passfile=..."; allow = true|false; } );
 * in conf_dir:   plugin: { name = "..."; enabled = "auto"|true|false; database = "..."; view_schema = "...";
 *                          settings: {...}; };
 *                jobs: { NAME: { schedule = "..."; command = "..."; database = "..."; after = [..]; on = [..];
 *                        ping_file = "..."; enabled = true; settings: {...}; <option> = ...; }; };
 *                alerts: { NAME: { condition = "SELECT ..."; severity = "warning"; hold = "5min"; enabled = true;
 *                          database = "..."; }; };
 *                views: { NAME: { sql = "SELECT ..."; | file = "NAME.sql"; database = "..."; view_schema = "...";
 *                         enabled = true; <option> = "..."; }; };
 *                sinks: { NAME: { type = "webhook"; url_file = "..."; match: { severity = "critical"; }; }; };
 * A conf.d file may hold any of them. pgchime.conf may hold `jobs`, `alerts`, `sinks` and
 * `views` too. The syntax is libconfig's
 * without @include (conf_dir is the way to split files) and without names that begin with '*'. Files whose name begins
 * with '.' are passed over. A file is regular, UTF-8 without NUL, at most CONFIG_FILE_LIMIT bytes, nested at most 16
 * deep. */
#ifndef CHIME_CONFIG_CONFIG_H
#define CHIME_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "model/job.h"
#include "model/options.h"

#define CONFIG_DEFAULT_FILE "/etc/pgchime/pgchime.conf"
#define CONFIG_FILE_LIMIT (64u << 20)

/* What happens to a database whose ledger is a copy of another database's (docs/adr/0021). */
enum config_copies { CONFIG_COPIES_HOLD, CONFIG_COPIES_ADOPT };

/* Two entries of databases that lead to one: with their names. */
#define ONE_DATABASE_TWICE "entries \"%s\" and \"%s\" are one database: only one of them is served"
#define ONE_DATABASE_HINT "take one of them out of pgchime.conf, and give its jobs database = the other's name"

/* A named limit of runs in flight. Pool "default" is every database's and has no limit unless it is given one. */
struct config_pool {
    const char *name;
    int limit; /* 1..500 */
    int line;
};

/* Who is to be told, for as long as the database is led and nothing due waits: their alarm is that nothing comes. */
struct config_heartbeat {
    const char *url;      /* NULL: it is in url_file */
    const char *url_file; /* absolute; read for each */
    duration every;
};

struct config_database {
    const char *name;
    const char *conninfo;
    const char *view_schema;           /* where kept relations go: default "analytics" */
    const char *source_schema;         /* where the sources are: default "public" */
    int pool_size;                     /* run sessions at most, 1..500: default 8 */
    int role_sessions;                 /* beside these, of all roles whose jobs SQL made, 1..500: default 20 */
    const char *timezone;              /* of jobs that name none: default "UTC"; the catalog looks for it */
    const char *verify;                /* when all views are verified: default "17 3 * * *"; "": never */
    enum config_copies copies;         /* "hold" or "adopt": default "hold" */
    const char *const *trusted_owners; /* beside superusers and the daemon's role: whose code definitions may reach */
    size_t trusted_owner_count;
    const struct config_pool *pools; /* sorted by name */
    size_t pool_count;
    const struct config_heartbeat *heartbeat; /* NULL: none */
    int line;
};

/* As whom the daemon logs in, for jobs that SQL made. */
enum config_login {
    LOGIN_PLAIN, /* unless the role has powers by which it could become another (pg/session.h) */
    LOGIN_ANY,   /* whatever it may do */
    LOGIN_NEVER,
};

#define CONFIG_OTHER_ROLES "*" /* the entry of all roles that have none */

/* How jobs that SQL made for a role connect, and how many there may be. */
struct config_role {
    const char *name;
    const char *conninfo; /* laid over that of the database; NULL: nothing is */
    enum config_login login;
    int max_jobs;   /* active ones at most, 0..1000000; -1: not said */
    int max_starts; /* of runs a second, over ten seconds, 1..100000; -1: not said */
    int line;
};

enum config_enabled { CONFIG_AUTO, CONFIG_ENABLED, CONFIG_DISABLED };

struct config_setting {
    const char *name;
    const char *value; /* as text; the plugin's declaration gives the type */
    int line;
};

/* A view as SQL: the text, with its options; plugin/view_text.h says what they mean. */
struct config_view {
    const char *text; /* NULL where it could not be read, which is a finding */
    const char *file; /* that it was read from; NULL: it stands in conf.d */
    const struct config_setting *options;
    size_t option_count;
};

struct config_plugin {
    const char *name;
    enum config_enabled enabled;
    const char *database;    /* NULL: the only database, else it must be given */
    const char *view_schema; /* NULL: the database's */
    const struct config_setting *settings;
    size_t setting_count;
    const char *const *channels; /* whose notifications are to be sent */
    size_t channel_count;
    const struct config_setting *modes; /* name: a view's relation; value: one of view_modes */
    size_t mode_count;
    const struct config_setting *frozen; /* name: a view's relation; value: of chime_view.frozen */
    size_t frozen_count;
    const struct config_view *view; /* it is no file of the plugin folder, but this; NULL: it is one */
    const char *file;
    int line;
    bool refused; /* it has a finding */
};

/* A job defined, or a plugin's job overridden: members that the file does not set are NULL or not in options.set. */
struct config_job {
    const char *name;
    const char *schedule;  /* NULL not given */
    const char *command;   /* NULL: overrides a plugin's job */
    const char *database;  /* NULL not given */
    const char *ping_file; /* absolute; read for each ping; NULL not given */
    bool after_given;
    const char *const *after;
    size_t after_count;
    bool on_given;
    const char *const *on; /* channels */
    size_t on_count;
    bool enabled;               /* default true */
    struct job_options options; /* only what the file sets */
    const struct job_setting *settings;
    size_t setting_count;
    const char *file;
    int line;
    bool refused; /* it has a finding: what is missing here may be what was refused */
};

/* A rule of alerts, by its condition; without one, what is said of a rule that is there. */
struct config_alert {
    const char *name;
    const char *condition;       /* NULL not given, as the other texts */
    const char *severity;        /* "info", "warning", "critical" */
    duration hold;               /* -1 not given */
    enum config_enabled enabled; /* CONFIG_AUTO not given */
    const char *database;        /* NULL: each */
    const char *file;
    int line;
};

enum sink_type { SINK_WEBHOOK, SINK_SLACK, SINK_ALERTMANAGER, SINK_MAIL, SINK_PROGRAM };
extern const char *const sink_type_names[]; /* by sink_type; ended by NULL */

bool sink_url_valid(enum sink_type type, const char *url); /* it has a scheme that the type speaks */

/* Where alerts are told. Files are read when something is sent, not here. */
struct config_sink {
    const char *name;
    enum sink_type type;
    const char *url;                    /* NULL: it is in url_file; absent for a program, as the next two */
    const char *url_file;               /* absolute, as all paths here */
    const char *headers_file;           /* NULL: none */
    const char *user_file;              /* USER:PASSWORD; NULL: none */
    const char *from;                   /* mail alone, as `to` */
    const char *const *to;              /* ended by NULL */
    const char *const *command;         /* program alone: ended by NULL; [0] is a path */
    const struct config_setting *match; /* labels */
    size_t match_count;
    const char *database; /* NULL: each */
    const char *file;
    int line;
};

#define METRICS_JOBS_DEFAULT 500
#define METRICS_JOBS_MOST 5000

/* Which jobs have metrics of their own: the named ones, else all, where they are no more than that. */
struct config_metrics_jobs {
    int most;
    const char *const *names; /* * stands for any text */
    size_t name_count;
};

struct config {
    struct arena *arena;
    const char *file;
    const char *plugin_dir; /* absolute; relative paths in the file are taken from the file's folder; NULL not given */
    int plugin_dir_line;    /* where it is given */
    const char *conf_dir;   /* likewise */
    const char *instance;   /* default: the host's name and the process's, as in db1:4711 */
    /* Where the daemon listens for `pgchime reload`: default /run/pgchime/control.sock for the default file, else
     * FILE.sock beside the file. */
    const char *control_socket;
    enum log_level log_level;
    bool log_json;
    const struct config_database *databases; /* sorted by name */
    size_t database_count;
    const struct config_role *roles; /* sorted by name */
    size_t role_count;
    const struct config_plugin *plugins; /* sorted by name */
    size_t plugin_count;
    const struct config_alert *alerts;
    size_t alert_count;
    const struct config_sink *sinks;
    size_t sink_count;
    struct config_metrics_jobs metrics_jobs;
    const struct config_job *jobs; /* sorted by name; not in an arena */
    size_t job_count;
    struct arena *job_texts; /* of the jobs */
    bool complete;           /* every entry of every file could be read as far as its name */
    bool databases_sound;    /* the databases have no finding: whoever only connects may go on */
    bool databases_named;    /* all of them are here, with findings or not, so that jobs and plugins may name them */
};

/* What could be read, findings or not; never NULL. Of entries given twice the first is kept. */
struct config *config_gather(const char *file, struct report *report);
/* NULL when the report gained an error. The file may be anything; nothing but the report is printed. */
struct config *config_load(const char *file, struct report *report);
void config_free(struct config *config); /* takes NULL */
/* The control_socket of a file that has errors, maybe, told by what can be read of it; never NULL, caller frees. */
char *config_find_socket(const char *file, struct report *report);
char *config_default_socket(const char *file); /* of that configuration file; caller frees */
/* For who keeps a catalog of it: the catalog has the jobs, and many thousands take much. No catalog can be built
 * from it any more. */
void config_forget_jobs(struct config *config);
const struct config_database *config_find_database(const struct config *config, const char *name);
const struct config_role *config_find_role(const struct config *config, const char *name); /* NULL: none is given */
/* Of runs of a role, a second, over ten seconds; -1: any number. */
int config_max_starts(const struct config *config, const char *role);
enum config_login config_login_as(const struct config *config, const char *role);
const struct config_sink *config_find_sink(const struct config *config, const char *name);
const struct config_plugin *config_find_plugin(const struct config *config, const char *name);

#endif
