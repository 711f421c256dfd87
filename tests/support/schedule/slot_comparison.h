/* SPDX-License-Identifier: PostgreSQL */
/* The slots that a schedule finds beside those of the oracle.
 *
 * Each check returns whether they agree, and otherwise says in `difference` what was expected and what was found, in
 * UTC and on the wall of the zone in use: ck_assert writes to a pipe each time, which is too slow for each slot. */
#ifndef CHIME_TEST_SLOT_COMPARISON_H
#define CHIME_TEST_SLOT_COMPARISON_H

#include <stdbool.h>
#include <stdint.h>

#include "calendar/schedule.h"
#include "support/schedule/random_schedule.h"
#include "support/schedule/wall_oracle.h"

struct slot_comparison {
    const struct wall_window *window;
    const struct wall_slots *slots;
    const struct schedule *schedule;
    char difference[500];
};

bool slots_same_forwards(struct slot_comparison *comparison);
bool slots_same_backwards(struct slot_comparison *comparison);
bool slots_same_count(struct slot_comparison *comparison, int64_t limit); /* at least 1 */
/* From any microsecond, and from the microseconds around a slot. */
bool slots_same_around(struct slot_comparison *comparison, struct random *chance);
bool slots_same_notes(struct slot_comparison *comparison); /* of a fixed schedule */

#endif
