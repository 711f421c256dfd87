/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/options.h"
#include "support/process/suite.h"

static struct job_options defaults(bool refresh)
{
    struct job_options options;
    options_defaults(&options, refresh);
    return options;
}

static void check_value(const struct job_options *options, const char *name, const char *expected)
{
    char *text = options_value_text(options, name);
    ck_assert_ptr_nonnull(text);
    ck_assert_msg(strcmp(text, expected) == 0, "%s is \"%s\", not \"%s\"", name, text, expected);
    free(text);
}

static void set(struct job_options *options, const char *name, const char *value)
{
    struct error err = {0};
    ck_assert_msg(options_set(options, name, value, &err), "%s = %s: %s", name, value, err.message);
}

START_TEST(the_products_defaults_are_those_of_the_design)
{
    static const char *const expected[][2] = {
        {"overlap_policy", "skip"},
        {"catchup", "latest"},
        {"catchup_window", "1d"},
        {"catchup_limit", "100"},
        {"starting_deadline", "none"},
        {"jitter", "0s"},
        {"debounce", "0s"},
        {"debounce_max", "none"},
        {"target_lag", "none"},
        {"warn_after", "none"},
        {"error_after", "none"},
        {"attempt_timeout", "1h"},
        {"cancel_grace", "10s"},
        {"lock_timeout", "30s"},
        {"max_attempts", "3"},
        {"backoff.initial", "5s"},
        {"backoff.coefficient", "2"},
        {"backoff.max", "1h"},
        {"backoff.jitter", "0.2"},
        {"retry_on", "08,53,57P0,40001,40P01,55P03"},
        {"trigger_rule", "all_success"},
        {"priority", "5"},
        {"pool", "default"},
        {"suspend_after_failures", "0"},
        {"delivery", "transactional"},
        {"cursor", "none"},
        {"cursor_source", "none"},
        {"log_runs", "all"},
        {"expect_success_within", "none"},
        {"expect_duration", "none"},
        {"expect_min_duration", "none"},
        {"expect_rows", "0"},
        {"timezone", "UTC"},
        {"dst_gap", "run"},
        {"dst_overlap", "first"},
    };
    struct job_options options = defaults(true);
    ck_assert_uint_eq(options.set, 0);
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        ck_assert_str_eq(options_name(i), expected[i][0]);
        check_value(&options, expected[i][0], expected[i][1]);
    }
    ck_assert_ptr_null(options_name(COUNT_OF(expected)));
    ck_assert_ptr_null(options_value_text(&options, "throttle"));
}
END_TEST

START_TEST(commands_wait_for_locks_as_they_like_and_run_at_most_once)
{
    struct job_options options = defaults(false);
    check_value(&options, "lock_timeout", "none");
    check_value(&options, "delivery", "at_most_once");
    check_value(&options, "backoff.max", "10min");
    check_value(&options, "suspend_after_failures", "10");
}
END_TEST

START_TEST(every_option_can_be_set_and_is_marked_as_set)
{
    static const char *const values[][3] = {
        {"overlap_policy", "buffer_one", "buffer_one"},
        {"catchup", "all", "all"},
        {"catchup_window", "48h", "2d"},
        {"catchup_limit", "0", "0"},
        {"starting_deadline", "90s", "90s"},
        {"jitter", "5min", "5min"},
        {"debounce", "5000ms", "5s"},
        {"debounce_max", "1min", "1min"},
        {"target_lag", "50ms", "50ms"},
        {"warn_after", "30s", "30s"},
        {"error_after", "120s", "2min"},
        {"attempt_timeout", "90min", "90min"},
        {"cancel_grace", "0s", "0s"},
        {"lock_timeout", "250ms", "250ms"},
        {"max_attempts", "1", "1"},
        {"backoff.initial", "1s", "1s"},
        {"backoff.coefficient", "1.5", "1.5"},
        {"backoff.max", "2h", "2h"},
        {"backoff.jitter", "0.000001", "0.000001"},
        {"retry_on", " 08 , 40001,57P0 ", "08,40001,57P0"},
        {"trigger_rule", "all_done", "all_done"},
        {"priority", "9", "9"},
        {"pool", "heavy", "heavy"},
        {"suspend_after_failures", "0", "0"},
        {"delivery", "at_most_once", "at_most_once"},
        {"cursor", "sequence", "sequence"},
        {"cursor_source", "public.t.id", "public.t.id"},
        {"log_runs", "errors", "errors"},
        {"expect_success_within", "26h", "26h"},
        {"expect_duration", "10min", "10min"},
        {"expect_min_duration", "10s", "10s"},
        {"expect_rows", "1", "1"},
        {"timezone", "Europe/Berlin", "Europe/Berlin"},
        {"dst_gap", "skip", "skip"},
        {"dst_overlap", "both", "both"},
    };
    struct job_options options = defaults(true);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        set(&options, values[i][0], values[i][1]);
        check_value(&options, values[i][0], values[i][2]);
        ck_assert_uint_eq(options.set, (UINT64_C(2) << i) - 1);
    }
    ck_assert_int_eq(options.overlap_policy, OVERLAP_BUFFER_ONE);
    ck_assert_int_eq(options.catchup, CATCHUP_ALL);
    ck_assert_int_eq(options.trigger_rule, TRIGGER_ALL_DONE);
    ck_assert_int_eq(options.delivery, DELIVERY_AT_MOST_ONCE);
    ck_assert_double_eq(options.backoff.coefficient, 1.5);
    ck_assert_int_eq(options.debounce, 5 * USEC_PER_SEC);
    ck_assert_int_eq(options.debounce_max, USEC_PER_MINUTE);
    ck_assert_int_eq(options.target_lag, 50 * USEC_PER_MSEC);
    ck_assert_int_eq(options.warn_after, 30 * USEC_PER_SEC);
    ck_assert_int_eq(options.error_after, 2 * USEC_PER_MINUTE);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    struct job_options from = defaults(true);
    set(&from, "retry_on", "");
    set(&from, "backoff.coefficient", "12.34");
    set(&from, "attempt_timeout", "none");
    set(&from, "target_lag", "250ms");
    set(&from, "debounce_max", "none");
    struct job_options to = defaults(false);
    set(&to, "target_lag", "downstream");
    check_value(&to, "target_lag", "downstream");
    ck_assert_int_eq(to.target_lag, TARGET_LAG_DOWNSTREAM);
    for (size_t i = 0; options_name(i) != NULL; i++) {
        char *text = options_value_text(&from, options_name(i));
        set(&to, options_name(i), text);
        check_value(&to, options_name(i), text);
        free(text);
    }
    ck_assert_int_eq(to.attempt_timeout, 0);
    ck_assert_int_eq(to.target_lag, 250 * USEC_PER_MSEC);
    ck_assert_int_eq(to.debounce_max, 0);
    ck_assert_str_eq(to.retry_on, "");
}
END_TEST

START_TEST(every_word_of_an_option_is_accepted)
{
    struct job_options options = defaults(true);
    set(&options, "catchup", "none");
    ck_assert_int_eq(options.catchup, CATCHUP_NONE);
    set(&options, "catchup", "latest");
    ck_assert_int_eq(options.catchup, CATCHUP_LATEST);
    set(&options, "overlap_policy", "skip");
    ck_assert_int_eq(options.overlap_policy, OVERLAP_SKIP);
    set(&options, "overlap_policy", "buffer_all");
    ck_assert_int_eq(options.overlap_policy, OVERLAP_BUFFER_ALL);
    set(&options, "trigger_rule", "one_success");
    ck_assert_int_eq(options.trigger_rule, TRIGGER_ONE_SUCCESS);
    set(&options, "trigger_rule", "none_failed");
    ck_assert_int_eq(options.trigger_rule, TRIGGER_NONE_FAILED);
    set(&options, "delivery", "at_least_once");
    ck_assert_int_eq(options.delivery, DELIVERY_AT_LEAST_ONCE);
    set(&options, "log_runs", "off");
    ck_assert_int_eq(options.log_runs, LOG_RUNS_OFF);
    set(&options, "dst_overlap", "last");
    ck_assert_int_eq(options.dst_overlap, DST_OVERLAP_LAST);
    set(&options, "lock_timeout", "none");
    check_value(&options, "lock_timeout", "none");
}
END_TEST

static void check_refused(const char *name, const char *value, const char *message, const char *hint)
{
    struct job_options options = defaults(true);
    struct job_options before = options;
    struct error err = {0};
    ck_assert_msg(!options_set(&options, name, value, &err), "%s = %s was read", name, value);
    ck_assert_msg(strstr(err.message, message) != NULL, "%s = %s: \"%s\"", name, value, err.message);
    ck_assert_msg(strstr(err.hint, hint) != NULL, "%s = %s: hint \"%s\"", name, value, err.hint);
    ck_assert_int_eq(err.kind, ERROR_CONFIG);
    ck_assert_mem_eq(&options, &before, sizeof(options));
    ck_assert(!options_set(&options, name, value, NULL));
}

START_TEST(unknown_names_get_a_suggestion)
{
    check_refused("catchup_windw", "1h", "unknown option \"catchup_windw\"", "did you mean \"catchup_window\"?");
    check_refused("targetlag", "1h", "unknown option \"targetlag\"", "did you mean \"target_lag\"?");
    check_refused("backoff", "5s", "unknown option \"backoff\"", "initial, coefficient, max and jitter");
    check_refused("retries", "5", "unknown option \"retries\"", "did you mean \"max_attempts\"?");
    check_refused("colour", "red", "unknown option \"colour\"", "");
    check_refused("", "red", "unknown option \"\"", "");
}
END_TEST

START_TEST(suggestions_are_among_what_is_known_where_it_was_written)
{
    static const char *const keys[] = {"schedule", "after"};
    ck_assert_str_eq(options_suggest("cron", keys, COUNT_OF(keys)), "schedule");
    ck_assert_str_eq(options_suggest("depends_on", keys, COUNT_OF(keys)), "after");
    ck_assert_str_eq(options_suggest("afte", keys, COUNT_OF(keys)), "after");
    ck_assert_str_eq(options_suggest("tz", keys, COUNT_OF(keys)), "timezone");
    ck_assert_str_eq(options_suggest("priorty", keys, COUNT_OF(keys)), "priority");
    ck_assert_ptr_null(options_suggest("cron", NULL, 0));
    ck_assert_ptr_null(options_suggest("colour", keys, COUNT_OF(keys)));
    ck_assert(options_has("backoff.max") && !options_has("backoff") && !options_has("on"));
    ck_assert(options_reserves("throttle") && !options_reserves("on") && !options_reserves("target_lag"));
    ck_assert_str_eq(options_suggest("freshness", keys, COUNT_OF(keys)), "target_lag");
    ck_assert_ptr_null(options_suggest("channel", keys, COUNT_OF(keys)));
}
END_TEST

START_TEST(names_and_values_kept_for_later_are_refused_as_such)
{
    check_refused("throttle", "1h", "is not available yet", "later version");
    check_refused("warn_after", "downstream", "is not a duration", "or none");
    check_refused("target_lag", "upstream", "is not a duration", "or none; or downstream");
    check_refused("overlap_policy", "allow", "is not available yet", "skip, buffer_one, buffer_all, cancel_previous");
}
END_TEST

START_TEST(values_out_of_range_or_form_are_refused_with_what_is_expected)
{
    check_refused("catchup", "some", "catchup has no value \"some\"", "latest, none, all");
    check_refused("catchup", "Latest", "has no value", "latest, none, all");
    check_refused("catchup_window", "none", "catchup_window: \"none\" is not a duration", "whole number");
    check_refused("starting_deadline", "0s", "starting_deadline \"0s\" is no time at all", "write none");
    check_refused("attempt_timeout", "0min", "is no time at all", "write none");
    check_refused("lock_timeout", "0", "lock_timeout: \"0\" is not a duration", "2h or 1d; or none");
    check_refused("catchup_window", "5", "is not a duration", "one unit");
    check_refused("cancel_grace", "25h", "cancel_grace \"25h\" is outside 0s to 1d", "");
    check_refused("attempt_timeout", "366d", "is outside 0s to 365d", "");
    check_refused("debounce", "none", "debounce: \"none\" is not a duration", "whole number");
    check_refused("debounce", "25h", "debounce \"25h\" is outside 0s to 1d", "");
    check_refused("debounce_max", "0s", "debounce_max \"0s\" is no time at all", "write none");
    check_refused("target_lag", "49ms", "target_lag \"49ms\" is outside 50ms to 365d", "");
    check_refused("target_lag", "366d", "is outside 50ms to 365d", "");
    check_refused("target_lag", "0s", "is no time at all", "write none");
    check_refused("warn_after", "5", "warn_after: \"5\" is not a duration", "or none");
    check_refused("error_after", "366d", "error_after \"366d\" is outside 0s to 365d", "");
    check_refused("max_attempts", "0", "max_attempts \"0\" is outside 1 to 1000", "");
    check_refused("max_attempts", "two", "is not a whole number within 1 to 1000", "");
    check_refused("priority", "10", "priority \"10\" is outside 1 to 9", "");
    check_refused("priority", "", "is not a whole number", "");
    check_refused("pool", "two words", "pool \"two words\" is not a name", "1 to 63 letters");
    check_refused("timezone", "", "timezone \"\" cannot be the name of a time zone", "Europe/Berlin");
    check_refused("timezone", "Europe Berlin", "cannot be the name of a time zone", "Europe/Berlin");
    check_refused("timezone", "../../etc/passwd", "cannot be the name of a time zone", "");
    check_refused("timezone", "A\nB", "cannot be the name of a time zone", "");
    check_refused("dst_gap", "first", "dst_gap has no value \"first\"", "run, skip");
    check_refused("suspend_after_failures", "-1", "is outside 0 to 1000000", "");
    check_refused("catchup_limit", "-1", "is outside 0 to 1000000", "");
    check_refused("backoff.coefficient", "0.99", "is outside 1 to 100", "");
    check_refused("backoff.coefficient", "100.000001", "is outside 1 to 100", "");
    check_refused("backoff.jitter", "1.1", "is outside 0 to 1", "");
    check_refused("backoff.jitter", "0.1234567", "is not a number of at most 6 decimals", "");
    check_refused("backoff.jitter", "-0.1", "is not a number", "");
    check_refused("backoff.jitter", ".5", "is not a number", "");
    check_refused("backoff.jitter", "1.", "is not a number", "");
    check_refused("backoff.jitter", "1e-1", "is not a number", "");
    check_refused("backoff.jitter", "0.1.1", "is not a number", "");
    check_refused("backoff.jitter", "1000000000000", "is not a number", "");
}
END_TEST

START_TEST(lists_of_sqlstates_are_refused_whole)
{
    check_refused("retry_on", "0", "\"0\" is not an SQLSTATE", "2 to 5 digits");
    check_refused("retry_on", "400011", "\"400011\" is not an SQLSTATE", "2 to 5 digits");
    check_refused("retry_on", "40p01", "\"40p01\" is not an SQLSTATE", "capital letters");
    check_refused("retry_on", "08,", "is not an SQLSTATE", "");
    check_refused("retry_on", "08, ", "is not an SQLSTATE", "");
    check_refused("retry_on", ",08", "is not an SQLSTATE", "");
    check_refused("retry_on", "08,,53", "is not an SQLSTATE", "");
    check_refused("retry_on", "08 53", "\"53\" is not an SQLSTATE", "");
    check_refused("retry_on", "00,01,02,03,04,05,06,07,08,09,10,11,12,13,14,15,16", "more than 16", "");
    struct job_options options = defaults(true);
    set(&options, "retry_on", "00,01,02,03,04,05,06,07,08,09,10,11,12,13,14,15");
    check_value(&options, "retry_on", "00,01,02,03,04,05,06,07,08,09,10,11,12,13,14,15");
}
END_TEST

START_TEST(a_shorter_code_retries_its_whole_class)
{
    struct job_options options = defaults(true);
    ck_assert(options_retries(&options, "08006"));
    ck_assert(options_retries(&options, "57P03"));
    ck_assert(options_retries(&options, "40001"));
    ck_assert(!options_retries(&options, "40002"));
    ck_assert(!options_retries(&options, "57014"));
    ck_assert(!options_retries(&options, ""));
    set(&options, "retry_on", "");
    ck_assert(!options_retries(&options, "08006"));
}
END_TEST

START_TEST(the_nearest_source_wins_for_each_option_by_itself)
{
    struct job_options product = defaults(true);
    struct job_options plugin = {.set = 0};
    set(&plugin, "catchup", "none");
    set(&plugin, "max_attempts", "7");
    set(&plugin, "backoff.max", "1h");
    set(&plugin, "retry_on", "40001");
    struct job_options config = {.set = 0};
    set(&config, "max_attempts", "2");
    set(&config, "backoff.jitter", "0");
    options_inherit(&config, &plugin);
    options_inherit(&config, &product);
    check_value(&config, "max_attempts", "2");
    check_value(&config, "catchup", "none");
    check_value(&config, "backoff.jitter", "0");
    check_value(&config, "backoff.max", "1h");
    check_value(&config, "backoff.initial", "5s");
    check_value(&config, "retry_on", "40001");
    check_value(&config, "delivery", "transactional");
}
END_TEST

START_TEST(what_a_source_gave_is_known)
{
    struct job_options config = {.set = 0};
    ck_assert(!options_gives(&config, "debounce") && !options_gives(&config, "colour"));
    set(&config, "debounce", "0s");
    ck_assert(options_gives(&config, "debounce") && !options_gives(&config, "debounce_max"));
}
END_TEST

START_TEST(a_source_that_retries_on_nothing_keeps_it_so)
{
    struct job_options product = defaults(true);
    struct job_options config = {.set = 0};
    set(&config, "retry_on", "");
    options_inherit(&config, &product);
    ck_assert_str_eq(config.retry_on, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *tests = tcase_create("options");
    tcase_add_test(tests, the_products_defaults_are_those_of_the_design);
    tcase_add_test(tests, commands_wait_for_locks_as_they_like_and_run_at_most_once);
    tcase_add_test(tests, every_option_can_be_set_and_is_marked_as_set);
    tcase_add_test(tests, what_is_written_is_read_back);
    tcase_add_test(tests, every_word_of_an_option_is_accepted);
    tcase_add_test(tests, unknown_names_get_a_suggestion);
    tcase_add_test(tests, suggestions_are_among_what_is_known_where_it_was_written);
    tcase_add_test(tests, names_and_values_kept_for_later_are_refused_as_such);
    tcase_add_test(tests, values_out_of_range_or_form_are_refused_with_what_is_expected);
    tcase_add_test(tests, lists_of_sqlstates_are_refused_whole);
    tcase_add_test(tests, a_shorter_code_retries_its_whole_class);
    tcase_add_test(tests, the_nearest_source_wins_for_each_option_by_itself);
    tcase_add_test(tests, what_a_source_gave_is_known);
    tcase_add_test(tests, a_source_that_retries_on_nothing_keeps_it_so);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
