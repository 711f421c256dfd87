/* SPDX-License-Identifier: PostgreSQL */
/* What is wrong between configuration and plugins is said with its places. */
#include <check.h>
#include <string.h>

#include "base/memory.h"
#include "support/plugin/catalogs.h"
#include "support/plugin/findings.h"
#include "support/process/suite.h"

/* --- findings: lane and other are there --- */

static const struct {
    const char *main_text;
    const char *part;
    const char *expected;
} bad[] = {
    /* databases */
    {ONE_DATABASE, "\nplugin: { name = \"lane\"; database = \"mian\"; };",
     "%/conf.d/x.conf:2: plugin \"lane\": no database \"mian\" is configured\nHINT:  did you mean \"main\"?\n"},
    {ONE_DATABASE, "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; database = \"elsewhere\"; }; };",
     "%/conf.d/x.conf:1: job \"a\": no database \"elsewhere\" is configured\nHINT:  configured: \"main\"\n"},
    {NO_DATABASE, "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; }; };",
     "%/conf.d/x.conf:1: job \"a\": there is no database to run in\n"
     "HINT:  write databases: { main: { conninfo = \"...\"; }; }; in %/pgchime.conf\n"},
    {NO_DATABASE, "plugin: { name = \"lane\"; enabled = true; };",
     "%/conf.d/x.conf:1: plugin \"lane\": there is no database to run in\n"
     "HINT:  write databases: { main: { conninfo = \"...\"; }; }; in %/pgchime.conf\n"},
    /* plugins */
    {ONE_DATABASE, "plugin: { name = \"lnae\"; };",
     "%/conf.d/x.conf:1: there is no plugin \"lnae\"\nHINT:  did you mean \"lane\"?\n"},
    {ONE_DATABASE,
     "plugin: { name = \"weakness\"; enabled = true; };\njobs: { refresh-weakness: { schedule = \"@hourly\"; }; };",
     "%/conf.d/x.conf:1: there is no plugin \"weakness\"\n"
     "HINT:  put weakness.so or weakness.sql into plugin_dir, or write enabled = false\n"},
    {ONE_DATABASE, "plugin: { name = \"lane\"; settings: {\n top_rows = 0;\n window = 5;\n toprows = 1; zzz = 1; }; };",
     "%/conf.d/x.conf:2: setting \"top_rows\" of plugin \"lane\": 0 is out of range\n"
     "HINT:  setting \"top_rows\" is from 1 to 100\n"
     "%/conf.d/x.conf:3: setting \"window\" of plugin \"lane\": \"5\" is not a duration\n"
     "HINT:  write a whole number and one unit: 250ms, 5s, 10min, 2h or 1d\n"
     "%/conf.d/x.conf:4: plugin \"lane\" has no setting \"toprows\"\nHINT:  did you mean \"top_rows\"?\n"
     "%/conf.d/x.conf:4: plugin \"lane\" has no setting \"zzz\"\n"},
    {ONE_DATABASE,
     "plugin: { name = \"lane\"; modes: {\n mv_lane = \"full\";\n zzz = \"full\";\n mv_lanes = \"keyed\"; }; };",
     "%/conf.d/x.conf:2: plugin \"lane\" has no view \"mv_lane\"\nHINT:  did you mean \"mv_lanes\"?\n"
     "%/conf.d/x.conf:3: plugin \"lane\" has no view \"zzz\"\n"
     "%/conf.d/x.conf:4: view \"mv_lanes\" of plugin \"lane\" cannot be keyed: the plugin declares no grain for it\n"
     "HINT:  use \"full\" or \"matview\"\n"},
    {ONE_DATABASE, "plugin: { name = \"lane\"; frozen: {\n mv_lane = \"day < chime.as_of()\"; }; };",
     "%/conf.d/x.conf:2: plugin \"lane\" has no view \"mv_lane\"\nHINT:  did you mean \"mv_lanes\"?\n"},
    {ONE_DATABASE, "plugin: { name = \"lane\"; channels = [\"lane_scord\", \"lane_closed\", \"zzz\"]; };",
     "%/conf.d/x.conf:1: plugin \"lane\" has no channel \"lane_scord\"\nHINT:  did you mean \"lane_scored\"?\n"
     "%/conf.d/x.conf:1: plugin \"lane\" has no channel \"zzz\"\nHINT:  it has \"lane_scored\"\n"},

    {ONE_DATABASE, "\nplugin: { name = \"other\"; channels = \"lane_scored\"; };",
     "%/conf.d/x.conf:2: plugin \"other\" has no channel \"lane_scored\"\nHINT:  leave channels out\n"},
    /* alerts */
    {ONE_DATABASE,
     "alerts: { job-fialed: { severity = \"critical\"; };\n zzz: { enabled = false; };\n"
     " job-late: { condition = \"SELECT true\"; };\n own: { condition = \"SELECT true\"; };\n"
     " view-late: { enabled = false; }; };",
     "%/conf.d/x.conf:1: alert \"job-fialed\" has no condition, and there is no rule of that name\n"
     "HINT:  did you mean \"job-failed\"?\n"
     "%/conf.d/x.conf:2: alert \"zzz\" has no condition, and there is no rule of that name\n"
     "HINT:  give it a condition, or name a rule of docs/alerts.md or of a plugin\n"
     "%/conf.d/x.conf:3: alert \"job-late\" has a condition, but it is a rule that is there already\n"
     "HINT:  give yours another name\n"},
    {ONE_DATABASE, "plugin: { name = \"weakness\"; };\nalerts: { of-weakness: { enabled = false; }; };", ""},
    /* overrides */
    {ONE_DATABASE, "jobs: {\n refresh-lane: { schedule = \"@hourly\"; };\n qqq: { schedule = \"@hourly\"; }; };",
     "%/conf.d/x.conf:2: job \"refresh-lane\" has no command, and no plugin declares it\n"
     "HINT:  did you mean \"refresh-lanes\"?\n"
     "%/conf.d/x.conf:3: job \"qqq\" has no command, and no plugin declares it\n"
     "HINT:  write command = \"...\"; for a job of your own\n"},
    {ONE_DATABASE, "jobs: { refresh-lanes: { schedule = \"@hourly\"; command = \"SELECT 1\"; }; };",
     "%/conf.d/x.conf:1: job \"refresh-lanes\" of database \"main\" is already declared by plugin \"lane\" at "
     "/plugins/lane.so\n"
     "HINT:  leave the command out to change the plugin's job, or rename yours\n"},
    {ONE_DATABASE, "jobs: { tidy-lanes: { schedule = \"\"; after = []; }; };",
     "%/conf.d/x.conf:1: job \"tidy-lanes\" has neither a schedule nor a job to come after nor a channel to wake it: "
     "it would never run\n"
     "HINT:  write schedule = \"*/10 * * * *\"; or after = [\"...\"]; or on = [\"...\"]; or enabled = false;\n"},
    {ONE_DATABASE, "jobs: { a: { command = \"SELECT 1\"; }; };",
     "%/conf.d/x.conf:1: job \"a\" has neither a schedule nor a job to come after nor a channel to wake it: "
     "it would never run\n"
     "HINT:  write schedule = \"*/10 * * * *\"; or after = [\"...\"]; or on = [\"...\"]; or enabled = false;\n"},
    {ONE_DATABASE, "jobs: { refresh-lanes: { schedule = \"\"; target_lag = \"none\"; }; };",
     "%/conf.d/x.conf:1: job \"refresh-lanes\" has neither a schedule nor a job to come after nor a channel to wake "
     "it: "
     "it would never run\n"
     "HINT:  write schedule = \"*/10 * * * *\"; or after = [\"...\"]; or on = [\"...\"]; or target_lag = \"10s\"; or "
     "enabled = false;\n"},
    /* delivery */
    {ONE_DATABASE,
     "jobs: { a: { schedule = \"@daily\"; delivery = \"transactional\"; command = \"SELECT 1; VACUUM t\"; };\n"
     " b: { schedule = \"@daily\"; delivery = \"transactional\"; command = \"SELECT 1; COMMIT\"; };\n"
     " c: { schedule = \"@daily\"; delivery = \"transactional\"; command = \"CREATE INDEX CONCURRENTLY ON t (a)\"; };\n"
     " d: { schedule = \"@daily\"; delivery = \"transactional\"; command = \"DO $$BEGIN COMMIT; END$$; CALL p()\"; };\n"
     " e: { schedule = \"@daily\"; delivery = \"at_most_once\"; command = \"VACUUM t\"; };\n"
     " tidy-lanes: { delivery = \"transactional\"; };\n"
     " refresh-lanes: { delivery = \"at_most_once\"; }; };",
     "%/conf.d/x.conf:1: job \"a\" is transactional, but \"vacuum t\" cannot be part of a transaction\n"
     "HINT:  write delivery = \"at_most_once\", or take the statement out\n"
     "%/conf.d/x.conf:2: job \"b\" is transactional, but \"commit\" cannot be part of a transaction\n"
     "HINT:  write delivery = \"at_most_once\", or take the statement out\n"
     "%/conf.d/x.conf:3: job \"c\" is transactional, but \"create index concurrently\" cannot be part of a "
     "transaction\n"
     "HINT:  write delivery = \"at_most_once\", or take the statement out\n"
     "%/conf.d/x.conf:7: job \"refresh-lanes\" refreshes views, which is always transactional\n"
     "HINT:  take delivery out\n"},
    /* zones */
    {ONE_DATABASE,
     "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; timezone = \"Europe/Berlni\"; };\n"
     " b: { command = \"SELECT 1\"; schedule = \"@daily\"; timezone = \"Europe/Berlni\"; };\n"
     " tidy-lanes: { timezone = \"Xxxxxx/Yyyyyy\"; }; };",
     "%/conf.d/x.conf:1: job \"a\": there is no time zone \"Europe/Berlni\"\nHINT:  did you mean \"Europe/Berlin\"?\n"
     "%/conf.d/x.conf:2: job \"b\": there is no time zone \"Europe/Berlni\"\nHINT:  did you mean \"Europe/Berlin\"?\n"
     "%/conf.d/x.conf:3: job \"tidy-lanes\": there is no time zone \"Xxxxxx/Yyyyyy\"\n"
     "HINT:  name it as its file below /usr/share/zoneinfo, such as Europe/Berlin\n"},
    {"\ndatabases: { main: { conninfo = \"dbname=app\"; timezone = \"america/new_york\"; }; }; conf_dir = \"conf.d\";",
     "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; };\n"
     " b: { command = \"SELECT 1\"; schedule = \"@daily\"; timezone = \"UTC\"; }; };",
     "%/pgchime.conf:2: database \"main\": there is no time zone \"america/new_york\"\n"
     "HINT:  did you mean \"America/New_York\"?\n"},
    {ONE_DATABASE,
     "jobs: { a: { command = \"SELECT 1\"; schedule = \"@at 2027-03-28 02:30\"; timezone = \"Europe/Berlin\";\n"
     "  dst_gap = \"skip\"; };\n"
     " b: { command = \"SELECT 1\"; schedule = \"@at 2027-03-28 02:30\"; timezone = \"Europe/Berlin\"; };\n"
     " c: { command = \"SELECT 1\"; schedule = \"@at 2027-03-28 03:00\"; timezone = \"Europe/Berlin\"; dst_gap = "
     "\"skip\"; }; };",
     "%/conf.d/x.conf:1: job \"a\": schedule \"@at 2027-03-28 02:30\": this schedule can never fire: the clocks of "
     "Europe/Berlin skip its time, and dst_gap is \"skip\"\nHINT:  choose another time, or take dst_gap out\n"},
    /* pools */
    {ONE_DATABASE,
     "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; pool = \"heavy\"; };\n"
     " refresh-lanes: { pool = \"defualt\"; }; };",
     "%/conf.d/x.conf:1: job \"a\": database \"main\" has no pool \"heavy\"\n"
     "HINT:  write pools: { heavy = 2; }; in database \"main\" of %/pgchime.conf\n"
     "%/conf.d/x.conf:2: job \"refresh-lanes\": database \"main\" has no pool \"defualt\"\n"
     "HINT:  did you mean \"default\"?\n"},
    {"databases: { main: { conninfo = \"a\"; pools: { heavy = 2; }; }; }; conf_dir = \"conf.d\";",
     "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; pool = \"heavi\"; }; };",
     "%/conf.d/x.conf:1: job \"a\": database \"main\" has no pool \"heavi\"\nHINT:  did you mean \"heavy\"?\n"},
    /* what contradicts itself */
    {ONE_DATABASE,
     "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; jitter = \"5min\"; starting_deadline = \"5min\"; };\n"
     " b: { command = \"SELECT 1\"; schedule = \"@daily\"; jitter = \"5min\"; starting_deadline = \"301s\"; };\n"
     " c: { command = \"SELECT 1\"; schedule = \"@daily\"; jitter = \"5min\"; starting_deadline = \"none\"; }; };",
     "%/conf.d/x.conf:1: job \"a\" may start up to 5min late by its jitter, but its starting_deadline is 5min\n"
     "HINT:  make starting_deadline longer than jitter, or leave one of them out\n"},
    {ONE_DATABASE,
     "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; overlap_policy = \"cancel_previous\"; };\n"
     " b: { command = \"SELECT 1\"; schedule = \"@daily\"; overlap_policy = \"cancel_previous\"; catchup = \"all\"; }; "
     "};",
     "%/conf.d/x.conf:2: job \"b\" has overlap_policy cancel_previous, by which the newest slot alone runs, but its "
     "catchup is all\n"
     "HINT:  set catchup = \"latest\", or overlap_policy = \"buffer_all\"\n"},
    {ONE_DATABASE,
     "jobs: { a: { command = \"SELECT $cursor_start\"; schedule = \"@daily\"; cursor = \"interval\"; };\n"
     " b: { command = \"SELECT 1\"; schedule = \"@daily\"; cursor = \"sequence\"; delivery = \"transactional\"; };\n"
     " c: { command = \"SELECT 1\"; schedule = \"@after 1h\"; cursor = \"interval\"; delivery = \"transactional\"; };\n"
     " d: { command = \"SELECT $cursor_end\"; schedule = \"@daily\"; delivery = \"transactional\"; };\n"
     " e: { command = \"SELECT true\"; schedule = \"@daily\"; cursor = \"chunk\"; cursor_source = \"a.b.c\";"
     " delivery = \"transactional\"; };\n"
     " f: { command = \"SELECT $cursor_start, $cursor_end\"; schedule = \"@daily\"; cursor = \"sequence\";"
     " cursor_source = \"a.b.c\"; delivery = \"transactional\"; }; };",
     "%/conf.d/x.conf:1: job \"a\" has a cursor, but its position would not be committed with its effect\n"
     "HINT:  set delivery = \"transactional\"\n"
     "%/conf.d/x.conf:2: job \"b\" has a cursor, but names no column whose numbers it follows\n"
     "HINT:  set cursor_source = \"schema.table.column\"\n"
     "%/conf.d/x.conf:3: job \"c\" has a cursor, but no slots whose intervals follow one another\n"
     "HINT:  set a schedule such as \"0 * * * *\" or \"@every 15m\"\n"
     "%/conf.d/x.conf:4: job \"d\" uses $cursor_start or $cursor_end, and has no cursor with bounds\n"
     "HINT:  set cursor = \"sequence\" or \"interval\"\n"
     "%/conf.d/x.conf:5: job \"e\" has a cursor_source, and no cursor that reads one\n"
     "HINT:  set cursor = \"sequence\", or take cursor_source out\n"},
    {ONE_DATABASE,
     "jobs: { a: { command = \"SELECT 1\"; after = \"b\"; jitter = \"1s\"; };\n"
     " b: { command = \"SELECT 1\"; after = \"tidy-lanes\"; catchup = \"all\"; };\n"
     " c: { command = \"SELECT 1\"; after = \"b\"; catchup = \"none\"; starting_deadline = \"1h\"; }; };",
     "%/conf.d/x.conf:1: job \"a\" has a jitter, but no schedule whose slots it could spread\n"
     "HINT:  take jitter out, or give the job a schedule\n"
     "%/conf.d/x.conf:2: job \"b\" is to catch up all slots, but has no schedule: it runs once for all that ended "
     "meanwhile\n"
     "HINT:  take catchup out, or give the job a schedule\n"},
    /* what wakes it */
    {ONE_DATABASE,
     "jobs: { a: { command = \"SELECT 1\"; on = \"x\"; jitter = \"1s\"; };\n"
     " b: { command = \"SELECT 1\"; on = \"x\"; catchup = \"all\"; };\n"
     " refresh-lanes: { schedule = \"\"; target_lag = \"1s\"; catchup = \"all\"; };\n"
     " tidy-lanes: { on = \"x\"; jitter = \"1s\"; catchup = \"all\"; }; };",
     "%/conf.d/x.conf:1: job \"a\" has a jitter, but no schedule whose slots it could spread\n"
     "HINT:  take jitter out, or give the job a schedule\n"
     "%/conf.d/x.conf:2: job \"b\" is to catch up all slots, but has no schedule: it runs once for all that happened "
     "meanwhile\n"
     "HINT:  take catchup out, or give the job a schedule\n"
     "%/conf.d/x.conf:3: job \"refresh-lanes\" is to catch up all slots, but has no schedule: it runs once for all "
     "that "
     "happened meanwhile\n"
     "HINT:  take catchup out, or give the job a schedule\n"},
    {ONE_DATABASE,
     "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; debounce = \"5s\"; };\n"
     " b: { command = \"SELECT 1\"; schedule = \"@daily\"; debounce_max = \"5s\"; };\n"
     " c: { command = \"SELECT 1\"; on = \"x\"; debounce = \"5s\"; debounce_max = \"4999ms\"; };\n"
     " refresh-lanes: { target_lag = \"1s\"; debounce = \"1s\"; debounce_max = \"2s\"; };\n"
     " tidy-lanes: { on = []; debounce = \"0s\"; debounce_max = \"none\"; }; };",
     "%/conf.d/x.conf:1: job \"a\" has a debounce, but no channel wakes it\n"
     "HINT:  name the channels: on = [\"...\"]; or take debounce out\n"
     "%/conf.d/x.conf:2: job \"b\" has a debounce_max, but no channel wakes it\n"
     "HINT:  name the channels: on = [\"...\"]; or take debounce_max out\n"
     "%/conf.d/x.conf:3: job \"c\" waits 5s for quiet, but its debounce_max is 4999ms\n"
     "HINT:  make debounce_max longer, or leave it out: it is ten times debounce then\n"
     "%/conf.d/x.conf:4: job \"refresh-lanes\" has a debounce, but no channel wakes it\n"
     "HINT:  name the channels: on = [\"...\"]; or take debounce out\n"},
    {ONE_DATABASE,
     "jobs: { a: { command = \"SELECT 1\"; target_lag = \"5s\"; };\n"
     " b: { command = \"SELECT 1\"; on = \"x\"; warn_after = \"5s\"; };\n"
     " tidy-lanes: { error_after = \"5s\"; target_lag = \"downstream\"; };\n"
     " refresh-lanes: { warn_after = \"5s\"; error_after = \"4s\"; }; };",
     "%/conf.d/x.conf:1: job \"a\" has target_lag, but refreshes no views\n"
     "HINT:  take target_lag out; a schedule, after, or on = [\"...\"]; may start a command\n"
     "%/conf.d/x.conf:2: job \"b\" has warn_after, but refreshes no views\n"
     "HINT:  take warn_after out: it is an age of changes that a view lacks\n"
     "%/conf.d/x.conf:3: job \"tidy-lanes\" has target_lag, but refreshes no views\n"
     "HINT:  take target_lag out; a schedule, after, or on = [\"...\"]; may start a command\n"
     "%/conf.d/x.conf:3: job \"tidy-lanes\" has error_after, but refreshes no views\n"
     "HINT:  take error_after out: it is an age of changes that a view lacks\n"
     "%/conf.d/x.conf:4: job \"refresh-lanes\" warns after 5s, but its error_after is 4s\n"
     "HINT:  make error_after at least as long as warn_after\n"},
    /* dependencies */
    {ONE_DATABASE, "jobs: { a: { command = \"SELECT 1\"; after = [\"tidylanes\", \"refresh-lanes\", \"qqq\"]; }; };",
     "%/conf.d/x.conf:1: job \"a\" comes after \"tidylanes\", which is not a job of database \"main\"\n"
     "HINT:  did you mean \"tidy-lanes\"?\n"
     "%/conf.d/x.conf:1: job \"a\" comes after \"qqq\", which is not a job of database \"main\"\n"},
    {ONE_DATABASE,
     "jobs: { a: { command = \"SELECT 1\"; after = \"a\"; };\n tidy-lanes: { after = [\"refresh-lanes\", "
     "\"tidy-lanes\"]; }; };",
     "%/conf.d/x.conf:1: job \"a\" comes after itself\nHINT:  take its own name out of `after`\n"
     "%/conf.d/x.conf:2: job \"tidy-lanes\" comes after itself\nHINT:  take its own name out of `after`\n"},
    {ONE_DATABASE,
     "jobs: {\n a: { command = \"SELECT 1\"; after = \"c\"; };\n b: { command = \"SELECT 1\"; after = \"a\"; };\n"
     " c: { command = \"SELECT 1\"; after = \"b\"; };\n refresh-lanes: { after = \"tidy-lanes\"; }; };",
     "%/conf.d/x.conf:2: jobs of database \"main\" come after each other in a circle: a -> b -> c -> a "
     "(a at %/conf.d/x.conf:2, b at %/conf.d/x.conf:3, c at %/conf.d/x.conf:4)\n"
     "HINT:  remove one of these names from the `after` of the next job\n"
     "%/conf.d/x.conf:5: jobs of database \"main\" come after each other in a circle: refresh-lanes -> tidy-lanes -> "
     "refresh-lanes (refresh-lanes at %/conf.d/x.conf:5, tidy-lanes at /plugins/lane.so)\n"
     "HINT:  remove one of these names from the `after` of the next job\n"},
    {ONE_DATABASE,
     "plugin: { name = \"lane\"; enabled = false; };\njobs: { a: { command = \"SELECT 1\"; after = \"tidy-lanes\"; }; "
     "};",
     "%/conf.d/x.conf:2: job \"a\" comes after \"tidy-lanes\", but plugin \"lane\", which declares that, is disabled "
     "at "
     "%/conf.d/x.conf:1\n"
     "HINT:  enable the plugin, or give the job another `after` in conf.d, or disable it too\n"},
};

START_TEST(bad_catalog_is_refused_with_its_places)
{
    use_plugin(&samples.lane);
    use_plugin(&samples.other);
    build(bad[_i].main_text, bad[_i].part);
    expect_findings(catalog, bad[_i].expected);
}
END_TEST

START_TEST(several_databases_ask_for_a_choice)
{
    use_plugin(&samples.lane);
    build(TWO_DATABASES, "plugin: { name = \"lane\"; };\n"
                         "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; after = \"tidy-lanes\"; }; };");
    expect_findings(catalog, "%/conf.d/x.conf:1: plugin \"lane\": it does not say in which database it runs\n"
                             "HINT:  write database = \"audit\"; (configured: \"audit\", \"main\")\n"
                             "%/conf.d/x.conf:2: job \"a\": it does not say in which database it runs\n"
                             "HINT:  write database = \"audit\"; (configured: \"audit\", \"main\")\n");
}
END_TEST

START_TEST(plugin_without_an_entry_needs_one_when_there_are_several_databases)
{
    use_plugin(&samples.other);
    build(TWO_DATABASES, "");
    expect_findings(catalog,
                    "/plugins/other.so: plugin \"other\", which conf.d does not mention: it does not say in which "
                    "database it runs\n"
                    "HINT:  write plugin: { name = \"other\"; database = \"audit\"; }; in a file of conf_dir "
                    "(configured: \"audit\", \"main\")\n");
}
END_TEST

START_TEST(override_in_another_database_than_its_plugin_is_refused)
{
    use_plugin(&samples.other);
    build(TWO_DATABASES "jobs: { other-job: { database = \"main\"; schedule = \"@daily\"; }; };\n",
          "plugin: { name = \"other\"; database = \"audit\"; };\n");
    expect_findings(
        catalog, "%/pgchime.conf:4: job \"other-job\" belongs to plugin \"other\", which is in database \"audit\", not "
                 "in \"main\"\n"
                 "HINT:  a plugin's database is given in its plugin entry; leave it out here\n");
}
END_TEST

/* What would never count is refused with its place. */
START_TEST(change_of_a_rule_that_its_database_does_not_have_is_refused)
{
    struct chime_alert rule = {.name = "no-orders", .condition = "SELECT true"};
    samples.lane.alerts = &rule;
    samples.lane.alert_count = 1;
    use_plugin(&samples.lane);
    build(TWO_DATABASES, "plugin: { name = \"lane\"; database = \"audit\"; };\n"
                         "alerts: { no-orders: { database = \"audit\"; enabled = false; }; job-late: { database = "
                         "\"main\"; enabled = false; }; };");
    expect_findings(catalog, "");
    build(TWO_DATABASES "alerts: { own: { database = \"main\"; severity = \"info\"; }; };",
          "plugin: { name = \"lane\"; database = \"audit\"; };\n"
          "alerts: { no-orders: { database = \"main\"; enabled = false; };\n"
          " own: { database = \"audit\"; condition = \"SELECT true\"; }; };");
    expect_findings(catalog, "%/conf.d/x.conf:2: alert \"no-orders\" belongs to plugin \"lane\", which is in database "
                             "\"audit\", not in \"main\"\n"
                             "HINT:  a plugin's database is given in its plugin entry; leave it out here\n"
                             "%/pgchime.conf:4: alert \"own\" has no condition, and there is no rule of that name in "
                             "database \"main\"\n"
                             "HINT:  give it a condition, or name a rule of docs/alerts.md or of a plugin\n");
}
END_TEST

START_TEST(upstream_in_another_database_is_refused_with_its_database)
{
    use_plugin(&samples.other);
    build(TWO_DATABASES, "plugin: { name = \"other\"; database = \"audit\"; };\n"
                         "jobs: { a: { database = \"main\"; command = \"SELECT 1\"; after = \"other-job\"; }; };");
    expect_findings(catalog,
                    "%/conf.d/x.conf:2: job \"a\" of database \"main\" comes after \"other-job\", which is a job of "
                    "database \"audit\"\n"
                    "HINT:  `after` names jobs of the same database\n");
}
END_TEST

START_TEST(jobs_and_views_of_two_plugins_must_differ)
{
    samples.other_job.name = "tidy-lanes";
    samples.other_view.relation = "mv_lanes";
    use_plugin(&samples.lane);
    use_plugin(&samples.other);
    build(ONE_DATABASE, "");
    expect_findings(
        catalog, "/plugins/other.so: job \"tidy-lanes\" of database \"main\" is already declared by plugin \"lane\" at "
                 "/plugins/lane.so\n"
                 "HINT:  disable one of the plugins in conf.d, or give it another database\n"
                 "/plugins/other.so: view \"analytics.mv_lanes\" is already declared by /plugins/lane.so\n"
                 "HINT:  give one of the plugins another view_schema in conf.d, or disable it\n");
}
END_TEST

START_TEST(zone_of_a_plugins_job_is_checked_at_the_plugin)
{
    ck_assert(options_set(&samples.other_job.options, "timezone", "Mars/Olympus", NULL));
    use_plugin(&samples.other);
    build(ONE_DATABASE, "");
    ck_assert_ptr_null(catalog);
    ck_assert_uint_eq(report.count, 1);
    ck_assert_str_eq(report.findings[0].file, "/plugins/other.so");
    ck_assert_str_eq(report.findings[0].message, "job \"other-job\": there is no time zone \"Mars/Olympus\"");
}
END_TEST

START_TEST(schedule_of_a_plugin_is_checked_too)
{
    samples.other_job.schedule = "61 * * * *";
    use_plugin(&samples.other);
    build(ONE_DATABASE, "");
    ck_assert_ptr_null(catalog);
    ck_assert_uint_eq(report.count, 1);
    ck_assert_str_eq(report.findings[0].file, "/plugins/other.so");
    ck_assert_ptr_nonnull(strstr(report.findings[0].message, "job \"other-job\": schedule \"61 * * * *\""));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_refusals");
    TCase *tests = tcase_create("catalog_refusals");
    tcase_add_checked_fixture(tests, catalogs_set_up, catalogs_tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, bad_catalog_is_refused_with_its_places, 0, COUNT_OF(bad));
    tcase_add_test(tests, several_databases_ask_for_a_choice);
    tcase_add_test(tests, plugin_without_an_entry_needs_one_when_there_are_several_databases);
    tcase_add_test(tests, override_in_another_database_than_its_plugin_is_refused);
    tcase_add_test(tests, change_of_a_rule_that_its_database_does_not_have_is_refused);
    tcase_add_test(tests, upstream_in_another_database_is_refused_with_its_database);
    tcase_add_test(tests, jobs_and_views_of_two_plugins_must_differ);
    tcase_add_test(tests, zone_of_a_plugins_job_is_checked_at_the_plugin);
    tcase_add_test(tests, schedule_of_a_plugin_is_checked_too);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
