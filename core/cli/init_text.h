/* SPDX-License-Identifier: PostgreSQL */
/* What `pgchime init` prints: a configuration to begin with, and the SQL that a DBA runs once. Pure.
 *
 * Names may be anything PostgreSQL takes but control characters; they are quoted for the place where they stand. */
#ifndef CHIME_CLI_INIT_TEXT_H
#define CHIME_CLI_INIT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

struct init_names {
    const char *role;
    const char *const *databases;
    size_t count;
    const char *deleting; /* tables, with commas, whose old rows the daemon deletes; NULL: none */
    bool with_cron;       /* schema cron, too, for `pgchime migrate --with-cron` */
};

bool init_check_names(const struct init_names *names, struct error *err) CHIME_MUST_CHECK;
/* The text of a pgchime.conf that passes `pgchime check`. */
void init_put_config(struct buffer *text, const struct init_names *names);
/* For psql, as a superuser, or as who owns the databases and has CREATEROLE; may be run again, also with more
 * databases. */
void init_put_sql(struct buffer *text, const struct init_names *names);

#endif
