/* SPDX-License-Identifier: PostgreSQL */
/* Instants of the next hour at which many jobs are due at once, against the sessions that there are for them.
 *
 * Does: find the slots of each distinct schedule once, however many jobs have it.
 * Does not: know how long the runs will take, or what the leader alone decides (catch-up, places, retries). Jitter is
 *   left out: jobs of one schedule that have it are due at one instant here. */
#ifndef CHIME_REPORT_CROWD_LIST_H
#define CHIME_REPORT_CROWD_LIST_H

#include "config/config.h"
#include "report/calendars.h"
#include "report/output.h"

#define CROWD_QUESTIONS 2

struct output_list *crowd_list_create(void);
void crowd_list_ask(struct question questions[static CROWD_QUESTIONS]);
/* The 20 instants with most jobs of those with two or more, in order of time. */
void crowd_list_take(struct output_list *list, const struct pg_rows answers[static CROWD_QUESTIONS],
                     const struct config_database *database);

#endif
