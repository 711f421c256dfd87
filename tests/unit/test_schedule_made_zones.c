/* SPDX-License-Identifier: PostgreSQL */
/* Slots in zones made for the purpose, with changes minutes apart and by odd seconds, against a count of every
 * second. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "calendar/schedule.h"
#include "support/process/suite.h"

#define MOST_CHANGES 8
#define WINDOW 50000 /* seconds; the changes lie around its middle */
#define MOST_OFFSET 7000

struct made_zone {
    int changes;
    int times[MOST_CHANGES]; /* seconds since `origin` */
    int offsets[MOST_CHANGES + 1];
    int64_t origin;
};

static size_t put_number(unsigned char *bytes, size_t used, int64_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        bytes[used++] = (unsigned char)((uint64_t)value >> shift & 0xFF);
    }
    return used;
}

static struct zone *read_made(const struct made_zone *made)
{
    unsigned char bytes[512] = "TZif";
    const int counts[6] = {0, 0, 0, made->changes, made->changes + 1, 4};
    size_t used = 20;
    for (int i = 0; i < 6; i++) {
        used = put_number(bytes, used, counts[i]);
    }
    for (int i = 0; i < made->changes; i++) {
        used = put_number(bytes, used, made->origin + made->times[i]);
    }
    for (int i = 0; i < made->changes; i++) {
        bytes[used++] = (unsigned char)(i + 1);
    }
    for (int i = 0; i <= made->changes; i++) {
        used = put_number(bytes, used, made->offsets[i]) + 2;
    }
    memcpy(bytes + used, "MAD", 4);
    struct error err = {0};
    struct zone *zone = zone_read("Made/Up", bytes, used + 4, &err);
    ck_assert_msg(zone != NULL, "%s", err.message);
    return zone;
}

static int random_within(int low, int high)
{
    return low + rand() % (high - low + 1);
}

static struct made_zone random_zone(void)
{
    struct made_zone made = {.changes = random_within(1, MOST_CHANGES)};
    int time = WINDOW / 2 - 8000;
    made.origin = INT64_C(1800000000) * (rand() % 2 == 0 ? 1 : -1) + random_within(0, 86400);
    for (int i = 0; i < made.changes; i++) {
        time += random_within(1, rand() % 2 == 0 ? 500 : 4000);
        made.times[i] = time;
    }
    for (int i = 0; i <= made.changes; i++) {
        made.offsets[i] = random_within(-MOST_OFFSET / 2, MOST_OFFSET / 2);
    }
    return made;
}

static int made_offset(const struct made_zone *made, int second)
{
    int passed = 0;
    while (passed < made->changes && made->times[passed] <= second) {
        passed++;
    }
    return made->offsets[passed];
}

static bool fields_match(const struct schedule *schedule, int64_t wall)
{
    struct civil civil = instant_to_civil(wall * USEC_PER_SEC);
    return (schedule->hours >> civil.hour & 1) != 0 && (schedule->minutes >> civil.minute & 1) != 0 &&
           (schedule->seconds >> civil.second & 1) != 0;
}

/* For each wall time, as seconds since the origin plus MOST_OFFSET, when it is first and last shown; -1: never. */
struct showings {
    int first[WINDOW + 2 * MOST_OFFSET];
    int last[WINDOW + 2 * MOST_OFFSET];
};

static void count_showings(const struct made_zone *made, struct showings *showings)
{
    memset(showings, 0xFF, sizeof(*showings));
    for (int second = 0; second < WINDOW; second++) {
        int wall = second + made_offset(made, second) + MOST_OFFSET;
        showings->first[wall] = showings->first[wall] < 0 ? second : showings->first[wall];
        showings->last[wall] = second;
    }
}

static void mark_gap(const struct made_zone *made, int wall, bool *due)
{
    for (int i = 0; i < made->changes; i++) {
        if (made->times[i] + made->offsets[i] <= wall && wall < made->times[i] + made->offsets[i + 1]) {
            due[made->times[i]] = true;
        }
    }
}

static void mark_wall(const struct schedule *schedule, const struct made_zone *made, const struct showings *showings,
                      int wall, bool *due)
{
    int first = showings->first[wall + MOST_OFFSET];
    int last = showings->last[wall + MOST_OFFSET];
    if (first < 0) {
        if (schedule->fixed && schedule->dst_gap == DST_GAP_RUN) {
            mark_gap(made, wall, due);
        }
        return;
    }
    for (int second = first; second <= last; second++) {
        bool wanted = !schedule->fixed || schedule->dst_overlap == DST_OVERLAP_BOTH ||
                      second == (schedule->dst_overlap == DST_OVERLAP_FIRST ? first : last);
        due[second] = due[second] || (wanted && second + made_offset(made, second) == wall);
    }
}

/* Between random seconds, by the sums of what is due. */
static void check_counts(const struct schedule *schedule, const char *text, const struct made_zone *made,
                         const bool *due, int from, int until)
{
    static int passed[WINDOW]; /* how many are due from `from` until that second */
    for (int second = from; second < until; second++) {
        passed[second] = (second > from ? passed[second - 1] : 0) + (due[second] ? 1 : 0);
    }
    for (int round = 0; round < 1000; round++) {
        int after = random_within(from, until - 1);
        int last = random_within(after, until - 1);
        int expected = passed[last] - passed[after];
        int limit = random_within(0, expected + 1);
        instant counted = 0;
        instant start = (made->origin + after) * USEC_PER_SEC;
        int64_t all = schedule_count(schedule, start, (made->origin + last) * USEC_PER_SEC, INT64_MAX, &counted);
        int64_t some = schedule_count(schedule, start, (made->origin + last) * USEC_PER_SEC, limit, &counted);
        int at = counted == INSTANT_NONE ? after : (int)(counted / USEC_PER_SEC - made->origin);
        bool last_is_right = passed[at] - passed[after] == some && (some == 0 ? at == after : due[at]);
        if (all != expected || some != (limit < expected ? limit : expected) || !last_is_right) {
            ck_abort_msg("%s after %d until %d: %lld, not %d; with limit %d %lld until %d", text, after, last,
                         (long long)all, expected, limit, (long long)some, at);
        }
    }
}

/* Between the window's ends, where every wall time near is known. */
static void check_made(const struct schedule *schedule, const char *text, const struct made_zone *made)
{
    static struct showings showings;
    static bool due[WINDOW];
    const int from = 2 * MOST_OFFSET;
    const int until = WINDOW - 2 * MOST_OFFSET;
    memset(due, 0, sizeof(due));
    count_showings(made, &showings);
    for (int wall = from - MOST_OFFSET; wall < until + MOST_OFFSET; wall++) {
        if (fields_match(schedule, made->origin + wall)) {
            mark_wall(schedule, made, &showings, wall, due);
        }
    }
    int next = -1;
    for (int second = until - 1; second >= from; second--) {
        if (next >= 0 &&
            schedule_next(schedule, (made->origin + second) * USEC_PER_SEC) != (made->origin + next) * USEC_PER_SEC) {
            ck_abort_msg("%s after %lld: not %d", text, (long long)(made->origin + second), next);
        }
        next = due[second] ? second : next;
    }
    int latest = -1;
    for (int second = from; second < until; second++) {
        latest = due[second] ? second : latest;
        instant expected = latest >= 0 ? (made->origin + latest) * USEC_PER_SEC : INSTANT_NONE;
        if (schedule_latest(schedule, (made->origin + from) * USEC_PER_SEC - 1,
                            (made->origin + second) * USEC_PER_SEC) != expected) {
            ck_abort_msg("%s until %lld: not %d", text, (long long)(made->origin + second), latest);
        }
    }
    check_counts(schedule, text, made, due, from, until);
}

START_TEST(changes_minutes_apart_agree_with_a_count_of_every_second)
{
    static const char *const texts[] = {"*/7 * * * *",     "3,30 0-23 * * *",      "0-59 0-23 * * *",
                                        "15 0-23/2 * * *", "5-55/25 7 0-23 * * *", "* 59 0-23/3 * * *"};
    srand(20111230);
    for (int round = 0; round < 120; round++) {
        struct made_zone made = random_zone();
        struct zone *zone = read_made(&made);
        const char *text = texts[(size_t)round % COUNT_OF(texts)];
        struct schedule schedule;
        ck_assert(schedule_parse(text, &schedule, NULL));
        schedule_set_zone(&schedule, zone, (enum dst_gap)(rand() % 2), (enum dst_overlap)(rand() % 3));
        check_made(&schedule, text, &made);
        zone_drop(zone);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule_made_zones");
    TCase *tests = tcase_create("schedule_made_zones");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, changes_minutes_apart_agree_with_a_count_of_every_second);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
