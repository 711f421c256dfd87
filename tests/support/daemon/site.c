/* SPDX-License-Identifier: PostgreSQL */
#include "support/daemon/site.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

#define LEAD_SECONDS 180.0 /* a slow machine that builds beside it takes its time */
#define END_SECONDS 60.0
#define ARGUMENTS_MAX 8

struct site {
    char *directory;
    char *config;
    char *conninfo;
    const char *role;
    char *plugins;
    char *pools;
    char *others; /* databases beside "main" */
    char *members;
    char *entries;
    int pool_size;
};

struct site *site_create(struct cluster *cluster, const char *database, int pool_size)
{
    struct site *site = calloc(1, sizeof(*site));

    if (site == NULL)
        support_fail("out of memory");
    site->directory = files_make_directory();
    site->config = files_path("%s/pgchime.conf", site->directory);
    site->conninfo = cluster_conninfo(cluster, database);
    site->pool_size = pool_size;
    site->pools = files_path("%s", "");
    site->others = files_path("%s", "");
    site->members = files_path("%s", "");
    site->entries = files_path("%s", "");
    char *folder = files_path("%s/conf.d", site->directory);
    files_make_folder(folder);
    free(folder);
    return site;
}

void site_destroy(struct site *site)
{
    if (site == NULL)
        return;
    files_remove_tree(site->directory);
    guard_forget_directory(site->directory);
    free(site->directory);
    free(site->config);
    free(site->conninfo);
    free(site->plugins);
    free(site->pools);
    free(site->others);
    free(site->members);
    free(site->entries);
    free(site);
}

void site_use_plugins(struct site *site, const char *folder)
{
    free(site->plugins);
    site->plugins = folder != NULL ? files_path("%s", folder) : NULL;
}

void site_use_pools(struct site *site, const char *members)
{
    free(site->pools);
    site->pools = files_path(" pools: { %s };", members);
}

void site_use_conninfo(struct site *site, const char *conninfo)
{
    free(site->conninfo);
    site->conninfo = files_path("%s", conninfo);
}

void site_use_role(struct site *site, const char *role)
{
    site->role = role;
}

void site_add_database(struct site *site, const char *name, const char *conninfo)
{
    char *before = site->others;

    site->others = files_path("%s %s: { conninfo = \"%s\"; };", before, name, conninfo);
    free(before);
}

void site_use_entries(struct site *site, const char *entries)
{
    free(site->entries);
    site->entries = files_path("%s\n", entries);
}

void site_use_members(struct site *site, const char *members)
{
    free(site->members);
    site->members = files_path(" %s", members);
}

static char *conf_path(const struct site *site, const char *name)
{
    return files_path("%s/conf.d/%s.conf", site->directory, name);
}

void site_file(struct site *site, const char *name, const char *text)
{
    char *path = conf_path(site, name);

    files_write(path, text);
    free(path);
}

void site_job(struct site *site, const char *name, const char *members)
{
    char *text = files_path("jobs: { %s: { %s }; };\n", name, members);

    site_file(site, name, text);
    free(text);
}

void site_remove(struct site *site, const char *name)
{
    char *path = conf_path(site, name);

    if (unlink(path) != 0)
        support_fail("%s cannot be removed", path);
    free(path);
}

const char *site_config(const struct site *site)
{
    return site->config;
}

/* Those of other instances lie beside it: daemons that start at once, or by other ways to the server, do not read each
 * other's. */
static char *config_of(const struct site *site, const char *instance)
{
    return instance == NULL ? files_path("%s", site->config)
                            : files_path("%s/pgchime-%s.conf", site->directory, instance);
}

char *site_quoted(const char *text)
{
    char *quoted = calloc(1, 2 * strlen(text) + 1);

    if (quoted == NULL)
        support_fail("out of memory");
    for (char *end = quoted; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\' || *text == '\n')
            *end++ = '\\';
        *end++ = *text == '\n' ? 'n' : *text;
    }
    return quoted;
}

static void write_config(const struct site *site, const char *path, const char *instance)
{
    char *plugins = site->plugins != NULL ? files_path("plugin_dir = \"%s\";\n", site->plugins) : files_path("%s", "");
    char *as_role = site->role != NULL ? files_path("%s user=%s", site->conninfo, site->role) /* the last one counts */
                                       : files_path("%s", site->conninfo);
    char *conninfo = site_quoted(as_role);
    char *text = files_path("databases: { main: { conninfo = \"%s\"; pool_size = %d;%s%s };%s };\n"
                            "conf_dir = \"conf.d\";\ninstance = \"%s\";\n%s%s",
                            conninfo, site->pool_size, site->pools, site->members, site->others,
                            instance != NULL ? instance : "test", plugins, site->entries);

    files_write(path, text);
    free(conninfo);
    free(as_role);
    free(plugins);
    free(text);
}

void site_reload(struct site *site, struct daemon *daemon)
{
    write_config(site, site->config, NULL);
    daemon_signal(daemon, SIGHUP);
}

struct daemon *site_serve(struct site *site, const char *instance, const char *const *more)
{
    char *config = config_of(site, instance);
    const char *arguments[ARGUMENTS_MAX + 1] = {"serve", "--config", config};
    size_t count = 3;

    write_config(site, site->config, instance);
    write_config(site, config, instance);
    for (; more != NULL && *more != NULL; more++) {
        if (count == ARGUMENTS_MAX)
            support_fail("too many arguments");
        arguments[count++] = *more;
    }
    struct daemon *daemon = daemon_start(arguments);
    free(config);
    return daemon;
}

static bool leads_or_ended(void *data)
{
    return daemon_said(data, "leading as epoch") || !daemon_is_running(data);
}

void site_await_leading(struct daemon *daemon)
{
    bool in_time = wait_until(leads_or_ended, daemon, LEAD_SECONDS);

    if (!in_time || !daemon_said(daemon, "leading as epoch")) {
        support_fail("the daemon %s:\n%s", in_time ? "ended before it led" : "did not lead in time",
                     daemon_errors(daemon));
    }
}

struct daemon *site_lead(struct site *site)
{
    struct daemon *daemon = site_serve(site, NULL, NULL);

    site_await_leading(daemon);
    return daemon;
}

void site_end(struct daemon *daemon)
{
    daemon_signal(daemon, SIGTERM);
    int status = daemon_wait(daemon, END_SECONDS);
    if (status != 0) {
        char *errors = daemon_errors(daemon);
        support_fail("the daemon ended with %d:\n%s", status, errors);
    }
}
