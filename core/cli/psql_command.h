/* What a line of a crontab has psql do: the SQL, and where.
 *
 * Does: take apart `psql` with -c, -f (the file is read), the standard input and what says where (-d, -h, -p, -U, a conninfo, PG* settings).
 * Does not: run anything, or look into the server.
 * Failures: ERROR_NOT_FOUND for what is no psql command, ERROR_REFUSED for one whose effect as a job would be another. */
#ifndef CHIME_CLI_PSQL_COMMAND_H
#define CHIME_CLI_PSQL_COMMAND_H

#include <sys/types.h>

#include "base/error.h"
#include "cli/crontab.h"

/* Texts are the arena's. */
struct psql_command {
    const char *sql;
    const char *name; /* that a job of it may have */
    const char *host; /* NULL: not said; likewise below */
    const char *port;
    const char *database;
    const char *user;
    const char *differs; /* what is another thing as a job; NULL: nothing */
};

/* Whose line it is. Of files that -f names, only those are read that this user can read, whoever imports. */
struct psql_author {
    const char *home; /* where relative names of files begin; NULL: not known */
    bool known;       /* on this machine; else no file is read */
    uid_t uid;
};

bool psql_command_read(const struct crontab *crontab, const struct crontab_entry *entry,
                       const struct psql_author *author, struct arena *arena, struct psql_command *command,
                       struct error *err) CHIME_MUST_CHECK;

#endif
