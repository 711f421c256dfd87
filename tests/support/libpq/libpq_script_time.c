/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE /* RTLD_NEXT */
/* Timers that wait for pass_time: event_add, event_del and event_free of the test stand before libevent's. */
#include <check.h>
#include <dlfcn.h>
#include <event2/event.h>
#include <string.h>

#include "base/clock.h"
#include "support/libpq/libpq_script.h"

#define TIMER_MAX 64

struct waiting {
    struct event *event;
    instant due;
};

static struct waiting timers[TIMER_MAX];
static size_t timer_count;
static bool standing;
static instant now;

static instant tell_time(void *unused)
{
    (void)unused;
    return now;
}

static const struct clock_source still = {.boot = tell_time, .wall = tell_time};

void script_time_start(void)
{
    now = USEC_PER_DAY;
    standing = true;
    timer_count = 0;
    clock_replace(&still);
}

void script_time_finish(void)
{
    standing = false;
    clock_replace(NULL);
}

static void *libevents_own(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    ck_assert_msg(function != NULL, "libevent has no %s", name);
    return function;
}

static bool forget(const struct event *event)
{
    for (size_t i = 0; i < timer_count; i++) {
        if (timers[i].event == event) {
            memmove(&timers[i], &timers[i + 1], (timer_count - i - 1) * sizeof(timers[0]));
            timer_count--;
            return true;
        }
    }
    return false;
}

int event_add(struct event *event, const struct timeval *delay)
{
    int (*own)(struct event *, const struct timeval *);
    *(void **)&own = libevents_own("event_add");
    if (!standing || delay == NULL) {
        return own(event, delay);
    }
    forget(event);
    ck_assert_msg(timer_count < TIMER_MAX, "too many timers for the script");
    timers[timer_count++] = (struct waiting){event, now + delay->tv_sec * USEC_PER_SEC + delay->tv_usec};
    return 0;
}

int event_del(struct event *event)
{
    int (*own)(struct event *);
    *(void **)&own = libevents_own("event_del");
    forget(event);
    return own(event);
}

void event_free(struct event *event)
{
    void (*own)(struct event *);
    *(void **)&own = libevents_own("event_free");
    forget(event);
    own(event);
}

static struct event *take_due(void)
{
    size_t first = TIMER_MAX;
    for (size_t i = 0; i < timer_count; i++) {
        if (timers[i].due <= now && (first == TIMER_MAX || timers[i].due < timers[first].due)) {
            first = i;
        }
    }
    if (first == TIMER_MAX) {
        return NULL;
    }
    struct event *event = timers[first].event;
    forget(event);
    return event;
}

static void stop(evutil_socket_t unused, short what, void *loop)
{
    (void)unused;
    (void)what;
    loop_stop(loop);
}

/* One look at the descriptors, and whatever follows from it. */
static void turn(struct loop *loop)
{
    struct timeval at_once = {0, 0};
    bool before = standing;
    standing = false;
    event_base_once(loop_base(loop), -1, EV_TIMEOUT, stop, loop, &at_once);
    standing = before;
    loop_run(loop);
}

void settle(struct loop *loop)
{
    static const int quiet_enough = 3;
    for (int quiet = 0, turns = 0; quiet < quiet_enough; turns++) {
        unsigned long before = script_calls();
        turn(loop);
        quiet = script_calls() == before ? quiet + 1 : 0;
        ck_assert_msg(turns < 10000, "the loop does not come to rest");
    }
}

void pass_time(struct loop *loop, duration time)
{
    now += time;
    struct event *event;
    while ((event = take_due()) != NULL) {
        event_active(event, EV_TIMEOUT, 1);
        settle(loop);
    }
    settle(loop);
}
