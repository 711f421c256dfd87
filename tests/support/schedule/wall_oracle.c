/* SPDX-License-Identifier: PostgreSQL */
#include "support/schedule/wall_oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

#define DAY INT64_C(86400)

/* --- the zone of the process -------------------------------------------------------------------------------------- */

void wall_zone(const char *name)
{
    if ((name != NULL ? setenv("TZ", name, 1) : unsetenv("TZ")) != 0) {
        abort();
    }
    tzset();
}

int64_t wall_offset(int64_t second)
{
    time_t time = (time_t)second;
    struct tm tm;
    localtime_r(&time, &tm);
    return tm.tm_gmtoff;
}

/* The change between two seconds, of which only the later has the new offset. */
static int64_t find_change(int64_t before, int64_t after)
{
    int64_t old = wall_offset(before);
    while (after - before > 1) {
        int64_t middle = before + (after - before) / 2;
        if (wall_offset(middle) == old) {
            before = middle;
        } else {
            after = middle;
        }
    }
    return after;
}

/* Looks every six hours: nowhere do the clocks change and change back in less. */
size_t wall_changes(int64_t from, int64_t until, int64_t *changes, size_t limit)
{
    size_t count = 0;
    int64_t offset = wall_offset(from);
    for (int64_t second = from; second < until && count < limit;) {
        int64_t next = second + DAY / 4 < until ? second + DAY / 4 : until;
        int64_t next_offset = wall_offset(next);
        if (next_offset != offset) {
            changes[count++] = find_change(second, next);
        }
        second = next;
        offset = next_offset;
    }
    return count;
}

const char *wall_text(int64_t second, char text[static WALL_TEXT_SIZE])
{
    time_t time = (time_t)second;
    struct tm tm;
    gmtime_r(&time, &tm);
    size_t used = strftime(text, WALL_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
    localtime_r(&time, &tm);
    strftime(text + used, WALL_TEXT_SIZE - used, " = %a %Y-%m-%d %H:%M:%S %z %Z", &tm);
    return text;
}

/* --- what an expression means ------------------------------------------------------------------------------------- */

struct wall_reading wall_read(int64_t time)
{
    time_t now = (time_t)time;
    time_t tomorrow = now + DAY;
    struct tm tm;
    struct tm next;
    gmtime_r(&now, &tm);
    gmtime_r(&tomorrow, &next);
    return (struct wall_reading){
        .time = time,
        .second = (unsigned char)tm.tm_sec,
        .minute = (unsigned char)tm.tm_min,
        .hour = (unsigned char)tm.tm_hour,
        .day = (unsigned char)tm.tm_mday,
        .month = (unsigned char)(tm.tm_mon + 1),
        .weekday = (unsigned char)tm.tm_wday,
        .last_day = next.tm_mday == 1,
    };
}

static bool day_matches(const struct wall_values *values, const struct wall_reading *reading)
{
    bool date = values->days[reading->day] || (values->last_day && reading->last_day);
    bool weekday = values->weekdays[reading->weekday];
    return values->months[reading->month] && (values->either_day ? date || weekday : date && weekday);
}

bool wall_matches(const struct wall_values *values, const struct wall_reading *reading)
{
    return values->minutes[reading->minute] && values->hours[reading->hour] && values->seconds[reading->second] &&
           day_matches(values, reading);
}

bool wall_has_day(const struct wall_values *values)
{
    for (int64_t day = 0; day < 28 * 366; day++) {
        struct wall_reading reading = wall_read(day * DAY);
        if (day_matches(values, &reading)) {
            return true;
        }
    }
    return false;
}

/* --- a window ----------------------------------------------------------------------------------------------------- */

static int64_t common_divisor(int64_t a, int64_t b)
{
    return b == 0 ? llabs(a) : common_divisor(b, a % b);
}

/* The longest step that misses no full minute of the wall. */
static int64_t widest_step(int64_t start, int64_t end)
{
    int64_t changes[8];
    size_t count = wall_changes(start, end, changes, COUNT_OF(changes));
    int64_t step = common_divisor(60, wall_offset(start));
    for (size_t i = 0; i < count; i++) {
        step = common_divisor(common_divisor(step, wall_offset(changes[i])), changes[i]);
    }
    return step;
}

bool wall_edges_clear(int64_t start, int64_t end)
{
    return wall_offset(start - DAY) == wall_offset(start) && wall_offset(end + DAY) == wall_offset(end - 1);
}

static void check_edges(int64_t start, int64_t end)
{
    if (!wall_edges_clear(start, end)) {
        fprintf(stderr, "the clocks change too near the edge of the window %lld to %lld\n", (long long)start,
                (long long)end);
        abort();
    }
}

static void wall_range(const int64_t *walls, int count, int64_t *earliest, int64_t *latest)
{
    *earliest = *latest = walls[0];
    for (int i = 1; i < count; i++) {
        *earliest = walls[i] < *earliest ? walls[i] : *earliest;
        *latest = walls[i] > *latest ? walls[i] : *latest;
    }
}

static void note_shown(struct wall_window *window, int second)
{
    struct wall_time *time = &window->times[window->shown[second]];
    time->first = time->first < 0 ? second : time->first;
    time->last = second;
}

/* Where the wall jumps forward, nobody sees the times between. */
static void note_jump(struct wall_window *window, int second)
{
    for (int missing = window->shown[second - 1] + 1; missing < window->shown[second]; missing++) {
        window->times[missing].after = second;
    }
}

static void read_times(struct wall_window *window, int64_t earliest)
{
    for (int i = 0; i < window->time_count; i++) {
        window->times[i] = (struct wall_time){.reading = wall_read(earliest + i * window->step), .first = -1};
    }
    for (int second = 0; second < window->count; second++) {
        note_shown(window, second);
        if (second > 0) {
            note_jump(window, second);
        }
    }
}

/* No clock changes twice within an hour: while the next hour has the offset of this one, it is asked once an hour. */
static int64_t *read_walls(const struct wall_window *window)
{
    int64_t *walls = xcalloc((size_t)window->count, sizeof(*walls));
    int hour = (int)(3600 / window->step);
    bool steady = false;
    int64_t offset = 0;
    for (int i = 0; i < window->count; i++) {
        int64_t second = window->start + i * window->step;
        if (i % hour == 0) {
            offset = wall_offset(second);
            steady = wall_offset(second + 3600) == offset;
        }
        walls[i] = second + (steady ? offset : wall_offset(second));
    }
    return walls;
}

struct wall_window *wall_window_create(int64_t start, int64_t end, bool by_second)
{
    check_edges(start, end);
    struct wall_window *window = xcalloc(1, sizeof(*window));
    window->step = by_second ? 1 : widest_step(start, end);
    window->start = start;
    window->end = end;
    window->count = (int)((end - start) / window->step);
    size_t count = (size_t)window->count;
    int64_t *walls = read_walls(window);
    int64_t earliest;
    int64_t latest;
    wall_range(walls, window->count, &earliest, &latest);
    window->shown = xcalloc(count, sizeof(*window->shown));
    for (int i = 0; i < window->count; i++) {
        window->shown[i] = (int)((walls[i] - earliest) / window->step);
    }
    free(walls);
    window->time_count = (int)((latest - earliest) / window->step) + 1;
    window->times = xcalloc((size_t)window->time_count, sizeof(*window->times));
    read_times(window, earliest);
    window->reasons = xcalloc(count, 1);
    window->slots.seconds = xcalloc(count, sizeof(*window->slots.seconds));
    window->slots.reasons = xcalloc(count, 1);
    return window;
}

void wall_window_destroy(struct wall_window *window)
{
    if (window == NULL) {
        return;
    }
    free(window->shown);
    free(window->times);
    free(window->reasons);
    free(window->slots.seconds);
    free(window->slots.reasons);
    free(window);
}

/* --- the rules ---------------------------------------------------------------------------------------------------- */

static void mark(struct wall_window *window, int second, enum wall_reason reason)
{
    window->reasons[second] = (unsigned char)(window->reasons[second] | reason);
}

static void mark_fixed(struct wall_window *window, const struct wall_time *time, enum dst_gap gap,
                       enum dst_overlap overlap)
{
    if (time->first < 0) {
        if (gap == DST_GAP_RUN) {
            mark(window, time->after, WALL_AFTER_GAP);
        }
    } else if (time->first == time->last) {
        mark(window, time->first, WALL_SHOWN);
    } else {
        if (overlap != DST_OVERLAP_LAST) {
            mark(window, time->first, WALL_FIRST);
        }
        if (overlap != DST_OVERLAP_FIRST) {
            mark(window, time->last, WALL_SECOND);
        }
    }
}

static void clear_marks(struct wall_window *window)
{
    memset(window->reasons, 0, (size_t)window->count);
}

static const struct wall_slots *collect_marks(struct wall_window *window)
{
    struct wall_slots *slots = &window->slots;
    slots->count = 0;
    for (int i = 0; i < window->count; i++) {
        if (window->reasons[i] != 0) {
            slots->seconds[slots->count] = window->start + i * window->step;
            slots->reasons[slots->count++] = window->reasons[i];
        }
    }
    return slots;
}

static void walk_wall(struct wall_window *window, const struct wall_values *values, enum dst_gap gap,
                      enum dst_overlap overlap)
{
    for (int i = 0; i < window->time_count; i++) {
        if (wall_matches(values, &window->times[i].reading)) {
            mark_fixed(window, &window->times[i], gap, overlap);
        }
    }
}

static void walk_seconds(struct wall_window *window, const struct wall_values *values)
{
    for (int i = 0; i < window->count; i++) {
        if (wall_matches(values, &window->times[window->shown[i]].reading)) {
            mark(window, i, WALL_SHOWN);
        }
    }
}

const struct wall_slots *wall_slots(struct wall_window *window, const struct wall_values *values, enum dst_gap gap,
                                    enum dst_overlap overlap)
{
    clear_marks(window);
    if (values->fixed) {
        walk_wall(window, values, gap, overlap);
    } else {
        walk_seconds(window, values);
    }
    return collect_marks(window);
}

const struct wall_slots *wall_slots_at(struct wall_window *window, int64_t wall, enum dst_gap gap,
                                       enum dst_overlap overlap)
{
    clear_marks(window);
    for (int i = 0; i < window->time_count; i++) {
        if (window->times[i].reading.time == wall) {
            mark_fixed(window, &window->times[i], gap, overlap);
        }
    }
    return collect_marks(window);
}

const struct wall_slots *wall_slots_every(struct wall_window *window, int64_t seconds)
{
    clear_marks(window);
    for (int i = 0; i < window->count; i++) {
        if ((window->start + i * window->step) % seconds == 0) {
            mark(window, i, WALL_SHOWN);
        }
    }
    return collect_marks(window);
}
