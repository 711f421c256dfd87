/* SPDX-License-Identifier: PostgreSQL */
/* What the leader alone knows, for pages and metrics: chime.pulse, written once a second at most while somebody looks
 * (the heartbeat says so).
 *
 * Does: put together what waits and why, what is due next, places in pools, and what the process takes. Where the
 *   server does not take it, that is told once, and the next one is written instead.
 * Does not: decide anything by it, or hold up the ledger: it waits for locks for 50 ms. */
#ifndef CHIME_DAEMON_PULSE_H
#define CHIME_DAEMON_PULSE_H

#include "base/instant.h"

struct lead;
struct pulse;

struct pulse *pulse_create(struct lead *lead);
void pulse_destroy(struct pulse *pulse); /* NULL allowed */
/* A timer that was set to fire after `every` fires now, and is set again. */
void pulse_note_lag(struct pulse *pulse, duration every);
void pulse_write(struct pulse *pulse);

#endif
