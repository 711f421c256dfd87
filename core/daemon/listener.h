/* SPDX-License-Identifier: PostgreSQL */
/* For a leader: listens for notifications on the channels that jobs name, and looks for changes in the sources of views
 * that have a target_lag. It reports both to the scheduler (scheduler_event), which decides. For views that have only a
 * warn_after or error_after it starts no run, but records since when they are behind.
 *
 *   phase        is                                                                                    then
 *   OFF          no job asks for it: no session
 *   CONNECTING   a session of its own is opened, checked and told to LISTEN                            PROVING
 *   PROVING      it has notified itself and waits to hear it: a pooler in between would swallow that   LISTENING
 *   LISTENING    until its end notifications wake jobs; it looks for changes as often as targets ask   WAITING
 *   WAITING      for the next try, longer each time                                                    CONNECTING
 * Notifications that were sent while no session listened are lost. Therefore, on the way to LISTENING, every job that
 * names a channel is woken once, without a payload; so is, while it watches, a job that begins to wait for a
 * channel, as soon as that is heard. The session stays when jobs change: at most once a second it starts to LISTEN on
 * new channels, and stops on channels that no job names. Until it watches, from the first failure on, the state is
 * degraded (chime.listener, `pgchime status`): every job that waits for events is woken from time to time. */
#ifndef CHIME_DAEMON_LISTENER_H
#define CHIME_DAEMON_LISTENER_H

#include <stdbool.h>

struct lead;
struct listener;

/* Once the schedule has started. */
struct listener *listener_create(struct lead *lead);
/* Whether it hears and has looked for changes once, or nobody asks it to, or it has told that it cannot: whoever is
 * woken by that has been. */
bool listener_ready(const struct listener *listener);
/* The scheduler's jobs are others: before anything can wake one that it forgot. */
void listener_follow(struct listener *listener);
void listener_destroy(struct listener *listener); /* NULL allowed */

#endif
