/* SPDX-License-Identifier: PostgreSQL */
/* The zones of a catalog: each file is read once, and remembered by what tells it from another. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calendar/zone.h"
#include "calendar/zone_state.h"

#define SYSTEM_DIRECTORY "/usr/share/zoneinfo"

struct known_zone {
    struct zone *zone;
    char *path;
    struct stat status; /* when it was opened */
};

struct zones {
    char *directory;
    struct known_zone *known;
    size_t count;
};

struct zones *zones_create(void)
{
    const char *directory = getenv("TZDIR"); /* NOLINT(concurrency-mt-unsafe): one thread */
    struct zones *zones = xcalloc(1, sizeof(*zones));
    zones->directory = xstrdup(directory != NULL && directory[0] != '\0' ? directory : SYSTEM_DIRECTORY);
    return zones;
}

void zones_destroy(struct zones *zones)
{
    if (zones == NULL) {
        return;
    }
    for (size_t i = 0; i < zones->count; i++) {
        zone_drop(zones->known[i].zone);
        free(zones->known[i].path);
    }
    free(zones->known);
    free(zones->directory);
    free(zones);
}

static bool is_utc(const char *name)
{
    return strcmp(name, "UTC") == 0 || strcmp(name, "Etc/UTC") == 0;
}

static const struct zone *find_known(const struct zones *zones, const char *name)
{
    for (size_t i = 0; i < zones->count; i++) {
        if (strcmp(zone_name(zones->known[i].zone), name) == 0) {
            return zones->known[i].zone;
        }
    }
    return NULL;
}

static bool suggest(const struct zones *zones, const char *name, struct error *err)
{
    char *near = zone_name_near(zones->directory, name);
    if (near != NULL) {
        error_hint(err, "did you mean \"%s\"?", near);
    } else {
        error_hint(err, "name it as its file below %.200s, such as Europe/Berlin", zones->directory);
    }
    free(near);
    return false;
}

static bool refuse_unread(const char *name, const char *place, int number, struct error *err)
{
    error_set(err, ERROR_CONFIG, "time zone \"%s\" cannot be read: %.200s: %s", name, place,
              strerror(number)); /* NOLINT(concurrency-mt-unsafe): one thread */
    return error_hint(err, "install the package tzdata, or set TZDIR to the folder of its files");
}

static bool refuse_unopened(const struct zones *zones, const char *name, const char *path, struct error *err)
{
    int number = errno;
    if (number != ENOENT && number != ENOTDIR) {
        return refuse_unread(name, path, number, err);
    }
    if (access(zones->directory, R_OK | X_OK) != 0) {
        return refuse_unread(name, zones->directory, errno, err);
    }
    error_set(err, ERROR_CONFIG, "there is no time zone \"%s\"", name);
    return suggest(zones, name, err);
}

/* A file that is written to meanwhile has another time of change than was remembered: zones_changed tells. */
static bool read_whole(int file, char *bytes, size_t room, size_t *size)
{
    ssize_t got = 1;
    for (*size = 0; got > 0 && *size<room; *size += got> 0 ? (size_t)got : 0) {
        got = read(file, bytes + *size, room - *size);
    }
    return got >= 0;
}

static bool read_open(const struct zones *zones, int file, struct known_zone *known, const char *name,
                      struct error *err)
{
    if (fstat(file, &known->status) != 0 || !S_ISREG(known->status.st_mode)) {
        error_set(err, ERROR_CONFIG, "time zone \"%s\" is not a file", name);
        return suggest(zones, name, err);
    }
    size_t size = 0;
    char *bytes = xmalloc(ZONE_FILE_LIMIT + 1);
    if (read_whole(file, bytes, ZONE_FILE_LIMIT + 1, &size)) {
        known->zone = zone_read(name, bytes, size, err);
    } else {
        refuse_unread(name, known->path, errno, err);
    }
    free(bytes);
    return known->zone != NULL;
}

static bool read_path(const struct zones *zones, struct known_zone *known, const char *name, struct error *err)
{
    /* Not to wait for a writer, should it be a pipe. */
    int file = open(known->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0) {
        return refuse_unopened(zones, name, known->path, err);
    }
    bool read = read_open(zones, file, known, name, err);
    close(file);
    return read;
}

static bool read_new(struct zones *zones, const char *name, const struct zone **zone, struct error *err)
{
    struct known_zone fresh = {.path = xasprintf("%s/%s", zones->directory, name)};
    if (!read_path(zones, &fresh, name, err)) {
        free(fresh.path);
        return false;
    }
    zones->known = xrealloc(zones->known, zones->count + 1, sizeof(*zones->known));
    zones->known[zones->count++] = fresh;
    *zone = fresh.zone;
    return true;
}

bool zones_find(struct zones *zones, const char *name, const struct zone **zone, struct error *err)
{
    *zone = NULL;
    if (is_utc(name)) {
        return true;
    }
    if (!zone_name_valid(name)) {
        error_set(err, ERROR_CONFIG, "\"%.100s\" is not the name of a time zone", name);
        return suggest(zones, name, err);
    }
    *zone = find_known(zones, name);
    return *zone != NULL || read_new(zones, name, zone, err);
}

static bool is_same_time(const struct timespec *one, const struct timespec *other)
{
    return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

static bool is_same_file(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino && one->st_size == other->st_size &&
           is_same_time(&one->st_mtim, &other->st_mtim) && is_same_time(&one->st_ctim, &other->st_ctim);
}

bool zones_changed(const struct zones *zones)
{
    for (size_t i = 0; i < zones->count; i++) {
        struct stat now;
        if (stat(zones->known[i].path, &now) != 0 || !is_same_file(&zones->known[i].status, &now)) {
            return true;
        }
    }
    return false;
}
