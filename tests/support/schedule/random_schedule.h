/* SPDX-License-Identifier: PostgreSQL */
/* Random expressions that know what they mean: the values are written down while the text is, so nobody has to read
 * it back. The same seed makes the same expressions everywhere. */
#ifndef CHIME_TEST_RANDOM_SCHEDULE_H
#define CHIME_TEST_RANDOM_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "support/schedule/wall_oracle.h"

struct random {
    uint64_t state; /* the seed */
};

int64_t random_within(struct random *random, int64_t low, int64_t high); /* both ends included */
bool random_chance(struct random *random, int percent);

struct random_schedule {
    char text[400];
    struct wall_values values;
};

/* Five fields (now and then a shorthand), or six. Most values lie around `focus`, so that the clock's changes are
 * hit. */
struct random_schedule random_schedule(struct random *random, bool six_fields, const struct wall_reading *focus);
/* Six or five fields of which minute and hour are one value each: few slots even in a year. */
struct random_schedule random_sparse_schedule(struct random *random, const struct wall_reading *focus);

#endif
