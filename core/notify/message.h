/* SPDX-License-Identifier: PostgreSQL */
/* What a sink is told, made from a message in the form of an Alertmanager's webhook (chime.notification_body).
 *
 * Does: keep that form, or make of it what Slack, Alertmanager's API or a mail's reader takes. What alerts say stays
 *   text: it names no user or channel of Slack, and adds no header to a mail.
 * Does not: send it. */
#ifndef CHIME_NOTIFY_MESSAGE_H
#define CHIME_NOTIFY_MESSAGE_H

#include "base/error.h"
#include "config/config.h"

/* `key` is the message's own, the same for each attempt. Caller frees; NULL when `body` is no such form. */
char *message_text(const struct config_sink *sink, const char *body, const char *key, instant now, struct error *err);
/* A body that says that it is a test. Caller frees. */
char *message_test_body(const char *sink, const char *database, instant now);

#endif
