/* SPDX-License-Identifier: PostgreSQL */
/* Compares a schedule of pg_cron with the same text here: whether both give the same slots, and if not, which slots
 * each gives.
 *
 * Does: compare how pg_cron reads the text (calendar/pg_cron.h) with how we do, in the zone of the source, with its
 *   changes of the clocks.
 * Ownership: texts are the arena's, or the caller's schedule itself. */
#ifndef CHIME_CLI_IMPORT_MEANING_H
#define CHIME_CLI_IMPORT_MEANING_H

#include "base/memory.h"
#include "calendar/schedule.h"

struct import_meaning {
    bool in_zone;           /* its times are of the wall */
    const char *difference; /* in words; NULL: both mean the same */
    const char *ours;       /* what the text means here; NULL: it is none of our schedules */
    const char *theirs;     /* pg_cron's meaning, as a schedule of ours; NULL: never, or there is none */
    bool theirs_never;
    bool theirs_by_minute; /* "theirs" needs dst_gap skip and dst_overlap both */
};

void import_meaning_find(struct import_meaning *meaning, const char *schedule, const struct zone *zone, instant now,
                         struct arena *arena);

#endif
