/* SPDX-License-Identifier: PostgreSQL */
/* A stamp of the plugin folder: whether any file in it changed. */
#define _GNU_SOURCE 1

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/text.h"
#include "plugin/plugins.h"
#include "plugin/vet.h"

/* Order does not count, because a folder has none: the sum of the files' own hashes. */
static uint64_t stamp_of(int folder, const char *name)
{
    struct stat file;
    char text[1024];
    if (fstatat(folder, name, &file, AT_SYMLINK_NOFOLLOW) != 0) {
        return 0;
    }
    snprintf(text, sizeof(text), "%s %ju %ju %jd %jd.%09ld %jd.%09ld %o %u", name, (uintmax_t)file.st_dev,
             (uintmax_t)file.st_ino, (intmax_t)file.st_size, (intmax_t)file.st_mtim.tv_sec, file.st_mtim.tv_nsec,
             (intmax_t)file.st_ctim.tv_sec, file.st_ctim.tv_nsec, (unsigned)file.st_mode, (unsigned)file.st_uid);
    return text_hash(text);
}

uint64_t plugins_stamp(const char *folder)
{
    DIR *entries = opendir(folder);
    if (entries == NULL) {
        return 0;
    }
    uint64_t stamp = stamp_of(dirfd(entries), ".") | 1;
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (vet_is_plugin(entry->d_name)) {
            stamp += stamp_of(dirfd(entries), entry->d_name);
        }
    }
    closedir(entries);
    return stamp;
}
