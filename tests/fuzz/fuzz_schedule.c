/* SPDX-License-Identifier: PostgreSQL */
/* Any bytes as a schedule in some zone: parsing survives, and what was read gives slots that agree with each other. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "calendar/schedule.h"

#define MOST_STEPS 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first bytes of an input; the text follows. */
struct head {
    int64_t after;
    uint8_t zone;
    uint8_t policies;
};

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static const struct zone *pick_zone(uint8_t number)
{
    static const char *const names[] = {
        "UTC",          "Europe/Berlin",     "America/New_York",     "Australia/Lord_Howe",
        "Pacific/Apia", "America/Sao_Paulo", "Africa/Casablanca",    "Asia/Kathmandu",
        "Etc/GMT-14",   "Pacific/Kwajalein", "America/Scoresbysund", "Antarctica/Troll",
        "Asia/Gaza",    "Europe/Dublin",     "Africa/Monrovia",      "Etc/GMT+12",
    };
    static struct zones *zones;
    if (zones == NULL) {
        zones = zones_create();
    }
    const struct zone *zone = NULL;
    struct error err = {.kind = ERROR_NONE};
    if (!zones_find(zones, names[number % COUNT_OF(names)], &zone, &err)) {
        fprintf(stderr, "%s: %s\n", err.message, err.hint);
        abort();
    }
    return zone;
}

static void check_slot(const struct schedule *schedule, instant after, instant next)
{
    instant last = INSTANT_NONE;
    require(next > after);
    require(schedule_next(schedule, next - 1) == next || schedule->form == SCHEDULE_DELAY);
    require(schedule_latest(schedule, after, next) == next);
    require(schedule_latest(schedule, after, next - 1) == INSTANT_NONE);
    require(schedule_count(schedule, after, next, 5, &last) == 1 && last == next);
    require(schedule->fixed || schedule_note(schedule, next) == SLOT_PLAIN);
}

/* A walk of some slots, each found from its neighbours, and then counted and walked back. */
static void check_walk(const struct schedule *schedule, instant after)
{
    instant slots[MOST_STEPS];
    int count = 0;
    instant slot = after;
    for (; count < MOST_STEPS; count++) {
        slots[count] = schedule_next(schedule, slot);
        if (slots[count] == INSTANT_NEVER) {
            require(schedule_latest(schedule, slot, INSTANT_NEVER) == INSTANT_NONE);
            break;
        }
        check_slot(schedule, slot, slots[count]);
        slot = slots[count];
    }
    instant last = INSTANT_NONE;
    require(schedule_count(schedule, after, slot, INT64_MAX, &last) == count);
    require(last == (count > 0 ? slot : INSTANT_NONE));
    for (int i = count - 1; i > 0; i--) {
        instant before = schedule_latest(schedule, after, slots[i] - 1);
        require(before == slots[i - 1]);
    }
}

/* From where the input says, and around the changes of the clocks next to that. */
static void check_schedule(const struct schedule *schedule, const struct zone *zone, instant after)
{
    instant change = zone_next_change(zone, after);
    instant earlier = zone_last_change(zone, after);
    check_walk(schedule, after);
    if (change != INSTANT_NEVER) {
        check_walk(schedule, change - 3 * USEC_PER_HOUR);
    }
    if (earlier != INSTANT_NONE) {
        check_walk(schedule, earlier - 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct head head = {.after = 0};
    const size_t head_size = sizeof(head.after) + 2;
    if (size < head_size) {
        return 0;
    }
    memcpy(&head, data, head_size);
    const struct zone *zone = pick_zone(head.zone);
    /* An exact copy, so that a read past the NUL is seen. */
    char *text = xstrndup((const char *)data + head_size, size - head_size);
    struct schedule schedule;
    struct error err = {.kind = ERROR_NONE};
    if (schedule_parse(text, &schedule, &err)) {
        schedule_set_zone(&schedule, zone, (enum dst_gap)(head.policies & 1),
                          (enum dst_overlap)(head.policies / 2 % 3));
        check_schedule(&schedule, zone, head.after);
        check_schedule(&schedule, zone, head.after % INT64_C(253402300800000000));
        check_schedule(&schedule, zone, head.after % INT64_C(4102444800000000));
    } else {
        require(err.kind == ERROR_CONFIG && err.hint[0] != '\0');
        require(utf8_valid(err.message, strlen(err.message)));
    }
    free(text);
    return 0;
}
