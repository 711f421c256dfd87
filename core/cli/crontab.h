/* crontab(5): its lines, as cron reads them.
 *
 * Does: tell settings (NAME = value) from entries; the fields of an entry with one space between them; the command up to the first '%' that no
 *   backslash escapes, and after it the standard input, in which '%' ends a line.
 * Does not: know schedules or commands. A line that is neither stays an entry, with its problem.
 * Ownership: texts are the arena's. */
#ifndef CHIME_CLI_CRONTAB_H
#define CHIME_CLI_CRONTAB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

struct crontab_setting {
    int line;
    const char *name;
    const char *value;
};

struct crontab_entry {
    int line;
    const char *schedule; /* five fields, or "@daily" */
    const char *user;     /* NULL: the file has no such column */
    const char *command;
    const char *input;   /* NULL: none */
    const char *problem; /* NULL: none; else command and schedule may be "" */
    size_t settings;     /* so many of the file's stand before it */
};

struct crontab {
    struct crontab_setting *settings;
    size_t setting_count;
    struct crontab_entry *entries;
    size_t entry_count;
};

/* `system`: each entry names a user before its command, as in /etc/crontab. */
struct crontab crontab_read(const char *text, bool system, struct arena *arena);
/* What a setting is at an entry; NULL: nobody set it. */
const char *crontab_value(const struct crontab *crontab, const struct crontab_entry *entry, const char *name);

#endif
