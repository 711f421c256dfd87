/* SPDX-License-Identifier: PostgreSQL */
/* The event loop: timers, descriptors, signals, deferred calls, over libevent.
 *
 * Does: call back from loop_run, one callback at a time, on one thread. A callback may destroy any object of the loop,
 *   its own included.
 * Does not: decide anything, or block.
 * Ownership: every create has its destroy (NULL allowed); destroy all objects before loop_destroy. */
#ifndef CHIME_LOOP_LOOP_H
#define CHIME_LOOP_LOOP_H

#include <stdbool.h>

#include "base/instant.h"

struct loop;
struct loop_timer;
struct loop_watch;
struct loop_signal;

struct loop *loop_create(void);
void loop_destroy(struct loop *loop);
void loop_run(struct loop *loop);                /* until loop_stop */
void loop_stop(struct loop *loop);               /* the current turn is finished first */
struct event_base *loop_base(struct loop *loop); /* for the HTTP layer only */

typedef void loop_callback(void *data);

/* One-shot; setting it again moves it. A delay <= 0 fires in the next turn. */
struct loop_timer *loop_timer_create(struct loop *loop, loop_callback *callback, void *data);
void loop_timer_set(struct loop_timer *timer, duration delay);
void loop_timer_clear(struct loop_timer *timer);
void loop_timer_destroy(struct loop_timer *timer);

typedef void loop_watch_callback(void *data, bool readable, bool writable);
struct loop_watch *loop_watch_create(struct loop *loop, int descriptor, loop_watch_callback *callback, void *data);
void loop_watch_set(struct loop_watch *watch, bool readable, bool writable); /* cheap when nothing changes */
void loop_watch_destroy(struct loop_watch *watch);                           /* does not close the descriptor */

struct loop_signal *loop_signal_create(struct loop *loop, int number, loop_callback *callback, void *data);
void loop_signal_destroy(struct loop_signal *signal);

/* Called once after the current callback, before the loop waits again, in the order of the calls. */
void loop_defer(struct loop *loop, loop_callback *callback, void *data);
/* Forgets deferred calls with this data: for what is about to be freed. */
void loop_forget(struct loop *loop, const void *data);

#endif
