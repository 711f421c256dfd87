/* SPDX-License-Identifier: PostgreSQL */
/* Brings schema chime forward, in one transaction (docs/adr/0029), over a connection that is used for nothing else
 * meanwhile, and for nothing at all after an error.
 *
 * The files of sql/schema that a database has not seen run in the order of their numbers; the highest is its migration.
 * The functions of sql/functions are all made again when their checksum is another one. */
#ifndef CHIME_LEDGER_MIGRATE_H
#define CHIME_LEDGER_MIGRATE_H

#include "base/error.h"
#include "pg/connection.h"

struct migration;

/* A query of two texts: what of schema chime is another role's, whose rights whoever asks has not, and the way out. No
 * row: nothing is. A superuser has all rights, and would run what any role put there: there it is whoever is no
 * superuser. */
#define MIGRATE_OWNERS_SQL                                                                             \
    "SELECT pg_catalog.format('%s belongs to %s, and %I has not that role''s rights', CASE WHEN "      \
    "pg_catalog.bool_or(whole)"                                                                        \
    " THEN 'schema chime' ELSE 'of schema chime, something' END, pg_catalog.string_agg(DISTINCT "      \
    "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(owner)), ', '), current_user) AS finding,"      \
    " 'connect as that role again, or make it all the new one''s: \"Changing the daemon''s role\" in " \
    "docs/operating.md'"                                                                               \
    " AS way_out FROM (SELECT nspowner, true FROM pg_catalog.pg_namespace WHERE nspname = 'chime'"     \
    " UNION ALL SELECT c.relowner, false FROM pg_catalog.pg_class c WHERE c.relnamespace = "           \
    "pg_catalog.to_regnamespace('chime')"                                                              \
    " UNION ALL SELECT p.proowner, false FROM pg_catalog.pg_proc p WHERE p.pronamespace = "            \
    "pg_catalog.to_regnamespace('chime'))"                                                             \
    " AS o (owner, whole) WHERE NOT pg_catalog.pg_has_role(owner, 'USAGE')"                            \
    " OR (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) AND "           \
    "NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = owner) HAVING count(*) > 0"

/* What was found. */
struct migrate_state {
    int number;        /* the migration; 0: no schema */
    char version[32];  /* of the pgchime that made the functions; "": there are none */
    char checksum[72]; /* theirs */
};

/* Called once. `err` is NULL on success; `found`: before. */
typedef void migrate_callback(void *data, const struct error *err, const struct migrate_state *found);

/* Starts; `apply` false only compares: an older or missing schema is no error then. What a newer pgchime made is
 * refused. Freed after the callback. */
struct migration *migrate_start(struct pg_connection *connection, bool apply, migrate_callback *callback, void *data);
/* The connection went away: no callback follows. NULL allowed. */
void migrate_abandon(struct migration *migration);
/* Whether migrate_start would change nothing. */
bool migrate_is_current(const struct migrate_state *found);
/* What migrate_start would run from migration `from` on, as one text, and one transaction; caller frees. */
char *migrate_text(int from);
int migrate_newest(void);
/* False, with the way out: the schema, or its functions (`version`, NULL: whatever they are), are of a newer pgchime
 * than this one, which never leads there. */
bool migrate_knows(int number, const char *version, struct error *err);
/* False, with the way out, unless it is the migration that this pgchime reads; 0: there is none. */
bool migrate_suits(int number, struct error *err);
/* True of what an older pgchime made, for one that comes to lead: what has this one's version stays as it is, or two
 * builds of one version would take turns. */
bool migrate_is_behind(int number, const char *version);
/* Schema cron as the extension pg_cron makes it, over the newest schema chime: one text, one transaction; again, it
 * changes nothing. Refused, with the way out, where the extension is installed. */
const char *migrate_cron_text(void);
/* The question, in SQL, whether jobs can be made as pg_cron has them: true of the extension, and of schema cron as
 * pgchime makes it. */
#define CRON_GUARD "to_regprocedure('cron.schedule(text,text,text)') IS NOT NULL"

#endif
