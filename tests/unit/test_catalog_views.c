/* SPDX-License-Identifier: PostgreSQL */
/* Entries of `views` in conf.d: what is refused, with its place and a way out. For files of the plugin folder that is
 * test_plugins_sql.c, for chime.keep_view integration/test_keep_view.c. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/plugin/catalogs.h"
#include "support/plugin/findings.h"
#include "support/process/suite.h"

#define VIEW(name, members) "views: { " name ": { " members " }; };"

START_TEST(a_view_in_conf_d_is_a_plugin)
{
    use_no_plugin();
    build(ONE_DATABASE, VIEW("daily", "sql = \"SELECT 1 AS day\"; key = \"day\"; target_lag = \"downstream\";"));
    expect_findings(catalog, "");
}
END_TEST

/* What the text or its options say, or whose name it takes; lane is there. */
static const struct {
    const char *entry;
    const char *expected;
} bad[] = {
    {VIEW("daily", "sql = \"-- key: a\\n-- key: b\\nSELECT 1 AS a\";"),
     "%/conf.d/x.conf:1: view \"daily\": line 2: \"key\" is given twice\n"
     "HINT:  line 1 of its file has it\n"},
    {VIEW("daily", "sql = \"-- key: a\\nSELECT 1 AS a\";\n key = \"a\";"),
     "%/conf.d/x.conf:2: view \"daily\": \"key\" is given twice\n"
     "HINT:  line 1 of its file has it\n"},
    {VIEW("daily", "sql = \"SELECT 1 AS a\";\n trust = \"true\";"),
     "%/conf.d/x.conf:2: view \"daily\": a view has no option \"trust\"\n"
     "HINT:  options are key, target_lag, schedule and others: man pgchime-plugin\n"},
    {VIEW("daily", "sql = \"SELECT 1 AS a\";\n target_lag = \"soon\";"),
     "%/conf.d/x.conf:1: jobs[0] \"refresh-daily\": target_lag: \"soon\" is not a duration\n"
     "HINT:  write a whole number and one unit: 250ms, 5s, 10min, 2h or 1d; or none; or downstream\n"},
    {VIEW("daily", "sql = \"SELECT 1 AS a\";\n mode = \"fast\";"),
     "%/conf.d/x.conf:1: views[0] \"daily\": mode \"fast\" is not known\n"
     "HINT:  it is one of: auto, keyed, strict, full, matview\n"},
    {VIEW("daily", "sql = \"-- nothing else\";"), "%/conf.d/x.conf:1: view \"daily\": it has no SELECT\n"
                                                  "HINT:  write the definition of the view below its options\n"},
    {VIEW("daily", "sql = \"SELECT 1 AS a\\n-- key: a\";"),
     "%/conf.d/x.conf:1: view \"daily\": line 2: the option \"key\" stands behind the beginning of the SQL\n"
     "HINT:  put it above the first line that is no comment\n"},
    {VIEW("Daily", "sql = \"SELECT 1 AS a\";"),
     "%/conf.d/x.conf:1: views[0] \"Daily\": relation \"Daily\" is not a name\n"
     "HINT:  relations are named with 1 to 56 of a-z, 0-9 and _, not starting with a digit\n"},
    {VIEW("lane", "sql = \"SELECT 1 AS a\";"),
     "%/conf.d/x.conf:1: view \"lane\": the plugin folder has a plugin of that name\n"
     "HINT:  rename one of them, or take it away\n"},
    {VIEW("lanes", "sql = \"SELECT 1 AS a\";"),
     "%/conf.d/x.conf: job \"refresh-lanes\" of database \"main\" is already declared by plugin \"lane\" at "
     "/plugins/lane.so\n"
     "HINT:  disable one of the plugins in conf.d, or give it another database\n"},
    {VIEW("mv_lanes", "sql = \"SELECT 1 AS a\";"),
     "%/conf.d/x.conf: view \"analytics.mv_lanes\" is already declared by /plugins/lane.so\n"
     "HINT:  give one of the plugins another view_schema in conf.d, or disable it\n"},
};

START_TEST(a_bad_view_is_refused_with_its_place)
{
    use_plugin(&samples.lane);
    build(ONE_DATABASE, bad[_i].entry);
    expect_findings(catalog, bad[_i].expected);
}
END_TEST

#define LARGE_HINT "HINT:  a view is one SELECT: put what it needs into views or functions of the database\n"

START_TEST(ten_megabytes_are_refused)
{
    static const char head[] = "views: { daily: { sql = \"SELECT 1 AS a --";
    static const char tail[] = "\"; }; };";
    size_t length = 10u << 20;
    char *text = xcalloc(1, length + sizeof(head) + sizeof(tail));
    memcpy(text, head, sizeof(head));
    memset(text + sizeof(head) - 1, 'x', length);
    memcpy(text + sizeof(head) - 1 + length, tail, sizeof(tail));
    use_no_plugin();
    put("daily.sql", text);
    build(ONE_DATABASE, _i == 0 ? text : VIEW("daily", "file = \"daily.sql\";"));
    expect_findings(catalog, _i == 0 ? "%/conf.d/x.conf:1: view \"daily\": it is larger than 1 MiB\n" LARGE_HINT
                                     : "%/daily.sql: view \"daily\": it is larger than 1 MiB\n" LARGE_HINT);
    free(text);
}
END_TEST

/* Found while the file is read. */
static const struct {
    const char *entry;
    const char *file;
    const char *expected;
} unread[] = {
    {VIEW("daily", "key = \"a\";"), NULL,
     "%/conf.d/x.conf:1: view \"daily\" has no \"sql\" and no \"file\"\n"
     "HINT:  write sql = \"SELECT ...\"; or file = \"NAME.sql\";\n"},
    {VIEW("daily", "sql = \"SELECT 1 AS a\"; file = \"daily.sql\";"), "SELECT 1 AS a",
     "%/conf.d/x.conf:1: view \"daily\" has both \"sql\" and \"file\"\n"
     "HINT:  write sql = \"SELECT ...\"; or file = \"NAME.sql\";\n"},
    {VIEW("daily", "file = \"daily.sql\";"), NULL,
     "%/daily.sql: cannot open the file: No such file or directory\n"
     "HINT:  write it, or give the view's SELECT as sql = \"...\"\n"},
    {VIEW("daily", "file = \"daily.sql\";"), "SELECT '\xff'",
     "%/daily.sql:1: byte 0xff is not UTF-8\n"
     "HINT:  save the file as UTF-8\n"},
    {VIEW("daily", "sql = 5;"), NULL,
     "%/conf.d/x.conf:1: \"sql\" of view \"daily\": expected a string, found an integer\n"
     "HINT:  write it in double quotes\n"
     "%/conf.d/x.conf:1: view \"daily\" has no \"sql\" and no \"file\"\n"
     "HINT:  write sql = \"SELECT ...\"; or file = \"NAME.sql\";\n"},
    {VIEW("daily", "sql = \"SELECT 1 AS a\"; key = { a = 1; };"), NULL,
     "%/conf.d/x.conf:1: \"key\" of view \"daily\": expected a text, found a group\n"
     "HINT:  write it in double quotes\n"},
    {"views: { daily: \"SELECT 1\"; };", NULL,
     "%/conf.d/x.conf:1: \"daily\" of \"views\": expected a group, found a string\n"
     "HINT:  write { name = value; ... }\n"},
    {VIEW("daily", "sql = \"SELECT 1 AS a\";") "\n" VIEW("daily", "sql = \"SELECT 2 AS a\";"), NULL,
     "%/conf.d/x.conf:2: \"views\" is already given at %/conf.d/x.conf:1\n"
     "HINT:  keep one of the two\n"},
};

START_TEST(what_cannot_be_read_is_refused_with_its_place)
{
    put("pgchime.conf", ONE_DATABASE);
    put("conf.d/x.conf", unread[_i].entry);
    if (unread[_i].file != NULL) {
        put("daily.sql", unread[_i].file);
    }
    expect_findings(load(), unread[_i].expected);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_views");
    TCase *tests = tcase_create("catalog_views");
    tcase_add_checked_fixture(tests, catalogs_set_up, catalogs_tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_view_in_conf_d_is_a_plugin);
    tcase_add_loop_test(tests, a_bad_view_is_refused_with_its_place, 0, COUNT_OF(bad));
    tcase_add_loop_test(tests, ten_megabytes_are_refused, 0, 2);
    tcase_add_loop_test(tests, what_cannot_be_read_is_refused_with_its_place, 0, COUNT_OF(unread));
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
