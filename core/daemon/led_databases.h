/* SPDX-License-Identifier: PostgreSQL */
/* What the databases of one daemon share: how many of them this daemon leads, and which database each entry of the
 * configuration leads to.
 *
 * A free leader lock is left for a moment to daemons that lead fewer databases, so that several daemons share them. The
 * moment is far shorter than what a takeover may last: docs/adr/0017-several-daemons.md. The more databases there are,
 * the smaller are its steps, and the less often each leader lock is looked at: a daemon asks some 200 times a second at
 * most. */
#ifndef CHIME_DAEMON_LED_DATABASES_H
#define CHIME_DAEMON_LED_DATABASES_H

#include "base/error.h"
#include "base/instant.h"
#include "pg/session.h"

#define LEAD_PAUSE_EACH (400 * USEC_PER_MSEC)
#define LEAD_PAUSE_MAX USEC_PER_SEC
#define LEADER_CHECK_EVERY (250 * USEC_PER_MSEC)
#define LEADER_CHECK_EACH (5 * USEC_PER_MSEC)

struct led_databases;

struct led_databases *led_databases_create(void);
void led_databases_destroy(struct led_databases *led);
/* A database is led, or about to be; and is so no more. */
void led_databases_enter(struct led_databases *led);
void led_databases_leave(struct led_databases *led);
/* How long a leader lock is to have been free before this daemon takes it. */
duration led_databases_pause(const struct led_databases *led);
/* After which time a leader lock that another daemon holds is looked at again. */
duration led_databases_check_every(const struct led_databases *led);
/* An entry of the configuration, known by its pointer, is connected to this database of this server and is to be
 * served: false, with the error, when an entry of another name is, or was and has lost its session for the moment. */
bool led_databases_admit(struct led_databases *led, const void *entry, const char *name, const struct pg_server *server,
                         struct error *err) CHIME_MUST_CHECK;
void led_databases_absent(struct led_databases *led, const void *entry); /* its session is gone */
void led_databases_forget(struct led_databases *led, const void *entry); /* it is no entry any more */

#endif
