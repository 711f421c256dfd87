#include "loop/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/memory.h"

/* A file that is being written is no news: closing it is. */
#define NEWS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB)

struct folder {
    int events;
    struct loop_watch *watch;
    struct loop_timer *timer;
    duration quiet;
};

static void happened(void *data, bool readable, bool writable)
{
    struct folder *folder = data;
    char bytes[4096];
    (void)readable;
    (void)writable;
    while (read(folder->events, bytes, sizeof bytes) > 0) {
    }
    loop_timer_set(folder->timer, folder->quiet);
}

struct folder *folder_watch(struct loop *loop, const char *path, duration quiet, loop_callback *callback, void *data,
                            struct error *err)
{
    int events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (events < 0 || inotify_add_watch(events, path, NEWS | IN_ONLYDIR) < 0) {
        error_set(err, ERROR_FAILED, "%s cannot be watched: %s", path, strerror(errno));
        if (events >= 0) {
            close(events);
        }
        return NULL;
    }
    struct folder *folder = xcalloc(1, sizeof *folder);
    folder->events = events;
    folder->quiet = quiet;
    folder->watch = loop_watch_create(loop, events, happened, folder);
    folder->timer = loop_timer_create(loop, callback, data);
    loop_watch_set(folder->watch, true, false);
    return folder;
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
