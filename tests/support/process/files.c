/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE
#include "support/process/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/process/process.h"

#define LONGEST_BASE 70 /* leaves room for "/pgchime-XXXXXX/s/.s.PGSQL.5432.lock" in 107 bytes */

char *files_path(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        support_fail("out of memory");
    return text;
}

char *files_make_directory(void)
{
    const char *base = getenv("TMPDIR");

    if (base == NULL || base[0] != '/' || strlen(base) > LONGEST_BASE)
        base = "/tmp";
    char *path = files_path("%s/pgchime-XXXXXX", base);
    if (mkdtemp(path) == NULL)
        support_fail("mkdtemp %s: %s", path, strerror(errno));
    guard_directory(path);
    return path;
}

void files_make_folder(const char *path)
{
    if (mkdir(path, 0700) != 0)
        support_fail("mkdir %s: %s", path, strerror(errno));
}

static void write_text(const char *path, const char *text, int flags)
{
    size_t length = strlen(text);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

    if (file < 0)
        support_fail("open %s: %s", path, strerror(errno));
    while (length > 0) {
        ssize_t written = write(file, text, length);
        if (written < 0)
            support_fail("write %s: %s", path, strerror(errno));
        text += written;
        length -= (size_t)written;
    }
    close(file);
}

void files_write(const char *path, const char *text)
{
    write_text(path, text, O_TRUNC);
}

void files_append(const char *path, const char *text)
{
    write_text(path, text, O_APPEND);
}

static char *read_all(FILE *file)
{
    size_t length = 0;
    size_t room = 4096;
    char *text = malloc(room);

    while (text != NULL) {
        length += fread(text + length, 1, room - length - 1, file);
        if (length < room - 1)
            break;
        room *= 2;
        char *larger = realloc(text, room);
        if (larger == NULL)
            free(text);
        text = larger;
    }
    if (text == NULL)
        support_fail("out of memory");
    text[length] = '\0';
    return text;
}

char *files_read(const char *path)
{
    FILE *file = fopen(path, "re");

    if (file == NULL && errno == ENOENT)
        return files_path("%s", "");
    if (file == NULL)
        support_fail("open %s: %s", path, strerror(errno));
    char *text = read_all(file);
    fclose(file);
    return text;
}

bool files_exist(const char *path)
{
    struct stat found;

    return lstat(path, &found) == 0;
}

static bool copy_bytes(int source, int target)
{
    char bytes[65536];
    ssize_t length;

    while ((length = read(source, bytes, sizeof(bytes))) > 0)
        if (write(target, bytes, (size_t)length) != length)
            return false;
    return length == 0;
}

void files_copy(const char *from, const char *to)
{
    struct stat found;
    int source = open(from, O_RDONLY | O_CLOEXEC);

    if (source < 0 || fstat(source, &found) != 0)
        support_fail("open %s: %s", from, strerror(errno));
    if (unlink(to) != 0 && errno != ENOENT)
        support_fail("unlink %s: %s", to, strerror(errno));
    int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, found.st_mode & 07777);
    if (target < 0 || !copy_bytes(source, target))
        support_fail("copy %s to %s: %s", from, to, strerror(errno));
    fchmod(target, found.st_mode & 07777);
    close(source);
    close(target);
}

/* Returns 0 whatever happens, so that the rest is removed. */
static int remove_one(const char *path, const struct stat *found, int type, struct FTW *place)
{
    (void)found;
    (void)type;
    (void)place;
    remove(path);
    return 0;
}

/* A test may have taken the write permission from a folder. */
static int open_folder(const char *path, const struct stat *found, int type, struct FTW *place)
{
    (void)found;
    (void)place;
    if (type == FTW_D || type == FTW_DNR)
        chmod(path, 0700);
    return 0;
}

void files_remove_tree(const char *path)
{
    nftw(path, open_folder, 16, FTW_PHYS | FTW_MOUNT);
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
