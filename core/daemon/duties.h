/* What the daemon does at the moment, in one line: `systemctl status pgchime` shows it. */
#ifndef CHIME_DAEMON_DUTIES_H
#define CHIME_DAEMON_DUTIES_H

#include <stdbool.h>
#include <stddef.h>

enum duty_kind { DUTY_LEADS, DUTY_FOLLOWS, DUTY_TRIES };

struct duty {
    enum duty_kind kind;
    const char *problem; /* why it is neither led nor followed, with the database's name; "": not known yet */
};

/* `file`: the configuration, named where it has no database. `remark`: what else is to be said, or NULL. Caller frees. */
char *duties_text(const struct duty *duties, size_t count, const char *file, const char *remark);

#endif
