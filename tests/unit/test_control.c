/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

/* The daemon's socket, with a thread as the one who asks. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/control.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static struct loop *loop;
static struct control *control;
static char *path;
static struct control_caller *waiting;
static char *heard;

static void asked(void *data, const char *request, struct control_caller *caller)
{
    (void)data;
    free(heard);
    heard = xstrdup(request);
    if (strcmp(request, "later") == 0) {
        waiting = caller;
        loop_stop(loop);
    } else if (strcmp(request, "much") == 0) {
        char *text = xmalloc(3000001);
        memset(text, 'x', 3000000);
        text[3000000] = '\0';
        control_answer(caller, text);
        free(text);
    } else {
        control_answer(caller, "yes");
    }
}

static void set_up(void)
{
    struct error err;
    loop = loop_create();
    char *folder = files_make_directory();
    path = files_path("%s/control", folder);
    free(folder);
    waiting = NULL;
    heard = NULL;
    control = control_listen(loop, path, asked, NULL, &err);
    ck_assert_msg(control != NULL, "%s", err.message);
}

static void tear_down(void)
{
    control_close(control);
    loop_destroy(loop);
    free(path);
    free(heard);
}

struct question {
    const char *text;
    bool answered;
    char *answer;
    struct error err;
};

static void *ask(void *data)
{
    struct question *question = data;
    question->answered = control_ask(path, question->text, 30 * USEC_PER_SEC, &question->answer, &question->err);
    return NULL;
}

/* The loop has no wake-up from another thread: a timer looks whether the thread is done. */
struct listener {
    pthread_t thread;
    struct loop_timer *timer;
};

static void look(void *data)
{
    struct listener *watch = data;
    if (pthread_tryjoin_np(watch->thread, NULL) == 0) {
        loop_stop(loop);
    } else {
        loop_timer_set(watch->timer, USEC_PER_MSEC);
    }
}

static void exchange(struct question *question)
{
    struct listener watch = {0};
    ck_assert_int_eq(pthread_create(&watch.thread, NULL, ask, question), 0);
    watch.timer = loop_timer_create(loop, look, &watch);
    loop_timer_set(watch.timer, 0);
    loop_run(loop);
    loop_timer_destroy(watch.timer);
}

START_TEST(a_request_is_answered)
{
    struct question question = {.text = "reload"};
    exchange(&question);
    ck_assert(question.answered);
    ck_assert_str_eq(heard, "reload");
    ck_assert_str_eq(question.answer, "yes");
    free(question.answer);
}
END_TEST

START_TEST(an_answer_larger_than_the_socket_holds_arrives_whole)
{
    struct question question = {.text = "much"};
    exchange(&question);
    ck_assert(question.answered);
    ck_assert_uint_eq(strlen(question.answer), 3000000);
    free(question.answer);
}
END_TEST

static int call(const char *where)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, where);
    int caller = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(caller, (struct sockaddr *)&address, sizeof(address)), 0);
    return caller;
}

static void expect_answer(int caller, const char *expected)
{
    char answer[64] = "";
    ssize_t length = recv(caller, answer, sizeof(answer) - 1, MSG_WAITALL);
    ck_assert_int_eq(length, (ssize_t)strlen(expected));
    ck_assert_str_eq(answer, expected);
    close(caller);
}

/* Another caller's whole exchange: by then the loop has seen everything before it. */
static void let_the_loop_notice(void)
{
    struct question question = {.text = "other"};
    exchange(&question);
    ck_assert(question.answered);
    free(question.answer);
}

START_TEST(a_caller_that_is_gone_may_still_be_answered)
{
    int caller = call(path);
    ck_assert_int_eq(send(caller, "later\n", 6, 0), 6);
    loop_run(loop);
    close(caller);
    let_the_loop_notice();
    control_answer(waiting, "too late");
}
END_TEST

START_TEST(a_caller_that_says_no_more_is_answered)
{
    int caller = call(path);
    ck_assert_int_eq(send(caller, "later\n", 6, 0), 6);
    ck_assert_int_eq(shutdown(caller, SHUT_WR), 0);
    loop_run(loop);
    let_the_loop_notice();
    control_answer(waiting, "at last");
    expect_answer(caller, "at last");
}
END_TEST

START_TEST(a_caller_that_ends_within_its_line_is_forgotten)
{
    int caller = call(path);
    ck_assert_int_eq(send(caller, "lat", 3, 0), 3);
    ck_assert_int_eq(shutdown(caller, SHUT_WR), 0);
    let_the_loop_notice();
    expect_answer(caller, "");
    ck_assert_str_eq(heard, "other");
}
END_TEST

static void say_in_two(int caller, const char *line, size_t first)
{
    ck_assert_int_eq(send(caller, line, first, 0), (ssize_t)first);
    let_the_loop_notice();
    ck_assert_int_eq(send(caller, line + first, strlen(line) - first, MSG_NOSIGNAL), (ssize_t)(strlen(line) - first));
    let_the_loop_notice();
}

/* Found by tests/fuzz/fuzz_control.c: up to 399 bytes passed, if their pieces lay well. */
START_TEST(a_line_that_is_too_long_is_not_heard_however_it_comes)
{
    char line[CONTROL_REQUEST_MAX + 3];
    memset(line, 'a', sizeof(line));
    strcpy(line + CONTROL_REQUEST_MAX + 1, "\n");
    for (int first = 1; first <= CONTROL_REQUEST_MAX; first += CONTROL_REQUEST_MAX - 1) {
        int caller = call(path);
        char answer[4];
        say_in_two(caller, line, (size_t)first);
        ck_assert_int_le(recv(caller, answer, sizeof(answer), 0), 0);
        close(caller);
    }
    int caller = call(path);
    say_in_two(caller, line + 1, CONTROL_REQUEST_MAX);
    expect_answer(caller, "yes");
}
END_TEST

START_TEST(it_moves_and_whoever_waits_is_answered)
{
    struct error err;
    char *old = path;
    int caller = call(old);
    ck_assert_int_eq(send(caller, "later\n", 6, 0), 6);
    loop_run(loop);
    path = files_path("%s.new", old);
    ck_assert_msg(control_move(control, path, &err), "%s", err.message);
    ck_assert_str_eq(control_path(control), path);
    ck_assert(!files_exist(old));
    let_the_loop_notice();
    control_answer(waiting, "at last");
    expect_answer(caller, "at last");
    free(old);
}
END_TEST

START_TEST(it_stays_where_it_is_when_it_cannot_move)
{
    struct error err;
    ck_assert(!control_move(control, "/no/such/folder/control", &err));
    ck_assert_str_eq(control_path(control), path);
    let_the_loop_notice();
}
END_TEST

START_TEST(only_its_user_may_connect)
{
    struct stat file;
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_uint_eq(file.st_mode & 0777, 0600);
}
END_TEST

START_TEST(a_second_daemon_leaves_the_socket_to_the_first)
{
    struct error err;
    ck_assert_ptr_null(control_listen(loop, path, asked, NULL, &err));
    ck_assert_msg(strstr(err.message, "another daemon listens there") != NULL, "%s", err.message);
}
END_TEST

START_TEST(the_socket_of_a_killed_daemon_is_taken_over)
{
    struct error err;
    char *left = files_path("%s.left", path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, left);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(dead, (struct sockaddr *)&address, sizeof(address)), 0);
    close(dead);
    struct control *taken = control_listen(loop, left, asked, NULL, &err);
    ck_assert_msg(taken != NULL, "%s", err.message);
    control_close(taken);
    ck_assert(!files_exist(left));
    free(left);
}
END_TEST

START_TEST(a_socket_that_took_the_place_of_ours_is_not_removed)
{
    struct error err;
    char *place = files_path("%s.place", path);
    struct control *ours = control_listen(loop, place, asked, NULL, &err);
    ck_assert_ptr_nonnull(ours);
    ck_assert_int_eq(unlink(place), 0);
    struct control *theirs = control_listen(loop, place, asked, NULL, &err);
    ck_assert_ptr_nonnull(theirs);
    control_close(ours);
    ck_assert(files_exist(place));
    control_close(theirs);
    ck_assert(!files_exist(place));
    free(place);
}
END_TEST

START_TEST(a_file_in_the_way_is_not_removed)
{
    struct error err;
    char *file = files_path("%s.file", path);
    files_write(file, "precious");
    ck_assert_ptr_null(control_listen(loop, file, asked, NULL, &err));
    ck_assert_msg(strstr(err.message, "Address already in use") != NULL, "%s", err.message);
    ck_assert(files_exist(file));
    free(file);
}
END_TEST

START_TEST(a_path_that_is_too_long_is_refused)
{
    char longer[200];
    struct error err;
    memset(longer, 'a', sizeof(longer) - 1);
    longer[0] = '/';
    longer[sizeof(longer) - 1] = '\0';
    ck_assert_ptr_null(control_listen(loop, longer, asked, NULL, &err));
    ck_assert_msg(strstr(err.message, "longer than 107 bytes") != NULL, "%s", err.message);
}
END_TEST

START_TEST(nobody_there_is_said_with_a_way_out)
{
    struct error err;
    char *answer = NULL;
    ck_assert(!control_ask("/no/such/socket", "reload", USEC_PER_SEC, &answer, &err));
    ck_assert_str_eq(err.message, "no daemon answers on /no/such/socket: No such file or directory");
    ck_assert_msg(strstr(err.hint, "pgchime serve") != NULL, "%s", err.hint);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control");
    TCase *cases = tcase_create("control");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_request_is_answered);
    tcase_add_test(cases, an_answer_larger_than_the_socket_holds_arrives_whole);
    tcase_add_test(cases, a_caller_that_is_gone_may_still_be_answered);
    tcase_add_test(cases, a_caller_that_says_no_more_is_answered);
    tcase_add_test(cases, a_caller_that_ends_within_its_line_is_forgotten);
    tcase_add_test(cases, a_line_that_is_too_long_is_not_heard_however_it_comes);
    tcase_add_test(cases, it_moves_and_whoever_waits_is_answered);
    tcase_add_test(cases, it_stays_where_it_is_when_it_cannot_move);
    tcase_add_test(cases, only_its_user_may_connect);
    tcase_add_test(cases, a_second_daemon_leaves_the_socket_to_the_first);
    tcase_add_test(cases, the_socket_of_a_killed_daemon_is_taken_over);
    tcase_add_test(cases, a_socket_that_took_the_place_of_ours_is_not_removed);
    tcase_add_test(cases, a_file_in_the_way_is_not_removed);
    tcase_add_test(cases, a_path_that_is_too_long_is_refused);
    tcase_add_test(cases, nobody_there_is_said_with_a_way_out);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
