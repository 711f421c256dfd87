/* SPDX-License-Identifier: PostgreSQL */
/* Names of zones: what may be one, and which of the folder's was meant. For error messages, where time is of no
 * matter. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/text.h"
#include "calendar/zone_state.h"

#define NAMES_MAX 4096 /* Debian has 598 without copies */
#define DEPTH_MAX 4    /* America/Argentina/Salta has three */

struct names {
    struct arena *arena;
    const char *texts[NAMES_MAX];
    size_t count;
};

bool zone_name_valid(const char *name)
{
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    size_t length = strlen(name);
    return length > 0 && length <= ZONE_NAME_MAX && name[strspn(name, characters)] == '\0' && name[0] != '/' &&
           name[length - 1] != '/' && strstr(name, "//") == NULL;
}

static void gather(struct names *names, const char *directory, const char *prefix, int depth);

static void gather_entry(struct names *names, const char *directory, const char *name, int depth)
{
    struct stat status;
    if (!zone_name_valid(name) || names->count == NAMES_MAX ||
        stat(arena_printf(names->arena, "%s/%s", directory, name), &status) != 0) {
        return;
    }
    if (S_ISREG(status.st_mode)) {
        names->texts[names->count++] = name;
    } else if (S_ISDIR(status.st_mode) && depth < DEPTH_MAX) {
        gather(names, directory, arena_printf(names->arena, "%s/", name), depth + 1);
    }
}

/* posix/ and right/ hold the same names again. */
static bool is_copy(const char *name)
{
    return strcmp(name, "posix") == 0 || strcmp(name, "right") == 0;
}

static void gather(struct names *names, const char *directory, const char *prefix, int depth)
{
    DIR *folder = opendir(arena_printf(names->arena, "%s/%s", directory, prefix));
    if (folder == NULL) {
        return;
    }
    const struct dirent *entry = NULL;
    while ((entry = readdir(folder)) != NULL) { /* NOLINT(concurrency-mt-unsafe): one thread */
        if (!is_copy(entry->d_name)) {
            gather_entry(names, directory, arena_printf(names->arena, "%s%s", prefix, entry->d_name), depth);
        }
    }
    closedir(folder);
}

/* Written in other letter case, or the city alone. */
static const char *same_word(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        const char *slash = strrchr(names->texts[i], '/');
        if (strcasecmp(names->texts[i], name) == 0 || (slash != NULL && strcasecmp(slash + 1, name) == 0)) {
            return names->texts[i];
        }
    }
    return NULL;
}

char *zone_name_near(const char *directory, const char *name)
{
    struct arena *arena = arena_create();
    struct names *names = arena_alloc(arena, sizeof(*names));
    names->arena = arena;
    gather(names, directory, "", 1);
    const char *near = same_word(names, name);
    if (near == NULL) {
        near = nearest_word(name, names->texts, names->count);
    }
    char *copy = near != NULL ? xstrdup(near) : NULL;
    arena_destroy(arena);
    return copy;
}
