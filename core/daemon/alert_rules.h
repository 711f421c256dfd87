/* SPDX-License-Identifier: PostgreSQL */
/* What a leader's plugins and configuration look for, in the words of chime.set_alert_rules. */
#ifndef CHIME_DAEMON_ALERT_RULES_H
#define CHIME_DAEMON_ALERT_RULES_H

#include "daemon/snapshot.h"

/* JSON; the caller frees it. */
char *alert_rules_json(const struct snapshot *snapshot, const struct config_database *database);

#endif
