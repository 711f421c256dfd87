/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sqltext.h"
#include "support/process/suite.h"

/* The statements of the text, each in brackets, as one string. */
static char *split(const char *text)
{
    char *result = xstrdup("");
    struct sql_statement statement;
    while (sql_next_statement(&text, &statement)) {
        char *longer = xasprintf("%s[%.*s]", result, (int)statement.length, statement.start);
        free(result);
        result = longer;
    }
    return result;
}

static void check_split(const char *text, const char *expected)
{
    char *result = split(text);
    ck_assert_msg(strcmp(result, expected) == 0, "%s\nis split as %s\nnot as   %s", text, result, expected);
    free(result);
}

START_TEST(statements_end_at_semicolons_and_empty_ones_are_passed_over)
{
    check_split("", "");
    check_split(" ;; -- nothing\n ; /* at all */", "");
    check_split("select 1", "[select 1]");
    check_split(" select 1 ; ;select 2;", "[select 1 ][select 2]");
    check_split("-- first\nselect 1 -- last;\n; /* ; */ select 2", "[select 1 -- last;\n][select 2]");
    check_split("select 1 -- no line end;", "[select 1 -- no line end;]");
    check_split("select 1 -- mac;\r;select 2", "[select 1 -- mac;\r][select 2]");
}
END_TEST

START_TEST(plain_strings_hide_semicolons_and_take_backslashes_as_they_are)
{
    check_split("select ';'; select 2", "[select ';'][select 2]");
    check_split("select 'it''s;'; select 2", "[select 'it''s;'][select 2]");
    check_split("select '\\'; select 2", "[select '\\'][select 2]");
    check_split("select n'\\'; select b'1;', x'0;'; x", "[select n'\\'][select b'1;', x'0;'][x]");
    check_split("select u&'\\'; select 2", "[select u&'\\'][select 2]");
    check_split("select ne'\\'; select 2", "[select ne'\\'][select 2]");
    check_split("select 'open; select 2", "[select 'open; select 2]");
}
END_TEST

START_TEST(escape_strings_take_backslashes_as_escapes)
{
    check_split("select e'\\';'; select 2", "[select e'\\';'][select 2]");
    check_split("select E'\\\\'; select 2", "[select E'\\\\'][select 2]");
    check_split("select E'a'';\\';'; select 2", "[select E'a'';\\';'][select 2]");
    check_split("select E 'x\\'; select 2", "[select E 'x\\'][select 2]");
    check_split("select E'open\\", "[select E'open\\]");
    check_split("select E'open;", "[select E'open;]");
}
END_TEST

START_TEST(an_escape_string_goes_on_after_a_line_end_in_the_same_mode)
{
    check_split("select E'a'\n'\\';'; select 2", "[select E'a'\n'\\';'][select 2]");
    check_split("select E'a' -- more\n '\\';'; select 2", "[select E'a' -- more\n '\\';'][select 2]");
    check_split("select E'a' '\\'; select 2", "[select E'a' '\\'][select 2]");
    check_split("select E'a'\n; select 2", "[select E'a'\n][select 2]");
    check_split("select E'a' -", "[select E'a' -]");
}
END_TEST

START_TEST(quoted_identifiers_hide_semicolons)
{
    check_split("select \"a;\"\"b\\\"; select 2", "[select \"a;\"\"b\\\"][select 2]");
    check_split("select U&\"a;\"; select 2", "[select U&\"a;\"][select 2]");
    check_split("select \"open; select 2", "[select \"open; select 2]");
}
END_TEST

START_TEST(dollar_quotes_end_at_their_own_tag)
{
    check_split("do $$ a; 'b $x$ $$; select 2", "[do $$ a; 'b $x$ $$][select 2]");
    check_split("do $x$ a; $$ b; $X$ $x $x$; select 2", "[do $x$ a; $$ b; $X$ $x $x$][select 2]");
    check_split("do $\xC3\xA9_1$ ; $\xC3\xA9_1$; x", "[do $\xC3\xA9_1$ ; $\xC3\xA9_1$][x]");
    check_split("select $1; select $2$", "[select $1][select $2$]");
    check_split("select a$b$; select c$b$", "[select a$b$][select c$b$]");
    check_split("select 1$a$;$a$; x", "[select 1$a$;$a$][x]");
    check_split("select $1$a$;$a$; x", "[select $1$a$;$a$][x]");
    check_split("select $a-$;$", "[select $a-$][$]");
    check_split("do $a$ open; $a", "[do $a$ open; $a]");
    check_split("do $a$$a$; x", "[do $a$$a$][x]");
    check_split("do $a$ $b$a$; x", "[do $a$ $b$a$][x]");
}
END_TEST

START_TEST(block_comments_nest)
{
    check_split("select /* ; /* ; */ ; */ 1; select 2", "[select /* ; /* ; */ ; */ 1][select 2]");
    check_split("/*/ ; */ select 1; /* open ; /* */ select 2", "[select 1]");
    check_split("select 1 +/* ; */ 2; x", "[select 1 +/* ; */ 2][x]");
    check_split("select 1 - 2 / 3 * 4; x", "[select 1 - 2 / 3 * 4][x]");
    check_split("select 1 */ 2; x", "[select 1 */ 2][x]");
}
END_TEST

START_TEST(parentheses_hide_semicolons)
{
    check_split("create rule r as on insert to t do also (select 1; select 2); x",
                "[create rule r as on insert to t do also (select 1; select 2)][x]");
    check_split("select 1); x", "[select 1)][x]");
    check_split("select ((1); x", "[select ((1); x]");
}
END_TEST

START_TEST(atomic_bodies_hide_semicolons_up_to_their_own_end)
{
    check_split("create function f() returns int begin atomic select 1; select 2; end; x",
                "[create function f() returns int begin atomic select 1; select 2; end][x]");
    check_split("CREATE OR REPLACE PROCEDURE p() BEGIN /* */ ATOMIC insert into t values (1); END; x",
                "[CREATE OR REPLACE PROCEDURE p() BEGIN /* */ ATOMIC insert into t values (1); END][x]");
    check_split("create function f(a int) returns int begin atomic "
                "select case when a > 1 then case a when 2 then 3 end else 4 end; select 2; end; x",
                "[create function f(a int) returns int begin atomic "
                "select case when a > 1 then case a when 2 then 3 end else 4 end; select 2; end][x]");
    check_split("create function f() begin atomic select (case when true then 1 end); select 2; end; x",
                "[create function f() begin atomic select (case when true then 1 end); select 2; end][x]");
    check_split("create function f() begin atomic select 1 as end, t.case, t.end from t; select 2; end; x",
                "[create function f() begin atomic select 1 as end, t.case, t.end from t; select 2; end][x]");
    check_split("create function f() begin atomic open; x", "[create function f() begin atomic open; x]");
}
END_TEST

START_TEST(begin_atomic_means_nothing_elsewhere)
{
    check_split("select begin atomic from t; commit", "[select begin atomic from t][commit]");
    check_split("create view v as select begin atomic from t; commit",
                "[create view v as select begin atomic from t][commit]");
    check_split("create or replace view function as select begin atomic; commit",
                "[create or replace view function as select begin atomic][commit]");
    check_split("create function f(a int default begin atomic) as 'x'; commit",
                "[create function f(a int default begin atomic) as 'x'][commit]");
    check_split("create function begin() as 'x'; commit", "[create function begin() as 'x'][commit]");
    check_split("begin; end; select case when a then b; end", "[begin][end][select case when a then b][end]");
}
END_TEST

static void check_words(const char *text, const char *first, const char *second, const char *third)
{
    struct sql_statement statement;
    ck_assert(sql_next_statement(&text, &statement));
    ck_assert_str_eq(statement.words[0], first);
    ck_assert_str_eq(statement.words[1], second);
    ck_assert_str_eq(statement.words[2], third);
}

START_TEST(the_first_words_are_told_in_lower_case)
{
    check_words("Create /* x */ UNIQUE -- y\n Index i", "create", "unique", "index");
    check_words("select 1 from t", "select", "", "");
    check_words("(select 1)", "", "", "");
    check_words("\"begin\" x", "", "", "");
    check_words("abcdefghijklmnopqrstuvwxyz x_1$", "abcdefghijklmnopqrstuvw", "x_1$", "");
}
END_TEST

/* The first one. */
static bool find_control(const char *text, struct sql_statement *found)
{
    while (sql_next_statement(&text, found)) {
        if (sql_is_transaction_control(found)) {
            return true;
        }
    }
    return false;
}

START_TEST(transaction_control_is_found_wherever_it_stands)
{
    static const char *const control[] = {"begin",
                                          "BEGIN ISOLATION LEVEL serializable",
                                          "start transaction",
                                          "commit",
                                          "commit and chain",
                                          "end",
                                          "rollback",
                                          "rollback to savepoint s",
                                          "abort",
                                          "savepoint s",
                                          "release s",
                                          "prepare transaction 'x'",
                                          "commit prepared 'x'",
                                          "select 1; /* */ Commit",
                                          "do $$ $$; ; savepoint s; select 1"};
    static const char *const harmless[] = {"",
                                           "select 'begin'",
                                           "select 1 as commit",
                                           "prepare p as select 1",
                                           "prepare p; start",
                                           "create function f() begin atomic select 1; end",
                                           "do $$ begin commit; end $$",
                                           "beginning",
                                           "\"begin\"",
                                           "start",
                                           "-- commit",
                                           "select (1; commit)"};
    struct sql_statement found;
    for (size_t i = 0; i < COUNT_OF(control); i++) {
        ck_assert_msg(find_control(control[i], &found), "not found: %s", control[i]);
        ck_assert(!sql_is_one_transaction(control[i]));
    }
    for (size_t i = 0; i < COUNT_OF(harmless); i++) {
        ck_assert_msg(!find_control(harmless[i], &found), "found in: %s", harmless[i]);
    }
}
END_TEST

START_TEST(the_statement_found_is_the_offending_one)
{
    struct sql_statement found;
    ck_assert(find_control("select 1; rollback and chain; commit", &found));
    ck_assert_int_eq(strncmp(found.start, "rollback and chain", found.length), 0);
    ck_assert_uint_eq(found.length, strlen("rollback and chain"));
}
END_TEST

START_TEST(texts_that_are_one_transaction_are_told_from_those_that_are_not)
{
    static const char *const one[] = {"",
                                      "select 1",
                                      "insert into t values (1); delete from t",
                                      "create index i on t (a)",
                                      "refresh materialized view concurrently v",
                                      "create table concurrent (a int)",
                                      "drop table t",
                                      "alter table t add column a int",
                                      "copy t from stdin",
                                      "explain analyze select 1",
                                      "set a = 1",
                                      "create table t (a text default 'concurrently')",
                                      "create index i on t (\"concurrently\")"};
    static const char *const several[] = {"call p()",
                                          "do $$ begin end $$",
                                          "vacuum",
                                          "VACUUM (analyze) t",
                                          "analyze",
                                          "analyse t",
                                          "cluster t",
                                          "reindex table t",
                                          "discard all",
                                          "create database d",
                                          "drop database d",
                                          "alter database d set tablespace x",
                                          "create tablespace x location '/'",
                                          "drop tablespace x",
                                          "alter system set a = 1",
                                          "create index concurrently i on t (a)",
                                          "create unique index concurrently i on t (a)",
                                          "drop index concurrently i",
                                          "alter table t detach partition p concurrently",
                                          "create subscription s",
                                          "drop subscription s",
                                          "select 1; vacuum",
                                          "select 1; commit"};
    for (size_t i = 0; i < COUNT_OF(one); i++) {
        ck_assert_msg(sql_is_one_transaction(one[i]), "%s", one[i]);
    }
    for (size_t i = 0; i < COUNT_OF(several); i++) {
        ck_assert_msg(!sql_is_one_transaction(several[i]), "%s", several[i]);
    }
}
END_TEST

START_TEST(one_statement_that_is_not_copy_may_go_by_the_extended_protocol)
{
    ck_assert(sql_is_single_statement("select 1"));
    ck_assert(sql_is_single_statement("; select 1 ; -- done"));
    ck_assert(!sql_is_single_statement(""));
    ck_assert(!sql_is_single_statement("select 1; select 2"));
    ck_assert(!sql_is_single_statement("copy t to stdout"));
    ck_assert(!sql_is_single_statement("/* */ COPY (select 1) to stdout;"));
    ck_assert_uint_eq(sql_statement_count("a;b;;c"), 3);
    ck_assert_uint_eq(sql_statement_count(" "), 0);
}
END_TEST

/* Without a linear scan these would take minutes. */
START_TEST(parameters_count_outside_of_strings_comments_and_names)
{
    static const char *const with[] = {
        "SELECT $1",
        "$1",
        "CALL f($1::jsonb, '$2')",
        "SELECT 'a'||$1||'b'",
        "SELECT 'it''s', $1",
        "SELECT E'\\'' , $1",
        "SELECT $$ $2 $$, $1",
        "SELECT $q$ $$ $q$ || $1",
        "SELECT /* $$ */ $1",
        "SELECT 1 -- $$\n, $1",
        "SELECT \"a\"\"b\", $12",
        "SELECT a[$1], x=$1",
        "INSERT INTO t VALUES (1); SELECT $1",
    };
    static const char *const without[] = {
        "",
        "SELECT 1",
        "SELECT '$1'",
        "SELECT E'\\'$1'",
        "SELECT $$ $1 $$",
        "SELECT $q$ $$ $1 $q$",
        "SELECT \"$1\"",
        "SELECT a$1, _$1, \xC3\xA4$1",
        "SELECT 1 -- $1",
        "SELECT 1 /* /* */ $1 */",
        "SELECT $",
        "SELECT $a, $ 1",
        "SELECT 'open $1",
        "SELECT $$ open $1",
        "SELECT /* open $1",
        "SELECT \"open $1",
        "SELECT $a$ $1 $b$",
    };
    for (size_t i = 0; i < COUNT_OF(with); i++) {
        ck_assert_msg(sqltext_uses_parameters(with[i]), "%s", with[i]);
    }
    for (size_t i = 0; i < COUNT_OF(without); i++) {
        ck_assert_msg(!sqltext_uses_parameters(without[i]), "%s", without[i]);
    }
}
END_TEST

START_TEST(long_hostile_texts_take_linear_time)
{
    static const char *const units[] = {"$a", "$a$b", "E'a'\n--\n", "E'a'\n ", "(", "'", "$", "case ", "/*", "a;"};
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        size_t unit_length = strlen(units[i]);
        size_t count = 1000000 / unit_length;
        char *text = xmalloc(count * unit_length + 1);
        for (size_t k = 0; k < count; k++) {
            memcpy(text + k * unit_length, units[i], unit_length);
        }
        text[count * unit_length] = '\0';
        size_t many = *units[i] == 'a' ? count : 1;
        ck_assert(!sqltext_uses_parameters(text));
        ck_assert_uint_eq(sql_statement_count(text), *units[i] == '/' ? 0 : many);
        free(text);
    }
}
END_TEST

static bool stands_alone(const char *text)
{
    struct sql_statement statement;
    ck_assert(sql_next_statement(&text, &statement));
    return sql_stands_alone(&statement);
}

START_TEST(what_refuses_a_transaction_block_stands_alone)
{
    ck_assert(stands_alone("VACUUM t"));
    ck_assert(stands_alone("create index concurrently i on t (a)"));
    ck_assert(stands_alone("REINDEX INDEX CONCURRENTLY i"));
    ck_assert(stands_alone("DROP DATABASE d"));
    ck_assert(stands_alone("ALTER SYSTEM SET a = 1"));
    ck_assert(!stands_alone("REINDEX INDEX i"));
    ck_assert(!stands_alone("CREATE INDEX i ON t (a)"));
    ck_assert(!stands_alone("CALL p()"));
    ck_assert(!stands_alone("SELECT 'concurrently'"));
}
END_TEST

START_TEST(what_only_a_client_can_do_is_found)
{
    ck_assert(sqltext_copies_from_client("SELECT 1; COPY t (a) FROM STDIN WITH CSV"));
    ck_assert(!sqltext_copies_from_client("COPY t FROM '/tmp/stdin'; SELECT 'copy from stdin'"));
    ck_assert(sqltext_has_client_command("SELECT 1 \\gset"));
    ck_assert(sqltext_has_client_command("\\copy t to x"));
    ck_assert(!sqltext_has_client_command("SELECT '\\d', E'\\'', $$ \\d $$, \"a\\b\" -- \\d"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sqltext");
    TCase *tests = tcase_create("sqltext");
    tcase_add_test(tests, statements_end_at_semicolons_and_empty_ones_are_passed_over);
    tcase_add_test(tests, plain_strings_hide_semicolons_and_take_backslashes_as_they_are);
    tcase_add_test(tests, escape_strings_take_backslashes_as_escapes);
    tcase_add_test(tests, an_escape_string_goes_on_after_a_line_end_in_the_same_mode);
    tcase_add_test(tests, quoted_identifiers_hide_semicolons);
    tcase_add_test(tests, dollar_quotes_end_at_their_own_tag);
    tcase_add_test(tests, block_comments_nest);
    tcase_add_test(tests, parentheses_hide_semicolons);
    tcase_add_test(tests, atomic_bodies_hide_semicolons_up_to_their_own_end);
    tcase_add_test(tests, begin_atomic_means_nothing_elsewhere);
    tcase_add_test(tests, the_first_words_are_told_in_lower_case);
    tcase_add_test(tests, transaction_control_is_found_wherever_it_stands);
    tcase_add_test(tests, the_statement_found_is_the_offending_one);
    tcase_add_test(tests, texts_that_are_one_transaction_are_told_from_those_that_are_not);
    tcase_add_test(tests, one_statement_that_is_not_copy_may_go_by_the_extended_protocol);
    tcase_add_test(tests, parameters_count_outside_of_strings_comments_and_names);
    tcase_add_test(tests, long_hostile_texts_take_linear_time);
    tcase_add_test(tests, what_refuses_a_transaction_block_stands_alone);
    tcase_add_test(tests, what_only_a_client_can_do_is_found);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
