/* SPDX-License-Identifier: PostgreSQL */
#include "loop/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* A file that is being written is no news: closing it is. */
#define NEWS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB)

struct folder {
    int events;
    struct loop_watch *watch;
    struct loop_timer *timer;
    duration quiet;
    struct stat identity; /* as far as it tells one folder from another */
    bool gone;            /* removed: another may have its number by now */
};

static bool says_gone(const char *bytes, size_t length)
{
    const struct inotify_event *event;
    for (size_t at = 0; at < length; at += sizeof(*event) + event->len) {
        event = (const void *)(bytes + at);
        if ((event->mask & IN_IGNORED) != 0) {
            return true;
        }
    }
    return false;
}

static void happened(void *data, bool readable, bool writable)
{
    struct folder *folder = data;
    _Alignas(struct inotify_event) char bytes[4096];
    ssize_t length;
    (void)readable;
    (void)writable;
    while ((length = read(folder->events, bytes, sizeof(bytes))) > 0) {
        folder->gone = folder->gone || says_gone(bytes, (size_t)length);
    }
    loop_timer_set(folder->timer, folder->quiet);
}

struct folder *folder_watch(struct loop *loop, const char *path, duration quiet, loop_callback *callback, void *data,
                            struct error *err)
{
    int events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    struct stat identity;
    if (events < 0 || inotify_add_watch(events, path, NEWS | IN_ONLYDIR) < 0 || stat(path, &identity) != 0) {
        error_set(err, ERROR_FAILED, "%s cannot be watched: %s", path, strerror(errno));
        if (events >= 0) {
            close(events);
        }
        return NULL;
    }
    struct folder *folder = xcalloc(1, sizeof(*folder));
    folder->events = events;
    folder->quiet = quiet;
    folder->identity = identity;
    folder->watch = loop_watch_create(loop, events, happened, folder);
    folder->timer = loop_timer_create(loop, callback, data);
    loop_watch_set(folder->watch, true, false);
    return folder;
}

bool folder_is_at(const struct folder *folder, const char *path)
{
    struct stat found;
    return !folder->gone && stat(path, &found) == 0 && found.st_dev == folder->identity.st_dev &&
           found.st_ino == folder->identity.st_ino;
}

void folder_unwatch(struct folder *folder)
{
    if (folder != NULL) {
        loop_watch_destroy(folder->watch);
        loop_timer_destroy(folder->timer);
        close(folder->events);
        free(folder);
    }
}
