/* SPDX-License-Identifier: PostgreSQL */
/* Tells the service manager, by systemd's notify protocol (libsystemd), that the daemon is ready, what it does, that it
 * reloads, and that it ends. The event loop feeds the watchdog, so systemd notices a loop that hangs.
 *
 * Does nothing when $NOTIFY_SOCKET is not set. The watchdog is fed from supervisor_ready on, and
 * until supervisor_destroy, at half of what $WATCHDOG_USEC allows. */
#ifndef CHIME_LOOP_SUPERVISOR_H
#define CHIME_LOOP_SUPERVISOR_H

#include "loop/loop.h"

struct supervisor;

/* Takes $NOTIFY_SOCKET and $WATCHDOG_USEC out of the environment: what the daemon starts has no business with them. */
struct supervisor *supervisor_create(struct loop *loop);
void supervisor_destroy(struct supervisor *supervisor); /* takes NULL */

void supervisor_ready(struct supervisor *supervisor);     /* also at the end of a reload */
void supervisor_reloading(struct supervisor *supervisor); /* with the time that systemd's Type=notify-reload asks for */
void supervisor_stopping(struct supervisor *supervisor);
/* One line for people; what was said last is not said again. */
void supervisor_status(struct supervisor *supervisor, const char *text);

#endif
