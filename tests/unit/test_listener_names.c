/* SPDX-License-Identifier: PostgreSQL */
/* What jobs want watched, through their changes. */
#include <stdlib.h>
#include <string.h>

#include "daemon/listener_names.h"
#include "support/schedule/scheduling.h"

static struct job *define_heard(const char *name, const char *const *channel)
{
    struct job *job = define(name, "");
    job->on = channel;
    job->on_count = 1;
    return job;
}

static struct job *define_refresh(const char *name, const char *const *views, size_t count)
{
    struct job *job = define(name, "");
    job->views = views;
    job->view_count = count;
    job->options->target_lag = USEC_PER_SEC;
    return job;
}

static struct scheduled *put(const struct job *job)
{
    struct job_memory memory = memory_of(job, 0);
    memory.job_id = 7;
    struct scheduled *it = scheduler_put(scheduler, job, &memory);
    scheduler_link(scheduler, minute(0));
    return it;
}

/* A job made by SQL is one block with its names, which goes with every edit. */
START_TEST(a_list_keeps_its_names_when_its_jobs_are_others)
{
    static const char *const orders[] = {"orders"};
    struct listener_names before;
    struct listener_names after;
    start();
    put(define_heard("a", orders));
    listener_names_fill(&before, scheduler);
    before.channels[0].told = true;
    put(define_heard("a", orders));
    listener_names_fill(&after, scheduler);
    listener_names_carry_over(&after, &before);
    ck_assert(after.channels[0].told);
    ck_assert(listener_names_same(&before, &after));
    listener_names_finish(&before);
    listener_names_finish(&after);
}
END_TEST

START_TEST(a_lists_names_are_its_own)
{
    char texts[] = "orders\0a.one\0a.two";
    const char *const channel[] = {texts};
    const char *const views[] = {texts + 13, texts + 7};
    struct listener_names list;
    add(define_heard("a", channel));
    add(define_refresh("b", views, 2));
    start();
    listener_names_fill(&list, scheduler);
    memset(texts, 'x', sizeof(texts) - 1);
    ck_assert_uint_eq(list.channel_count, 1);
    ck_assert_str_eq(list.channels[0].name, "orders");
    ck_assert_uint_eq(list.view_count, 2);
    ck_assert_str_eq(list.views[0].name, "a.one");
    ck_assert_str_eq(list.views[1].name, "a.two");
    listener_names_finish(&list);
}
END_TEST

START_TEST(what_is_known_of_views_is_carried_over_by_name)
{
    static const char *const views[] = {"a.one", "a.two"};
    static const char *const other[] = {"a.another"};
    struct listener_names before;
    struct listener_names after;
    add(define_refresh("a", views, 2));
    start();
    listener_names_fill(&before, scheduler);
    before.views[0].behind_since = minute(1);
    before.views[0].noted_at = minute(2);
    before.views[1].behind_since = minute(3);
    put(define_refresh("b", other, 1));
    listener_names_fill(&after, scheduler);
    listener_names_carry_over(&after, &before);
    ck_assert_uint_eq(after.view_count, 3);
    ck_assert_str_eq(after.views[0].name, "a.another");
    ck_assert(after.views[0].behind_since == INSTANT_NONE && after.views[0].noted_at == INSTANT_NONE);
    ck_assert(after.views[1].behind_since == minute(1) && after.views[1].noted_at == minute(2));
    ck_assert(after.views[2].behind_since == minute(3) && after.views[2].noted_at == INSTANT_NONE);
    listener_names_finish(&before);
    listener_names_finish(&after);
}
END_TEST

/* Nobody is woken for views that nobody needs, but who watches goes on to ask whether somebody does. */
START_TEST(views_with_an_inherited_lag_are_watched_while_there_is_one)
{
    static const char *const views[] = {"a.one"};
    struct listener_names list;
    struct job *job = define_refresh("a", views, 1);
    job->options->target_lag = TARGET_LAG_DOWNSTREAM;
    struct scheduled *it = add(job);
    start();
    listener_names_fill(&list, scheduler);
    ck_assert_uint_eq(list.view_count, 1);
    ck_assert_int_eq(list.tightest, SCHEDULED_LAG_UNTOLD);
    ck_assert(listener_name_wakes(&list.views[0]));
    listener_names_finish(&list);
    scheduled_inherit_lag(it, 0);
    listener_names_fill(&list, scheduler);
    ck_assert(list.view_count == 0 && list.inherits && !listener_names_empty(&list));
    listener_names_finish(&list);
    scheduled_inherit_lag(it, USEC_PER_SEC);
    listener_names_fill(&list, scheduler);
    ck_assert(list.view_count == 1 && list.views[0].target == USEC_PER_SEC);
    listener_names_finish(&list);
}
END_TEST

START_TEST(names_are_told_apart)
{
    static const char *const three[] = {"a", "b", "c"};
    static const char *const two[] = {"b", "d"};
    struct name_list names = {three, 3};
    struct name_list others = name_list_copy(&(struct name_list){two, 2});
    struct name_list left = name_list_without(&names, &others);
    ck_assert_uint_eq(left.count, 2);
    ck_assert_str_eq(left.items[0], "a");
    ck_assert_str_eq(left.items[1], "c");
    ck_assert(name_list_have(&others, "d") && !name_list_have(&others, "a"));
    free((void *)left.items);
    free((void *)others.items);
}
END_TEST

START_TEST(a_list_of_nothing_is_one)
{
    struct listener_names list;
    add(define("a", "@hourly"));
    start();
    listener_names_fill(&list, scheduler);
    ck_assert(listener_names_empty(&list));
    listener_names_finish(&list);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_list_keeps_its_names_when_its_jobs_are_others,
        a_lists_names_are_its_own,
        what_is_known_of_views_is_carried_over_by_name,
        views_with_an_inherited_lag_are_watched_while_there_is_one,
        names_are_told_apart,
        a_list_of_nothing_is_one,
    };
    return scheduling_run("listener_list", tests, sizeof(tests) / sizeof(*tests));
}
