/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE
#include "support/cluster/cluster_template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cluster/cluster_internal.h"
#include "support/process/files.h"
#include "support/process/process.h"

static void copy_folder(const char *from, const char *to)
{
    char *log = files_path("%s.copy.log", to);
    const char *argv[] = {"/bin/cp", "-a", "--reflink=auto", from, to, NULL};

    process_must_run(argv, log);
    unlink(log);
    free(log);
}

/* --- how one is made ---------------------------------------------------------------------------------------------- */

static void initialise(const char *target)
{
    char *initdb = files_path("%s/initdb", cluster_program_folder());
    char *log = files_path("%s.log", target);
    const char *argv[] = {initdb,
                          "-D",
                          target,
                          "-U",
                          "postgres",
                          "-A",
                          "trust",
                          "-E",
                          "UTF8",
                          "--locale=C.UTF-8",
                          "--no-sync",
                          "--no-instructions",
                          "--wal-segsize=1", /* each cluster has a copy of one */
                          NULL};

    if (access(initdb, X_OK) != 0)
        support_fail("%s: %s\nHINT:  script/bootstrap installs PostgreSQL; PGCHIME_TEST_PGBIN names another folder",
                     initdb, strerror(errno));
    process_must_run(argv, log);
    unlink(log);
    free(initdb);
    free(log);
}

static void make(const struct cluster_template *template, const char *target)
{
    if (template == NULL) {
        initialise(target);
        return;
    }
    struct cluster *cluster = cluster_create(NULL);
    template->make(cluster);
    cluster_stop(cluster, CLUSTER_FAST);
    copy_folder(cluster->data, target);
    cluster_destroy(cluster);
}

/* --- where it lies ------------------------------------------------------------------------------------------------ */

static uint64_t add_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash * 31;
}

/* Which file it is: another one after it was built anew. */
static uint64_t add_file(uint64_t hash, const char *path)
{
    struct stat file;

    if (stat(path, &file) != 0)
        support_fail("%s: %s", path, strerror(errno));
    char *text = files_path("%lld %lld.%09ld", (long long)file.st_ino, (long long)file.st_mtim.tv_sec,
                            (long)file.st_mtim.tv_nsec);
    hash = add_text(hash, text);
    free(text);
    return hash;
}

/* The test, the daemon and the plugins that such a state is made by. */
static uint64_t add_programs(uint64_t hash)
{
    hash = add_file(hash, "/proc/self/exe");
    hash = add_file(hash, PGCHIME_BINARY);
    return add_file(hash, PGCHIME_BUILD_DIR "/plugins");
}

/* One for each program folder, so that versions do not meet. */
static char *path_of(const struct cluster_template *template, const char *base)
{
    uint64_t hash = add_text(UINT64_C(14695981039346656037), cluster_program_folder());

    if (template != NULL) {
        char *content = template->content != NULL ? template->content() : NULL;
        hash = add_text(hash, template->name);
        hash = content != NULL ? add_text(hash, content) : add_programs(hash);
        free(content);
    }
    return files_path("%s/template-%s-%08x", base, template != NULL ? template->name : "initdb",
                      (unsigned)(hash >> 32));
}

/* NULL: nowhere. States of a test's own are kept only where a run of script/test keeps them: the next run may have
 * other tests. */
static char *base_of(const struct cluster_template *template)
{
    const char *base = getenv("PGCHIME_TEST_TEMPLATE");

    if (base != NULL && base[0] != '\0')
        return files_path("%s", base);
    if (template == NULL && access(PGCHIME_BUILD_DIR, W_OK) == 0)
        return files_path("%s", PGCHIME_BUILD_DIR);
    return NULL;
}

/* Test executables run side by side: the first one makes it under a lock, the others wait. */
static char *prepare(const struct cluster_template *template, const char *base)
{
    char *path = path_of(template, base);
    char *lock = files_path("%s.lock", path);
    char *unfinished = files_path("%s.new", path);
    int file = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (file < 0 || flock(file, LOCK_EX) != 0)
        support_fail("cannot lock %s: %s\nHINT:  PGCHIME_TEST_TEMPLATE names a folder to write to", lock,
                     strerror(errno));
    if (!files_exist(path)) {
        files_remove_tree(unfinished);
        make(template, unfinished);
        if (rename(unfinished, path) != 0)
            support_fail("rename %s: %s", unfinished, strerror(errno));
    }
    close(file);
    free(lock);
    free(unfinished);
    return path;
}

void cluster_template_copy(const struct cluster_template *template, const char *target)
{
    char *base = base_of(template);

    if (base == NULL) {
        make(template, target);
        return;
    }
    char *path = prepare(template, base);
    copy_folder(path, target);
    free(path);
    free(base);
}
