/* SPDX-License-Identifier: PostgreSQL */
#include "support/schedule/random_schedule.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* --- chance ------------------------------------------------------------------------------------------------------- */

/* splitmix64: rand() differs between C libraries. */
static uint64_t random_bits(struct random *random)
{
    uint64_t bits = random->state += UINT64_C(0x9E3779B97F4A7C15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94D049BB133111EB);
    return bits ^ (bits >> 31);
}

int64_t random_within(struct random *random, int64_t low, int64_t high)
{
    return low + (int64_t)(random_bits(random) % (uint64_t)(high - low + 1));
}

static int pick(struct random *random, int low, int high)
{
    return (int)random_within(random, low, high);
}

bool random_chance(struct random *random, int percent)
{
    return pick(random, 1, 100) <= percent;
}

/* --- one field ---------------------------------------------------------------------------------------------------- */

struct field {
    int low;
    int high;     /* the highest that may be written */
    int distinct; /* how many values there are: 7 is 0 again for days of the week */
    int max_step;
    bool step_may_wrap;
    const char *names; /* of `low` and on */
};

enum { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };

static const struct field fields[FIELD_COUNT] = {
    [SECOND] = {0, 59, 60, 59, true, ""},
    [MINUTE] = {0, 59, 60, 59, true, ""},
    [HOUR] = {0, 23, 24, 23, true, ""},
    [DAY] = {1, 31, 31, 31, false, ""},
    [MONTH] = {1, 12, 12, 12, true, "janfebmaraprmayjunjulaugsepoctnovdec"},
    [WEEKDAY] = {0, 7, 7, 7, true, "sunmontuewedthufrisat"},
};

struct written {
    char text[64];
    size_t used;
    bool *values;
    const struct field *field;
    int focus;
};

/* From `first`, on and on around the field, every `step`-th until `last` has been passed. */
static void take_values(struct written *written, int first, int last, int step)
{
    const struct field *field = written->field;
    int length = first <= last ? last - first : (last - first + 2 * field->distinct) % field->distinct;
    for (int passed = 0; passed <= length; passed += step) {
        written->values[field->low + (first - field->low + passed) % field->distinct] = true;
    }
}

static void write_name(struct random *random, struct written *written, const char *name)
{
    for (int i = 0; i < 3; i++) {
        written->text[written->used++] = (char)(random_chance(random, 30) ? toupper(name[i]) : name[i]);
    }
    written->text[written->used] = '\0';
}

static void write_value(struct random *random, struct written *written, int value)
{
    size_t name = 3 * (size_t)(value - written->field->low);
    if (name < strlen(written->field->names) && random_chance(random, 40)) {
        write_name(random, written, written->field->names + name);
        return;
    }
    written->used += (size_t)snprintf(written->text + written->used, sizeof(written->text) - written->used,
                                      random_chance(random, 10) ? "%02d" : "%d", value);
}

static void write_text(struct written *written, const char *text)
{
    written->used += (size_t)snprintf(written->text + written->used, sizeof(written->text) - written->used, "%s", text);
}

static void write_step(struct written *written, int step)
{
    char text[16];
    snprintf(text, sizeof(text), "/%d", step);
    write_text(written, text);
}

/* `by` further on, around the field. */
static int moved(const struct written *written, int value, int by)
{
    const struct field *field = written->field;
    return field->low + (value - field->low + by + 2 * field->distinct) % field->distinct;
}

/* Mostly at or near the focus. */
static int random_value(struct random *random, const struct written *written)
{
    int kind = pick(random, 0, 9);
    if (kind < 4) {
        return written->focus;
    }
    return kind < 7 ? moved(written, written->focus, pick(random, -2, 2))
                    : pick(random, written->field->low, written->field->high);
}

static int random_step(struct random *random, const struct field *field)
{
    return random_chance(random, 70) ? pick(random, 1, 5) : pick(random, 1, field->max_step);
}

static void write_range(struct random *random, struct written *written)
{
    int first = random_value(random, written);
    int last = random_chance(random, 60) ? moved(written, first, pick(random, 1, 6)) : random_value(random, written);
    int step = random_chance(random, 50) ? random_step(random, written->field) : 0;
    if (first > last && !written->field->step_may_wrap) {
        step = 0;
    }
    take_values(written, first, last, step > 0 ? step : 1);
    write_value(random, written, first);
    write_text(written, "-");
    write_value(random, written, last);
    if (step > 0) {
        write_step(written, step);
    }
}

static void write_star(struct random *random, struct written *written, bool stepped)
{
    int step = stepped ? random_step(random, written->field) : 1;
    write_text(written, "*");
    if (stepped) {
        write_step(written, step);
    }
    take_values(written, written->field->low, written->field->low + written->field->distinct - 1, step);
}

static void write_item(struct random *random, struct written *written)
{
    int kind = pick(random, 0, 99);
    if (kind < 4) {
        write_star(random, written, false);
    } else if (kind < 16) {
        write_star(random, written, true);
    } else if (kind < 45) {
        write_range(random, written);
    } else {
        int value = random_value(random, written);
        take_values(written, value, value, 1);
        write_value(random, written, value);
    }
}

static void write_list(struct random *random, struct written *written)
{
    static const int lengths[] = {1, 1, 1, 1, 2, 2, 3};
    int items = lengths[pick(random, 0, (int)COUNT_OF(lengths) - 1)];
    for (int i = 0; i < items; i++) {
        write_text(written, i > 0 ? "," : "");
        write_item(random, written);
    }
}

/* --- all fields --------------------------------------------------------------------------------------------------- */

static struct written start_field(int field, struct wall_values *values, const struct wall_reading *focus)
{
    bool *sets[FIELD_COUNT] = {values->seconds, values->minutes, values->hours,
                               values->days,    values->months,  values->weekdays};
    const int focuses[FIELD_COUNT] = {focus->second, focus->minute, focus->hour,
                                      focus->day,    focus->month,  focus->weekday};
    return (struct written){.values = sets[field], .field = &fields[field], .focus = focuses[field]};
}

static struct written random_field(struct random *random, int field, struct wall_values *values,
                                   const struct wall_reading *focus)
{
    static const int star_percent[FIELD_COUNT] = {15, 12, 25, 50, 65, 50};
    struct written written = start_field(field, values, focus);
    if (random_chance(random, star_percent[field])) {
        write_star(random, &written, false);
    } else if (field == DAY && random_chance(random, 15)) {
        write_text(&written, "$");
        values->last_day = true;
    } else {
        write_list(random, &written);
    }
    return written;
}

static struct written single_value(struct random *random, int field, struct wall_values *values,
                                   const struct wall_reading *focus)
{
    struct written written = start_field(field, values, focus);
    int value = random_value(random, &written);
    take_values(&written, value, value, 1);
    write_value(random, &written, value);
    return written;
}

static void join_fields(struct random_schedule *schedule, const struct written *written, int first)
{
    size_t used = 0;
    for (int field = first; field < FIELD_COUNT; field++) {
        used += (size_t)snprintf(schedule->text + used, sizeof(schedule->text) - used, "%s%s", field > first ? " " : "",
                                 written[field].text);
    }
    schedule->values.fixed = written[MINUTE].text[0] != '*' && written[HOUR].text[0] != '*';
    schedule->values.either_day = written[DAY].text[0] != '*' && written[WEEKDAY].text[0] != '*';
    schedule->values.seconds[0] |= first == MINUTE;
}

static struct random_schedule shorthand(const char *text, const struct wall_values *values)
{
    struct random_schedule schedule = {.values = *values};
    snprintf(schedule.text, sizeof(schedule.text), "%s", text);
    return schedule;
}

static struct random_schedule random_shorthand(struct random *random)
{
    struct wall_values daily = {.seconds = {true}, .minutes = {true}, .hours = {true}, .fixed = true};
    memset(daily.days, true, sizeof(daily.days));
    memset(daily.months, true, sizeof(daily.months));
    memset(daily.weekdays, true, sizeof(daily.weekdays));
    struct wall_values hourly = daily;
    memset(hourly.hours, true, sizeof(hourly.hours));
    hourly.fixed = false; /* 0 * * * * */
    struct wall_values weekly = daily;
    memset(weekly.weekdays + 1, false, sizeof(weekly.weekdays) - 1);
    struct wall_values monthly = daily;
    memset(monthly.days + 2, false, sizeof(monthly.days) - 2);
    struct wall_values yearly = monthly;
    memset(yearly.months + 2, false, sizeof(yearly.months) - 2);
    const struct random_schedule all[] = {
        shorthand("@hourly", &hourly),   shorthand("@daily", &daily),     shorthand("@midnight", &daily),
        shorthand("@weekly", &weekly),   shorthand("@monthly", &monthly), shorthand("@yearly", &yearly),
        shorthand("@annually", &yearly),
    };
    return all[pick(random, 0, (int)COUNT_OF(all) - 1)];
}

struct random_schedule random_schedule(struct random *random, bool six_fields, const struct wall_reading *focus)
{
    if (!six_fields && random_chance(random, 4)) {
        return random_shorthand(random);
    }
    struct random_schedule schedule = {.text = ""};
    struct written written[FIELD_COUNT];
    int first = six_fields ? SECOND : MINUTE;
    for (int field = first; field < FIELD_COUNT; field++) {
        written[field] = random_field(random, field, &schedule.values, focus);
    }
    join_fields(&schedule, written, first);
    return schedule;
}

struct random_schedule random_sparse_schedule(struct random *random, const struct wall_reading *focus)
{
    struct random_schedule schedule = {.text = ""};
    struct written written[FIELD_COUNT];
    for (int field = MINUTE; field < FIELD_COUNT; field++) {
        written[field] = field <= HOUR ? single_value(random, field, &schedule.values, focus)
                                       : random_field(random, field, &schedule.values, focus);
    }
    join_fields(&schedule, written, MINUTE);
    return schedule;
}
