/* SPDX-License-Identifier: PostgreSQL */
#include "support/schedule/slot_comparison.h"

#include <stdio.h>

#define INSTANT_WALL_SIZE (WALL_TEXT_SIZE + 40)

static const char *describe(instant at, char text[static INSTANT_WALL_SIZE])
{
    char wall[WALL_TEXT_SIZE];
    if (at == INSTANT_NEVER || at == INSTANT_NONE) {
        snprintf(text, INSTANT_WALL_SIZE, "%s", at == INSTANT_NEVER ? "never" : "none");
        return text;
    }
    int64_t second = at / USEC_PER_SEC - (at % USEC_PER_SEC < 0 ? 1 : 0);
    snprintf(text, INSTANT_WALL_SIZE, "%s and %d us", wall_text(second, wall), (int)(at - second * USEC_PER_SEC));
    return text;
}

static bool differ(struct slot_comparison *comparison, const char *what, instant from, instant expected, instant found)
{
    char texts[3][INSTANT_WALL_SIZE];
    snprintf(comparison->difference, sizeof(comparison->difference),
             "%s\n    from     %s\n    expected %s\n    found    %s", what, describe(from, texts[0]),
             describe(expected, texts[1]), describe(found, texts[2]));
    return false;
}

static instant slot_at(const struct slot_comparison *comparison, size_t i)
{
    return comparison->slots->seconds[i] * USEC_PER_SEC;
}

static instant before_window(const struct slot_comparison *comparison)
{
    return comparison->window->start * USEC_PER_SEC - 1;
}

static instant end_of_window(const struct slot_comparison *comparison)
{
    return comparison->window->end * USEC_PER_SEC - 1;
}

static bool next_is(struct slot_comparison *comparison, instant after, size_t i)
{
    instant found = schedule_next(comparison->schedule, after);
    if (i == comparison->slots->count) {
        return found > end_of_window(comparison) ||
               differ(comparison, "schedule_next should be past the window", after, end_of_window(comparison), found);
    }
    return found == slot_at(comparison, i) || differ(comparison, "schedule_next", after, slot_at(comparison, i), found);
}

/* The latest is the last of the first `count` slots. */
static bool latest_is(struct slot_comparison *comparison, instant until, size_t count)
{
    instant expected = count > 0 ? slot_at(comparison, count - 1) : INSTANT_NONE;
    instant found = schedule_latest(comparison->schedule, before_window(comparison), until);
    return found == expected || differ(comparison, "schedule_latest", until, expected, found);
}

bool slots_same_forwards(struct slot_comparison *comparison)
{
    instant slot = before_window(comparison);
    for (size_t i = 0; i < comparison->slots->count; i++) {
        if (!next_is(comparison, slot, i)) {
            return false;
        }
        slot = slot_at(comparison, i);
    }
    return next_is(comparison, slot, comparison->slots->count);
}

bool slots_same_backwards(struct slot_comparison *comparison)
{
    instant until = end_of_window(comparison);
    for (size_t count = comparison->slots->count; count > 0; count--) {
        if (!latest_is(comparison, until, count)) {
            return false;
        }
        until = slot_at(comparison, count - 1) - 1;
    }
    return latest_is(comparison, until, 0);
}

bool slots_same_count(struct slot_comparison *comparison, int64_t limit)
{
    int64_t total = (int64_t)comparison->slots->count;
    int64_t expected = total < limit ? total : limit;
    instant last = INSTANT_NONE;
    int64_t found = schedule_count(comparison->schedule, before_window(comparison), end_of_window(comparison), limit,
                                   &last);
    if (found != expected) {
        snprintf(comparison->difference, sizeof(comparison->difference),
                 "schedule_count counts %lld instead of %lld, with a limit of %lld", (long long)found,
                 (long long)expected, (long long)limit);
        return false;
    }
    instant expected_last = expected > 0 ? slot_at(comparison, (size_t)expected - 1) : INSTANT_NONE;
    return last == expected_last ||
           differ(comparison, "the last of schedule_count", before_window(comparison), expected_last, last);
}

static size_t slots_until(const struct slot_comparison *comparison, instant at)
{
    size_t low = 0;
    for (size_t high = comparison->slots->count; low < high;) {
        size_t middle = (low + high) / 2;
        if (slot_at(comparison, middle) <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool same_around(struct slot_comparison *comparison, instant at)
{
    size_t passed = slots_until(comparison, at);
    return latest_is(comparison, at, passed) && next_is(comparison, at, passed);
}

/* A slot is not after itself. */
static bool same_after(struct slot_comparison *comparison, size_t i)
{
    instant after = slot_at(comparison, i);
    size_t left = comparison->slots->count - i - 1;
    instant last = left > 0 ? slot_at(comparison, i + left) : INSTANT_NONE;
    instant found = schedule_latest(comparison->schedule, after, after);
    if (found != INSTANT_NONE) {
        return differ(comparison, "schedule_latest after itself", after, INSTANT_NONE, found);
    }
    found = schedule_latest(comparison->schedule, after, end_of_window(comparison));
    if (found != last) {
        return differ(comparison, "schedule_latest after a slot", after, last, found);
    }
    int64_t count = schedule_count(comparison->schedule, after, end_of_window(comparison), INT64_MAX, &found);
    return count == (int64_t)left || differ(comparison, "schedule_count after a slot", after, last, found);
}

bool slots_same_around(struct slot_comparison *comparison, struct random *chance)
{
    for (int round = 0; round < 4; round++) {
        instant at = random_within(chance, before_window(comparison) + 1, end_of_window(comparison));
        if (!same_around(comparison, at)) {
            return false;
        }
    }
    for (int off = -1; off <= 1 && comparison->slots->count > 0; off++) {
        size_t i = (size_t)random_within(chance, 0, (int64_t)comparison->slots->count - 1);
        if (!same_around(comparison, slot_at(comparison, i) + off) || (off == 0 && !same_after(comparison, i))) {
            return false;
        }
    }
    return true;
}

/* A slot that is both regular and a gap's may be called either. */
static bool note_is_right(enum slot_note note, unsigned char reasons)
{
    switch (note) {
    case SLOT_PLAIN:
        return (reasons & WALL_SHOWN) != 0;
    case SLOT_AFTER_GAP:
        return (reasons & WALL_AFTER_GAP) != 0;
    case SLOT_FIRST_OF_TWO:
        return (reasons & WALL_FIRST) != 0;
    case SLOT_SECOND_OF_TWO:
        return (reasons & WALL_SECOND) != 0;
    }
    return false;
}

bool slots_same_notes(struct slot_comparison *comparison)
{
    for (size_t i = 0; i < comparison->slots->count; i++) {
        enum slot_note note = schedule_note(comparison->schedule, slot_at(comparison, i));
        if (!note_is_right(note, comparison->slots->reasons[i])) {
            char text[WALL_TEXT_SIZE];
            snprintf(comparison->difference, sizeof(comparison->difference),
                     "schedule_note is %d (enum slot_note) at %s, whose reasons are %d (enum wall_reason)", (int)note,
                     wall_text(comparison->slots->seconds[i], text), comparison->slots->reasons[i]);
            return false;
        }
    }
    return true;
}
