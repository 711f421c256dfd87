/* SPDX-License-Identifier: PostgreSQL */
/* A folder that is watched for files arriving, changing, or going (Linux inotify).
 *
 * Does: call once things have been quiet for a while, so that a file is looked at when it is whole, and several are
 *   looked at together.
 * Does not: say which file, or look inside sub-folders. */
#ifndef CHIME_LOOP_FOLDER_H
#define CHIME_LOOP_FOLDER_H

#include "base/error.h"
#include "loop/loop.h"

struct folder;

/* NULL when it cannot be watched (it is not there, or the system's limit is reached). */
struct folder *folder_watch(struct loop *loop, const char *path, duration quiet, loop_callback *callback, void *data,
                            struct error *err);
/* Whether it is still the folder that is at this path: it may have been replaced. */
bool folder_is_at(const struct folder *folder, const char *path);
void folder_unwatch(struct folder *folder); /* takes NULL */

#endif
