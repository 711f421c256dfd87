/* The time zone of this machine, by which its cron goes.
 *
 * Does: take its name from the link /etc/localtime, or, where that is a file, from /etc/timezone; "UTC" where there is neither link nor file.
 * Does not: guess the name of a file's zone. */
#ifndef CHIME_CLI_MACHINE_ZONE_H
#define CHIME_CLI_MACHINE_ZONE_H

#include "base/error.h"

/* The arena's; `folder` is /etc. NULL with ERROR_USAGE where it has no name. */
const char *machine_zone(const char *folder, struct arena *arena, struct error *err);

#endif
