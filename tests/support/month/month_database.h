/* SPDX-License-Identifier: PostgreSQL */
/* The second ledger of a simulated month: core/ledger on a private PostgreSQL server.
 *
 * Whatever the ledger in memory is told goes to the server too, in the same order, and every answer must be the one
 * that was foreseen. At each beginning of a leadership what the server remembers must be what the memory remembers.
 * Sessions that runs are claimed for are made up: to the server they are gone. The ledger's functions read a clock of
 * their own, which is apart from the simulation's, drifts to and fro and is stepped: what they remember is by the
 * instants that they are given. */
#ifndef CHIME_TEST_MONTH_DATABASE_H
#define CHIME_TEST_MONTH_DATABASE_H

#include "support/cluster/cluster.h"
#include "support/month/month.h"

struct month_database;

/* Makes schema chime, and the jobs' rows, so that their numbers are the simulation's. */
struct month_database *month_database_create(struct cluster *cluster, struct month *month);
void month_database_destroy(struct month_database *database);
/* Writes what was foreseen of every slot into the table `expected`. */
void month_database_expect(struct month_database *database, const struct month *month);

#endif
