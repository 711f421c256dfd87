/* SPDX-License-Identifier: PostgreSQL */
/* What the leader asks and writes about messages to sinks (sinks.sql), through its own session.
 *
 * Does not: send them (notify/delivery.h), or decide when (daemon/notifications.h). */
#ifndef CHIME_LEDGER_NOTIFYING_H
#define CHIME_LEDGER_NOTIFYING_H

#include "ledger/columns.h"
#include "ledger/ledger.h"

/* `sinks` is JSON. */
void notifying_set_sinks(const struct ledger *ledger, const char *sinks, pg_callback *callback, void *data);
/* Messages that are due, one for each sink that is not in column 0 of `busy`, `most` at most. */
void notifying_take(const struct ledger *ledger, const struct columns *busy, int most, pg_callback *callback,
                    void *data);

struct notification {
    const char *number;
    const char *sink;
    int attempt;
    bool again; /* it was being sent when a leader ended */
    const char *body;
};
size_t notifying_count(const struct pg_reply *reply);
struct notification notifying_read(const struct pg_reply *reply, size_t index); /* borrowed from the reply */
/* How long until a further one may be due; -1: none waits. */
duration notifying_next(const struct pg_reply *reply);

/* `problem` NULL: it was delivered; `refused`: the receiver does not want its text. */
void notifying_note(const struct ledger *ledger, const char *number, const char *problem, bool refused,
                    pg_callback *callback, void *data);
bool notifying_expired(const struct pg_reply *reply);

#endif
