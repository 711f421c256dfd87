/* SPDX-License-Identifier: PostgreSQL */
/* Slots of expired schedules: schedules that were edited, disabled or removed, by SQL or in the configuration, before
 * this leader read the change.
 *
 * Does: read such schedules page by page, count their slots from what is on record up to their end, have these recorded
 *   as missed; delete the rows of schedules whose end the leader did see, since it has recorded their slots itself.
 * Does not: run any of them, whatever the job's catchup. */
#ifndef CHIME_DAEMON_EXPIRED_H
#define CHIME_DAEMON_EXPIRED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lead;
struct expired;

typedef void expired_callback(struct lead *lead, bool more, size_t ended);

struct expired *expired_create(void);
void expired_destroy(struct expired *expired); /* takes NULL */
/* The next page of what these jobs left, or of all that is left where there are none; after the last one, or where the
 * one before was of other jobs, it begins anew. At its end calls `done`, with how many schedules it ended, and whether
 * there are more pages. No change of jobs may be asked for meanwhile. */
void expired_record(struct lead *lead, const int64_t *of, size_t of_count, expired_callback *done);
bool expired_busy(const struct lead *lead);

#endif
