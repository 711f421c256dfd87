/* SPDX-License-Identifier: PostgreSQL */
#include "base/clock.h"

#include <time.h>

static instant read_clock(clockid_t id)
{
    struct timespec now = {0};
    clock_gettime(id, &now); /* cannot fail for these two clocks */
    return (instant)now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static instant system_boot(void *data)
{
    (void)data;
    return read_clock(CLOCK_BOOTTIME);
}

static instant system_wall(void *data)
{
    (void)data;
    return read_clock(CLOCK_REALTIME);
}

static const struct clock_source system_clock = {.boot = system_boot, .wall = system_wall, .data = NULL};
static const struct clock_source *current = &system_clock;

instant clock_boot(void)
{
    return current->boot(current->data);
}

instant clock_wall(void)
{
    return current->wall(current->data);
}

void clock_replace(const struct clock_source *source)
{
    current = source != NULL ? source : &system_clock;
}
