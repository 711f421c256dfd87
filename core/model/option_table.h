/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/model: which options there are, and what values each takes. */
#ifndef CHIME_MODEL_OPTION_TABLE_H
#define CHIME_MODEL_OPTION_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "model/options.h"

enum option_kind {
    OPTION_WORD, /* one of `words`, kept as its index */
    OPTION_DURATION,
    OPTION_LIMIT, /* a duration of which 0 is written "none"; or words[i], kept as -1 - i */
    OPTION_COUNT,
    OPTION_FACTOR, /* up to six decimals */
    OPTION_SQLSTATES,
    OPTION_NAME, /* of a pool: interned */
    OPTION_COLUMN, /* schema.table.column; interned, NULL: none */
    OPTION_ZONE, /* interned; the catalog looks for it */
};

#define MOST_WORDS 5

struct option {
    const char *name;
    enum option_kind kind;
    size_t offset;
    int64_t low; /* in microseconds for durations */
    int64_t high;
    const char *words[MOST_WORDS];    /* OPTION_WORD, in the order of the enum; OPTION_LIMIT */
    const char *reserved[MOST_WORDS]; /* values that a later version will know */
};

const struct option *option_find(const char *name); /* NULL */
const struct option *option_at(size_t index);       /* NULL behind the last one */
uint64_t option_bit(const struct option *option);   /* in job_options.set */

#endif
