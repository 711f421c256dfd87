/* Brings schema chime forward, one transaction per migration, over a connection that is used for nothing else meanwhile. */
#ifndef CHIME_LEDGER_MIGRATE_H
#define CHIME_LEDGER_MIGRATE_H

#include "base/error.h"
#include "pg/connection.h"

struct migration;

/* Called once. `err` is NULL on success; `from` and `to` are the migrations before and now (0: no schema). */
typedef void migrate_callback(void *data, const struct error *err, int from, int to);

/* Starts; `apply` false only compares: an older or missing schema is no error then. A schema newer than this program
 * is refused. Freed after the callback. */
struct migration *migrate_start(struct pg_connection *connection, bool apply, migrate_callback *callback, void *data);
/* The connection went away: no callback follows. NULL allowed. */
void migrate_abandon(struct migration *migration);
/* What migrate_start would run from migration `from` on, as one text; caller frees. */
char *migrate_text(int from);
int migrate_newest(void);
/* Schema cron as the extension pg_cron makes it, over the newest schema chime: one text, one transaction; again, it changes nothing.
 * Refused, with the way out, where the extension is installed. */
const char *migrate_cron_text(void);

#endif
