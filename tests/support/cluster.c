#define _GNU_SOURCE
#include "support/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cluster_internal.h"
#include "support/files.h"
#include "support/process.h"
#include "support/wait.h"

#define SETTINGS_MAX 40
#define START_SECONDS 60.0
#define STOP_SECONDS 60.0

static const char *const common_settings[] = {
    "listen_addresses=",     "port=5432",     "fsync=off", "max_connections=200", "shared_buffers=32MB",
    "logging_collector=off", "lc_messages=C",
};

const char *cluster_program_folder(void)
{
    const char *folder = getenv("PGCHIME_TEST_PGBIN");

    return folder != NULL && folder[0] != '\0' ? folder : "/usr/lib/postgresql/15/bin";
}

/* --- the template ------------------------------------------------------------------------------------------------ */

static void template_initialise(const char *target)
{
    char *initdb = files_path("%s/initdb", cluster_program_folder());
    char *log = files_path("%s.log", target);
    const char *argv[] = {initdb,      "-D",
                          target,      "-U",
                          "postgres",  "-A",
                          "trust",     "-E",
                          "UTF8",      "--locale=C.UTF-8",
                          "--no-sync", "--no-instructions",
                          NULL};

    if (access(initdb, X_OK) != 0)
        support_fail("%s: %s\nHINT:  script/bootstrap installs PostgreSQL; PGCHIME_TEST_PGBIN names another folder",
                     initdb, strerror(errno));
    process_must_run(argv, log);
    unlink(log);
    free(initdb);
    free(log);
}

/* One template for each program folder, so that versions do not meet. */
static char *template_path(const char *base)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (const char *c = cluster_program_folder(); *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    return files_path("%s/template-%08x", base, (unsigned)(hash >> 32));
}

static char *template_base(void)
{
    const char *base = getenv("PGCHIME_TEST_TEMPLATE");

    if (base != NULL && base[0] != '\0')
        return files_path("%s", base);
    if (access(PGCHIME_BUILD_DIR, W_OK) == 0)
        return files_path("%s", PGCHIME_BUILD_DIR);
    return files_make_directory();
}

/* Test executables run side by side: the first one makes it under a lock, the others wait. */
static char *template_prepare(void)
{
    char *base = template_base();
    char *path = template_path(base);
    char *lock = files_path("%s.lock", path);
    char *unfinished = files_path("%s.new", path);
    int file = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (file < 0 || flock(file, LOCK_EX) != 0)
        support_fail("cannot lock %s: %s\nHINT:  PGCHIME_TEST_TEMPLATE names a folder to write to", lock,
                     strerror(errno));
    if (!files_exist(path)) {
        files_remove_tree(unfinished);
        template_initialise(unfinished);
        if (rename(unfinished, path) != 0)
            support_fail("rename %s: %s", unfinished, strerror(errno));
    }
    close(file);
    free(base);
    free(lock);
    free(unfinished);
    return path;
}

static void template_copy(const char *target)
{
    char *template = template_prepare();
    char *log = files_path("%s.copy.log", target);
    const char *argv[] = {"/bin/cp", "-a", "--reflink=auto", template, target, NULL};

    process_must_run(argv, log);
    free(template);
    free(log);
}

/* --- the server -------------------------------------------------------------------------------------------------- */

/* The folder comes last and so wins: settings may be those of another cluster, whose folder is among them. */
static char **settings_join(const char *directory, const char *const *settings)
{
    char **joined = calloc(SETTINGS_MAX + 1, sizeof *joined);
    size_t count = 0;

    if (joined == NULL)
        support_fail("out of memory");
    for (size_t i = 0; i < sizeof common_settings / sizeof common_settings[0]; i++)
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
    struct cluster *cluster = calloc(1, sizeof *cluster);

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

struct cluster *cluster_create(const char *const *settings)
{
    struct cluster *cluster = cluster_prepare(settings);

    template_copy(cluster->data);
    cluster_start(cluster);
    return cluster;
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
