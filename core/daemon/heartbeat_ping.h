/* SPDX-License-Identifier: PostgreSQL */
/* The dead man's switch of a database. A ping goes to the heartbeat's address while the database is led, the leader
 * lock answers and no due run waits for long. Otherwise no ping is sent, and the service at that address alerts
 * people. An address that hangs delays nothing else. */
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
