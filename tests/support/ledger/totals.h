/* SPDX-License-Identifier: PostgreSQL */
/* Totals of runs beside the history that they are of (totals.sql). Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_TOTALS_H
#define CHIME_TESTS_SUPPORT_TOTALS_H

#include "support/cluster/cluster.h"

void totals_install(struct cluster *cluster);
/* No leader went without resigning: they are equal. */
void totals_assert_whole(struct cluster *cluster);
/* Some did: nothing counts twice, and what is missing is marked. */
void totals_assert_marked(struct cluster *cluster);
/* The last outcomes of each job that missed nothing are those in its history. */
void totals_assert_strips(struct cluster *cluster);

#endif
