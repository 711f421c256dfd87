/* SPDX-License-Identifier: PostgreSQL */
/* A configuration of a test's own (pgchime.conf and conf.d, one database "main") and the daemons that serve it.
 * Everything lies in a temporary folder and goes with the test. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_SITE_H
#define CHIME_TESTS_SUPPORT_SITE_H

#include "support/cluster/cluster.h"
#include "support/daemon/daemon.h"

struct site;

/* Serves the cluster's database of that name with `pool_size` run sessions; no plugins and no jobs yet. */
struct site *site_create(struct cluster *cluster, const char *database, int pool_size);
void site_destroy(struct site *site); /* takes NULL; its daemons are the test's to destroy */

void site_use_plugins(struct site *site, const char *folder);    /* from the next start on; NULL: none */
void site_use_pools(struct site *site, const char *members);     /* likewise: "heavy = 1;" */
void site_use_conninfo(struct site *site, const char *conninfo); /* likewise */
void site_use_role(struct site *site, const char *role);         /* likewise, whatever the conninfo says; borrowed */
/* Likewise: another database beside "main". */
void site_add_database(struct site *site, const char *name, const char *conninfo);
/* Likewise: further entries of pgchime.conf. */
void site_use_entries(struct site *site, const char *entries);
void site_use_members(struct site *site, const char *members); /* likewise: further members of "main" */
char *site_quoted(const char *text); /* as it stands between the quotes of a configuration's string; caller frees */
/* conf.d/NAME.conf anew: a job with these members, as libconfig reads them. */
void site_job(struct site *site, const char *name, const char *members);
void site_file(struct site *site, const char *name, const char *text); /* conf.d/NAME.conf as it is */
void site_remove(struct site *site, const char *name);

const char *site_config(const struct site *site); /* the path of pgchime.conf; borrowed */
/* `pgchime serve`, at once. `more`: further arguments ended by NULL, or NULL. `instance` may be NULL; one that is named
 * has a configuration file of its own beside site_config. */
struct daemon *site_serve(struct site *site, const char *instance, const char *const *more);
/* `pgchime serve`; returns when it leads. */
struct daemon *site_lead(struct site *site);
/* Writes pgchime.conf as it is to be by now, and tells the daemon, which has no instance name, to read it. */
void site_reload(struct site *site, struct daemon *daemon);
void site_await_leading(struct daemon *daemon);
/* SIGTERM, and waits for its end with status 0. */
void site_end(struct daemon *daemon);

#endif
