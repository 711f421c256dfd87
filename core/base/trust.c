/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include "base/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

static bool fail(struct error *err, const char *path, int number, const char *hint)
{
    error_set(err, ERROR_CONFIG, "cannot open %s: %s", path, strerror(number));
    return error_hint(err, "%s", hint);
}

/* Whoever owns / can replace all that is below: it is root, also in a user namespace that knows no root, where it has
 * the number of those that are not mapped. */
static bool is_root(uid_t user)
{
    struct stat top;
    return user == 0 || (stat("/", &top) == 0 && user == top.st_uid);
}

static bool owner_trusted(const struct stat *status)
{
    return status->st_uid == geteuid() || is_root(status->st_uid);
}

static bool others_may_write(const struct stat *status)
{
    return (status->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* Others may add to it, but not replace what is not theirs. */
static bool is_sticky_of_root(const struct stat *status)
{
    return is_root(status->st_uid) && (status->st_mode & S_ISVTX) != 0;
}

static bool trusted(const struct stat *status, bool writable_allowed, const char *what, const char *name,
                    const char *path, struct error *err)
{
    if (!owner_trusted(status)) {
        error_set(err, ERROR_CONFIG, "%s %s belongs to user %u", what, name, (unsigned)status->st_uid);
        return error_hint(err, "chown %s to root or to the user that pgchime runs as (%u)", path, (unsigned)geteuid());
    }
    if (others_may_write(status) && !writable_allowed) {
        error_set(err, ERROR_CONFIG, "%s %s is writable by group or others (mode %04o)", what, name,
                  (unsigned)(status->st_mode & 07777));
        return error_hint(err, "chmod go-w %s", path);
    }
    return true;
}

bool trust_file(const struct stat *status, const char *name, const char *path, struct error *err)
{
    return trusted(status, false, "the file", name, path, err);
}

static bool folder_trusted(int folder, const char *path, bool may_be_sticky, struct error *err)
{
    struct stat status;
    if (fstat(folder, &status) != 0) {
        return fail(err, path, errno, "see that pgchime may read it");
    }
    return trusted(&status, may_be_sticky && is_sticky_of_root(&status), "the folder", path, path, err);
}

static int open_folder(int above, const char *name, const char *path, int access, bool may_be_sticky, struct error *err)
{
    int folder = openat(above, name, access | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) {
        fail(err, path, errno, "see that the folder is still there and that pgchime may read it");
        return -1;
    }
    if (!folder_trusted(folder, path, may_be_sticky, err)) {
        close(folder);
        return -1;
    }
    return folder;
}

/* `path` is absolute and without links, and is cut into its parts in place. */
static int walk(char *path, int access, bool sticky, struct error *err)
{
    bool is_last = path[1] == '\0';
    int folder = open_folder(AT_FDCWD, "/", "/", is_last ? access : O_PATH, !is_last || sticky, err);
    char *name = path + 1;
    while (folder >= 0 && *name != '\0') {
        char *end = strchrnul(name, '/');
        is_last = *end == '\0';
        *end = '\0';
        int below = open_folder(folder, name, path, is_last ? access : O_PATH, !is_last || sticky, err);
        close(folder);
        folder = below;
        if (!is_last) {
            *end++ = '/';
        }
        name = end;
    }
    return folder;
}

static int trust(const char *folder, int access, bool sticky, const char *missing_hint, struct error *err)
{
    char *path = realpath(folder, NULL);
    if (path == NULL) {
        fail(err, folder, errno, missing_hint);
        return -1;
    }
    int descriptor = walk(path, access, sticky, err);
    free(path);
    return descriptor;
}

int trust_open(const char *folder, const char *missing_hint, struct error *err)
{
    return trust(folder, O_RDONLY, false, missing_hint, err);
}

bool trust_folder(const char *folder, struct error *err)
{
    int descriptor = trust(folder, O_PATH, true, "see that the folder is there", err);
    if (descriptor >= 0) {
        close(descriptor);
    }
    return descriptor >= 0;
}

/* `file` is absolute, and is cut in place. */
static bool trust_above(char *file, struct error *err)
{
    char *name = strrchr(file, '/');
    *(name == file ? name + 1 : name) = '\0';
    return trust_folder(file, err);
}

bool trust_place(const char *file, struct error *err)
{
    char *named = xstrdup(file);
    char *target = realpath(file, NULL);
    bool good = target != NULL ? trust_above(named, err) && trust_above(target, err)
                               : fail(err, file, errno, "see that the file is there");
    free(named);
    free(target);
    return good;
}
