/* SPDX-License-Identifier: PostgreSQL */
/* A proxy between the daemon and its server, on Unix sockets: whoever connects to it is forwarded to the cluster, until
 * told otherwise. Both sides' connections stay open while their bytes are stopped or lost, so that neither side's
 * kernel notices anything. A process of its own, gone when the test ends. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_PROXY_H
#define CHIME_TESTS_SUPPORT_PROXY_H

#include "support/cluster/cluster.h"

struct proxy;

struct proxy *proxy_create(const struct cluster *cluster);
void proxy_destroy(struct proxy *proxy);                               /* takes NULL */
char *proxy_conninfo(const struct proxy *proxy, const char *database); /* caller frees */

enum proxy_mode {
    PROXY_FORWARD,
    PROXY_SWALLOW_ANSWERS, /* requests reach the server, what it answers is lost */
    PROXY_STOP,            /* nothing is read: it waits in the sockets */
};
/* For connections there are and those to come; in force when this returns. */
void proxy_set(struct proxy *proxy, enum proxy_mode mode);
void proxy_break(struct proxy *proxy); /* all connections there are end, on both sides */

#endif
