/* SPDX-License-Identifier: PostgreSQL */
/* What the daemon does at the moment, in one line: `systemctl status pgchime` shows it. */
#ifndef CHIME_DAEMON_STATUS_LINE_H
#define CHIME_DAEMON_STATUS_LINE_H

#include <stdbool.h>
#include <stddef.h>

enum served_as { SERVED_LEADS, SERVED_FOLLOWS, SERVED_TRIES };

struct served_database {
    enum served_as kind;
    const char *problem; /* why it is neither led nor followed, with the database's name; "": not known yet */
};

/* `file`: the configuration, named where it has no database. `remark`: what else is to be said, or NULL. Caller
 * frees. */
char *status_line_text(const struct served_database *databases, size_t count, const char *file, const char *remark);

#endif
