/* SPDX-License-Identifier: PostgreSQL */
/* Instants of the next hour at which many jobs are due at once, against the sessions that there are for them.
 *
 * Does: find the slots of each distinct schedule once, however many jobs have it; say how late the last of them would
 *   start, if each run takes as long as those of its job do as a rule.
 * Does not: know what the leader alone decides (catch-up, places, retries), and which jobs run in sessions of their own
 *   owner. Jitter is left out: jobs of one schedule that have it are due at one instant here. */
#ifndef CHIME_REPORT_CROWD_LIST_H
#define CHIME_REPORT_CROWD_LIST_H

#include "config/config.h"
#include "report/calendars.h"
#include "report/output.h"

#define CROWD_QUESTIONS 2

struct output_list *crowd_list_create(void);
void crowd_list_ask(struct question questions[static CROWD_QUESTIONS]);
/* The 20 instants at which the last starts latest, then those at which most are due, of those with two or more, in
 * order of time. */
void crowd_list_take(struct output_list *list, const struct pg_rows answers[static CROWD_QUESTIONS],
                     const struct config_database *database);

#endif
