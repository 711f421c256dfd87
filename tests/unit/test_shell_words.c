/* Words of a shell command, as sh(1) would have them; and what would need one. */
#include <check.h>
#include <string.h>

#include "base/buffer.h"
#include "cli/shell_words.h"
#include "support/suite.h"

static struct arena *arena;

static void set_up(void)
{
    arena = arena_create();
}

static void tear_down(void)
{
    arena_destroy(arena);
}

static void splits_to(const char *text, const char *expected)
{
    struct shell_words words;
    struct error err;
    struct buffer joined = {0};
    ck_assert_msg(shell_words_split(text, arena, &words, &err), "%s: %s", text, err.message);
    for (size_t i = 0; i < words.count; i++) {
        buffer_printf(&joined, "%s[%s]", i > 0 ? " " : "", words.items[i]);
    }
    ck_assert_ptr_null(words.items[words.count]);
    ck_assert_str_eq(buffer_text(&joined), expected);
    buffer_finish(&joined);
}

static void refuses(const char *text, const char *part)
{
    struct shell_words words;
    struct error err;
    ck_assert_msg(!shell_words_split(text, arena, &words, &err), "%s", text);
    ck_assert_int_eq(err.kind, ERROR_REFUSED);
    ck_assert_msg(strstr(err.message, part) != NULL, "%s: %s", text, err.message);
}

START_TEST(blanks_part_words_and_quotes_join_them)
{
    splits_to("", "");
    splits_to("  \t ", "");
    splits_to("psql -c x", "[psql] [-c] [x]");
    splits_to(" psql\t-Atc  'SELECT 1; -- $x `y` | >'  ", "[psql] [-Atc] [SELECT 1; -- $x `y` | >]");
    splits_to("a'b c'\"d e\"f", "[ab cd ef]");
    splits_to("'' \"\"", "[] []");
    splits_to("\"a'b\" 'c\"d'", "[a'b] [c\"d]");
    splits_to("a=b~c#d", "[a=b~c#d]");
}
END_TEST

START_TEST(backslashes_are_read_as_a_shell_reads_them)
{
    splits_to("a\\ b \\\\ \\$x \\'", "[a b] [\\] [$x] [']");
    splits_to("\"\\$x \\` \\\" \\\\ \\n\"", "[$x ` \" \\ \\n]");
    splits_to("'\\n'", "[\\n]");
    refuses("a\\", "a backslash ends it");
}
END_TEST

START_TEST(redirections_that_drop_output_are_left_out)
{
    splits_to("psql -c x >/dev/null 2>&1", "[psql] [-c] [x]");
    splits_to("psql >> /dev/null 2> /dev/null -c x", "[psql] [-c] [x]");
    splits_to("psql>/dev/null -c 2", "[psql] [-c] [2]");
    splits_to("psql 1>'/dev/null' 1>&2", "[psql]");
    refuses("psql -c x >> /var/log/x.log 2>&1", "its output goes to \"/var/log/x.log\"");
    refuses("psql > $LOG", "$ a variable");
    refuses("psql >", "its output goes to \"\"");
    refuses("psql 2>&", "");
    refuses("psql >&3", "");
    refuses("psql 3>/dev/null", "neither output nor errors");
    refuses("psql 0>&1 -c x", "neither output nor errors");
    refuses("psql -c x 12>/dev/null", "neither output nor errors");
    splits_to("psql a3>/dev/null", "[psql] [a3]");
}
END_TEST

START_TEST(what_needs_a_shell_is_refused)
{
    refuses("psql -d $DB", "$ a variable or a substitution");
    refuses("psql -c \"SELECT '$(date)'\"", "$ a variable or a substitution");
    refuses("psql -c \"`date`\"", "` a substitution");
    refuses("psql -c x | mail", "| a pipe");
    refuses("cd /x && psql", "& a second command");
    refuses("psql &", "& a second command, or the background");
    refuses("psql; psql", "; a second command");
    refuses("psql < x.sql", "< input from elsewhere");
    refuses("(psql)", "( a subshell");
    refuses("psql -c SELECT *", "* a pattern");
    refuses("psql -f ~/x.sql", "~ a home folder");
    refuses("psql # nightly", "# a comment");
    refuses("psql -f x?.sql", "? a pattern");
    refuses("psql -f [ab].sql", "[ a pattern");
}
END_TEST

START_TEST(a_quote_without_its_second_is_refused)
{
    refuses("psql -c 'x", "a ' has no second one");
    refuses("psql -c \"x", "a \" has no second one");
    refuses("psql -c \"x\\\"", "a \" has no second one");
}
END_TEST

START_TEST(many_words_are_kept)
{
    struct buffer text = {0};
    struct shell_words words;
    struct error err;
    for (int i = 0; i < 1000; i++) {
        buffer_printf(&text, " w%d", i);
    }
    ck_assert(shell_words_split(buffer_text(&text), arena, &words, &err));
    ck_assert_uint_eq(words.count, 1000);
    ck_assert_str_eq(words.items[0], "w0");
    ck_assert_str_eq(words.items[999], "w999");
    buffer_finish(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shell_words");
    TCase *cases = tcase_create("shell_words");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, blanks_part_words_and_quotes_join_them);
    tcase_add_test(cases, backslashes_are_read_as_a_shell_reads_them);
    tcase_add_test(cases, redirections_that_drop_output_are_left_out);
    tcase_add_test(cases, what_needs_a_shell_is_refused);
    tcase_add_test(cases, a_quote_without_its_second_is_refused);
    tcase_add_test(cases, many_words_are_kept);
    suite_add_tcase(suite, cases);
    return suite_run(suite) != 0;
}
