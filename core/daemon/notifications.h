/* SPDX-License-Identifier: PostgreSQL */
/* Sends, for a leader, the messages to sinks that its ledger has (sinks.sql): one at a time to each sink, four in
 * all.
 *
 *   step      does                                                        then
 *   taking    asks for what is due (chime.take_notifications)             sending, each by itself; again when the next
 *                                                                         one is due
 *   sending   a child process of its own, half a minute at most           noting
 *   noting    writes how it ended (chime.note_delivery)                   taking
 * Nothing else in the leadership waits for this. A message that was being sent when the leadership ended is sent again
 * by the next leader. */
#ifndef CHIME_DAEMON_NOTIFICATIONS_H
#define CHIME_DAEMON_NOTIFICATIONS_H

struct notifications;
struct lead;

struct notifications *notifications_create(struct lead *lead);
/* The sinks are those of another snapshot now. */
void notifications_follow(struct notifications *notifications);
void notifications_soon(struct notifications *notifications);    /* a message may be due */
void notifications_destroy(struct notifications *notifications); /* NULL allowed */

#endif
