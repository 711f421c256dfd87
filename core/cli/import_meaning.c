/* SPDX-License-Identifier: PostgreSQL */
#include "cli/import_meaning.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "calendar/pg_cron.h"

#define AHEAD (400 * 24 * 3600 * USEC_PER_SEC) /* has all changes of the clocks of a year */
#define MOST_SLOTS 1000000

static bool is_same(const struct schedule *a, const struct schedule *b)
{
    return a->form == b->form && a->seconds == b->seconds && a->minutes == b->minutes && a->hours == b->hours &&
           a->days == b->days && a->months == b->months && a->weekdays == b->weekdays && a->last_day == b->last_day &&
           a->days_or_weekdays == b->days_or_weekdays && a->interval == b->interval;
}

static int64_t count_slots(const struct schedule *schedule, const struct zone *zone, instant now, enum dst_gap gap,
                           enum dst_overlap overlap)
{
    struct schedule zoned = *schedule;
    instant last;
    schedule_set_zone(&zoned, zone, gap, overlap);
    return schedule_count(&zoned, now, now + AHEAD, MOST_SLOTS, &last);
}

/* One after the other, since a run more and one less are as many. */
static bool clocks_matter(const struct schedule *schedule, const struct zone *zone, instant now)
{
    int64_t usual = count_slots(schedule, zone, now, DST_GAP_RUN, DST_OVERLAP_FIRST);
    return count_slots(schedule, zone, now, DST_GAP_SKIP, DST_OVERLAP_FIRST) != usual ||
           count_slots(schedule, zone, now, DST_GAP_RUN, DST_OVERLAP_BOTH) != usual;
}

/* --- in words ----------------------------------------------------------------------------------------------------- */

static const char *say_never(const struct schedule *ours, const struct error *refusal, struct arena *arena)
{
    return ours == NULL ? arena_printf(arena, "pg_cron never runs it, and here it is refused: %s", refusal->message)
                        : "pg_cron never runs it; here it runs";
}

static const char *say_text(const struct schedule *ours, const char *theirs, const struct error *refusal,
                            struct arena *arena)
{
    if (ours == NULL) {
        return arena_printf(arena, "pg_cron reads \"%s\"; here it is refused: %s", theirs, refusal->message);
    }
    return arena_printf(arena, "%s; pg_cron reads \"%s\"",
                        ours->has_seconds ? "its first field is seconds here" : "a range here goes round its end",
                        theirs);
}

static void add_difference(struct import_meaning *meaning, const char *words, struct arena *arena)
{
    meaning->difference = meaning->difference == NULL ? words
                                                      : arena_printf(arena, "%s; and %s", meaning->difference, words);
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

static void compare_clocks(struct import_meaning *meaning, const struct schedule *theirs, const struct zone *zone,
                           instant now, struct arena *arena)
{
    if (theirs->last_day && zone_next_change(zone, now) < now + AHEAD) {
        meaning->theirs = NULL;
        add_difference(meaning, "pg_cron can take another day for the last one of a month in which the clocks change",
                       arena);
    }
    if (clocks_matter(theirs, zone, now)) {
        meaning->theirs_by_minute = true;
        add_difference(meaning,
                       arena_printf(arena,
                                    "as the clocks of %s change, a time that is left out does not run in pg_cron, and "
                                    "one that comes twice runs twice; here each runs once",
                                    zone_name(zone)),
                       arena);
    }
}

static void compare(struct import_meaning *meaning, const struct schedule *ours, const struct error *refusal,
                    const struct zone *zone, instant now, struct arena *arena)
{
    struct schedule theirs;
    struct error err;
    if (!schedule_parse(meaning->theirs, &theirs, &err)) {
        fatal("what pg_cron reads, \"%s\", is no schedule: %s", meaning->theirs, err.message);
    }
    if (ours == NULL || !is_same(ours, &theirs)) {
        meaning->difference = say_text(ours, meaning->theirs, refusal, arena);
    }
    meaning->in_zone = theirs.form == SCHEDULE_CRON || (ours != NULL && ours->form == SCHEDULE_CRON);
    if (meaning->in_zone && zone != NULL) {
        compare_clocks(meaning, &theirs, zone, now, arena);
    }
}

void import_meaning_find(struct import_meaning *meaning, const char *schedule, const struct zone *zone, instant now,
                         struct arena *arena)
{
    struct schedule parsed;
    struct error refusal;
    char *equivalent;
    const struct schedule *ours = schedule_parse(schedule, &parsed, &refusal) ? &parsed : NULL;
    *meaning = (struct import_meaning){.ours = ours != NULL ? schedule : NULL};
    enum pg_cron_reading reading = pg_cron_read(schedule, &equivalent);
    if (reading == PG_CRON_RUNS) {
        meaning->theirs = arena_strdup(arena, equivalent);
        compare(meaning, ours, &refusal, zone, now, arena);
    } else {
        meaning->theirs_never = true;
        meaning->in_zone = ours != NULL && ours->form == SCHEDULE_CRON;
        meaning->difference = say_never(ours, &refusal, arena);
    }
    free(equivalent);
}
