/* SPDX-License-Identifier: PostgreSQL */
/* How much of the tables statements touch: what the server says of each plan that it executed, those inside of
 * functions and triggers included (auto_explain). Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_PLAN_WATCH_H
#define CHIME_TESTS_SUPPORT_PLAN_WATCH_H

#include "support/cluster/cluster.h"

struct plan_watch;

struct plan_cost {
    double pages; /* of the shared buffers, each as often as it was looked at */
    double rows;  /* that the nodes of plans took in, those that they threw away included */
    char *worst;  /* the plan that took in the most; owned by the watch, until the next statement */
};

/* A session of its own. */
struct plan_watch *plan_watch_create(const struct cluster *cluster, const char *database);
void plan_watch_destroy(struct plan_watch *watch); /* takes NULL */
/* Executes the statement; what it did is rolled back. `cost` NULL: unwatched.
 * False: it was refused, and *cost says nothing. */
bool plan_watch_try(struct plan_watch *watch, const char *sql, struct plan_cost *cost);
/* Any SQL that must work, unwatched. */
void plan_watch_execute(struct plan_watch *watch, const char *sql);
const char *plan_watch_error(const struct plan_watch *watch); /* of the last statement */

#endif
