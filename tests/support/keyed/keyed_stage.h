/* SPDX-License-Identifier: PostgreSQL */
/* What the tests of keyed refresh share: the cluster of keyed.h as that of served.h, which served_tear_down takes down;
 * words of their own for what is expected of a refresh there. */
#ifndef CHIME_TESTS_SUPPORT_KEYED_STAGE_H
#define CHIME_TESTS_SUPPORT_KEYED_STAGE_H

#include "support/daemon/served.h"
#include "support/keyed/keyed.h"

#define AFTER(sql, view, expected) EXPECT_AFTER(cluster, sql, view, expected)
#define LOOK(view, expected) EXPECT_LOOK(cluster, view, expected)

#define THREE_SHOPS \
    "INSERT INTO app.orders (shop, kind, amount) VALUES (1, 'a', 10), (1, 'b', 11), (2, 'a', 20), (3, 'a', 30);"
/* Why everything is refreshed. */
#define SUSPECT(table) "full: " table " may have changed without a mark: its storage, partitions or triggers did"
#define UNCAPTURED(tables) "full: changes of " tables " are not captured"
#define KNOWN_LATE(table) \
    "full: a column of " table " was altered, or a row moved to another partition with a key that is known only there"

void keyed_stage_set(void);
void keyed_stage_set_corpus(void); /* with the tables and definitions of keyed_corpus.sql, without rows */

#endif
