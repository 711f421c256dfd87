/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE
#include "support/cluster/small_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "support/process/files.h"
#include "support/process/process.h"

#define BALLAST "%s/ballast"

static void write_own(const char *file, const char *text)
{
    int descriptor = open(file, O_WRONLY | O_CLOEXEC);

    if (descriptor < 0 || write(descriptor, text, strlen(text)) != (ssize_t)strlen(text))
        support_fail("%s: %s", file, strerror(errno));
    close(descriptor);
}

/* The same user inside as outside: PostgreSQL refuses root, whoever root is. */
void small_disk_enter(void)
{
    char *users = files_path("%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
    char *groups = files_path("%u %u 1", (unsigned)getegid(), (unsigned)getegid());

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        support_fail("unshare: %s\nHINT:  user namespaces must be allowed: sysctl user.max_user_namespaces, "
                     "kernel.unprivileged_userns_clone",
                     strerror(errno));
    write_own("/proc/self/setgroups", "deny");
    write_own("/proc/self/uid_map", users);
    write_own("/proc/self/gid_map", groups);
    free(users);
    free(groups);
}

void small_disk_put(const char *folder, int megabytes)
{
    char *aside = files_path("%s.aside", folder);
    char *all = files_path("%s/.", aside);
    char *log = files_path("%s.log", aside);
    char *size = files_path("size=%dm,mode=0700", megabytes);
    const char *argv[] = {"/bin/cp", "-a", all, folder, NULL};

    if (rename(folder, aside) != 0)
        support_fail("rename %s: %s", folder, strerror(errno));
    files_make_folder(folder);
    if (mount("tmpfs", folder, "tmpfs", 0, size) != 0)
        support_fail("mount %s: %s", folder, strerror(errno));
    process_must_run(argv, log);
    files_remove_tree(aside);
    unlink(log);
    free(aside);
    free(all);
    free(log);
    free(size);
}

void small_disk_fill(const char *folder, long left)
{
    char *ballast = files_path(BALLAST, folder);
    static const char zeros[65536];
    int descriptor = open(ballast, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (descriptor < 0)
        support_fail("%s: %s", ballast, strerror(errno));
    for (size_t size = sizeof(zeros); size > 0; size /= 2) {
        ssize_t written;

        while ((written = write(descriptor, zeros, size)) == (ssize_t)size) {
        }
        if (written < 0 && errno != ENOSPC)
            support_fail("%s: %s", ballast, strerror(errno));
    }
    if (ftruncate(descriptor, lseek(descriptor, 0, SEEK_END) - left) != 0)
        support_fail("%s: %s", ballast, strerror(errno));
    close(descriptor);
    free(ballast);
}

void small_disk_free(const char *folder)
{
    char *ballast = files_path(BALLAST, folder);

    if (unlink(ballast) != 0)
        support_fail("%s: %s", ballast, strerror(errno));
    free(ballast);
}
