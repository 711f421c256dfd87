/* SPDX-License-Identifier: PostgreSQL */
/* `backfill JOB` of a job whose command knows its slot: slots of its schedule done again, by the leader.
 *
 * Does: say what would be done, ask for it, follow it to its end, or end it.
 * Does not: run anything itself. What was asked for goes on without this program. */
#ifndef CHIME_CLI_BACKFILL_SLOTS_H
#define CHIME_CLI_BACKFILL_SLOTS_H

#include <signal.h>

#include "cli/visit.h"

struct slot_filling {
    const struct invocation *invocation;
    const struct config_database *database;
    const char *job;
    const char *job_id;
    const char *from; /* NULL: follow the one that is under way */
    const char *to;   /* NULL: now */
    instant deadline; /* by the boot clock */
    const volatile sig_atomic_t *interrupted;
};

/* The exit status; what is wrong was printed. */
int backfill_slots(const struct slot_filling *filling);

#endif
