/* SPDX-License-Identifier: PostgreSQL */
/* Totals of runs, on their way to chime.tally and chime.minute.
 *
 * Does: count in memory, by minute, kind and outcome; put what was counted into chime.add_totals, with a batch of ends
 *   (ledger_finish) or alone; write the pulse.
 * Does not: decide when (daemon/totals.h). */
#ifndef CHIME_LEDGER_TOTALS_H
#define CHIME_LEDGER_TOTALS_H

#include "ledger/columns.h"
#include "ledger/ledger.h"
#include "model/run_buckets.h"

struct run_total {
    instant minute; /* the beginning of that of the end */
    enum run_kind kind;
    enum run_state state;
    int64_t runs;
    duration busy;
    duration late;
    duration late_most;
    int64_t durations[RUN_BUCKETS];
    int64_t delays[RUN_BUCKETS];
};

/* Begins as zeros. */
struct run_totals {
    struct run_total *items;
    size_t count;
    size_t capacity;
};

/* One that ended. */
struct run_ended {
    enum run_kind kind;
    enum run_state state;
    instant slot;
    instant started; /* INSTANT_NONE: it did not */
    instant finished;
    bool first_attempt; /* how late it is counts only then: later ones wait for their back-off */
};

void run_totals_end(struct run_totals *totals, const struct run_ended *ended);
/* Slots that did not run. */
void run_totals_slots(struct run_totals *totals, enum run_kind kind, enum run_state state, instant at, int64_t slots);
/* Moves all of `from` into `totals`, and leaves `from` empty. */
void run_totals_move(struct run_totals *totals, struct run_totals *from);
void run_totals_finish(struct run_totals *totals);

/* Alone, and not sent again: it waits in no queue, so that no end waits behind it, which a claim would then overtake.
 * The answer says whether they were added; it may be ANSWER_AGAIN. */
void ledger_add_totals(const struct ledger *ledger, const struct run_totals *totals, pg_callback *callback, void *data);
/* `statement`: which of the request it was. */
bool ledger_read_added(const struct pg_reply *reply, size_t statement);
/* As a statement of another request, until `parameters` go; for ledger.c. */
struct totals_statement {
    struct columns columns;
    const char *parameters[COLUMNS_MAX + 1];
    struct pg_statement statement;
};
void totals_statement_init(struct totals_statement *it, const char *token, const struct run_totals *totals);
void totals_statement_finish(struct totals_statement *it);

/* What the leader alone knows: an object with columns of chime.pulse. Sent once, and not again. */
void ledger_note_pulse(const struct ledger *ledger, const char *pulse, pg_callback *callback, void *data);

#endif
