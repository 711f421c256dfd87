/* SPDX-License-Identifier: PostgreSQL */
/* The dead man's switch of a database: its heartbeat's address hears of it while it is led, the leader lock answers and
 * nothing due waits for long. Else nothing is sent, which is the message: whoever runs the address tells people. An
 * address that hangs holds nothing up. */
#ifndef CHIME_DAEMON_HEARTBEAT_PING_H
#define CHIME_DAEMON_HEARTBEAT_PING_H

struct heartbeat_ping;
struct lead;

/* Once the schedule has started. */
struct heartbeat_ping *heartbeat_ping_create(struct lead *lead);
/* The database's settings are those of another snapshot now. */
void heartbeat_ping_follow(struct heartbeat_ping *ping);
void heartbeat_ping_destroy(struct heartbeat_ping *ping); /* NULL allowed */

#endif
