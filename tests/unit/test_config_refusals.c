/* SPDX-License-Identifier: PostgreSQL */
/* What is wrong in a configuration is said with its place: one table of files of conf_dir, one of pgchime.conf. */
#include <check.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "support/plugin/findings.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define DATABASES "databases: { main: { conninfo = \"dbname=app\"; }; };\n"
#define CONF_DIR "conf_dir = \"conf.d\";\n"
#define KNOWN_KEYS                                                                                                   \
    "HINT:  known here: schedule, command, database, after, on, enabled, settings, ping_file, and the options that " \
    "docs/jobs.md lists\n"
#define BACKOFF_HINT "HINT:  write { initial = \"5s\"; coefficient = 2; max = \"10min\"; jitter = 0.2; }\n"
#define NAME_HINT "HINT:  a name has 1 to 63 letters, digits, \"_\" and \"-\"\n"
#define CHANNEL_HINT "HINT:  a channel is named with 1 to 63 bytes of UTF-8, as in NOTIFY\n"
#define DECLARED_HINT "HINT:  name it as the plugin declares it\n"
#define LETTERS "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg" /* 64 */
#define POOL_HINT "HINT:  it is how many runs of the pool may be in flight at once\n"
#define SOCKET_HINT "HINT:  write control_socket = \"...\"; with a shorter path, such as one below /run\n"

/* One bad text each, as conf.d/x.conf beside a good pgchime.conf, and all that is said about it. */
static const struct {
    const char *text;
    const char *expected;
} bad_parts[] = {
    {"sinks: { a: { url = \"https://x\"; };\n b: { type = \"riddle\"; };\n c: { type = \"mail\"; url = \"https://x\"; "
     "from = "
     "\"a\"; to = \"b\"; };\n d: { type = \"program\"; command = [\"page\"]; };\n e: { type = \"slack\"; command = "
     "\"/x\"; };"
     "\n f: { type = \"slack\"; url_file = \"u\"; database = \"nope\"; };\n g: { type = \"mail\"; url = \"smtp://x\"; "
     "from = "
     "\"a\\nBcc: b\"; to = \"b\"; };\n h: { type = \"slack\"; }; };",
     "%/conf.d/x.conf:1: sink \"a\" has no type\nHINT:  types: webhook, slack, alertmanager, mail, program\n"
     "%/conf.d/x.conf:2: sink \"b\": unknown type \"riddle\"\nHINT:  types: webhook, slack, alertmanager, mail, "
     "program\n"
     "%/conf.d/x.conf:3: sink \"c\": its url begins with neither smtps:// nor smtp://\n"
     "%/conf.d/x.conf:4: sink \"d\": its command does not begin with an absolute path\n"
     "HINT:  command = [\"/usr/local/bin/page\", \"--team\", \"data\"]\n"
     "%/conf.d/x.conf:5: sink \"e\": type \"slack\" has no \"command\"\n"
     "%/conf.d/x.conf:6: sink \"f\" names database \"nope\", which is not configured\n"
     "HINT:  name one under \"databases\" in pgchime.conf\n"
     "%/conf.d/x.conf:7: \"from\" of sink \"g\" has control characters\n"
     "%/conf.d/x.conf:8: sink \"h\": type \"slack\" needs \"url_file\"\n"},
    {"plugn: { };", "%/conf.d/x.conf:1: unknown key \"plugn\" in a file of conf_dir\n"
                    "HINT:  did you mean \"plugin\"?\n"},
    {"databases: { };", "%/conf.d/x.conf:1: unknown key \"databases\" in a file of conf_dir\n"
                        "HINT:  known here: plugin, alerts, sinks, views, jobs\n"},
    {"\njobs = 5;", "%/conf.d/x.conf:2: \"jobs\" of a file of conf_dir: expected a group, found an integer\n"
                    "HINT:  write { name = value; ... }\n"},
    {"plugin: { };", "%/conf.d/x.conf:1: \"plugin\" has no \"name\"\n"
                     "HINT:  write name = \"lane_distribution\"; the plugin's file name without its suffix\n"},
    {"plugin: { name = \"../x\"; };", "%/conf.d/x.conf:1: \"../x\" cannot name a plugin\n"
                                      "HINT:  it is the plugin's file name without its suffix\n"},
    {"plugin: { name = \"x\"; enabled = \"yes\"; };",
     "%/conf.d/x.conf:1: \"enabled\" of \"plugin\": expected true, false or \"auto\", found \"yes\"\n"},
    {"plugin: { name = \"x\"; enabled = 1; };",
     "%/conf.d/x.conf:1: \"enabled\" of \"plugin\": expected true, false or \"auto\", found an integer\n"},
    {"plugin: { name = \"x\"; settings: {\n a = [1];\n b = { c = 1; }; }; };",
     "%/conf.d/x.conf:2: setting \"a\": expected one value, found a list\n"
     "%/conf.d/x.conf:3: setting \"b\": expected one value, found a group\n"},
    {"plugin: { name = \"x\"; modes: {\n a = 1;\n b = \"materialized\";\n c = \"keyed\"; }; };",
     "%/conf.d/x.conf:2: mode of view \"a\": expected a string, found an integer\n"
     "HINT:  write it in double quotes\n"
     "%/conf.d/x.conf:3: mode of view \"b\": unknown mode \"materialized\"\n"
     "HINT:  known modes: auto, keyed, strict, full, matview\n"},
    {"plugin: { name = \"x\"; frozen: {\n a = 1;\n b = \"c < chime.as_of()\"; }; };",
     "%/conf.d/x.conf:2: frozen of view \"a\": expected a string, found an integer\n"
     "HINT:  write it in double quotes\n"},
    {"plugin: { name = \"x\"; modes = \"full\"; };",
     "%/conf.d/x.conf:1: \"modes\" of \"plugin\": expected a group, found a string\n"
     "HINT:  write { name = value; ... }\n"},
    {"plugin: { name = \"x\"; channels = 5; };",
     "%/conf.d/x.conf:1: \"channels\" of \"plugin\": expected a string or a list of strings, found an integer\n"
     "HINT:  write \"a\" or [\"a\", \"b\"]\n"},
    {"plugin: { name = \"x\"; channels = { a = \"b\"; }; };",
     "%/conf.d/x.conf:1: \"channels\" of \"plugin\": expected a string or a list of strings, found a group\n"
     "HINT:  write \"a\" or [\"a\", \"b\"]\n"},
    {"plugin: { name = \"x\";\n channels = [1, 2]; };",
     "%/conf.d/x.conf:2: \"channels\" of \"plugin\": expected a list of strings, found an integer in it\n"
     "HINT:  write channels = [\"submission_scored\"];\n"
     "%/conf.d/x.conf:2: \"channels\" of \"plugin\": expected a list of strings, found an integer in it\n"
     "HINT:  write channels = [\"submission_scored\"];\n"},
    {"plugin: { name = \"x\"; channels = [\"\", \"" LETTERS "\", \"\\x1b[31m\"]; };",
     "%/conf.d/x.conf:1: \"channels\" of \"plugin\": \"\" cannot be a channel's name\n" DECLARED_HINT
     "%/conf.d/x.conf:1: \"channels\" of \"plugin\": \"" LETTERS "\" cannot be a channel's name\n" DECLARED_HINT
     "%/conf.d/x.conf:1: \"channels\" of \"plugin\": \"?[31m\" cannot be a channel's name\n" DECLARED_HINT},
    {"plugin: { name = \"x\"; channel = \"a\"; };",
     "%/conf.d/x.conf:1: unknown key \"channel\" in \"plugin\"\nHINT:  did you mean \"channels\"?\n"},
    {"plugin: { name = \"x\"; database = \" \"; };", "%/conf.d/x.conf:1: \"database\" of \"plugin\" is empty\n"},
    {"jobs: { a: 5; };", "%/conf.d/x.conf:1: \"a\" of \"jobs\": expected a group, found an integer\n"
                         "HINT:  write { name = value; ... }\n"},
    {"jobs: { a: { settings = { work_mem = [1];\n a-b = 1; b = { c = { d = 1; }; }; }; };\n b: { settings = 5; }; };",
     "%/conf.d/x.conf:1: setting \"work_mem\" of job \"a\": expected one value in UTF-8, found a list\n"
     "HINT:  write a text as SET takes it: work_mem = \"256MB\";\n"
     "%/conf.d/x.conf:2: \"a-b\" cannot name a setting of job \"a\"\n"
     "HINT:  letters, digits and \"_\"; a group stands for what is before a dot\n"
     "%/conf.d/x.conf:2: setting \"b.c\" of job \"a\": expected one value in UTF-8, found a group\n"
     "HINT:  write a text as SET takes it: work_mem = \"256MB\";\n"
     "%/conf.d/x.conf:3: \"settings\" of job \"b\": expected a group, found an integer\n"
     "HINT:  write { name = value; ... }\n"},
    {"jobs: { a: { schedul = \"@daily\"; }; };", "%/conf.d/x.conf:1: unknown key \"schedul\" in job \"a\"\n"
                                                 "HINT:  did you mean \"schedule\"?\n"},
    {"jobs: { a: { max_atempts = 1; }; };", "%/conf.d/x.conf:1: unknown key \"max_atempts\" in job \"a\"\n"
                                            "HINT:  did you mean \"max_attempts\"?\n"},
    {"jobs: { a: { zzz = { b = 1; }; }; };", "%/conf.d/x.conf:1: unknown key \"zzz\" in job \"a\"\n" KNOWN_KEYS},
    {"jobs: { a: { on = [\"b\"]; targetlag = 1; }; };", "%/conf.d/x.conf:1: unknown key \"targetlag\" in job \"a\"\n"
                                                        "HINT:  did you mean \"target_lag\"?\n"},
    {"jobs: { a: { on = 5; };\n b: { on = [1]; };\n c: { on = [\"\", \"" LETTERS "\", \"\\xff\"]; };\n"
     " d: { on = [\"b\", \"c\", \"b\"]; };\n e: { on = { a = \"b\"; }; }; };",
     "%/conf.d/x.conf:1: \"on\" of job \"a\": expected a string or a list of strings, found an integer\n"
     "HINT:  write \"a\" or [\"a\", \"b\"]\n"
     "%/conf.d/x.conf:2: \"on\" of job \"b\": expected a list of strings, found an integer in it\n"
     "%/conf.d/x.conf:3: \"on\" of job \"c\": \"\" cannot be a channel's name\n" CHANNEL_HINT
     "%/conf.d/x.conf:3: \"on\" of job \"c\": \"" LETTERS "\" cannot be a channel's name\n" CHANNEL_HINT
     "%/conf.d/x.conf:3: \"on\" of job \"c\": \"?\" cannot be a channel's name\n" CHANNEL_HINT
     "%/conf.d/x.conf:4: \"on\" of job \"d\" names \"b\" twice\nHINT:  name it once\n"
     "%/conf.d/x.conf:5: \"on\" of job \"e\": expected a string or a list of strings, found a group\n"
     "HINT:  write \"a\" or [\"a\", \"b\"]\n"},
    {"jobs: { a: { target_lag = \"upstream\";\n debounce = \"none\";\n warn_after = [\"5s\"]; }; };",
     "%/conf.d/x.conf:1: job \"a\": target_lag: \"upstream\" is not a duration\n"
     "HINT:  write a whole number and one unit: 250ms, 5s, 10min, 2h or 1d; or none; or downstream\n"
     "%/conf.d/x.conf:2: job \"a\": debounce: \"none\" is not a duration\n"
     "HINT:  write a whole number and one unit: 250ms, 5s, 10min, 2h or 1d\n"
     "%/conf.d/x.conf:3: \"warn_after\" of job \"a\": expected one value, found a list\n"},
    {"jobs: { a: { throttle = \"5s\"; }; };", "%/conf.d/x.conf:1: job \"a\": option \"throttle\" is not available yet\n"
                                              "HINT:  its name is kept for a later version: remove it\n"},
    {"jobs: { a: { schedule = 5; }; };",
     "%/conf.d/x.conf:1: \"schedule\" of job \"a\": expected a string, found an integer\n"
     "HINT:  write it in double quotes\n"},
    {"jobs: { a: { enabled = \"true\"; }; };",
     "%/conf.d/x.conf:1: \"enabled\" of job \"a\": expected a boolean, found a string\n"
     "HINT:  write true or false without quotes\n"},
    {"jobs: { a: { after = true; }; };",
     "%/conf.d/x.conf:1: \"after\" of job \"a\": expected a string or a list of strings, found a boolean\n"
     "HINT:  write \"a\" or [\"a\", \"b\"]\n"},
    {"jobs: { a: { after = [1, 2]; }; };",
     "%/conf.d/x.conf:1: \"after\" of job \"a\": expected a list of strings, found an integer in it\n"
     "%/conf.d/x.conf:1: \"after\" of job \"a\": expected a list of strings, found an integer in it\n"},
    {"jobs: { a: { after = \"b, c\"; }; };",
     "%/conf.d/x.conf:1: \"after\" of job \"a\": \"b, c\" cannot be a job's name\n"
     "HINT:  write a list: after = [\"a\", \"b\"];\n"},
    {"jobs: { a: { after = [\"b\", \"c\", \"b\"]; }; };",
     "%/conf.d/x.conf:1: \"after\" of job \"a\" names \"b\" twice\nHINT:  name it once\n"},
    {"jobs: { a: { command = \" -- nothing\"; }; };", "%/conf.d/x.conf:1: the command of job \"a\" has no statement\n"
                                                      "HINT:  write the SQL to run, or remove the job\n"},
    {"jobs: { a: { command = \"\\xff\"; }; };", "%/conf.d/x.conf:1: the command of job \"a\" is not UTF-8\n"
                                                "HINT:  \\x escapes must give UTF-8\n"},
    {"jobs: { a: { catchup_window = 24; }; };",
     "%/conf.d/x.conf:1: job \"a\": catchup_window: \"24\" is not a duration\n"
     "HINT:  write a whole number and one unit: 250ms, 5s, 10min, 2h or 1d\n"},
    {"jobs: { a: { backoff = { initial = 5;\n first = \"1s\";\n max = [1]; }; }; };",
     "%/conf.d/x.conf:1: job \"a\": backoff.initial: \"5\" is not a duration\n"
     "HINT:  write a whole number and one unit: 250ms, 5s, 10min, 2h or 1d\n"
     "%/conf.d/x.conf:2: unknown key \"backoff.first\" in job \"a\"\n"
     "HINT:  a backoff has initial, coefficient, max and jitter\n"
     "%/conf.d/x.conf:3: \"backoff.max\" of job \"a\": expected one value, found a list\n"},
    {"jobs: { a: { backoff = [1]; };\n b: { backoff = \"5s\"; }; };",
     "%/conf.d/x.conf:1: \"backoff\" of job \"a\": expected a group, found a list\n" BACKOFF_HINT
     "%/conf.d/x.conf:2: \"backoff\" of job \"b\": expected a group, found a string\n" BACKOFF_HINT},
    {"jobs: { a: { backof = { initial = \"5s\"; }; }; };",
     "%/conf.d/x.conf:1: unknown key \"backof\" in job \"a\"\nHINT:  did you mean \"backoff\"?\n"},
    {"jobs: { a: { backoff = { initia = \"5s\"; }; }; };",
     "%/conf.d/x.conf:1: unknown key \"backoff.initia\" in job \"a\"\nHINT:  did you mean \"backoff.initial\"?\n"},
    {"jobs: { a: { timezone = \"Europe Berlin\"; dst_gap = \"maybe\"; pool = \"a b\"; }; };",
     "%/conf.d/x.conf:1: job \"a\": timezone \"Europe Berlin\" cannot be the name of a time zone\n"
     "HINT:  write a name such as Europe/Berlin, or UTC\n"
     "%/conf.d/x.conf:1: job \"a\": dst_gap has no value \"maybe\"\n"
     "HINT:  choose one of: run, skip\n"
     "%/conf.d/x.conf:1: job \"a\": pool \"a b\" is not a name\n"
     "HINT:  a name has 1 to 63 letters, digits, \"_\" and \"-\"\n"},
    {"jobs: { a: { priority = [1]; }; };",
     "%/conf.d/x.conf:1: \"priority\" of job \"a\": expected one value, found a list\n"},
    {"jobs: { a: { retry_on = [8, 53]; }; };",
     "%/conf.d/x.conf:1: \"retry_on\" of job \"a\": expected a list of strings\nHINT:  write [\"08\", \"40001\"]\n"},
    {"jobs: { a: { max_attempts = 0; }; };", "%/conf.d/x.conf:1: job \"a\": max_attempts \"0\" is outside 1 to 1000\n"},
    {"jobs: { a: { overlap_policy = \"allow\"; }; };",
     "%/conf.d/x.conf:1: job \"a\": overlap_policy \"allow\" is not available yet\n"
     "HINT:  choose one of: skip, buffer_one, buffer_all, cancel_previous\n"},
    /* syntax */
    {"jobs: { a: { enabled = yes; }; b: { schedul = 1; }; };",
     "%/conf.d/x.conf:1: yes is not a value: neither a number nor true or false\n"
     "HINT:  write texts in double quotes: \"yes\"\n"
     "%/conf.d/x.conf:1: unknown key \"schedul\" in job \"b\"\n"
     "HINT:  did you mean \"schedule\"?\n"},
    {"jobs: { a: { x = 1.2.3; };\n b: {\n\n  y = -; }; };",
     "%/conf.d/x.conf:1: syntax error\n"
     "HINT:  texts are in double quotes, lists are [\"a\", \"b\"], groups are { name = value; }\n"
     "%/conf.d/x.conf:4: syntax error\n"
     "HINT:  texts are in double quotes, lists are [\"a\", \"b\"], groups are { name = value; }\n"},
    {"jobs: {\n a: {\n  after = [1,\n \"x\"]; }; };", "%/conf.d/x.conf:4: values of different types in one [ ] list\n"
                                                      "HINT:  write them all alike, or use ( ) for the list\n"},
    {"jobs: { a: { after = [\"x\" \"y\"; }; };",
     "%/conf.d/x.conf:1: expected \",\" or the end of the list, found \";\"\n"
     "HINT:  entries are written: name = value; with texts in double quotes and groups as name: { ... };\n"},
    {"jobs: {\n a: { command = \"SELECT 1;\n }; };\n", "%/conf.d/x.conf:2: the string that begins here never ends\n"
                                                       "HINT:  close it with \"; inside, write \\\" for a quote\n"},
    {"jobs: { };\n/* x", "%/conf.d/x.conf:2: the comment that begins here never ends\nHINT:  close it with */\n"},
    {"\njobs: {\n a: { };\n", "%/conf.d/x.conf:2: the \"{\" here is never closed\n"},
    {"jobs: { a: { after = [ };", "%/conf.d/x.conf:1: \"}\" does not close the \"[\" of line 1\n"},
    {"jobs: { a: { after = [1 \"x\"]; }; };",
     "%/conf.d/x.conf:1: expected \",\" or the end of the list, found a string\n"
     "HINT:  entries are written: name = value; with texts in double quotes and groups as name: { ... };\n"},
    {"jobs: { a: { after = [\"b\",]; }; };",
     "%/conf.d/x.conf:1: expected a value, found \"]\"\n"
     "HINT:  entries are written: name = value; with texts in double quotes and groups as name: { ... };\n"},
    {"jobs: { a: { after = [[\"b\"]]; }; };", "%/conf.d/x.conf:1: \"[\" in a [ ] list, which has single values\n"
                                              "HINT:  write ( ) for a list of groups or lists\n"},
    {"jobs: { a: { after = [\n", "%/conf.d/x.conf:1: the \"[\" here is never closed\n"},
    {"jobs: { a: { }; }; };",
     "%/conf.d/x.conf:1: expected a name, found \"}\"\n"
     "HINT:  entries are written: name = value; with texts in double quotes and groups as name: { ... };\n"},
    {"jobs { }",
     "%/conf.d/x.conf:1: expected \"=\" or \":\" after \"jobs\", found \"{\"\n"
     "HINT:  entries are written: name = value; with texts in double quotes and groups as name: { ... };\n"},
    {"jobs:", "%/conf.d/x.conf:1: expected a value, found the end of the file\n"
              "HINT:  entries are written: name = value; with texts in double quotes and groups as name: { ... };\n"},
    {"\n@include \"/etc/passwd\"\n", "%/conf.d/x.conf:2: \"@include\" is not supported\n"
                                     "HINT:  put the entries into a file of conf_dir: every *.conf there is read\n"},
    {"*jobs: { };", "%/conf.d/x.conf:1: \"*jobs\" is not a name\n"
                    "HINT:  a name begins with a letter and has letters, digits, \"_\" and \"-\"\n"},
    {"jobs: { a: { command = \"SELECT \\x00\"; }; };", "%/conf.d/x.conf:1: \\x00 in a string\nHINT:  leave it out\n"},
    {"a=((((((((((((((((1))))))))))))))));", "%/conf.d/x.conf:1: unknown key \"a\" in a file of conf_dir\n"
                                             "HINT:  known here: plugin, alerts, sinks, views, jobs\n"},
    {"a=\n(((((((((((((((((1)))))))))))))))));", "%/conf.d/x.conf:2: nested more than 16 deep\n"},
    {"a\x01\x02 = 1;", "%/conf.d/x.conf:1: \"a??\" is not a name\n"
                       "HINT:  a name begins with a letter and has letters, digits, \"_\" and \"-\"\n"},
    /* duplicates */
    {"jobs: {\n a: { };\n b: { };\n a: { };\n};",
     "%/conf.d/x.conf:4: \"a\" is already given at %/conf.d/x.conf:2\nHINT:  keep one of the two\n"},
    {"jobs: {\n a: { schedule = \"@daily\";\n schedule = \"@hourly\";\n schedule = \"@hourly\"; nope = 1; }; };",
     "%/conf.d/x.conf:3: \"schedule\" is already given at %/conf.d/x.conf:2\nHINT:  keep one of the two\n"
     "%/conf.d/x.conf:4: \"schedule\" is already given at %/conf.d/x.conf:2\nHINT:  keep one of the two\n"
     "%/conf.d/x.conf:4: unknown key \"nope\" in job \"a\"\n" KNOWN_KEYS},
    {"jobs: { a: { }; };\njobs: { a: { }; };",
     "%/conf.d/x.conf:2: \"jobs\" is already given at %/conf.d/x.conf:1\nHINT:  keep one of the two\n"
     "%/conf.d/x.conf:2: job \"a\" is already given at %/conf.d/x.conf:1\nHINT:  rename or remove one of the two\n"},
};

START_TEST(bad_part_is_refused_with_its_place)
{
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/x.conf", bad_parts[_i].text);
    load();
    expect_findings(config, bad_parts[_i].expected);
}
END_TEST

static const struct {
    const char *text;
    const char *expected;
} bad_mains[] = {
    {"databases: {\n main: { }; };",
     "%/pgchime.conf:2: database \"main\" has no \"conninfo\"\n"
     "HINT:  write conninfo = \"host=/run/postgresql dbname=app\"; or set DATABASE_URL, or PGHOST and PGDATABASE\n"},
    {"databases: { main: { conninfo = \"\"; }; };", "%/pgchime.conf:1: \"conninfo\" of database \"main\" is empty\n"},
    {"databases: { main: { conninfo = \"x\"; pool_size = 0; }; };",
     "%/pgchime.conf:1: \"pool_size\" of database \"main\": expected 1 to 500, found 0\n"},
    {"databases: { main: { conninfo = \"x\"; role_sessions = 501; }; };",
     "%/pgchime.conf:1: \"role_sessions\" of database \"main\": expected 1 to 500, found 501\n"},
    {"databases: { main: { conninfo = \"x\"; pool_size = 99999999999999999999999; }; };",
     "%/pgchime.conf:1: 99999999999999999999999 is too large a number\n"
     "HINT:  whole numbers are from -2147483648 to 2147483647, larger ones end with L\n"},
    {"databases: { main: { conninfo = \"x\"; pool_size = 2147483647; }; };",
     "%/pgchime.conf:1: \"pool_size\" of database \"main\": expected 1 to 500, found 2147483647\n"},
    {"databases: { main: { conninfo = \"x\"; pool_size = 4294967297L; }; };",
     "%/pgchime.conf:1: \"pool_size\" of database \"main\": expected 1 to 500, found 4294967297\n"},
    {"databases: { main: { conninfo = \"x\"; heartbeat: { every = \"500ms\"; }; };\n"
     " b: { conninfo = \"x\"; heartbeat: { url = \"ftp://x\"; every = \"soon\"; };\n };\n"
     " c: { conninfo = \"x\"; heartbeat: { url = \"http://x\"; url_file = \"x\"; }; }; };",
     "%/pgchime.conf:1: \"every\" of heartbeat of database \"main\": expected 1s to 24h, found \"500ms\"\n"
     "%/pgchime.conf:1: heartbeat of database \"main\" has no \"url_file\"\n"
     "%/pgchime.conf:2: \"every\" of heartbeat of database \"b\": \"soon\" is not a duration\n"
     "HINT:  write a whole number and one unit: 250ms, 5s, 10min, 2h or 1d\n"
     "%/pgchime.conf:2: heartbeat of database \"b\": its url begins with neither https:// nor http://\n"
     "%/pgchime.conf:4: heartbeat of database \"c\" has both url and url_file\n"
     "HINT:  keep url_file where the address is a secret\n"},
    {"a = 4294967297; b = -2147483649; c = 0x80000000; d = 0x7fffffff; e = 9223372036854775808L; f = 1e999;",
     "%/pgchime.conf:1: 4294967297 is too large a number\n"
     "HINT:  whole numbers are from -2147483648 to 2147483647, larger ones end with L\n"
     "%/pgchime.conf:1: -2147483649 is too large a number\n"
     "HINT:  whole numbers are from -2147483648 to 2147483647, larger ones end with L\n"
     "%/pgchime.conf:1: 0x80000000 is too large a number\n"
     "HINT:  whole numbers are from -2147483648 to 2147483647, larger ones end with L\n"
     "%/pgchime.conf:1: 9223372036854775808L is too large a number\n"
     "HINT:  whole numbers are from -2147483648 to 2147483647, larger ones end with L\n"
     "%/pgchime.conf:1: unknown key \"d\" in pgchime.conf\n"
     "HINT:  known here: databases, plugin_dir, conf_dir, log_level, log_format, instance, control_socket, roles, "
     "alerts, sinks, views, metrics_jobs, "
     "jobs\n"
     "%/pgchime.conf:1: unknown key \"f\" in pgchime.conf\n"
     "HINT:  known here: databases, plugin_dir, conf_dir, log_level, log_format, instance, control_socket, roles, "
     "alerts, sinks, views, metrics_jobs, "
     "jobs\n"},
    {"databases: { main: { conninfo = \"x\"; poolsize = 2; }; };",
     "%/pgchime.conf:1: unknown key \"poolsize\" in database \"main\"\nHINT:  did you mean \"pool_size\"?\n"},
    {"databases: { main: { conninfo = \"x\"; view_schema = \"" LETTERS "\"; }; };",
     "%/pgchime.conf:1: \"view_schema\" of database \"main\" is longer than 63 bytes\n"},
    {"databases: { main: { conninfo = \"x\"; verify = \"61 * * * *\"; };\n b: { conninfo = \"x\"; verify = \" \"; }; "
     "};",
     "%/pgchime.conf:1: \"verify\" of database \"main\": schedule \"61 * * * *\": minute \"61\": a value is out of "
     "range, "
     "expected 0-59\n"
     "HINT:  a field is *, a value, a range a-b, either of * and a-b with a step (*/5, 10-50/10), or a list of these "
     "with commas\n"
     "%/pgchime.conf:2: \"verify\" of database \"b\" is empty\n"},
    {"databases: { main: { conninfo = \"x\"; timezone = 2;\n pools = 3; }; };",
     "%/pgchime.conf:1: \"timezone\" of database \"main\": expected a string, found an integer\n"
     "HINT:  write it in double quotes\n"
     "%/pgchime.conf:2: \"pools\" of database \"main\": expected a group, found an integer\n"
     "HINT:  write { name = value; ... }\n"},
    {"databases: { main: { conninfo = \"x\";\n timezone = \"" LETTERS "\"; };\n"
     " b: { conninfo = \"x\"; timezone = \"../x\\n\"; };\n c: { conninfo = \"x\"; timezone = \"\"; }; };",
     "%/pgchime.conf:2: database \"main\": timezone \"" LETTERS "\" cannot be the name of a time zone\n"
     "HINT:  write a name such as Europe/Berlin, or UTC\n"
     "%/pgchime.conf:3: database \"b\": timezone \"../x?\" cannot be the name of a time zone\n"
     "HINT:  write a name such as Europe/Berlin, or UTC\n"
     "%/pgchime.conf:4: \"timezone\" of database \"c\" is empty\n"},
    {"databases: { main: { conninfo = \"x\"; timezon = \"UTC\"; pool: { }; }; };",
     "%/pgchime.conf:1: unknown key \"timezon\" in database \"main\"\nHINT:  did you mean \"timezone\"?\n"
     "%/pgchime.conf:1: unknown key \"pool\" in database \"main\"\nHINT:  did you mean \"pools\"?\n"},
    {"databases: { main: { conninfo = \"x\"; pools: {\n heavy = 0;\n light = 501;\n a = \"2\";\n b = { limit = 1; };\n"
     " " LETTERS " = 1;\n heavy = 2; }; }; };",
     "%/pgchime.conf:2: \"heavy\" of pools of database \"main\": expected 1 to 500, found 0\n" POOL_HINT
     "%/pgchime.conf:3: \"light\" of pools of database \"main\": expected 1 to 500, found 501\n" POOL_HINT
     "%/pgchime.conf:4: \"a\" of pools of database \"main\": expected an integer, found a string\n"
     "HINT:  write a whole number without quotes\n"
     "%/pgchime.conf:5: \"b\" of pools of database \"main\": expected an integer, found a group\n"
     "HINT:  write a whole number without quotes\n"
     "%/pgchime.conf:6: \"" LETTERS "\" cannot name a pool\n" NAME_HINT
     "%/pgchime.conf:7: \"heavy\" is already given at %/pgchime.conf:2\nHINT:  keep one of the two\n"},
    {"\ncontrol_socket = \"/run/" LETTERS LETTERS "\";",
     "%/pgchime.conf:2: the path of the control socket is longer than 107 bytes: \"/run/" LETTERS LETTERS
     "\"\n" SOCKET_HINT},
    {"control_socket = 5;",
     "%/pgchime.conf:1: \"control_socket\" of pgchime.conf: expected a string, found an integer\n"
     "HINT:  write it in double quotes\n"},
    {"control_soket = \"a\"; control_socket = \"a\\nb\";",
     "%/pgchime.conf:1: unknown key \"control_soket\" in pgchime.conf\nHINT:  did you mean \"control_socket\"?\n"
     "%/pgchime.conf:1: \"control_socket\" has control characters: \"a?b\"\n"},
    {"databases: { main = \"dbname=app\"; };",
     "%/pgchime.conf:1: \"main\" of \"databases\": expected a group, found a string\n"
     "HINT:  write { name = value; ... }\n"},
    {"databases = (1);", "%/pgchime.conf:1: \"databases\" of pgchime.conf: expected a group, found a list\n"
                         "HINT:  write { name = value; ... }\n"},
    {"log_level = \"loud\";", "%/pgchime.conf:1: unknown log level \"loud\"\n"
                              "HINT:  choose one of: debug, info, warning, error\n"},
    {"plugindir = \"x\";",
     "%/pgchime.conf:1: unknown key \"plugindir\" in pgchime.conf\nHINT:  did you mean \"plugin_dir\"?\n"},
    {"plugin_dir = 1.5;", "%/pgchime.conf:1: \"plugin_dir\" of pgchime.conf: expected a string, found a number\n"
                          "HINT:  write it in double quotes\n"},
    {"\nconf_dir = \"nowhere\";", "%/pgchime.conf:2: cannot read conf_dir \"%/nowhere\": No such file or directory\n"
                                  "HINT:  make the folder, or remove the line\n"},
    {"conf_dir = \"pgchime.conf\";", "%/pgchime.conf:1: cannot read conf_dir \"%/pgchime.conf\": Not a directory\n"},
    {"conf_dir = \"a\nb\"; plugin_dir = \"\";", "%/pgchime.conf:1: \"conf_dir\" has control characters: \"a?b\"\n"
                                                "%/pgchime.conf:2: \"plugin_dir\" of pgchime.conf is empty\n"},
    {"instance = \"a\xc3\";", "%/pgchime.conf:1: byte 0xc3 is not UTF-8\nHINT:  save the file as UTF-8\n"},
    {"log_level = \"\\x1b[31m\\n\\xff\";", "%/pgchime.conf:1: unknown log level \"?[31m??\"\n"
                                           "HINT:  choose one of: debug, info, warning, error\n"},
};

START_TEST(bad_main_file_is_refused_with_its_place)
{
    put("pgchime.conf", bad_mains[_i].text);
    load();
    expect_findings(config, bad_mains[_i].expected);
}
END_TEST

/* What other schedulers call it, and what it is called here. */
static const char *const guesses[][2] = {
    {"overlap", "overlap_policy"},
    {"retries", "max_attempts"},
    {"retry", "max_attempts"},
    {"attempts", "max_attempts"},
    {"timeout", "attempt_timeout"},
    {"statement_timeout", "attempt_timeout"},
    {"tz", "timezone"},
    {"time_zone", "timezone"},
    {"depends_on", "after"},
    {"depends", "after"},
    {"upstream", "after"},
    {"upstreams", "after"},
    {"cron", "schedule"},
    {"sql", "command"},
    {"query", "command"},
    {"db", "database"},
    {"dbname", "database"},
    {"deadline", "starting_deadline"},
    {"catch_up", "catchup"},
    {"channels", "on"},
    {"listen", "on"},
    {"notify", "on"},
    {"freshness", "target_lag"},
    {"lag", "target_lag"},
    {"debounce_ma", "debounce_max"},
    {"afer", "after"},
    {"comand", "command"},
    {"trigger_rules", "trigger_rule"},
    {"suspend_after_failure", "suspend_after_failures"},
};

START_TEST(key_of_another_scheduler_gets_our_name)
{
    char *text = files_path("jobs: { a: { %s = 1; }; };", guesses[_i][0]);
    char *expected = files_path("%%/conf.d/x.conf:1: unknown key \"%s\" in job \"a\"\nHINT:  did you mean \"%s\"?\n",
                                guesses[_i][0], guesses[_i][1]);
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/x.conf", text);
    load();
    expect_findings(config, expected);
    free(text);
    free(expected);
}
END_TEST

START_TEST(five_errors_of_one_file_are_reported_at_once)
{
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/x.conf", "plugin: {\n"
                         "  name = 5;\n"
                         "  enable = true;\n"
                         "};\n"
                         "jobs: {\n"
                         "  a: { schedule = \"61 * * * *\"; command = \"SELECT 1\"; };\n"
                         "  b: { schedule = \"@daily\"; command = \"\"; };\n"
                         "  c: { catchup = \"sometimes\"; };\n"
                         "};\n");
    load();
    expect_findings(
        config,
        "%/conf.d/x.conf:2: \"name\" of \"plugin\": expected a string, found an integer\n"
        "HINT:  write it in double quotes\n"
        "%/conf.d/x.conf:3: unknown key \"enable\" in \"plugin\"\n"
        "HINT:  did you mean \"enabled\"?\n"
        "%/conf.d/x.conf:6: job \"a\": schedule \"61 * * * *\": minute \"61\": a value is out of range, expected "
        "0-59\n"
        "HINT:  a field is *, a value, a range a-b, either of * and a-b with a step (*/5, 10-50/10), or a "
        "list of these with commas\n"
        "%/conf.d/x.conf:7: the command of job \"b\" has no statement\n"
        "HINT:  write the SQL to run, or remove the job\n"
        "%/conf.d/x.conf:8: job \"c\": catchup has no value \"sometimes\"\n"
        "HINT:  choose one of: latest, none, all\n");
}
END_TEST

START_TEST(errors_of_all_files_are_reported_at_once)
{
    put("pgchime.conf", DATABASES CONF_DIR "log_level = 1;\n");
    put("conf.d/a.conf", "jobs: {");
    put("conf.d/b.conf", "nope = 1;");
    load();
    expect_findings(config, "%/conf.d/a.conf:1: the \"{\" here is never closed\n"
                            "%/conf.d/b.conf:1: unknown key \"nope\" in a file of conf_dir\n"
                            "HINT:  known here: plugin, alerts, sinks, views, jobs\n"
                            "%/pgchime.conf:3: \"log_level\" of pgchime.conf: expected a string, found an integer\n"
                            "HINT:  write it in double quotes\n");
}
END_TEST

START_TEST(repetition_in_two_files_names_both_places)
{
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/a.conf", "plugin: { name = \"p\"; };\njobs: { j: { }; };");
    put("conf.d/b.conf", "\n\njobs: { j: { }; };\nplugin: { name = \"p\"; };");
    load();
    expect_findings(config, "%/conf.d/b.conf:3: job \"j\" is already given at %/conf.d/a.conf:2\n"
                            "HINT:  rename or remove one of the two\n"
                            "%/conf.d/b.conf:4: plugin \"p\" is already configured at %/conf.d/a.conf:1\n"
                            "HINT:  keep one of the two\n");
}
END_TEST

static void set_mode(const char *name, unsigned mode)
{
    char *path = files_path("%s/%s", folder, name);
    ck_assert_int_eq(chmod(path, mode), 0);
    free(path);
}

START_TEST(what_others_could_have_written_is_not_believed)
{
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/a.conf", "jobs: { };");
    set_mode("pgchime.conf", 0664);
    set_mode("conf.d/a.conf", 0602);
    set_mode("conf.d", 0777);
    load();
    expect_findings(config, "%/conf.d: the folder %/conf.d is writable by group or others (mode 0777)\n"
                            "HINT:  chmod go-w %/conf.d\n"
                            "%/conf.d/a.conf: the file %/conf.d/a.conf is writable by group or others (mode 0602)\n"
                            "HINT:  chmod go-w %/conf.d/a.conf\n"
                            "%/pgchime.conf: the file %/pgchime.conf is writable by group or others (mode 0664)\n"
                            "HINT:  chmod go-w %/pgchime.conf\n");
}
END_TEST

START_TEST(a_link_is_believed_as_the_folder_that_it_leads_to)
{
    put("pgchime.conf", DATABASES CONF_DIR);
    char *elsewhere = files_path("%s/elsewhere", folder);
    files_make_folder(elsewhere);
    free(elsewhere);
    put("elsewhere/a.conf", "jobs: { };");
    char *target = files_path("%s/elsewhere/a.conf", folder);
    char *link = files_path("%s/conf.d/a.conf", folder);
    ck_assert_int_eq(symlink(target, link), 0);
    ck_assert_ptr_nonnull(load());
    set_mode("elsewhere", 0770);
    load();
    expect_findings(config, "%/elsewhere: the folder %/elsewhere is writable by group or others (mode 0770)\n"
                            "HINT:  chmod go-w %/elsewhere\n");
    free(target);
    free(link);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_refusals");
    TCase *tests = tcase_create("config_refusals");
    tcase_add_checked_fixture(tests, findings_set_up, findings_tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, bad_part_is_refused_with_its_place, 0, COUNT_OF(bad_parts));
    tcase_add_loop_test(tests, bad_main_file_is_refused_with_its_place, 0, COUNT_OF(bad_mains));
    tcase_add_loop_test(tests, key_of_another_scheduler_gets_our_name, 0, COUNT_OF(guesses));
    tcase_add_test(tests, five_errors_of_one_file_are_reported_at_once);
    tcase_add_test(tests, errors_of_all_files_are_reported_at_once);
    tcase_add_test(tests, repetition_in_two_files_names_both_places);
    tcase_add_test(tests, what_others_could_have_written_is_not_believed);
    tcase_add_test(tests, a_link_is_believed_as_the_folder_that_it_leads_to);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
