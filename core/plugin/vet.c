/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include "plugin/vet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "base/trust.h"
#include "plugin/plugins.h"

static bool fail(struct error *err, const char *path, int number, const char *hint)
{
    error_set(err, ERROR_CONFIG, "cannot open %s: %s", path, strerror(number));
    return error_hint(err, "%s", hint);
}

int vet_folder(const char *folder, struct error *err)
{
    return trust_open(folder, "create the folder, or name another one in plugin_dir", err);
}

size_t vet_name_length(const char *file)
{
    static const char *const suffixes[] = {PLUGIN_SUFFIX, PLUGIN_SQL_SUFFIX};
    size_t length = strlen(file);
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        size_t suffix = strlen(suffixes[i]);
        if (length > suffix && strcmp(file + length - suffix, suffixes[i]) == 0) {
            return length - suffix;
        }
    }
    return 0;
}

bool vet_is_plugin(const char *file)
{
    return file[0] != '.' && vet_name_length(file) > 0;
}

static bool file_name_valid(const char *file, struct error *err)
{
    char *name = xstrndup(file, vet_name_length(file));
    bool valid = name_valid(name);
    free(name);
    if (!valid) {
        error_set(err, ERROR_CONFIG, "\"%.80s\" is not the name of a plugin file", file);
        error_hint(err, "name it NAME.so or NAME.sql, with 1 to 63 of A-Z, a-z, 0-9, _ and - before the suffix");
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
        return error_hint(err, "put the file itself there");
    }
    char *path = xasprintf("%s/%s", folder, file);
    bool sound = trust_file(&status, file, path, err);
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
