/* SPDX-License-Identifier: PostgreSQL */
/* From a file's parts to a zone in which everything is found by one binary search. */
#include <string.h>

#include "calendar/zone_state.h"

#define YEARS_OF_CYCLE 400
/* A day of the rule may fall a week into another year, and its daylight saving ends in the year after. */
#define YEARS_AROUND 2
#define TRANSITIONS_OF_CYCLE (2 * (YEARS_OF_CYCLE + 2 * YEARS_AROUND + 1))

static void copy_types(struct zone *zone, const struct zone_image *image, const struct zone_rule *rule)
{
    zone->types = arena_alloc(zone->arena, (image->type_count + 2) * sizeof(*zone->types));
    for (size_t i = 0; i < image->type_count; i++) {
        zone->types[i].offset = zone_image_offset(image, i) * USEC_PER_SEC;
        zone->types[i].abbreviation = arena_strdup(zone->arena, zone_image_abbreviation(image, i));
    }
    zone->types[image->type_count] = (struct zone_type){.offset = rule->standard_offset * USEC_PER_SEC,
                                                        .abbreviation = arena_strdup(zone->arena, rule->standard)};
    zone->types[image->type_count + 1] = (struct zone_type){.offset = rule->daylight_offset * USEC_PER_SEC,
                                                            .abbreviation = arena_strdup(zone->arena, rule->daylight)};
}

static void add_transition(struct zone *zone, instant at, size_t kind)
{
    zone->times[zone->count] = at;
    zone->kinds[zone->count] = (uint16_t)kind;
    zone->count++;
}

/* The type from the last transition on becomes this one. */
static void set_last(struct zone *zone, size_t kind)
{
    if (zone->count > 0) {
        zone->kinds[zone->count - 1] = (uint16_t)kind;
    } else {
        zone->initial = kind;
    }
}

/* What lies outside of the calendar's years is not kept; false when something lies after them. */
static bool copy_transitions(struct zone *zone, const struct zone_image *image)
{
    for (size_t i = 0; i < image->transition_count; i++) {
        int64_t seconds = zone_image_time(image, i);
        if (seconds > ZONE_LAST_SECOND) {
            return false;
        }
        if (seconds <= ZONE_FIRST_SECOND) {
            zone->initial = image->kinds[i];
        } else {
            add_transition(zone, seconds * USEC_PER_SEC, image->kinds[i]);
        }
    }
    return true;
}

static void add_within_cycle(struct zone *zone, instant at, size_t kind)
{
    if (at > zone->cycle_start && at <= zone->cycle_start + ZONE_CYCLE) {
        add_transition(zone, at, kind);
    }
}

static void add_cycle(struct zone *zone, const struct zone_rule *rule, size_t standard)
{
    size_t daylight = standard + 1;
    int year = instant_to_civil(zone->cycle_start).year - YEARS_AROUND;
    int last = year + YEARS_OF_CYCLE + 2 * YEARS_AROUND;
    struct zone_period period;
    while (zone_rule_period(rule, &year, last, &period)) {
        if (period.start <= zone->cycle_start && period.end > zone->cycle_start) {
            set_last(zone, daylight);
        }
        add_within_cycle(zone, period.start, daylight);
        add_within_cycle(zone, period.end, standard);
    }
}

/* From the file's last transition on, that instant included, the rule alone decides. */
static void extend_by_rule(struct zone *zone, const struct zone_rule *rule, size_t standard)
{
    size_t before = zone->count;
    zone->cycle_start = before > 0 ? zone->times[before - 1] : ZONE_FIRST_SECOND * USEC_PER_SEC;
    set_last(zone, standard);
    if (rule->saves_daylight) {
        add_cycle(zone, rule, standard);
    }
    zone->repeats = zone->count > before;
}

static void find_changes(struct zone *zone)
{
    zone->changes = arena_alloc(zone->arena, (zone->count + 1) * sizeof(*zone->changes));
    size_t cycle_changes = 0;
    duration offset = zone->types[zone->initial].offset;
    for (size_t i = 0; i < zone->count; i++) {
        duration next = zone->types[zone->kinds[i]].offset;
        if (next != offset) {
            cycle_changes += zone->repeats && zone->times[i] > zone->cycle_start ? 1 : 0;
            zone->changes[zone->change_count++] = zone->times[i];
        }
        offset = next;
    }
    zone->cycle_changes = zone->change_count - cycle_changes;
}

static struct zone *build(const char *name, const struct zone_image *image, const struct zone_rule *rule)
{
    struct arena *arena = arena_create();
    struct zone *zone = arena_alloc(arena, sizeof(*zone));
    size_t room = image->transition_count + TRANSITIONS_OF_CYCLE;
    zone->arena = arena;
    zone->holders = 1;
    zone->name = arena_strdup(arena, name);
    zone->times = arena_alloc(arena, room * sizeof(*zone->times));
    zone->kinds = arena_alloc(arena, room * sizeof(*zone->kinds));
    copy_types(zone, image, rule);
    if (copy_transitions(zone, image) && image->footer_length > 0) {
        extend_by_rule(zone, rule, image->type_count);
    }
    find_changes(zone);
    return zone;
}

struct zone *zone_read(const char *name, const void *bytes, size_t size, struct error *err)
{
    struct zone_image image;
    struct zone_rule rule = {0};
    if (size > ZONE_FILE_LIMIT) {
        error_set(err, ERROR_CONFIG, "the file has more than %u bytes", ZONE_FILE_LIMIT);
    } else if (zone_image_read(&image, bytes, size, err) &&
               (image.footer_length == 0 || zone_rule_read(&rule, image.footer, image.footer_length, err))) {
        return build(name, &image, &rule);
    }
    error_prefix(err, "time zone \"%.100s\"", name);
    if (err != NULL && err->hint[0] == '\0') {
        error_hint(err, "reinstall the package tzdata, or set TZDIR to the folder of its files");
    }
    return NULL;
}

const struct zone *zone_hold(const struct zone *zone)
{
    if (zone != NULL) {
        ((struct zone *)zone)->holders++;
    }
    return zone;
}

void zone_drop(const struct zone *zone)
{
    if (zone != NULL && --((struct zone *)zone)->holders == 0) {
        arena_destroy(zone->arena);
    }
}
