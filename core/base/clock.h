/* SPDX-License-Identifier: PostgreSQL */
/* The clock behind a replaceable struct: tests install their own.
 *
 * boot: CLOCK_BOOTTIME, counts while the machine sleeps, never steps: what every timeout is measured with.
 * wall: CLOCK_REALTIME, for log lines only; slots are decided on the database's clock (boot + measured offset). */
#ifndef CHIME_BASE_CLOCK_H
#define CHIME_BASE_CLOCK_H

#include "base/instant.h"

struct clock_source {
    instant (*boot)(void *data); /* since boot, not since 1970 */
    instant (*wall)(void *data);
    void *data;
};

instant clock_boot(void);
instant clock_wall(void);
void clock_replace(const struct clock_source *source); /* borrowed; NULL restores the system's */

#endif
