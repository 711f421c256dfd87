/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE
#include "support/cluster/cluster.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cluster/cluster_internal.h"
#include "support/cluster/cluster_template.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

#define SETTINGS_MAX 40
#define START_SECONDS 60.0
#define STOP_SECONDS 60.0

/* Without jit, since a new server knows no sizes: it takes small tables for dear ones, and compiles. */
static const char *const common_settings[] = {
    "listen_addresses=",     "port=5432",     "fsync=off", "max_connections=200", "shared_buffers=32MB",
    "logging_collector=off", "lc_messages=C", "jit=off",   "max_wal_size=1GB",    "max_prepared_transactions=2",
};

const char *cluster_program_folder(void)
{
    const char *folder = getenv("PGCHIME_TEST_PGBIN");

    return folder != NULL && folder[0] != '\0' ? folder : "/usr/lib/postgresql/15/bin";
}

/* --- the server -------------------------------------------------------------------------------------------------- */

/* The folder comes last and so wins: settings may be those of another cluster, whose folder is among them. */
static char **settings_join(const char *directory, const char *const *settings)
{
    char **joined = calloc(SETTINGS_MAX + 1, sizeof(*joined));
    size_t count = 0;

    if (joined == NULL)
        support_fail("out of memory");
    for (size_t i = 0; i < sizeof(common_settings) / sizeof(common_settings[0]); i++)
        joined[count++] = files_path("%s", common_settings[i]);
    for (; settings != NULL && *settings != NULL; settings++) {
        if (count == SETTINGS_MAX - 1)
            support_fail("too many settings");
        joined[count++] = files_path("%s", *settings);
    }
    joined[count] = files_path("unix_socket_directories=%s", directory);
    return joined;
}

struct cluster *cluster_prepare(const char *const *settings)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));

    if (geteuid() == 0)
        support_fail("PostgreSQL refuses to run as root\nHINT:  run script/test (with --only NAME for one), which "
                     "drops root, or the test as another user");
    if (cluster == NULL)
        support_fail("out of memory");
    cluster->directory = files_make_directory();
    cluster->data = files_path("%s/data", cluster->directory);
    cluster->log = files_path("%s/server.log", cluster->directory);
    cluster->settings = settings_join(cluster->directory, settings);
    cluster->database = files_path("postgres");
    return cluster;
}

struct cluster *cluster_create_from(const struct cluster_template *template, const char *const *settings)
{
    struct cluster *cluster = cluster_prepare(settings);

    cluster_template_copy(template, cluster->data);
    cluster_start(cluster);
    return cluster;
}

struct cluster *cluster_create(const char *const *settings)
{
    return cluster_create_from(NULL, settings);
}

void cluster_destroy(struct cluster *cluster)
{
    if (cluster == NULL)
        return;
    if (cluster->server != 0)
        cluster_stop(cluster, CLUSTER_IMMEDIATE);
    files_remove_tree(cluster->directory);
    guard_forget_directory(cluster->directory);
    for (char **setting = cluster->settings; *setting != NULL; setting++)
        free(*setting);
    free(cluster->settings);
    free(cluster->directory);
    free(cluster->data);
    free(cluster->log);
    free(cluster->database);
    free(cluster);
}

static void server_launch(struct cluster *cluster)
{
    char *program = files_path("%s/postgres", cluster_program_folder());
    const char *argv[2 * SETTINGS_MAX + 4] = {program, "-D", cluster->data};
    size_t count = 3;

    for (char **setting = cluster->settings; *setting != NULL; setting++) {
        argv[count++] = "-c";
        argv[count++] = *setting;
    }
    cluster->server = process_start(argv, cluster->log, cluster->log);
    guard_process(GUARD_SERVER, cluster->server);
    free(program);
}

void cluster_start_nowait(struct cluster *cluster)
{
    if (cluster->server != 0)
        support_fail("the server is already running");
    server_launch(cluster);
}

/* After kill -9 of the postmaster its children still hold the shared memory: a new one refuses, so try again. */
static bool server_answers(void *data)
{
    struct cluster *cluster = data;

    if (cluster_is_ready(cluster))
        return true;
    if (process_wait(cluster->server, 0) < 0)
        return false;
    guard_forget_process(cluster->server);
    cluster->server = 0;
    if (!cluster->killed)
        return true;
    server_launch(cluster);
    return false;
}

void cluster_start(struct cluster *cluster)
{
    cluster_start_nowait(cluster);
    if (wait_until(server_answers, cluster, START_SECONDS) && cluster->server != 0) {
        cluster->killed = false;
        return;
    }
    char *log = cluster_log(cluster);
    support_fail("the server did not start:\n%s", log);
}

static void server_end(struct cluster *cluster, int signal)
{
    if (cluster->server == 0)
        support_fail("the server is not running");
    cluster_disconnect(cluster);
    kill(cluster->server, signal);
    if (process_wait(cluster->server, STOP_SECONDS) < 0)
        support_fail("the server did not stop within %g s", STOP_SECONDS);
    guard_forget_process(cluster->server);
    cluster->server = 0;
}

void cluster_stop(struct cluster *cluster, enum cluster_stop_mode mode)
{
    server_end(cluster, mode == CLUSTER_FAST ? SIGINT : SIGQUIT);
}

void cluster_restart(struct cluster *cluster)
{
    cluster_stop(cluster, CLUSTER_FAST);
    cluster_start(cluster);
}

void cluster_kill(struct cluster *cluster)
{
    server_end(cluster, SIGKILL);
    cluster->killed = true;
}

bool cluster_is_ready(struct cluster *cluster)
{
    char *conninfo = cluster_conninfo(cluster, "postgres");
    bool ready = PQping(conninfo) == PQPING_OK;

    free(conninfo);
    return ready;
}

const char *cluster_directory(const struct cluster *cluster)
{
    return cluster->directory;
}

pid_t cluster_pid(const struct cluster *cluster)
{
    return cluster->server;
}

char *cluster_log(const struct cluster *cluster)
{
    return files_read(cluster->log);
}

/* As libpq reads it back, whatever is in it. */
static char *conninfo_quoted(const char *value)
{
    char *quoted = calloc(1, 2 * strlen(value) + 3);
    char *end = quoted;

    if (quoted == NULL)
        support_fail("out of memory");
    if (strpbrk(value, " '\\\n\t=") == NULL)
        return strcpy(quoted, value);
    *end++ = '\'';
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\')
            *end++ = '\\';
        *end++ = *value;
    }
    *end = '\'';
    return quoted;
}

char *cluster_conninfo_as(const struct cluster *cluster, const char *role, const char *database)
{
    char *user = conninfo_quoted(role);
    char *name = conninfo_quoted(database);
    char *conninfo = files_path("host=%s port=5432 user=%s dbname=%s", cluster->directory, user, name);

    free(user);
    free(name);
    return conninfo;
}

char *cluster_conninfo(const struct cluster *cluster, const char *database)
{
    return cluster_conninfo_as(cluster, "postgres", database);
}
