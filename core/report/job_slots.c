/* SPDX-License-Identifier: PostgreSQL */
#include "report/job_slots.h"

#include "model/options.h"

struct job_calendar job_calendar_of_row(const struct pg_rows *rows, size_t row, size_t first)
{
    return (struct job_calendar){
        .schedule = pg_rows_value(rows, row, first),
        .timezone = pg_rows_value(rows, row, first + 1),
        .dst_gap = pg_rows_value(rows, row, first + 2),
        .dst_overlap = pg_rows_value(rows, row, first + 3),
        .last_slot = pg_rows_value(rows, row, first + 4),
        .last_end = pg_rows_value(rows, row, first + 5),
        .live = pg_rows_value(rows, row, first + 6),
        .database_now = pg_rows_value(rows, row, first + 7),
        .suspended_at = pg_rows_value(rows, row, first + 8),
        .suspended_until = pg_rows_value(rows, row, first + 9),
        .jitter = pg_rows_value(rows, row, first + 10),
        .follows = pg_rows_value(rows, row, first + 11),
    };
}

bool job_schedule(const struct job_calendar *calendar, const struct config_database *database, struct zones *zones,
                  struct schedule *schedule, struct error *err)
{
    struct job_options options;
    const struct zone *zone;
    const char *standard = database->timezone != NULL ? database->timezone : "UTC";
    const char *name = calendar->timezone != NULL ? calendar->timezone : standard;
    options_defaults(&options, false);
    if ((calendar->dst_gap != NULL && !options_set(&options, "dst_gap", calendar->dst_gap, err)) ||
        (calendar->dst_overlap != NULL && !options_set(&options, "dst_overlap", calendar->dst_overlap, err)) ||
        !zones_find(zones, name, &zone, err)) {
        return false;
    }
    *schedule = (struct schedule){.form = SCHEDULE_NONE};
    if (calendar->schedule[0] != '\0' && !schedule_parse(calendar->schedule, schedule, err)) {
        return false;
    }
    schedule_set_zone(schedule, zone, options.dst_gap, options.dst_overlap);
    return true;
}

static instant read_instant(const char *text)
{
    instant at;
    return text != NULL && instant_parse(text, &at, NULL) ? at : INSTANT_NONE;
}

static instant later(instant left, instant right)
{
    return left > right ? left : right;
}

instant job_slots_after(const struct job_calendar *calendar, const struct schedule *schedule)
{
    bool delay = schedule->form == SCHEDULE_DELAY;
    bool live = calendar->live != NULL && calendar->live[0] == 't';
    bool suspended = calendar->suspended_at != NULL;
    if (schedule->form == SCHEDULE_REBOOT || schedule->form == SCHEDULE_NONE || (delay && live) ||
        (suspended && calendar->suspended_until == NULL)) {
        return INSTANT_NEVER;
    }
    instant from = read_instant(delay ? calendar->last_end : calendar->database_now);
    from = later(from, read_instant(calendar->last_slot));
    return suspended ? later(from, read_instant(calendar->suspended_until)) : from;
}

instant job_next_slot(const struct job_calendar *calendar, const struct config_database *database, struct zones *zones)
{
    struct schedule schedule;
    if (!job_schedule(calendar, database, zones, &schedule, NULL)) {
        return INSTANT_NEVER;
    }
    return schedule_next(&schedule, job_slots_after(calendar, &schedule));
}

static bool has_slots_of_its_own(const struct job_calendar *calendar, const struct schedule *schedule)
{
    return schedule->form != SCHEDULE_NONE && schedule->form != SCHEDULE_REBOOT && schedule->form != SCHEDULE_DELAY &&
           calendar->follows[0] != 't' && calendar->live[0] != 't' && calendar->suspended_at == NULL;
}

instant job_late_slot(const struct job_calendar *calendar, const struct config_database *database, struct zones *zones)
{
    struct schedule schedule;
    duration jitter = 0;
    instant cursor = read_instant(calendar->last_slot);
    if (cursor == INSTANT_NONE || !job_schedule(calendar, database, zones, &schedule, NULL) ||
        !has_slots_of_its_own(calendar, &schedule)) {
        return INSTANT_NONE;
    }
    if (calendar->jitter != NULL && !duration_parse(calendar->jitter, &jitter, NULL)) {
        jitter = 0;
    }
    instant slot = schedule_next(&schedule, cursor);
    instant now = read_instant(calendar->database_now);
    return slot != INSTANT_NEVER && slot + 60 * USEC_PER_SEC + jitter < now ? slot : INSTANT_NONE;
}
