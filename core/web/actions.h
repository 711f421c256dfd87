/* SPDX-License-Identifier: PostgreSQL */
/* Actions of operators: starting and cancelling runs, suspending, resuming, silences. Each goes to a function of the
 * database (sql/functions/operator.sql), which writes down who asked and why, and refuses a role that may not.
 *
 * Does: read the body, find the jobs that a filter means, call, answer 202 with what was written down.
 * Does not: judge who asks (access.h), or wait until the leader has done it. */
#ifndef CHIME_WEB_ACTIONS_H
#define CHIME_WEB_ACTIONS_H

#include "config/config.h"
#include "http/request.h"
#include "http/target.h"
#include "loop/loop.h"

struct actions;

/* The configuration is borrowed. */
struct actions *actions_create(struct loop *loop, const struct config *config);
void actions_destroy(struct actions *actions); /* who waits is not answered; takes NULL */
/* A POST below /api/v1; `actor` is who asks. Both are borrowed until this returns. */
void actions_answer(struct actions *actions, struct http_request *request, const struct http_target *target,
                    const char *actor);

#endif
