/* SPDX-License-Identifier: PostgreSQL */
/* A cluster with pgchime's schema, sources and views of the tests' own (keyed.sql), for keyed refresh without a daemon.
 * Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_KEYED_H
#define CHIME_TESTS_SUPPORT_KEYED_H

#include "support/cluster/cluster.h"
#include "support/cluster/session.h"
#include "support/ledger/runs.h"

struct cluster *keyed_create(void);
void keyed_make(struct cluster *cluster);                       /* the same in an empty one */
struct cluster *keyed_create_with(const char *const *settings); /* as cluster_create's */
/* Views of keyed.sql (their names, ended by NULL) become keyed, with triggers, and are filled. */
void keyed_install(struct cluster *cluster, const char *const *views);
#define KEYED_INSTALL(cluster, ...) keyed_install(cluster, (const char *const[]){__VA_ARGS__, NULL})
/* Rotates and makes triggers, as the leader does; must find nothing to complain about. */
void keyed_tend(struct cluster *cluster);

/* A refresh must end like this: "keyed GROUPS: +INSERTED ~UPDATED -DELETED", or "full: REASON", and the view then equal
 * its definition. */
#define EXPECT_LOOK(cluster, view, expected) EXPECT_SQL(cluster, "SELECT app.look('" view "')", expected)
/* The same after some statements. */
#define EXPECT_AFTER(cluster, sql, view, expected) \
    do {                                           \
        cluster_execute(cluster, sql);             \
        EXPECT_LOOK(cluster, view, expected);      \
    } while (0)

#endif
