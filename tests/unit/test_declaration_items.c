/* SPDX-License-Identifier: PostgreSQL */
/* What is refused of the jobs, functions, channels, tiles, alerts, settings and upgrades that a plugin declares. */
#include <check.h>

#include "base/memory.h"
#include "support/plugin/declarations.h"
#include "support/process/suite.h"

START_TEST(jobs_are_checked)
{
    static const struct spoiled cases[] = {
        {&job.name, NULL, "jobs[0]: name is missing"},
        {&job.name, "no name", "name \"no name\" is not a name"},
        {&job.command, "SELECT 1", "jobs[0] \"refresh-orders\": both refresh and command"},
        {&job.refresh, NULL, "refresh or command is missing"},
        {&job.refresh, "mv_order", "refresh names \"mv_order\", which is no view"},
        {&job.after, "a, b c", "after has \"b c\""},
        {&job.on, "\"x\"", "on has \"\"x\"\""},
    };
    ASSERT_EACH_REFUSED(cases);
    ASSERT_TWICE_REFUSED(plugin.jobs, job, "jobs: the job \"refresh-orders\" is declared twice");
}
END_TEST

START_TEST(a_job_needs_something_that_makes_it_run)
{
    job.schedule = "* * *";
    assert_refused("jobs[0] \"refresh-orders\": schedule \"");
    job.schedule = NULL;
    assert_accepted();
    job.after = NULL;
    assert_accepted();
    job.on = NULL;
    job.debounce = NULL;
    assert_refused("nothing makes it run");
    job.on = NULL;
    assert_refused("no channel wakes it");
    job.debounce = "5 parsecs";
    assert_refused("jobs[0] \"refresh-orders\": debounce: ");
    job.debounce = "2d";
    assert_refused("jobs[0] \"refresh-orders\": debounce \"2d\" is outside 0s to 1d");
    option = (struct chime_option){"debounce", "1s"};
    assert_refused("jobs[0] \"refresh-orders\": debounce is given twice");
    option = (struct chime_option){"debounce", "1s"};
    job.debounce = NULL;
    assert_accepted();
}
END_TEST

START_TEST(changes_of_its_sources_make_a_job_run_too)
{
    option = (struct chime_option){"target_lag", "10s"};
    job.schedule = NULL;
    job.after = NULL;
    job.on = NULL;
    job.debounce = NULL;
    assert_accepted();
    option.value = "downstream";
    assert_accepted();
    option.value = "none";
    assert_refused("nothing makes it run");
}
END_TEST

START_TEST(options_are_checked)
{
    static const struct spoiled cases[] = {
        {&option.name, NULL, "jobs[0] \"refresh-orders\": the name of an option is missing"},
        {&option.name, "max_atempts", "max_atempts"},
        {&option.value, "many", "many"},
        {&option.value, NULL, "max_attempts"},
    };
    ASSERT_EACH_REFUSED(cases);
    ASSERT_TWICE_REFUSED(job.options, option, "option \"max_attempts\" is given twice");
}
END_TEST

START_TEST(functions_are_checked)
{
    static const struct spoiled cases[] = {
        {&function.signature, NULL, "functions[0]: signature is missing"},
        {&function.signature, "orders_of", "signature is not NAME(types)"},
        {&function.signature, "Orders(date)", "signature is not NAME(types)"},
        {&function.signature, "orders(date); drop", "signature is not NAME(types)"},
        {&function.definition, NULL, "definition is missing"},
    };
    ASSERT_EACH_REFUSED(cases);
    ASSERT_TWICE_REFUSED(plugin.functions, function, "functions: the function \"orders_of(date)\" is declared twice");
}
END_TEST

START_TEST(channels_are_checked)
{
    static const struct spoiled cases[] = {
        {&channel.name, NULL, "channels[0]: name is missing"},
        {&channel.table, NULL, "channels[0] \"orders_changed\": table is missing"},
        {&channel.table, "customers", "table \"customers\" is no source"},
        {&channel.definition, NULL, "definition is missing"},
    };
    ASSERT_EACH_REFUSED(cases);
    ASSERT_TWICE_REFUSED(plugin.channels, channel, "channels: the channel \"orders_changed\" is declared twice");
}
END_TEST

START_TEST(tiles_are_checked)
{
    static const struct spoiled cases[] = {
        {&tile.title, NULL, "tiles[0]: title is missing"},
        {&tile.query, NULL, "tiles[0] \"Orders\": query is missing"},
        {&tile.draw, NULL, "draw is missing"},
        {&tile.draw, "pie", "draw \"pie\" is not known"},
        {&tile.draw, "bars", "state is given, but it draws no table"},
        {&tile.warn, "100", "warn \"100\" is no bound"},
        {&tile.warn, "> ten", "warn \"> ten\" is no bound"},
        {&tile.critical, "> 1; DROP", "critical \"> 1; DROP\" is no bound"},
        {&tile.critical, "> 0x10", "critical \"> 0x10\" is no bound"},
        {&tile.choices, NULL, "query has a parameter, but there are no choices"},
        {&tile.query, "SELECT '$1'", "choices is given, but query has no $1"},
        {&tile.bound, "soon", "bound: "},
        {&tile.bound, "0s", "bound: it is no length of time"},
    };
    ASSERT_EACH_REFUSED(cases);
}
END_TEST

START_TEST(alerts_are_checked)
{
    static const struct spoiled cases[] = {
        {&alert.name, "no name", "name \"no name\" is not a name"},
        {&alert.condition, NULL, "alerts[0] \"no-orders\": condition is missing"},
        {&alert.severity, "fatal", "severity \"fatal\" is not known"},
        {&alert.severity, NULL, "severity is missing"},
        {&alert.hold, "soon", "hold: "},
    };
    ASSERT_EACH_REFUSED(cases);
    alert.hold = NULL;
    assert_accepted();
    ASSERT_TWICE_REFUSED(plugin.alerts, alert, "alerts: the alert \"no-orders\" is declared twice");
}
END_TEST

START_TEST(settings_are_checked)
{
    static const struct spoiled cases[] = {
        {&setting.name, "Window", "name \"Window\" is not a name"},
        {&setting.type, NULL, "settings[0] \"window_days\": type is missing"},
        {&setting.type, "integer", "type \"integer\" is not known"},
        {&setting.value, NULL, "value is missing"},
        {&setting.value, "0", "settings[0] \"window_days\": value: 0 is out of range"},
        {&setting.value, "91", "value: 91 is out of range"},
        {&setting.value, "seven", "value: \"seven\" is not a whole number"},
        {&setting.low, "few", "low: \"few\" is not a whole number"},
        {&setting.high, "many", "high: \"many\" is not a whole number"},
        {&setting.high, "0", "high: 0 is out of range"},
    };
    ASSERT_EACH_REFUSED(cases);
    ASSERT_TWICE_REFUSED(plugin.settings, setting, "settings: the setting \"window_days\" is declared twice");
}
END_TEST

START_TEST(settings_of_every_type_are_accepted)
{
    static const struct chime_setting accepted[] = {
        {"n", "number", "-0.5e1", "-5", "5.5", NULL}, {"i", "int", "-9223372036854775808", NULL, NULL, NULL},
        {"b", "bool", "false", NULL, NULL, NULL},     {"t", "text", NULL, NULL, NULL, NULL},
        {"d", "duration", "90s", "1min", "1h", NULL}, {"o", "int", "5", NULL, "5", NULL},
    };
    plugin.settings = (struct chime_list)CHIME_LIST(accepted);
    assert_accepted();
}
END_TEST

START_TEST(settings_are_of_their_type)
{
    static const struct {
        struct chime_setting setting;
        const char *reason;
    } refused[] = {
        {{"n", "number", "inf", NULL, NULL, NULL}, "\"inf\" is not a number"},
        {{"n", "number", "0x10", NULL, NULL, NULL}, "\"0x10\" is not a number"},
        {{"n", "number", "1 ", NULL, NULL, NULL}, "\"1 \" is not a number"},
        {{"n", "number", "1.5", "1.6", NULL, NULL}, "1.5 is out of range"},
        {{"b", "bool", "yes", NULL, NULL, NULL}, "neither true nor false"},
        {{"b", "bool", "true", "false", NULL, NULL}, "has no range"},
        {{"t", "text", "b", "a", "c", NULL}, "has no range"},
        {{"d", "duration", "90", NULL, NULL, NULL}, "value: "},
        {{"d", "duration", "2h", "1min", "1h", NULL}, "2h is out of range"},
    };
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        setting = refused[i].setting;
        assert_refused(refused[i].reason);
    }
}
END_TEST

START_TEST(a_value_from_conf_d_is_held_to_type_and_range)
{
    struct error err = {.kind = ERROR_NONE};
    const struct declared_setting declared = {"window_days", "int", "7", "1", NULL, ""};
    ck_assert(setting_accepts(&declared, "1", &err));
    ck_assert(!setting_accepts(&declared, "0", &err));
    ck_assert_str_eq(err.hint, "setting \"window_days\" is from 1 to any");
    ck_assert(!setting_accepts(&declared, "1d", &err));
    ck_assert_str_eq(err.hint, "setting \"window_days\" is of type int");
    ck_assert(!setting_accepts(&declared, "1d", NULL));
}
END_TEST

START_TEST(upgrades_are_checked)
{
    static const struct spoiled cases[] = {
        {&upgrade.from_version, NULL, "upgrades[0]: from_version is missing"},
        {&upgrade.from_version, "1.1", "from_version is the plugin's own version"},
        {&upgrade.statements, NULL, "upgrades[0] \"1.0\": statements is missing"},
    };
    ASSERT_EACH_REFUSED(cases);
    ASSERT_TWICE_REFUSED(plugin.upgrades, upgrade, "upgrades: the version \"1.0\" is declared twice");
}
END_TEST

static TCase *refused_case(void)
{
    TCase *tests = tcase_create("refused");
    tcase_add_checked_fixture(tests, sound_plugin, NULL);
    tcase_add_test(tests, jobs_are_checked);
    tcase_add_test(tests, a_job_needs_something_that_makes_it_run);
    tcase_add_test(tests, changes_of_its_sources_make_a_job_run_too);
    tcase_add_test(tests, options_are_checked);
    tcase_add_test(tests, functions_are_checked);
    tcase_add_test(tests, channels_are_checked);
    tcase_add_test(tests, tiles_are_checked);
    tcase_add_test(tests, alerts_are_checked);
    tcase_add_test(tests, settings_are_checked);
    tcase_add_test(tests, settings_of_every_type_are_accepted);
    tcase_add_test(tests, settings_are_of_their_type);
    tcase_add_test(tests, a_value_from_conf_d_is_held_to_type_and_range);
    tcase_add_test(tests, upgrades_are_checked);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("declaration_items");
    suite_add_tcase(suite, refused_case());
    return suite_run(suite);
}
