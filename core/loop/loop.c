/* SPDX-License-Identifier: PostgreSQL */
#include "loop/loop.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/time.h>

#include "base/log.h"
#include "base/memory.h"

struct deferred {
    loop_callback *callback; /* NULL once forgotten */
    void *data;
};

struct loop {
    struct event_base *base;
    bool stopped;
    struct deferred *deferred;
    size_t deferred_count;
    size_t deferred_capacity;
};

struct loop_timer {
    struct event *event;
    loop_callback *callback;
    void *data;
};

struct loop_watch {
    struct loop *loop;
    int descriptor;
    short interest; /* EV_READ, EV_WRITE as armed */
    struct event *event;
    loop_watch_callback *callback;
    void *data;
};

struct loop_signal {
    struct event *event;
    loop_callback *callback;
    void *data;
};

struct loop *loop_create(void)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    struct event_config *settings = event_config_new();
    if (settings == NULL) {
        fatal("out of memory");
    }
    event_config_set_flag(settings, EVENT_BASE_FLAG_PRECISE_TIMER);
    loop->base = event_base_new_with_config(settings);
    event_config_free(settings);
    if (loop->base == NULL) {
        fatal("cannot make an event loop");
    }
    return loop;
}

static void run_deferred(struct loop *loop)
{
    /* Calls deferred meanwhile run in the same sweep: the array may move, so it is indexed anew each time. */
    for (size_t i = 0; i < loop->deferred_count; i++) {
        struct deferred call = loop->deferred[i];
        if (call.callback != NULL) {
            loop->deferred[i].callback = NULL;
            call.callback(call.data);
        }
    }
    loop->deferred_count = 0;
}

void loop_destroy(struct loop *loop)
{
    if (loop != NULL) {
        run_deferred(loop); /* what was closed last is freed there */
        event_base_free(loop->base);
        free(loop->deferred);
        free(loop);
    }
}

void loop_run(struct loop *loop)
{
    loop->stopped = false;
    run_deferred(loop);
    while (!loop->stopped && event_base_loop(loop->base, EVLOOP_ONCE) == 0) {
        run_deferred(loop);
    }
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
    event_base_loopbreak(loop->base);
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

static void timer_fired(evutil_socket_t unused, short what, void *argument)
{
    const struct loop_timer *timer = argument;
    (void)unused;
    (void)what;
    timer->callback(timer->data);
}

struct loop_timer *loop_timer_create(struct loop *loop, loop_callback *callback, void *data)
{
    struct loop_timer *timer = xcalloc(1, sizeof(*timer));
    timer->callback = callback;
    timer->data = data;
    timer->event = evtimer_new(loop->base, timer_fired, timer);
    if (timer->event == NULL) {
        fatal("out of memory");
    }
    return timer;
}

void loop_timer_set(struct loop_timer *timer, duration delay)
{
    if (delay < 0) {
        delay = 0;
    } else if (delay > USEC_PER_DAY) {
        delay = USEC_PER_DAY; /* an early wake-up is harmless, an overflow is not */
    }
    struct timeval wait = {.tv_sec = delay / USEC_PER_SEC, .tv_usec = delay % USEC_PER_SEC};
    evtimer_add(timer->event, &wait);
}

void loop_timer_clear(struct loop_timer *timer)
{
    evtimer_del(timer->event);
}

void loop_timer_destroy(struct loop_timer *timer)
{
    if (timer != NULL) {
        event_free(timer->event);
        free(timer);
    }
}

static void watch_fired(evutil_socket_t unused, short what, void *argument)
{
    const struct loop_watch *watch = argument;
    (void)unused;
    watch->callback(watch->data, (what & EV_READ) != 0, (what & EV_WRITE) != 0);
}

struct loop_watch *loop_watch_create(struct loop *loop, int descriptor, loop_watch_callback *callback, void *data)
{
    struct loop_watch *watch = xcalloc(1, sizeof(*watch));
    watch->loop = loop;
    watch->descriptor = descriptor;
    watch->callback = callback;
    watch->data = data;
    watch->event = event_new(loop->base, descriptor, 0, watch_fired, watch);
    if (watch->event == NULL) {
        fatal("out of memory");
    }
    return watch;
}

void loop_watch_set(struct loop_watch *watch, bool readable, bool writable)
{
    short interest = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    if (interest == watch->interest) {
        return;
    }
    watch->interest = interest;
    event_del(watch->event);
    if (interest != 0) {
        event_assign(watch->event, watch->loop->base, watch->descriptor, (short)(interest | EV_PERSIST), watch_fired,
                     watch);
        event_add(watch->event, NULL);
    }
}

void loop_watch_destroy(struct loop_watch *watch)
{
    if (watch != NULL) {
        event_free(watch->event);
        free(watch);
    }
}

static void signal_fired(evutil_socket_t unused, short what, void *argument)
{
    const struct loop_signal *signal = argument;
    (void)unused;
    (void)what;
    signal->callback(signal->data);
}

struct loop_signal *loop_signal_create(struct loop *loop, int number, loop_callback *callback, void *data)
{
    struct loop_signal *signal = xcalloc(1, sizeof(*signal));
    signal->callback = callback;
    signal->data = data;
    signal->event = evsignal_new(loop->base, number, signal_fired, signal);
    if (signal->event == NULL || evsignal_add(signal->event, NULL) != 0) {
        fatal("cannot watch signal %d", number);
    }
    return signal;
}

void loop_signal_destroy(struct loop_signal *signal)
{
    if (signal != NULL) {
        event_free(signal->event);
        free(signal);
    }
}

void loop_defer(struct loop *loop, loop_callback *callback, void *data)
{
    if (loop->deferred_count == loop->deferred_capacity) {
        loop->deferred_capacity = loop->deferred_capacity == 0 ? 16 : loop->deferred_capacity * 2;
        loop->deferred = xrealloc(loop->deferred, loop->deferred_capacity, sizeof(*loop->deferred));
    }
    loop->deferred[loop->deferred_count++] = (struct deferred){callback, data};
}

void loop_forget(struct loop *loop, const void *data)
{
    for (size_t i = 0; i < loop->deferred_count; i++) {
        if (loop->deferred[i].data == data) {
            loop->deferred[i].callback = NULL;
        }
    }
}
