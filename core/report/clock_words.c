/* SPDX-License-Identifier: PostgreSQL */
#include "report/clock_words.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define NOT_FIXED ", not run: the schedule is not fixed, since its minute or its hour begins with *"
#define COUNTED_TIMES 100000 /* as many as a gap of a day and a bit has seconds */

/* --- times -------------------------------------------------------------------------------------------------------- */

/* Wall times are counted as if they were UTC. */
static void put_day(struct buffer *text, instant wall)
{
    struct civil civil = instant_to_civil(wall);
    buffer_printf(text, "%04d-%02d-%02d", civil.year, civil.month, civil.day);
}

static void put_time(struct buffer *text, instant wall)
{
    struct civil civil = instant_to_civil(wall);
    buffer_printf(text, "%02d:%02d", civil.hour, civil.minute);
    if (civil.second != 0) {
        buffer_printf(text, ":%02d", civil.second);
    }
}

/* "+02", "+05:30", "-00:44:30" */
static void put_offset(struct buffer *text, duration offset, bool whole)
{
    duration seconds = (offset < 0 ? -offset : offset) / USEC_PER_SEC;
    buffer_printf(text, "%c%02d", offset < 0 ? '-' : '+', (int)(seconds / 3600));
    if (whole || seconds % 3600 != 0) {
        buffer_printf(text, ":%02d", (int)(seconds / 60 % 60));
    }
    if (seconds % 60 != 0) {
        buffer_printf(text, ":%02d", (int)(seconds % 60));
    }
}

static bool has_abbreviation(const struct zone *zone, instant at)
{
    return strpbrk(zone_abbreviation(zone, at), "+-0123456789") == NULL;
}

void put_wall_time(struct buffer *text, const struct zone *zone, instant at)
{
    static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    struct civil civil = zone_to_civil(zone, at);
    buffer_printf(text, "%s %04d-%02d-%02d %02d:%02d:%02d ", weekdays[civil.weekday], civil.year, civil.month,
                  civil.day, civil.hour, civil.minute, civil.second);
    put_offset(text, zone_offset(zone, at), false);
    if (has_abbreviation(zone, at)) {
        buffer_printf(text, " %s", zone_abbreviation(zone, at));
    }
}

void put_wall_iso(struct buffer *text, const struct zone *zone, instant at)
{
    struct civil civil = zone_to_civil(zone, at);
    buffer_printf(text, "%04d-%02d-%02dT%02d:%02d:%02d", civil.year, civil.month, civil.day, civil.hour, civil.minute,
                  civil.second);
    put_offset(text, zone_offset(zone, at), true);
}

static bool same_day(instant left, instant right)
{
    struct civil a = instant_to_civil(left);
    struct civil b = instant_to_civil(right);
    return a.year == b.year && a.month == b.month && a.day == b.day;
}

static void put_side(struct buffer *text, const struct zone *zone, instant at, instant wall, bool with_day)
{
    if (with_day) {
        put_day(text, wall);
        buffer_putc(text, ' ');
    }
    put_time(text, wall);
    buffer_putc(text, ' ');
    if (has_abbreviation(zone, at)) {
        buffer_puts(text, zone_abbreviation(zone, at));
    } else {
        put_offset(text, zone_offset(zone, at), false);
    }
}

/* What the wall shows just before the change (were it to go on) and from it on. */
struct sides {
    instant before;
    instant after;
};

static struct sides sides_of(const struct zone *zone, instant change)
{
    return (struct sides){change + zone_offset(zone, change - 1), change + zone_offset(zone, change)};
}

void put_clock_change(struct buffer *text, const struct zone *zone, instant change)
{
    struct sides sides = sides_of(zone, change);
    bool with_day = !same_day(sides.before, sides.after);
    buffer_puts(text, sides.after > sides.before ? "clocks go from " : "clocks go back from ");
    put_side(text, zone, change - 1, sides.before, with_day);
    buffer_puts(text, " to ");
    put_side(text, zone, change, sides.after, with_day);
}

/* "Z" or an offset can only follow a time of day. */
static bool has_offset(const char *text)
{
    const char *time = strpbrk(text, "T ");
    return time != NULL && strpbrk(time, "Z+-") != NULL;
}

bool wall_time_parse(const char *text, const struct zone *zone, instant *at, struct error *err)
{
    if (!instant_parse(text, at, err)) {
        return false;
    }
    if (!has_offset(text)) {
        struct civil civil = instant_to_civil(*at);
        instant last;
        zone_from_civil(zone, &civil, at, &last);
    }
    return true;
}

/* --- notes -------------------------------------------------------------------------------------------------------- */

static void add_note(struct clock_notes *notes, instant at, instant slot, struct buffer *text)
{
    notes->notes = xrealloc(notes->notes, notes->count + 1, sizeof(*notes->notes));
    notes->notes[notes->count++] = (struct clock_note){at, slot, buffer_take(text)};
}

/* The wall times of the schedule in [first, last): how many, and the first. Seen without a zone, its slots are its wall
 * times. */
static int64_t wall_times(const struct schedule *schedule, instant first, instant last, instant *earliest)
{
    struct schedule wall = *schedule;
    wall.zone = NULL;
    *earliest = schedule_next(&wall, first - 1);
    return schedule_count(&wall, first - 1, last - 1, COUNTED_TIMES, &(instant){0});
}

/* "02:30", "02:00 and 02:30", or "02:00 and 3 more times" */
static void put_times(struct buffer *text, const struct schedule *schedule, instant earliest, int64_t count)
{
    struct schedule wall = *schedule;
    wall.zone = NULL;
    put_time(text, earliest);
    if (count == 2) {
        buffer_puts(text, " and ");
        put_time(text, schedule_next(&wall, earliest));
    } else if (count > 2) {
        buffer_printf(text, " and %lld more times", (long long)(count - 1));
    }
}

static void put_missing(struct buffer *text, const struct schedule *schedule, instant change, int64_t *count)
{
    struct sides sides = sides_of(schedule->zone, change);
    instant earliest;
    *count = wall_times(schedule, sides.before, sides.after, &earliest);
    put_times(text, schedule, earliest, *count);
    buffer_printf(text, " %s not exist on ", *count == 1 ? "does" : "do");
    put_day(text, earliest);
    buffer_puts(text, ": ");
    put_clock_change(text, schedule->zone, change);
}

static void note_gap(struct clock_notes *notes, const struct schedule *schedule, instant slot)
{
    struct buffer text = {0};
    instant change = zone_last_change(schedule->zone, slot);
    int64_t count;
    put_missing(&text, schedule, change, &count);
    buffer_printf(&text, ", runs %sat ", count > 1 ? "once " : "");
    put_time(&text, slot + zone_offset(schedule->zone, slot));
    add_note(notes, change, slot, &text);
}

static void note_twice(struct clock_notes *notes, const struct schedule *schedule, instant slot, bool first)
{
    struct buffer text = {0};
    instant change = first ? zone_next_change(schedule->zone, slot) : zone_last_change(schedule->zone, slot);
    instant wall = slot + zone_offset(schedule->zone, slot);
    put_time(&text, wall);
    buffer_puts(&text, " comes twice on ");
    put_day(&text, wall);
    buffer_puts(&text, ": ");
    put_clock_change(&text, schedule->zone, change);
    if (schedule->dst_overlap == DST_OVERLAP_BOTH) {
        buffer_printf(&text, ", runs at both: this is the %s", first ? "first" : "second");
    } else {
        buffer_printf(&text, ", runs at the %s", first ? "first" : "second");
    }
    add_note(notes, change, slot, &text);
}

static void note_slot(struct clock_notes *notes, const struct schedule *schedule, instant slot)
{
    switch (schedule_note(schedule, slot)) {
    case SLOT_PLAIN:
        break;
    case SLOT_AFTER_GAP:
        note_gap(notes, schedule, slot);
        break;
    case SLOT_FIRST_OF_TWO:
        note_twice(notes, schedule, slot, true);
        break;
    case SLOT_SECOND_OF_TWO:
        note_twice(notes, schedule, slot, false);
        break;
    }
}

static bool is_told(const struct clock_notes *notes, instant change)
{
    for (size_t i = 0; i < notes->count; i++) {
        if (notes->notes[i].at == change) {
            return true;
        }
    }
    return false;
}

/* A change that moved no slot: perhaps one was passed over. */
static void note_change(struct clock_notes *notes, const struct schedule *schedule, instant change, instant slot)
{
    struct buffer text = {0};
    struct sides sides = sides_of(schedule->zone, change);
    instant earliest;
    int64_t count = 0;
    bool by_wall = schedule->form == SCHEDULE_CRON || schedule->form == SCHEDULE_ONCE;
    bool skips = by_wall && sides.before < sides.after && (!schedule->fixed || schedule->dst_gap == DST_GAP_SKIP);
    if (skips && wall_times(schedule, sides.before, sides.after, &earliest) > 0) {
        put_missing(&text, schedule, change, &count);
        buffer_puts(&text, schedule->fixed ? ", skipped" : NOT_FIXED);
    } else {
        put_clock_change(&text, schedule->zone, change);
        buffer_puts(&text, " on ");
        put_day(&text, sides.before);
    }
    add_note(notes, change, slot, &text);
}

static int compare_notes(const void *left, const void *right)
{
    const struct clock_note *a = left;
    const struct clock_note *b = right;
    if (a->slot != b->slot) {
        return a->slot < b->slot ? -1 : 1;
    }
    return a->at == b->at ? 0 : a->at < b->at ? -1 : 1;
}

void clock_notes_take(struct clock_notes *notes, const struct schedule *schedule, instant from, const instant *slots,
                      size_t count)
{
    *notes = (struct clock_notes){0};
    if (schedule->zone == NULL || count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        note_slot(notes, schedule, slots[i]);
    }
    size_t next = 0;
    for (instant change = zone_next_change(schedule->zone, from - 1); change <= slots[count - 1];
         change = zone_next_change(schedule->zone, change)) {
        while (slots[next] < change) {
            next++;
        }
        if (!is_told(notes, change)) {
            note_change(notes, schedule, change, slots[next]);
        }
    }
    if (notes->count > 1) {
        qsort(notes->notes, notes->count, sizeof(*notes->notes), compare_notes);
    }
}

void clock_notes_finish(struct clock_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++) {
        free(notes->notes[i].text);
    }
    free(notes->notes);
    *notes = (struct clock_notes){0};
}

void put_notes_of(struct buffer *text, const struct clock_notes *notes, instant slot)
{
    bool first = true;
    for (size_t i = 0; i < notes->count; i++) {
        if (notes->notes[i].slot == slot) {
            buffer_printf(text, "%s%s", first ? "" : "; ", notes->notes[i].text);
            first = false;
        }
    }
}
