/* SPDX-License-Identifier: PostgreSQL */
#include "cli/machine_zone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/source.h"

#define ZONE_FOLDER "zoneinfo/"

/* Debian's: the name alone. */
static const char *read_zone_name(const char *file, struct arena *arena)
{
    struct source_text text;
    struct report report;
    const char *name = NULL;
    report_init(&report);
    if (source_read(file, NULL, &text, &report)) {
        size_t length = strcspn(text.text, " \t\r\n");
        name = length > 0 ? arena_strndup(arena, text.text, length) : NULL;
        free(text.text);
    }
    report_finish(&report);
    return name;
}

static const char *find_name(const char *folder, struct arena *arena, const char **place)
{
    const char *file = arena_printf(arena, "%s/localtime", folder);
    char link[512];
    ssize_t length = readlink(file, link, sizeof(link) - 1);
    if (length < 0 && errno == ENOENT) {
        return "UTC";
    }
    link[length > 0 ? length : 0] = '\0';
    const char *name = strstr(link, ZONE_FOLDER);
    *place = name != NULL ? file : arena_printf(arena, "%s/timezone", folder);
    return name != NULL ? arena_strdup(arena, name + strlen(ZONE_FOLDER)) : read_zone_name(*place, arena);
}

const char *machine_zone(const char *folder, struct zones *zones, struct arena *arena, struct error *err)
{
    const char *place = folder;
    const char *name = find_name(folder, arena, &place);
    const struct zone *zone;
    if (name == NULL) {
        error_set(err, ERROR_USAGE, "this machine's time zone has no name");
    } else if (zones_find(zones, name, &zone, err)) {
        return name;
    } else {
        err->kind = ERROR_USAGE;
        error_prefix(err, "this machine's time zone (%s)", place);
    }
    error_hint(err, "name the zone that cron uses: --timezone ZONE");
    return NULL;
}
