/* SPDX-License-Identifier: PostgreSQL */
/* The time zone of this machine, which its cron uses.
 *
 * Does: take its name from the link /etc/localtime, or, where that is a file, from /etc/timezone; "UTC" where there is
 *   neither link nor file. Have it read, so that it is one that is known.
 * Does not: guess the name of a file's zone. */
#ifndef CHIME_CLI_MACHINE_ZONE_H
#define CHIME_CLI_MACHINE_ZONE_H

#include "base/error.h"
#include "calendar/zone.h"

/* The arena's; `folder` is /etc. NULL with ERROR_USAGE where it has no name, or one that no zone has. */
const char *machine_zone(const char *folder, struct zones *zones, struct arena *arena, struct error *err);

#endif
