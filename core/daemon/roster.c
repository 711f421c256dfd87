#include "daemon/roster.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct roster {
    int led;
    struct pg_lineage *lineages; /* one for each system */
    size_t count;
};

struct roster *roster_create(void)
{
    return xcalloc(1, sizeof(struct roster));
}

void roster_destroy(struct roster *roster)
{
    free(roster->lineages);
    free(roster);
}

void roster_enter(struct roster *roster)
{
    roster->led++;
}

void roster_leave(struct roster *roster)
{
    roster->led--;
}

duration roster_pause(const struct roster *roster)
{
    duration pause = roster->led * ROSTER_PAUSE_EACH;
    return pause < ROSTER_PAUSE_MAX ? pause : ROSTER_PAUSE_MAX;
}

static struct pg_lineage *find(struct roster *roster, const struct pg_lineage *seen)
{
    for (size_t i = 0; i < roster->count; i++) {
        if (strcmp(roster->lineages[i].system, seen->system) == 0) {
            return &roster->lineages[i];
        }
    }
    roster->lineages = xrealloc(roster->lineages, roster->count + 1, sizeof *roster->lineages);
    roster->lineages[roster->count] = *seen;
    return &roster->lineages[roster->count++];
}

/* The highest one of that system that any database has been seen on, this one included. */
static int highest_timeline(struct roster *roster, const struct pg_lineage *seen)
{
    struct pg_lineage *known = find(roster, seen);
    if (seen->timeline > known->timeline) {
        known->timeline = seen->timeline;
    }
    return known->timeline;
}

bool roster_left_behind(struct roster *roster, const struct pg_lineage *here, const struct pg_lineage *led,
                        const struct pg_server *server, struct error *err)
{
    if (here->timeline == 0) {
        return false;
    }
    int highest = highest_timeline(roster, here);
    if (strcmp(led->system, here->system) == 0 && led->timeline > highest) {
        highest = highest_timeline(roster, led);
    }
    if (here->timeline >= highest) {
        return false;
    }
    error_set(err, ERROR_REFUSED,
              "the server at %s port %s is on timeline %d, but timeline %d has been seen: a failover left it behind",
              server->host, server->port, here->timeline, highest);
    error_hint(err,
               "make it a standby of the primary that took its place (pg_rewind, pg_basebackup); where it is to lead "
               "after all, restart pgchime");
    return true;
}
