/* SPDX-License-Identifier: PostgreSQL */
/* What the service manager that started the daemon is told, by systemd's notify protocol (libsystemd): that it is
 * ready, what it does, that it reads its configuration anew, that it ends. Its watchdog is fed from the loop: a loop
 * that hangs feeds nobody.
 *
 * Does nothing where nobody listens ($NOTIFY_SOCKET is not set). The watchdog is fed from supervisor_ready on, and
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
