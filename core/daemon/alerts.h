/* SPDX-License-Identifier: PostgreSQL */
/* For a leader: evaluates the alert rules every ten seconds. One statement of the ledger (chime.note_alerts) decides
 * what follows from it.
 *
 *   step      over                              does                                                   then
 *   looking   a session of its own, read only   finds what the standard rules say, and the conditions  asking
 *   asking    the same                          one condition after the other, 5 s each at most        noting
 *   noting    the leader's own session          alerts begin, fire, are resolved (chime.note_alerts)   the next look
 * Nothing is noted while nothing is found and no alert is open. A condition that fails is found itself; the alerts of
 * its rule stay as they are. An evaluation that does not finish is logged once, and tried again; it is an alert itself
 * (alerts-failing), which the leader's own session writes. Rules that somebody changed are written again. Transitions
 * go to the log. */
#ifndef CHIME_DAEMON_ALERTS_H
#define CHIME_DAEMON_ALERTS_H

struct alerts;
struct lead;

/* Once the schedule has started. */
struct alerts *alerts_create(struct lead *lead);
/* The rules are those of another snapshot now. */
void alerts_follow(struct alerts *alerts);
/* Another session of the leader's is about to begin, and this is its place: the look under way is given up, the next
 * one waits until no catalog is on its way in. */
void alerts_yield(struct alerts *alerts);
void alerts_destroy(struct alerts *alerts); /* NULL allowed */

#endif
