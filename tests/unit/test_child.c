/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "loop/child.h"
#include "support/process/suite.h"

struct ended {
    struct loop *loop;
    struct child *child;
    char *output;
    char *fault;
};

static void child_ended(void *data, const struct buffer *output, const char *fault)
{
    struct ended *ended = data;
    ended->output = xstrdup(buffer_text(output));
    ended->fault = fault != NULL ? xstrdup(fault) : NULL;
    loop_stop(ended->loop);
}

static struct ended run_fed(const char *script, size_t limit, duration time_allowed, const char *input,
                            const char *secrets)
{
    char *const arguments[] = {"/bin/sh", "-c", (char *)script, NULL};
    char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
    struct child_order order = {.arguments = arguments,
                                .environment = input != NULL ? environment : NULL,
                                .input = input,
                                .secrets = secrets,
                                .limit = limit,
                                .time_allowed = time_allowed};
    struct error err;
    struct ended ended = {.loop = loop_create()};
    ended.child = child_start(ended.loop, &order, child_ended, &ended, &err);
    ck_assert_msg(ended.child != NULL, "%s", err.message);
    loop_run(ended.loop);
    child_destroy(ended.child);
    loop_destroy(ended.loop);
    return ended;
}

static struct ended run(const char *script, size_t limit, duration time_allowed)
{
    return run_fed(script, limit, time_allowed, NULL, NULL);
}

static void finish(struct ended *ended)
{
    free(ended->output);
    free(ended->fault);
}

START_TEST(what_it_writes_is_collected_whole)
{
    struct ended ended = run("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done", 1 << 20,
                             60 * USEC_PER_SEC);
    ck_assert_ptr_null(ended.fault);
    ck_assert_uint_eq(strlen(ended.output), 220000);
    finish(&ended);
}
END_TEST

START_TEST(its_input_is_empty_and_nothing_of_ours_is_open)
{
    struct ended ended = run("cat; ls /proc/self/fd | tr '\\n' ' '", 1000, 60 * USEC_PER_SEC);
    ck_assert_str_eq(ended.output, "0 1 2 3 "); /* 3 is the folder that ls reads */
    finish(&ended);
}
END_TEST

START_TEST(one_that_writes_too_much_is_ended)
{
    struct ended ended = run("exec cat /dev/zero", 100000, 60 * USEC_PER_SEC);
    ck_assert_str_eq(ended.fault, "it wrote too much");
    finish(&ended);
}
END_TEST

START_TEST(one_that_takes_too_long_is_ended)
{
    struct ended ended = run("echo begun; exec sleep 1000", 1000, 50 * USEC_PER_MSEC);
    ck_assert_str_eq(ended.fault, "it took too long");
    finish(&ended);
}
END_TEST

START_TEST(it_reads_its_input_and_its_secrets_and_an_environment)
{
    char *input = malloc(300001); /* more than a pipe holds */
    memset(input, 'x', 300000);
    input[300000] = '\0';
    struct ended ended = run_fed("wc -c; cat " CHILD_SECRETS "; env | grep -v -e ^PWD -e ^_ -e ^SHLVL -e ^OLDPWD", 1000,
                                 60 * USEC_PER_SEC, input, "the word\n");
    ck_assert_str_eq(ended.output, "300000\nthe word\nPATH=/usr/bin:/bin\n");
    ck_assert_ptr_null(ended.fault);
    finish(&ended);
    free(input);
}
END_TEST

START_TEST(one_that_fails_is_told_from_one_that_does_not)
{
    struct ended ended = run("echo said; exit 3", 1000, 60 * USEC_PER_SEC);
    ck_assert_str_eq(ended.fault, "it ended with status 3");
    ck_assert_str_eq(ended.output, "said\n");
    finish(&ended);
    ended = run("kill -TERM $$", 1000, 60 * USEC_PER_SEC);
    ck_assert_str_eq(ended.fault, "signal 15 ended it");
    finish(&ended);
}
END_TEST

START_TEST(one_that_leaves_another_behind_has_ended)
{
    struct ended ended = run("sleep 5 & echo said", 1000, 60 * USEC_PER_SEC);
    ck_assert_ptr_null(ended.fault);
    ck_assert_str_eq(ended.output, "said\n");
    finish(&ended);
}
END_TEST

START_TEST(one_that_closes_its_output_and_goes_on_is_ended)
{
    struct ended ended = run("echo said; exec >&-; exec sleep 1000", 1000, 500 * USEC_PER_MSEC);
    ck_assert_str_eq(ended.fault, "it took too long");
    ck_assert_str_eq(ended.output, "said\n");
    finish(&ended);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_an_error)
{
    char *const arguments[] = {"/no/such/program", NULL};
    struct child_order order = {.arguments = arguments, .limit = 1000, .time_allowed = 60 * USEC_PER_SEC};
    struct error err;
    struct ended ended = {.loop = loop_create()};
    struct child *child = child_start(ended.loop, &order, child_ended, &ended, &err);
    if (child == NULL) {
        ck_assert_str_eq(err.message, "/no/such/program cannot be started: No such file or directory");
    } else { /* under valgrind vfork is fork, and nobody tells: it has nothing to say */
        loop_run(ended.loop);
        ck_assert_str_eq(ended.output, "");
        child_destroy(child);
        finish(&ended);
    }
    loop_destroy(ended.loop);
}
END_TEST

START_TEST(destroying_it_early_ends_it)
{
    char *const arguments[] = {"/bin/sleep", "1000", NULL};
    struct child_order order = {.arguments = arguments, .limit = 1000, .time_allowed = 1000 * USEC_PER_SEC};
    struct error err;
    struct loop *loop = loop_create();
    struct child *child = child_start(loop, &order, child_ended, NULL, &err);
    ck_assert_ptr_nonnull(child);
    child_destroy(child);
    child_destroy(NULL);
    loop_destroy(loop);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("child");
    TCase *cases = tcase_create("child");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, what_it_writes_is_collected_whole);
    tcase_add_test(cases, its_input_is_empty_and_nothing_of_ours_is_open);
    tcase_add_test(cases, one_that_writes_too_much_is_ended);
    tcase_add_test(cases, one_that_takes_too_long_is_ended);
    tcase_add_test(cases, it_reads_its_input_and_its_secrets_and_an_environment);
    tcase_add_test(cases, one_that_fails_is_told_from_one_that_does_not);
    tcase_add_test(cases, one_that_leaves_another_behind_has_ended);
    tcase_add_test(cases, one_that_closes_its_output_and_goes_on_is_ended);
    tcase_add_test(cases, a_program_that_is_not_there_is_an_error);
    tcase_add_test(cases, destroying_it_early_ends_it);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
