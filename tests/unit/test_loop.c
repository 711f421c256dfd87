/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "loop/loop.h"
#include "support/process/suite.h"

static struct loop *loop;
static char order[32]; /* letters of what was called, in order */

static void set_up(void)
{
    loop = loop_create();
    order[0] = '\0';
}

static void tear_down(void)
{
    loop_destroy(loop);
}

static void append(char letter)
{
    size_t length = strlen(order);
    order[length] = letter;
    order[length + 1] = '\0';
}

static void note(void *data)
{
    append(*(const char *)data);
}

static void note_and_stop(void *data)
{
    note(data);
    loop_stop(loop);
}

/* --- timers ------------------------------------------------------------------------------------------------------- */

START_TEST(timers_fire_in_the_order_of_their_delays)
{
    struct loop_timer *late = loop_timer_create(loop, note_and_stop, "c");
    struct loop_timer *early = loop_timer_create(loop, note, "b");
    struct loop_timer *overdue = loop_timer_create(loop, note, "a");
    instant before = clock_boot(); /* first: under valgrind a call takes milliseconds */
    loop_timer_set(late, USEC_PER_SEC);
    loop_timer_set(overdue, -5);
    loop_timer_set(early, 100 * USEC_PER_MSEC);
    loop_run(loop);
    ck_assert_str_eq(order, "abc");
    ck_assert_int_ge(clock_boot() - before, 995 * USEC_PER_MSEC);
    loop_timer_destroy(late);
    loop_timer_destroy(early);
    loop_timer_destroy(overdue);
}
END_TEST

START_TEST(a_timer_that_is_set_again_moves)
{
    struct loop_timer *moved = loop_timer_create(loop, note_and_stop, "b");
    struct loop_timer *other = loop_timer_create(loop, note, "a");
    loop_timer_set(moved, 0);
    loop_timer_set(moved, 200 * USEC_PER_MSEC);
    loop_timer_set(other, 100 * USEC_PER_MSEC);
    loop_run(loop);
    ck_assert_str_eq(order, "ab");
    loop_timer_destroy(moved);
    loop_timer_destroy(other);
}
END_TEST

START_TEST(a_timer_fires_once_and_a_cleared_one_never)
{
    struct loop_timer *once = loop_timer_create(loop, note, "a");
    struct loop_timer *cleared = loop_timer_create(loop, note, "x");
    struct loop_timer *end = loop_timer_create(loop, note_and_stop, "z");
    loop_timer_set(once, 0);
    loop_timer_set(cleared, 0);
    loop_timer_clear(cleared);
    loop_timer_set(end, 2 * USEC_PER_MSEC);
    loop_run(loop);
    ck_assert_str_eq(order, "az");
    loop_timer_destroy(once);
    loop_timer_destroy(cleared);
    loop_timer_destroy(end);
    loop_timer_destroy(NULL);
}
END_TEST

START_TEST(a_delay_beyond_a_day_does_not_overflow)
{
    struct loop_timer *never = loop_timer_create(loop, note, "x");
    struct loop_timer *end = loop_timer_create(loop, note_and_stop, "z");
    loop_timer_set(never, INSTANT_NEVER);
    loop_timer_set(end, USEC_PER_MSEC);
    loop_run(loop);
    ck_assert_str_eq(order, "z");
    loop_timer_destroy(never);
    loop_timer_destroy(end);
}
END_TEST

struct own_timer {
    struct loop_timer *timer;
    int fired;
};

static void set_again(void *data)
{
    struct own_timer *own = data;
    if (++own->fired < 3) {
        loop_timer_set(own->timer, 0);
    } else {
        loop_timer_destroy(own->timer);
        loop_stop(loop);
    }
}

START_TEST(a_timer_may_be_set_again_and_destroyed_from_its_own_callback)
{
    struct own_timer own = {0};
    own.timer = loop_timer_create(loop, set_again, &own);
    loop_timer_set(own.timer, 0);
    loop_run(loop);
    ck_assert_int_eq(own.fired, 3);
}
END_TEST

static struct loop_timer *victim;

static void destroy_victim(void *data)
{
    note(data);
    loop_timer_destroy(victim);
    victim = NULL;
}

START_TEST(a_timer_that_is_due_may_be_destroyed_by_another)
{
    struct loop_timer *killer = loop_timer_create(loop, destroy_victim, "a");
    struct loop_timer *end = loop_timer_create(loop, note_and_stop, "z");
    victim = loop_timer_create(loop, note, "x");
    loop_timer_set(killer, 0);
    loop_timer_set(victim, 0);
    loop_timer_set(end, USEC_PER_MSEC);
    loop_run(loop);
    ck_assert_str_eq(order, "az");
    loop_timer_destroy(killer);
    loop_timer_destroy(end);
}
END_TEST

/* --- deferred calls ----------------------------------------------------------------------------------------------- */

static void note_and_defer(void *data)
{
    note(data);
    loop_defer(loop, note, "c");
    loop_defer(loop, note_and_stop, "d");
}

START_TEST(deferred_calls_come_in_their_order_and_those_they_defer_behind_them)
{
    loop_defer(loop, note_and_defer, "a");
    loop_defer(loop, note, "b");
    ck_assert_str_eq(order, "");
    loop_run(loop);
    ck_assert_str_eq(order, "abcd");
}
END_TEST

START_TEST(calls_deferred_by_an_event_come_before_the_loop_waits_again)
{
    struct loop_timer *now = loop_timer_create(loop, note_and_defer, "a");
    struct loop_timer *later = loop_timer_create(loop, note, "x");
    loop_timer_set(now, 0);
    loop_timer_set(later, USEC_PER_HOUR);
    loop_run(loop);
    ck_assert_str_eq(order, "acd");
    loop_timer_destroy(now);
    loop_timer_destroy(later);
}
END_TEST

static char dead[] = "x";

static void forget_the_dead(void *data)
{
    note(data);
    loop_forget(loop, dead);
}

START_TEST(forgotten_calls_do_not_come_also_when_forgotten_by_one_before_them)
{
    char early[] = "y";
    loop_defer(loop, note, early);
    loop_defer(loop, forget_the_dead, "a");
    loop_defer(loop, note, dead);
    loop_defer(loop, note, dead);
    loop_defer(loop, note_and_stop, "b");
    loop_forget(loop, early);
    loop_run(loop);
    ck_assert_str_eq(order, "ab");
}
END_TEST

static void count_down(void *data)
{
    int *left = data;
    if (--*left > 0) {
        loop_defer(loop, count_down, left);
    } else {
        loop_stop(loop);
    }
}

START_TEST(many_calls_may_be_deferred_while_they_run)
{
    int left = 1000;
    for (int i = 0; i < 40; i++) {
        loop_defer(loop, note, "");
    }
    loop_defer(loop, count_down, &left);
    loop_run(loop);
    ck_assert_int_eq(left, 0);
}
END_TEST

/* --- stopping ----------------------------------------------------------------------------------------------------- */

START_TEST(the_turn_in_which_it_is_stopped_is_finished)
{
    loop_defer(loop, note_and_stop, "a");
    loop_defer(loop, note, "b");
    loop_run(loop);
    ck_assert_str_eq(order, "ab");
}
END_TEST

START_TEST(it_runs_again_after_it_was_stopped)
{
    for (int i = 0; i < 2; i++) {
        struct loop_timer *end = loop_timer_create(loop, note_and_stop, "a");
        loop_timer_set(end, 0);
        loop_run(loop);
        loop_timer_destroy(end);
    }
    ck_assert_str_eq(order, "aa");
}
END_TEST

START_TEST(destroying_no_loop_is_allowed)
{
    loop_destroy(NULL);
    ck_assert_ptr_nonnull(loop_base(loop));
}
END_TEST

/* --- descriptors -------------------------------------------------------------------------------------------------- */

struct pair {
    int ours;
    int theirs;
    struct loop_watch *watch;
    int readable;
    int writable;
};

static void watched(void *data, bool readable, bool writable)
{
    struct pair *pair = data;
    char byte;
    pair->readable += readable;
    pair->writable += writable;
    if (readable) {
        ck_assert_int_eq(recv(pair->ours, &byte, 1, 0), 1);
    }
    loop_stop(loop);
}

static void open_pair(struct pair *pair, loop_watch_callback *callback)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    *pair = (struct pair){.ours = ends[0], .theirs = ends[1]};
    pair->watch = loop_watch_create(loop, pair->ours, callback, pair);
}

static void close_pair(struct pair *pair)
{
    loop_watch_destroy(pair->watch);
    close(pair->ours);
    close(pair->theirs);
}

static void put_byte(const struct pair *pair)
{
    ck_assert_int_eq(send(pair->theirs, "x", 1, 0), 1);
}

/* What happens until nothing more does. */
static void run_a_while(void)
{
    struct loop_timer *end = loop_timer_create(loop, note_and_stop, "");
    loop_timer_set(end, 2 * USEC_PER_MSEC);
    loop_run(loop);
    loop_timer_destroy(end);
}

START_TEST(a_watch_tells_what_it_was_asked_for)
{
    struct pair pair;
    open_pair(&pair, watched);
    put_byte(&pair);
    run_a_while();
    ck_assert_int_eq(pair.readable + pair.writable, 0);
    loop_watch_set(pair.watch, true, false);
    loop_watch_set(pair.watch, true, false);
    loop_run(loop);
    ck_assert(pair.readable == 1 && pair.writable == 0);
    loop_watch_set(pair.watch, false, true);
    loop_run(loop);
    ck_assert(pair.readable == 1 && pair.writable == 1);
    put_byte(&pair);
    loop_watch_set(pair.watch, true, true);
    loop_run(loop);
    ck_assert(pair.readable == 2 && pair.writable == 2);
    loop_watch_set(pair.watch, false, false);
    put_byte(&pair);
    run_a_while();
    ck_assert(pair.readable == 2 && pair.writable == 2);
    close_pair(&pair);
}
END_TEST

START_TEST(a_watch_goes_on_until_it_is_set_otherwise)
{
    struct pair pair;
    open_pair(&pair, watched);
    loop_watch_set(pair.watch, true, false);
    for (int i = 1; i <= 3; i++) {
        put_byte(&pair);
        loop_run(loop);
        ck_assert_int_eq(pair.readable, i);
    }
    close_pair(&pair);
    loop_watch_destroy(NULL);
}
END_TEST

static void destroy_watch(void *data, bool readable, bool writable)
{
    struct pair *pair = data;
    pair->readable += readable;
    pair->writable += writable;
    loop_watch_destroy(pair->watch);
    pair->watch = NULL;
    loop_stop(loop);
}

START_TEST(a_watch_may_be_destroyed_from_its_own_callback)
{
    struct pair pair;
    open_pair(&pair, destroy_watch);
    loop_watch_set(pair.watch, true, true);
    put_byte(&pair);
    loop_run(loop);
    ck_assert_int_eq(pair.readable, 1);
    run_a_while();
    ck_assert_int_eq(pair.readable, 1);
    close_pair(&pair);
}
END_TEST

/* --- signals ------------------------------------------------------------------------------------------------------ */

static struct loop_signal *watched_signal;

static void destroy_signal(void *data)
{
    note_and_stop(data);
    loop_signal_destroy(watched_signal);
    watched_signal = NULL;
}

START_TEST(a_signal_calls_back_from_the_loop)
{
    struct loop_signal *watch = loop_signal_create(loop, SIGUSR1, note_and_stop, "u");
    raise(SIGUSR1);
    ck_assert_str_eq(order, "");
    loop_run(loop);
    raise(SIGUSR1);
    loop_run(loop);
    ck_assert_str_eq(order, "uu");
    loop_signal_destroy(watch);
    loop_signal_destroy(NULL);
}
END_TEST

START_TEST(a_signal_watch_may_be_destroyed_from_its_own_callback)
{
    struct sigaction now;
    watched_signal = loop_signal_create(loop, SIGUSR2, destroy_signal, "u");
    raise(SIGUSR2);
    loop_run(loop);
    ck_assert_str_eq(order, "u");
    sigaction(SIGUSR2, NULL, &now);
    ck_assert_msg(now.sa_handler == SIG_DFL, "the handler stays");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *tests = tcase_create("loop");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, timers_fire_in_the_order_of_their_delays);
    tcase_add_test(tests, a_timer_that_is_set_again_moves);
    tcase_add_test(tests, a_timer_fires_once_and_a_cleared_one_never);
    tcase_add_test(tests, a_delay_beyond_a_day_does_not_overflow);
    tcase_add_test(tests, a_timer_may_be_set_again_and_destroyed_from_its_own_callback);
    tcase_add_test(tests, a_timer_that_is_due_may_be_destroyed_by_another);
    tcase_add_test(tests, deferred_calls_come_in_their_order_and_those_they_defer_behind_them);
    tcase_add_test(tests, calls_deferred_by_an_event_come_before_the_loop_waits_again);
    tcase_add_test(tests, forgotten_calls_do_not_come_also_when_forgotten_by_one_before_them);
    tcase_add_test(tests, many_calls_may_be_deferred_while_they_run);
    tcase_add_test(tests, the_turn_in_which_it_is_stopped_is_finished);
    tcase_add_test(tests, it_runs_again_after_it_was_stopped);
    tcase_add_test(tests, destroying_no_loop_is_allowed);
    tcase_add_test(tests, a_watch_tells_what_it_was_asked_for);
    tcase_add_test(tests, a_watch_goes_on_until_it_is_set_otherwise);
    tcase_add_test(tests, a_watch_may_be_destroyed_from_its_own_callback);
    tcase_add_test(tests, a_signal_calls_back_from_the_loop);
    tcase_add_test(tests, a_signal_watch_may_be_destroyed_from_its_own_callback);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
