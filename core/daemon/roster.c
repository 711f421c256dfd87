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

int roster_timeline(struct roster *roster, const struct pg_lineage *seen)
{
    struct pg_lineage *known = find(roster, seen);
    if (seen->timeline > known->timeline) {
        known->timeline = seen->timeline;
    }
    return known->timeline;
}
