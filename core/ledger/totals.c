/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/totals.h"

#include <stdlib.h>

#include "base/memory.h"

/* --- counting ----------------------------------------------------------------------------------------------------- */

static instant minute_of(instant at)
{
    instant past = at % USEC_PER_MINUTE;
    return at - (past < 0 ? past + USEC_PER_MINUTE : past);
}

/* Nearly always one of the latest. */
static struct run_total *find(const struct run_totals *totals, instant minute, enum run_kind kind, enum run_state state)
{
    for (size_t i = totals->count; i-- > 0;) {
        struct run_total *total = &totals->items[i];
        if (total->minute == minute && total->kind == kind && total->state == state) {
            return total;
        }
    }
    return NULL;
}

static struct run_total *total_of(struct run_totals *totals, instant minute, enum run_kind kind, enum run_state state)
{
    struct run_total *known = find(totals, minute, kind, state);
    if (known != NULL) {
        return known;
    }
    if (totals->count == totals->capacity) {
        totals->capacity = totals->capacity == 0 ? 16 : totals->capacity * 2;
        totals->items = xrealloc(totals->items, totals->capacity, sizeof(*totals->items));
    }
    struct run_total *total = &totals->items[totals->count++];
    *total = (struct run_total){.minute = minute, .kind = kind, .state = state};
    return total;
}

static duration at_least_zero(duration length)
{
    return length > 0 ? length : 0;
}

void run_totals_end(struct run_totals *totals, const struct run_ended *ended)
{
    struct run_total *total = total_of(totals, minute_of(ended->finished), ended->kind, ended->state);
    total->runs++;
    if (ended->started == INSTANT_NONE) {
        return;
    }
    duration took = at_least_zero(ended->finished - ended->started);
    total->busy += took;
    total->durations[run_bucket(run_duration_bounds, took)]++;
    if (ended->kind == RUN_SCHEDULE && ended->first_attempt) {
        duration late = at_least_zero(ended->started - ended->slot);
        total->late += late;
        total->late_most = late > total->late_most ? late : total->late_most;
        total->delays[run_bucket(run_delay_bounds, late)]++;
    }
}

void run_totals_slots(struct run_totals *totals, enum run_kind kind, enum run_state state, instant at, int64_t slots)
{
    total_of(totals, minute_of(at), kind, state)->runs += slots;
}

static void add(struct run_total *total, const struct run_total *more)
{
    total->runs += more->runs;
    total->busy += more->busy;
    total->late += more->late;
    total->late_most = more->late_most > total->late_most ? more->late_most : total->late_most;
    for (size_t i = 0; i < RUN_BUCKETS; i++) {
        total->durations[i] += more->durations[i];
        total->delays[i] += more->delays[i];
    }
}

void run_totals_move(struct run_totals *totals, struct run_totals *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct run_total *more = &from->items[i];
        add(total_of(totals, more->minute, more->kind, more->state), more);
    }
    from->count = 0;
}

void run_totals_finish(struct run_totals *totals)
{
    free(totals->items);
    *totals = (struct run_totals){0};
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void put_counts(struct columns *columns, size_t column, const int64_t *counts)
{
    struct buffer text = {0};
    for (size_t i = 0; i < RUN_BUCKETS; i++) {
        buffer_printf(&text, "%c%lld", i == 0 ? '{' : ',', (long long)counts[i]);
    }
    buffer_puts(&text, "}");
    columns_text(columns, column, buffer_text(&text));
    buffer_finish(&text);
}

static void put_total(struct columns *columns, const struct run_total *total)
{
    columns_instant(columns, 0, total->minute);
    columns_text(columns, 1, run_kind_name(total->kind));
    columns_text(columns, 2, run_state_name(total->state));
    columns_int(columns, 3, total->runs);
    columns_int(columns, 4, total->busy);
    columns_int(columns, 5, total->late);
    columns_int(columns, 6, total->late_most);
    put_counts(columns, 7, total->durations);
    put_counts(columns, 8, total->delays);
}

enum { COLUMNS = 9 };

void totals_statement_init(struct totals_statement *it, const char *token, const struct run_totals *totals)
{
    columns_init(&it->columns);
    for (size_t i = 0; i < totals->count; i++) {
        put_total(&it->columns, &totals->items[i]);
    }
    columns_close(&it->columns);
    it->parameters[0] = token;
    for (size_t i = 0; i < COLUMNS; i++) {
        it->parameters[i + 1] = it->columns.values[i];
    }
    it->statement = (struct pg_statement){.name = "chime_add_totals",
                                          .sql = "SELECT chime.add_totals($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                                          .parameter_count = COLUMNS + 1,
                                          .parameters = it->parameters};
}

void totals_statement_finish(struct totals_statement *it)
{
    columns_finish(&it->columns);
}

void ledger_add_totals(const struct ledger *ledger, const struct run_totals *totals, pg_callback *callback, void *data)
{
    struct totals_statement added;
    totals_statement_init(&added, ledger->token, totals);
    pg_send(ledger->connection, &added.statement, 1, callback, data);
    totals_statement_finish(&added);
}

bool ledger_read_added(const struct pg_reply *reply, size_t statement)
{
    return pg_reply_value(reply, statement, 0, 0)[0] == 't';
}

void ledger_note_pulse(const struct ledger *ledger, const char *pulse, pg_callback *callback, void *data)
{
    const char *parameters[] = {ledger->token, pulse};
    pg_send_one(ledger->connection, "chime_note_pulse", "SELECT chime.note_pulse($1, $2)", COUNT_OF(parameters),
                parameters, callback, data);
}
