/* SPDX-License-Identifier: PostgreSQL */
/* State that only the leader has in memory, for pages and metrics. It is written to chime.pulse at most once a second,
 * and only while somebody reads it (the heartbeat's answer says so).
 *
 * Does: collect which runs wait and why, what is due next, the use of pool slots, and the CPU and memory of the
 *   process. When the write fails, it logs that once, and writes the next pulse instead.
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
