/* SPDX-License-Identifier: PostgreSQL */
/* What the text of a job can know of its run: names, numbers, and intervals that join.
 * PGCHIME_TEST_SEED repeats a run. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "calendar/zone.h"
#include "model/slot_parameters.h"
#include "support/process/suite.h"
#include "support/schedule/random_schedule.h"

/* --- names -------------------------------------------------------------------------------------------------------- */

START_TEST(names_outside_of_strings_comments_and_identifiers_become_numbers)
{
    static const struct {
        const char *text;
        const char *numbered;
    } cases[] = {
        {"SELECT $slot", "SELECT $2   "},
        {"id >= $cursor_start AND id < $cursor_end", "id >= $8            AND id < $9         "},
        {"SELECT $payload, $1", "SELECT $1      , $1"},
        {"CALL load($previous_slot,$slot)", "CALL load($3            ,$2   )"},
        {"WHERE t >= $interval_start AND t < $interval_end", "WHERE t >= $4              AND t < $5           "},
        {"SELECT $run_id::text || $attempt", "SELECT $6     ::text || $7      "},
        {"SELECT $SLOT, $Run_Id", "SELECT $2   , $6     "},
        {"SELECT '$slot', E'\\'$slot', \"$slot\"", "SELECT '$slot', E'\\'$slot', \"$slot\""},
        {"SELECT $slot$ a $slot$", "SELECT $slot$ a $slot$"},
        {"SELECT $$ $slot $$, $slot", "SELECT $$ $slot $$, $2   "},
        {"SELECT $a$ $slot $a$ || $slot", "SELECT $a$ $slot $a$ || $2   "},
        {"SELECT 1 -- $slot\n, $slot", "SELECT 1 -- $slot\n, $2   "},
        {"SELECT /* /* $slot */ $slot */ $slot", "SELECT /* /* $slot */ $slot */ $2   "},
        {"SELECT a$slot, _$slot", "SELECT a$slot, _$slot"},
        {"SELECT $slots, $slot_1", "SELECT $slots, $slot_1"},
        {"SELECT $", "SELECT $"},
        {"$slot", "$2   "},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *numbered = slot_parameters_number(cases[i].text);
        ck_assert_str_eq(numbered, cases[i].numbered);
        ck_assert_msg(slot_parameters_used(cases[i].text) == (strcmp(numbered, cases[i].text) != 0), "%s",
                      cases[i].text);
        free(numbered);
    }
}
END_TEST

/* The hint of the error; "" when there is none. */
static const char *refusal(const char *text, bool several, struct error *err)
{
    *err = (struct error){.kind = ERROR_NONE};
    return slot_parameters_check(text, several, err) ? "" : err->message;
}

START_TEST(a_text_may_name_its_slot_where_the_server_takes_parameters)
{
    static const char *const good[] = {"SELECT $slot",
                                       "(SELECT $slot) UNION SELECT now()",
                                       "INSERT INTO t VALUES ($run_id)",
                                       "CALL load($slot);",
                                       "WITH a AS (SELECT $slot) SELECT * FROM a",
                                       "MERGE INTO t USING s ON a = $attempt WHEN MATCHED THEN DO NOTHING",
                                       "VALUES ($slot)",
                                       "DELETE FROM t WHERE at < $slot",
                                       "UPDATE t SET a = $payload",
                                       "VACUUM t",
                                       "DO $$ BEGIN PERFORM $slot; END $$",
                                       "SELECT $1; SELECT 2",
                                       "PREPARE p AS SELECT $1 + $2",
                                       ""};
    struct error err;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        ck_assert_str_eq(refusal(good[i], false, &err), "");
    }
    ck_assert_str_eq(refusal("DELETE FROM t; INSERT INTO t SELECT $slot; CALL p($run_id)", true, &err), "");
}
END_TEST

START_TEST(elsewhere_a_name_is_refused_with_the_other_way)
{
    struct error err;
    ck_assert_str_eq(refusal("ALTER TABLE t ALTER a SET DEFAULT $slot", false, &err),
                     "uses $slot in a statement that takes no parameters");
    ck_assert_str_eq(err.hint, "read it with current_setting('chime.slot'), which is set while the text runs");
    ck_assert_str_eq(refusal("SELECT 1; SELECT $run_id", false, &err),
                     "uses $run_id in a text of several statements, which takes no parameters");
    ck_assert_str_eq(err.hint, "read it with current_setting('chime.run_id'), which is set while the text runs");
    ck_assert_str_eq(refusal("SELECT 1; VACUUM t; COMMENT ON TABLE t IS $slot", true, &err),
                     "uses $slot in a statement that takes no parameters");
    ck_assert_str_eq(refusal("SELECT $slots", false, &err), "uses $slots, which is no parameter");
    ck_assert_ptr_nonnull(strstr(err.hint, "$interval_start"));
    ck_assert_str_eq(refusal("SELECT $slot, $3", false, &err), "uses $3 beside parameters with names");
    ck_assert_str_eq(refusal("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT $attempt; END", false, &err),
                     "uses $attempt in a statement that takes no parameters");
}
END_TEST

START_TEST(settings_are_for_texts_that_name_one_or_have_a_body_that_may)
{
    static const char *const wanted[] = {"SELECT current_setting('chime.slot')", "CALL load()", "DO $$ $$",
                                         "BEGIN; call load(); COMMIT", "SELECT load() -- reads chime.interval_end"};
    static const char *const unwanted[] = {"SELECT 1", "SELECT $slot", "SELECT * FROM chime.runs",
                                           "UPDATE do_it SET call = 1", ""};
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        ck_assert_msg(slot_settings_wanted(wanted[i]), "%s", wanted[i]);
    }
    for (size_t i = 0; i < COUNT_OF(unwanted); i++) {
        ck_assert_msg(!slot_settings_wanted(unwanted[i]), "%s", unwanted[i]);
    }
}
END_TEST

/* --- values ------------------------------------------------------------------------------------------------------- */

static struct schedule parse(const char *text)
{
    struct schedule schedule;
    struct error err = {.kind = ERROR_NONE};
    ck_assert_msg(schedule_parse(text, &schedule, &err), "%s: %s", text, err.message);
    return schedule;
}

static instant at(const char *text)
{
    instant found;
    struct error err = {.kind = ERROR_NONE};
    ck_assert_msg(instant_parse(text, &found, &err), "%s", text);
    return found;
}

/* "previous start end" of a run, with "-" for none. */
static const char *placed(const char *schedule_text, const char *slot, enum run_kind kind)
{
    static char text[3 * INSTANT_TEXT_SIZE];
    struct schedule schedule = parse(schedule_text);
    struct slot_values values = {.slot = at(slot), .run_id = 7, .attempt = 2, .payload = "it's"};
    struct slot_texts texts;
    slot_values_place(&values, &schedule, kind);
    slot_values_texts(&values, &texts);
    ck_assert_str_eq(texts.values[0], "it's");
    ck_assert_str_eq(texts.values[1], slot);
    ck_assert_str_eq(texts.values[5], "7");
    ck_assert_str_eq(texts.values[6], "2");
    size_t used = 0;
    for (int i = 2; i < 5; i++) {
        const char *value = texts.values[i] != NULL ? texts.values[i] : "-";
        used += (size_t)snprintf(text + used, sizeof(text) - used, i > 2 ? " %s" : "%s", value);
    }
    return text;
}

START_TEST(a_slot_of_the_schedule_has_the_interval_before_it)
{
    ck_assert_str_eq(placed("0 * * * *", "2026-03-27T10:00:00Z", RUN_SCHEDULE),
                     "2026-03-27T09:00:00Z 2026-03-27T09:00:00Z 2026-03-27T10:00:00Z");
    ck_assert_str_eq(placed("0 6 * * mon", "2026-03-30T06:00:00Z", RUN_SCHEDULE),
                     "2026-03-23T06:00:00Z 2026-03-23T06:00:00Z 2026-03-30T06:00:00Z");
    ck_assert_str_eq(placed("@every 90s", "2026-03-27T10:00:00Z", RUN_SCHEDULE),
                     "2026-03-27T09:58:30Z 2026-03-27T09:58:30Z 2026-03-27T10:00:00Z");
}
END_TEST

START_TEST(other_runs_have_a_slot_before_them_and_no_interval)
{
    static const enum run_kind kinds[] = {RUN_MANUAL, RUN_EVENT, RUN_CHANGE, RUN_INSTALL};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        ck_assert_str_eq(placed("0 * * * *", "2026-03-27T10:17:23.500000Z", kinds[i]), "2026-03-27T10:00:00Z - -");
        ck_assert_str_eq(placed("0 * * * *", "2026-03-27T10:00:00Z", kinds[i]), "2026-03-27T09:00:00Z - -");
    }
}
END_TEST

START_TEST(a_schedule_whose_slots_are_not_known_beforehand_has_neither)
{
    static const char *const schedules[] = {"@after 10m", "@reboot", "@at 2026-03-27 10:00Z"};
    for (size_t i = 0; i < COUNT_OF(schedules); i++) {
        ck_assert_str_eq(placed(schedules[i], "2026-03-27T10:00:00Z", RUN_SCHEDULE), "- - -");
    }
    struct schedule none = {.form = SCHEDULE_NONE};
    struct slot_values values = {.slot = at("2026-03-27T10:00:00Z")};
    slot_values_place(&values, &none, RUN_DEPENDENCY);
    ck_assert(values.previous_slot == INSTANT_NONE && values.interval_end == INSTANT_NONE);
}
END_TEST

/* --- intervals join, over all zones and both changes of the clocks ------------------------------------------------ */

static struct random chance;
static size_t intervals;

/* Slots are found forwards, one after the other; the interval of each is found backwards, from the slot alone. */
static void expect_intervals_join(const struct schedule *schedule, const char *text, instant from, instant until)
{
    instant end = schedule_next(schedule, from);
    for (int slots = 0; slots < 300; slots++) {
        struct slot_values values = {.slot = schedule_next(schedule, end)};
        if (values.slot > until) {
            return;
        }
        slot_values_place(&values, schedule, RUN_SCHEDULE);
        ck_assert_msg(values.interval_start == end && values.interval_end == values.slot,
                      "%s in %s: the interval of %lld begins at %lld, and the one before ends at %lld", text,
                      schedule->zone != NULL ? zone_name(schedule->zone) : "UTC", (long long)values.slot,
                      (long long)values.interval_start, (long long)end);
        end = values.slot;
        intervals++;
    }
}

/* The day before and the day after each change of the year, and the turn of a month. */
static void expect_joins_around_changes(struct schedule *schedule, const char *text, const struct zone *zone)
{
    instant year = at("2026-01-01T00:00:00Z");
    instant change = zone_next_change(zone, year);
    expect_intervals_join(schedule, text, year - USEC_PER_DAY, year + USEC_PER_DAY);
    for (; change < year + 366 * USEC_PER_DAY; change = zone_next_change(zone, change)) {
        expect_intervals_join(schedule, text, change - 2 * USEC_PER_DAY, change + 2 * USEC_PER_DAY);
    }
}

static void expect_joins_in(const struct zone *zone, int policy)
{
    static const char *const texts[] = {"0 * * * *",       "*/15 1-3 * * *", "30 2 * * *", "0 0 * * *",
                                        "15,45 0-3 * * *", "*/7 * * * * *",  "@every 7h",  "40 seconds"};
    const struct wall_reading focus = {.hour = 2};
    for (size_t i = 0; i <= COUNT_OF(texts); i++) {
        struct random_schedule made = random_schedule(&chance, false, &focus);
        const char *text = i < COUNT_OF(texts) ? texts[i] : made.text;
        struct error err = {.kind = ERROR_NONE};
        struct schedule schedule;
        if (schedule_parse(text, &schedule, &err)) {
            schedule_set_zone(&schedule, zone, (enum dst_gap)(policy % 2), (enum dst_overlap)(policy / 2));
            expect_joins_around_changes(&schedule, text, zone);
        }
    }
}

/* Each zone that people live in, as the system lists them. */
START_TEST(intervals_join_without_a_gap_or_an_overlap_in_every_zone)
{
    const char *given = getenv("PGCHIME_TEST_SEED");
    char *list = xasprintf("%s/zone1970.tab", getenv("TZDIR") != NULL ? getenv("TZDIR") : "/usr/share/zoneinfo");
    FILE *file = fopen(list, "r");
    struct zones *zones = zones_create();
    char line[400];
    char name[64];
    size_t found = 0;
    chance.state = given != NULL ? strtoull(given, NULL, 10) : UINT64_C(20261125);
    ck_assert_msg(file != NULL, "%s", list);
    while (fgets(line, sizeof(line), file) != NULL) {
        const struct zone *zone = NULL;
        struct error err = {.kind = ERROR_NONE};
        if (line[0] != '#' && sscanf(line, "%*[^\t]\t%*[^\t]\t%63s", name) == 1) {
            ck_assert_msg(zones_find(zones, name, &zone, &err), "%s: %s", name, err.message);
            expect_joins_in(zone, (int)(found++ % 6)); /* all ways to take a change, each in many zones */
        }
    }
    fclose(file);
    free(list);
    zones_destroy(zones);
    ck_assert_uint_gt(found, 250);
    ck_assert_uint_gt(intervals, 100000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slot parameters");
    TCase *tests = tcase_create("slot parameters");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, names_outside_of_strings_comments_and_identifiers_become_numbers);
    tcase_add_test(tests, a_text_may_name_its_slot_where_the_server_takes_parameters);
    tcase_add_test(tests, elsewhere_a_name_is_refused_with_the_other_way);
    tcase_add_test(tests, settings_are_for_texts_that_name_one_or_have_a_body_that_may);
    tcase_add_test(tests, a_slot_of_the_schedule_has_the_interval_before_it);
    tcase_add_test(tests, other_runs_have_a_slot_before_them_and_no_interval);
    tcase_add_test(tests, a_schedule_whose_slots_are_not_known_beforehand_has_neither);
    tcase_add_test(tests, intervals_join_without_a_gap_or_an_overlap_in_every_zone);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
