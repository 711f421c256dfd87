/* SPDX-License-Identifier: PostgreSQL */
/* Chance, random jobs, and their slots by trying every second or minute. */
#include "support/month/simulation.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

/* --- chance ------------------------------------------------------------------------------------------------------- */

static uint64_t chance_state;

void simulation_seed(uint64_t seed)
{
    chance_state = seed;
}

int64_t simulation_chance(int64_t low, int64_t high)
{
    uint64_t z = chance_state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return low + (int64_t)((z ^ z >> 31) % (uint64_t)(high - low + 1));
}

bool simulation_one_in(int64_t n)
{
    return simulation_chance(1, n) == 1;
}

/* --- the oracle's schedules --------------------------------------------------------------------------------------- */

enum field_form { FIELD_ANY, FIELD_STEP, FIELD_VALUE, FIELD_PAIR, FIELD_RANGE };

struct field {
    enum field_form form;
    int first; /* of FIELD_STEP: the step */
    int second;
};

struct pattern {
    bool none;              /* no schedule at all */
    int interval;           /* seconds; 0: fields */
    bool seconds;           /* six fields */
    struct field fields[6]; /* second, minute, hour, day, month, weekday */
};

static bool field_matches(const struct field *field, int low, int value)
{
    switch (field->form) {
    case FIELD_ANY:
        return true;
    case FIELD_STEP:
        return (value - low) % field->first == 0;
    case FIELD_VALUE:
        return value == field->first;
    case FIELD_PAIR:
        return value == field->first || value == field->second;
    case FIELD_RANGE:
        return value >= field->first && value <= field->second;
    }
    return false;
}

static void field_print(const struct field *field, char text[static 16])
{
    if (field->form == FIELD_ANY) {
        snprintf(text, 16, "*");
    } else if (field->form == FIELD_STEP) {
        snprintf(text, 16, "*/%d", field->first);
    } else if (field->form == FIELD_VALUE) {
        snprintf(text, 16, "%d", field->first);
    } else {
        snprintf(text, 16, "%d%s%d", field->first, field->form == FIELD_PAIR ? "," : "-", field->second);
    }
}

static void pattern_print(const struct pattern *pattern, char *text, size_t size)
{
    char fields[6][16];
    for (int i = 0; i < 6; i++) {
        field_print(&pattern->fields[i], fields[i]);
    }
    if (pattern->none) {
        snprintf(text, size, "%s", "");
    } else if (pattern->interval > 0) {
        snprintf(text, size, "%d seconds", pattern->interval);
    } else {
        snprintf(text, size, "%s%s%s %s %s %s %s", pattern->seconds ? fields[0] : "", pattern->seconds ? " " : "",
                 fields[1], fields[2], fields[3], fields[4], fields[5]);
    }
}

static bool starred(const struct field *field)
{
    return field->form == FIELD_ANY || field->form == FIELD_STEP;
}

static bool day_matches(const struct pattern *pattern, int64_t second)
{
    time_t at = (time_t)second;
    struct tm tm;
    gmtime_r(&at, &tm);
    const struct field *fields = pattern->fields;
    bool day = field_matches(&fields[3], 1, tm.tm_mday);
    bool weekday = field_matches(&fields[5], 0, tm.tm_wday);
    bool both = starred(&fields[3]) || starred(&fields[5]);
    return field_matches(&fields[4], 1, tm.tm_mon + 1) && (both ? day && weekday : day || weekday);
}

static bool second_matches(const struct pattern *pattern, int64_t second)
{
    if (pattern->interval > 0) {
        return second % pattern->interval == 0;
    }
    int64_t of_day = second % 86400;
    return field_matches(&pattern->fields[1], 0, (int)(of_day / 60 % 60)) &&
           field_matches(&pattern->fields[2], 0, (int)(of_day / 3600)) &&
           field_matches(&pattern->fields[0], 0, (int)(of_day % 60));
}

static struct field random_field(int low, int high)
{
    struct field field = {(enum field_form)simulation_chance(FIELD_ANY, FIELD_RANGE), (int)simulation_chance(low, high),
                          (int)simulation_chance(low, high)};
    if (field.form == FIELD_STEP) {
        field.first = (int)simulation_chance(1, high);
    } else if (field.form == FIELD_RANGE && field.first > field.second) {
        field.second = high;
    }
    return field;
}

/* Of a kind that a simulation of so many days can bear. */
static struct pattern random_pattern(int64_t days)
{
    static const int steps[] = {1, 2, 5, 10, 15, 20, 30};
    struct pattern pattern = {.none = simulation_one_in(12), .fields = {{FIELD_VALUE, 0, 0}}};
    if (days == 0 && simulation_one_in(3)) {
        pattern.interval = (int)simulation_chance(3, 59);
    }
    if (days == 0 && simulation_one_in(3)) {
        pattern.seconds = true;
        pattern.fields[0] = random_field(0, 59);
    }
    pattern.fields[1] = (struct field){FIELD_STEP, steps[simulation_chance(days == 0 ? 0 : days < 5 ? 3 : 5, 6)], 0};
    if (simulation_one_in(3)) {
        pattern.fields[1] = (struct field){FIELD_PAIR, (int)simulation_chance(0, 59), (int)simulation_chance(0, 59)};
    } else if (simulation_one_in(3)) {
        pattern.fields[1] = (struct field){FIELD_VALUE, (int)simulation_chance(0, 2) * 15, 0};
    }
    pattern.fields[2] = simulation_one_in(2) && days > 0 ? random_field(0, 23) : (struct field){FIELD_ANY, 0, 0};
    pattern.fields[3] = simulation_one_in(4) ? random_field(1, 28) : (struct field){FIELD_ANY, 0, 0};
    pattern.fields[4] = simulation_one_in(8) ? (struct field){FIELD_RANGE, 2, 3} : (struct field){FIELD_ANY, 0, 0};
    pattern.fields[5] = simulation_one_in(4) ? random_field(0, 6) : (struct field){FIELD_ANY, 0, 0};
    return pattern;
}

/* --- the world ---------------------------------------------------------------------------------------------------- */

size_t simulation_slots_until(const struct sim_job *it, instant until)
{
    size_t low = 0;
    for (size_t high = it->slot_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (it->slots[middle].at <= until) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

instant simulation_slot_after(const struct sim_job *it, instant after)
{
    size_t next = simulation_slots_until(it, after);
    return next < it->slot_count ? it->slots[next].at : INSTANT_NEVER;
}

bool simulation_unfinished(const struct sim_job *it, instant slot)
{
    return (it->live && it->kind == RUN_SCHEDULE && it->slot <= slot) || simulation_slot_after(it, it->cursor) <= slot;
}

bool simulation_blocked(const struct world *world, const struct sim_job *it, instant slot)
{
    for (size_t i = 0; i < it->job.after_count; i++) {
        if (simulation_unfinished(&world->jobs[it->upstream[i]], slot)) {
            return true;
        }
    }
    return false;
}

static void list_slots(const struct world *world, struct sim_job *it, const struct pattern *pattern)
{
    int64_t step = pattern->interval > 0 || pattern->seconds ? 1 : 60;
    int64_t start = START / USEC_PER_SEC;
    size_t capacity = 0;
    bool day_due = false;
    for (int64_t second = start; second <= world->end / USEC_PER_SEC + 7200; second += step) {
        if (second % 86400 == 0 || second == start) {
            day_due = pattern->interval > 0 || day_matches(pattern, second);
        }
        if (!day_due || second == start || !second_matches(pattern, second)) {
            continue;
        }
        if (it->slot_count == capacity) {
            capacity = capacity == 0 ? 64 : capacity * 2;
            it->slots = xrealloc(it->slots, capacity, sizeof(*it->slots));
        }
        it->slots[it->slot_count++] = (struct slot){.at = second * USEC_PER_SEC};
    }
}

static void choose_upstreams(struct world *world, struct sim_job *it)
{
    size_t count = world->job_count > 0 ? (size_t)simulation_chance(0, UPSTREAMS_MAX) : 0;
    for (size_t i = 0; i < count; i++) {
        size_t upstream = (size_t)simulation_chance(0, (int64_t)world->job_count - 1);
        it->upstream[it->job.after_count] = upstream;
        it->after[it->job.after_count++] = world->jobs[upstream].name;
    }
    it->job.after = it->after;
}

void simulation_add_job(struct world *world, int64_t days, int64_t chained_one_in)
{
    static const duration lengths[] = {USEC_PER_SEC, 30 * USEC_PER_SEC, 5 * USEC_PER_MINUTE, 2 * USEC_PER_HOUR};
    struct sim_job *it = &world->jobs[world->job_count];
    struct pattern pattern = random_pattern(days);
    struct job_options *options = &it->options;
    struct error err;
    snprintf(it->name, sizeof(it->name), "j%lld_%zu", (long long)simulation_chance(100, 999), world->job_count);
    pattern_print(&pattern, it->text, sizeof(it->text));
    it->job.name = it->name;
    it->job.options = options;
    it->job.active = !simulation_one_in(20);
    ck_assert_msg(pattern.none || schedule_parse(it->text, &it->job.schedule, &err), "%s: %s", it->text, err.message);
    options_defaults(options, simulation_one_in(2));
    options->suspend_after_failures = 0; /* suspension is judged by tests of its own */
    options->overlap_policy = simulation_one_in(2) ? OVERLAP_SKIP : OVERLAP_BUFFER_ONE;
    options->catchup = (enum catchup_policy)simulation_chance(CATCHUP_LATEST, CATCHUP_ALL);
    options->catchup_window = simulation_one_in(3) ? simulation_chance(1, 30) * USEC_PER_HOUR
                                                   : simulation_chance(0, 120) * USEC_PER_MINUTE;
    options->catchup_limit = simulation_chance(0, 9);
    options->priority = simulation_chance(1, 9);
    options->max_attempts = simulation_chance(1, 4);
    options->trigger_rule = simulation_one_in(2) ? TRIGGER_ALL_SUCCESS : TRIGGER_ALL_DONE;
    it->fails_one_in = simulation_one_in(2) ? 50 : simulation_chance(1, 8);
    it->lasts_most = lengths[simulation_chance(0, days == 0 ? 1 : 3)];
    it->cursor = START;
    it->claimed_at = it->ended_at = it->outcome_at = it->missed_at = it->missed_from = it->let_go_at = INSTANT_NONE;
    /* One without a schedule that came after others would be a join: they are judged by tests of their own too. */
    if (simulation_one_in(chained_one_in) && !pattern.none) {
        choose_upstreams(world, it);
    }
    if (it->job.active && !pattern.none) {
        list_slots(world, it, &pattern);
    }
    world->counts.slots += (int64_t)it->slot_count;
    world->job_count++;
}
