/* SPDX-License-Identifier: PostgreSQL */
/* What pgchime.conf takes from the environment: ${NAME} in a text, and a conninfo where none is written. */
#ifndef CHIME_CONFIG_ENVIRONMENT_H
#define CHIME_CONFIG_ENVIRONMENT_H

#include "config/reader.h"

/* As setting_string, with each ${NAME} replaced by the variable's value as it is, and "$${" by "${". A variable that is
 * not set, and a name that is none, are reported; then NULL. An empty value is a value. */
const char *setting_expanded(struct reader *reader, const config_setting_t *group, const char *name, const char *owner);
/* DATABASE_URL, else what PGSERVICE, PGHOST, PGHOSTADDR, PGPORT, PGDATABASE and PGUSER say; NULL where neither a
 * service, a host nor a database is named. libpq itself reads the others, such as PGPASSWORD and PGSSLMODE. */
const char *environment_conninfo(struct arena *arena);

#endif
