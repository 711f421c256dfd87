#define _GNU_SOURCE 1

#include "plugin/vet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "plugin/plugins.h"

#define SUFFIX ".so"

static bool fail(struct error *err, const char *path, int number, const char *hint)
{
    error_set(err, ERROR_CONFIG, "cannot open %s: %s", path, strerror(number));
    return error_hint(err, "%s", hint);
}

static bool owner_trusted(const struct stat *status)
{
    return status->st_uid == 0 || status->st_uid == geteuid();
}

static bool others_may_write(const struct stat *status)
{
    return (status->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* Others may add to it, but not replace what is not theirs. */
static bool is_sticky_of_root(const struct stat *status)
{
    return status->st_uid == 0 && (status->st_mode & S_ISVTX) != 0;
}

/* `name` is what the message calls it, `path` what a shell would. */
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

static bool folder_trusted(int folder, const char *path, bool is_last, struct error *err)
{
    struct stat status;
    if (fstat(folder, &status) != 0) {
        return fail(err, path, errno, "see that pgchime may read it");
    }
    return trusted(&status, !is_last && is_sticky_of_root(&status), "the folder", path, path, err);
}

static int open_folder(int above, const char *name, const char *path, bool is_last, struct error *err)
{
    int access = is_last ? O_RDONLY : O_PATH; /* folders above need not be readable */
    int folder = openat(above, name, access | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) {
        fail(err, path, errno, "see that the folder is still there and that pgchime may read it");
        return -1;
    }
    if (!folder_trusted(folder, path, is_last, err)) {
        close(folder);
        return -1;
    }
    return folder;
}

/* `path` is absolute and without links, and is cut into its parts in place. */
static int walk(char *path, struct error *err)
{
    int folder = open_folder(AT_FDCWD, "/", "/", path[1] == '\0', err);
    char *name = path + 1;
    while (folder >= 0 && *name != '\0') {
        char *end = strchrnul(name, '/');
        bool is_last = *end == '\0';
        *end = '\0';
        int below = open_folder(folder, name, path, is_last, err);
        close(folder);
        folder = below;
        if (!is_last) {
            *end++ = '/';
        }
        name = end;
    }
    return folder;
}

int vet_folder(const char *folder, struct error *err)
{
    char *path = realpath(folder, NULL);
    if (path == NULL) {
        fail(err, folder, errno, "create the folder, or name another one in plugin_dir");
        return -1;
    }
    int descriptor = walk(path, err);
    free(path);
    return descriptor;
}

char *vet_plugin_name(const char *file)
{
    size_t length = strlen(file);
    size_t suffix = strlen(SUFFIX);
    if (length <= suffix || strcmp(file + length - suffix, SUFFIX) != 0) {
        return NULL;
    }
    char *name = xstrndup(file, length - suffix);
    if (!name_valid(name)) {
        free(name);
        name = NULL;
    }
    return name;
}

static bool file_name_valid(const char *file, struct error *err)
{
    char *name = vet_plugin_name(file);
    bool valid = name != NULL;
    free(name);
    if (!valid) {
        error_set(err, ERROR_CONFIG, "\"%.80s\" is not the name of a plugin file", file);
        error_hint(err, "name it NAME.so, with 1 to 63 of A-Z, a-z, 0-9, _ and - before the suffix");
    }
    return valid;
}

static bool file_trusted(int descriptor, const char *folder, const char *file, struct error *err)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
        return fail(err, file, errno, "see that pgchime may read it");
    }
    if (!S_ISREG(status.st_mode)) {
        error_set(err, ERROR_CONFIG, "the file %s is not a regular file", file);
        return error_hint(err, "put the shared object itself there");
    }
    char *path = xasprintf("%s/%s", folder, file);
    bool sound = trusted(&status, false, "the file", file, path, err);
    free(path);
    return sound;
}

int vet_file(int folder, const char *path, const char *file, struct error *err)
{
    if (!file_name_valid(file, err)) {
        return -1;
    }
    /* O_NONBLOCK: a FIFO of that name would wait for a writer. */
    int descriptor = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) {
        bool is_link = errno == ELOOP;
        fail(err, file, errno,
             is_link ? "put the file itself there, not a symbolic link" : "see that pgchime may read it");
        return -1;
    }
    if (!file_trusted(descriptor, path, file, err)) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}
