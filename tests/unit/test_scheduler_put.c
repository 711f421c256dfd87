/* SPDX-License-Identifier: PostgreSQL */
/* One job at a time comes, changes and goes; owners take turns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/schedule/scheduling.h"

/* In place of the one with that number, or new. */
static struct scheduled *put(const struct job *job, int64_t job_id, int64_t cursor, int64_t now)
{
    struct job_memory memory = memory_of(job, cursor);
    memory.job_id = job_id;
    struct scheduled *it = scheduler_put(scheduler, job, &memory);
    scheduler_link(scheduler, minute(now));
    return it;
}

static void take_out(struct scheduled *it)
{
    scheduler_remove(scheduler, it);
    scheduler_link(scheduler, minute(0));
}

static struct job *define_after(const char *name, const char *schedule, const char *upstream)
{
    struct job *job = define(name, schedule);
    comes_after(job, upstream);
    return job;
}

START_TEST(a_job_that_is_put_is_due_from_its_cursor_on_and_found_by_number_and_name)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    tick(5);
    struct scheduled *b = put(define("b", "*/7 * * * *"), 7, 5, 5);
    struct scheduled *c = put(define("c", "*/8 * * * *"), 900, 5, 5);
    ck_assert_uint_eq(scheduler_count(scheduler), 3);
    ck_assert(scheduler_at(scheduler, 0) == b && scheduler_at(scheduler, 1) == a && scheduler_at(scheduler, 2) == c);
    ck_assert(scheduler_find(scheduler, 7) == b && scheduler_find(scheduler, 900) == c);
    ck_assert(scheduler_find_named(scheduler, "b") == b && scheduler_find_named(scheduler, "x") == NULL);
    tick(7);
    claim(b, 7);
    tick(8);
    claim(c, 8);
}
END_TEST

START_TEST(a_job_that_is_put_again_is_the_same_one_by_another_definition)
{
    start();
    struct scheduled *a = put(define("a", "*/10 * * * *"), 7, 0, 0);
    tick(10);
    claim(a, 10);
    withdraw(a, 21);
    skipped_because(a, 10, 20, 20, CHANGED);
    ck_assert_ptr_eq(put(define("a", "*/15 * * * *"), 7, 21, 21), a);
    tick(25);
    finish(a, RUN_SUCCEEDED);
    nothing_due();
    tick(30);
    claim(a, 30);
    ck_assert_str_eq(scheduled_job(a)->schedule_text, "*/15 * * * *");
}
END_TEST

START_TEST(a_job_that_is_put_waits_for_those_it_comes_after)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    struct scheduled *b = put(define_after("b", "*/10 * * * *", "a"), 7, 0, 0);
    tick(10);
    claim(a, 10);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    claim(b, 10);
    finish(b, RUN_SUCCEEDED);
    put(define("b", "*/10 * * * *"), 7, 10, 10);
    ck_assert_uint_eq(scheduled_downstream_count(a), 0);
    tick(20);
    claim(b, 20);
    claim(a, 20);
}
END_TEST

START_TEST(a_join_that_is_put_runs_after_its_upstreams)
{
    start();
    struct scheduled *a = put(define("a", "*/10 * * * *"), 5, 0, 0);
    struct scheduled *b = put(define_after("b", "", "a"), 7, 0, 0);
    run_at(a, 10, RUN_SUCCEEDED);
    struct due due;
    ck_assert(scheduler_take_due(scheduler, &due));
    ck_assert(due.scheduled == b && due.kind == RUN_DEPENDENCY);
}
END_TEST

START_TEST(who_would_come_after_itself_is_told)
{
    start();
    struct scheduled *a = put(define("a", "*/10 * * * *"), 5, 0, 0);
    struct scheduled *b = put(define_after("b", "", "a"), 6, 0, 0);
    struct scheduled *c = put(define_after("c", "", "b"), 7, 0, 0);
    ck_assert(scheduler_would_cycle(scheduler, a, c));
    ck_assert(scheduler_would_cycle(scheduler, a, a));
    ck_assert(!scheduler_would_cycle(scheduler, c, a));
    ck_assert(!scheduler_would_cycle(scheduler, c, b));
}
END_TEST

START_TEST(a_job_that_is_removed_is_due_no_more_and_forgotten_when_its_run_has_ended)
{
    struct scheduled *stays = add(define("stays", "*/10 * * * *"));
    start();
    struct scheduled *a = put(define("a", "*/10 * * * *"), 7, 0, 0);
    tick(10);
    claim(a, 10);
    claim(stays, 10);
    take_out(a);
    ck_assert_ptr_null(scheduler_find_named(scheduler, "a"));
    scheduler_forget(scheduler);
    ck_assert_ptr_eq(scheduler_find(scheduler, 7), a);
    tick(20);
    nothing_due();
    skipped(stays, 10, 20, 20);
    finish(a, RUN_SUCCEEDED);
    while (scheduler_take_armed(scheduler) != NULL) {
    }
    scheduler_forget(scheduler);
    ck_assert_ptr_null(scheduler_find(scheduler, 7));
    ck_assert_uint_eq(scheduler_count(scheduler), 1);
    put(define("a", "*/10 * * * *"), 8, 20, 20);
    ck_assert_uint_eq(scheduler_count(scheduler), 2);
}
END_TEST

START_TEST(slots_that_nobody_could_see_are_missed_when_told_so)
{
    start();
    struct scheduled *a = put(define("a", "*/10 * * * *"), 7, 0, 0);
    scheduler_miss(scheduler, a, "it could not be scheduled", minute(35), minute(35));
    missed(a, 0, 10, 30, 3, "it could not be scheduled");
    tick(40);
    claim(a, 40);
}
END_TEST

START_TEST(slots_since_then_are_due)
{
    start();
    struct scheduled *a = put(define("a", "*/10 * * * *"), 7, 0, 0);
    scheduler_miss(scheduler, a, "it was told of late", minute(25), minute(35));
    missed(a, 0, 10, 20, 2, "it was told of late");
    tick(35);
    claim(a, 30);
    finish(a, RUN_SUCCEEDED);
    scheduler_miss(scheduler, a, "it was told of late", minute(25), minute(36));
    nothing_due();
    tick(40);
    claim(a, 40);
}
END_TEST

/* Names that share their place in the table come and go in any order. */
START_TEST(names_are_found_whoever_came_and_went)
{
    static char names[200][16];
    struct job *job = define("x", "*/10 * * * *");
    struct scheduled *items[200];
    start();
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof(names[i]), "job%d", i);
        job->name = names[i];
        items[i] = put(job, 1000 + i, 0, 0);
    }
    for (int i = 0; i < 200; i += 2) {
        take_out(items[i]);
    }
    while (scheduler_take_armed(scheduler) != NULL) {
    }
    scheduler_forget(scheduler);
    for (int i = 0; i < 200; i++) {
        ck_assert_ptr_eq(scheduler_find_named(scheduler, names[i]), i % 2 == 0 ? NULL : items[i]);
        ck_assert_ptr_eq(scheduler_find(scheduler, 1000 + i), i % 2 == 0 ? NULL : items[i]);
    }
}
END_TEST

START_TEST(a_name_that_two_have_for_a_while_is_the_others_when_one_lets_go)
{
    start();
    struct scheduled *a = put(define("a", "*/10 * * * *"), 9, 0, 0);
    struct scheduled *b = put(define("b", "*/10 * * * *"), 5, 0, 0);
    put(define("a", "*/10 * * * *"), 5, 0, 0);
    ck_assert_ptr_null(scheduler_find_named(scheduler, "b"));
    ck_assert_ptr_eq(scheduler_find_named(scheduler, "a"), a);
    put(define("b", "*/10 * * * *"), 9, 0, 0);
    ck_assert_ptr_eq(scheduler_find_named(scheduler, "a"), b);
    ck_assert_ptr_eq(scheduler_find_named(scheduler, "b"), a);
    put(define("a", "*/10 * * * *"), 9, 0, 0);
    take_out(b);
    ck_assert_ptr_eq(scheduler_find_named(scheduler, "a"), a);
}
END_TEST

START_TEST(a_name_that_is_released_is_nobodys_until_the_job_is_put_again)
{
    start();
    struct scheduled *a = put(define("a", "*/10 * * * *"), 9, 0, 0);
    scheduler_release_name(scheduler, a);
    scheduler_release_name(scheduler, a);
    ck_assert_ptr_null(scheduler_find_named(scheduler, "a"));
    struct scheduled *b = put(define("a", "*/10 * * * *"), 5, 0, 0);
    put(define("b", "*/10 * * * *"), 9, 0, 0);
    ck_assert_ptr_eq(scheduler_find_named(scheduler, "a"), b);
    ck_assert_ptr_eq(scheduler_find_named(scheduler, "b"), a);
}
END_TEST

START_TEST(what_was_put_is_the_schedulers_own)
{
    char name[] = "a";
    struct job job = *define(name, "*/10 * * * *");
    start();
    struct scheduled *a = put(&job, 7, 0, 0);
    name[0] = 'x';
    job.schedule_text = "gone";
    ck_assert_ptr_eq(scheduler_find_named(scheduler, "a"), a);
    ck_assert_str_eq(scheduled_job(a)->schedule_text, "*/10 * * * *");
}
END_TEST

START_TEST(several_that_are_put_find_each_other_in_any_order)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    struct scheduled *b = add(define_after("b", "*/10 * * * *", "c"));
    struct scheduled *c = add(define("c", "*/10 * * * *"));
    scheduler_remove(scheduler, a);
    scheduler_link(scheduler, minute(0));
    tick(10);
    claim(c, 10);
    nothing_due();
    finish(c, RUN_SUCCEEDED);
    claim(b, 10);
}
END_TEST

START_TEST(jobs_of_a_pool_have_its_limit_from_when_it_is_known)
{
    struct job *jobs[2] = {define("a", "*/10 * * * *"), define("b", "*/10 * * * *")};
    struct scheduled *items[2];
    struct due due;
    start();
    for (int i = 0; i < 2; i++) {
        jobs[i]->options->pool = "late";
        items[i] = put(jobs[i], 7 + i, 0, 0);
    }
    tick(10);
    claim(items[0], 10);
    scheduler_pool(scheduler, "late", 1);
    nothing_due();
    finish(items[0], RUN_SUCCEEDED);
    ck_assert(scheduler_take_due(scheduler, &due) && due.scheduled == items[1]);
}
END_TEST

/* --- who comes after whom ----------------------------------------------------------------------------------------- */

enum { MANY = 20, ROUNDS = 300 };

static char many_names[MANY][16];
static const char *many_after[MANY][MANY];
static struct job many[MANY];
static struct scheduled *many_items[MANY]; /* NULL: it is not there */

/* After some of those before it. */
static void put_one_of_many(int i, uint64_t *random)
{
    struct job *job = &many[i];
    struct job_memory memory = {.job_id = 1000 + i,
                                .cursor = MIDNIGHT,
                                .outcome_at = INSTANT_NONE,
                                .missed_at = INSTANT_NONE,
                                .last_end = INSTANT_NONE};
    job->after_count = 0;
    for (int n = 0; n < i; n++) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        if (many_items[n] != NULL && *random >> 62 == 0) {
            many_after[i][job->after_count++] = many_names[n];
        }
    }
    many_items[i] = scheduler_put(scheduler, job, &memory);
}

static size_t count_links(int upstream, int downstream)
{
    size_t count = 0;
    for (size_t i = 0; i < scheduled_downstream_count(many_items[upstream]); i++) {
        count += scheduled_downstream(many_items[upstream], i) == many_items[downstream];
    }
    return count;
}

/* One assertion for all: each tells Check of itself, which takes longest. */
static void expect_links(void)
{
    size_t wrong = 0;
    for (int up = 0; up < MANY; up++) {
        size_t total = 0;
        for (int down = 0; many_items[up] != NULL && down < MANY; down++) {
            size_t named = 0;
            for (size_t n = 0; many_items[down] != NULL && n < many[down].after_count; n++) {
                named += strcmp(many[down].after[n], many_names[up]) == 0;
            }
            wrong += (many_items[down] != NULL ? count_links(up, down) : 0) != named;
            total += named;
        }
        wrong += (many_items[up] != NULL ? scheduled_downstream_count(many_items[up]) : 0) != total;
    }
    ck_assert_uint_eq(wrong, 0);
}

/* Now and then the last one goes: nobody comes after it. */
START_TEST(whoever_came_changed_and_went_those_that_come_after_a_job_are_known)
{
    const struct job *pattern = define("pattern", "@yearly");
    uint64_t random = 20;
    start();
    for (int i = 0; i < MANY; i++) {
        snprintf(many_names[i], sizeof(many_names[i]), "m%d", i);
        many[i] = *pattern;
        many[i].name = many_names[i];
        many[i].after = many_after[i];
        put_one_of_many(i, &random);
    }
    for (int round = 0; round < ROUNDS; round++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        int i = (int)((random >> 40) % MANY);
        bool last = i == MANY - 1 && many_items[i] != NULL;
        if (last) {
            scheduler_remove(scheduler, many_items[i]);
            many_items[i] = NULL;
        } else {
            put_one_of_many(i, &random);
            put_one_of_many((i + 7) % (MANY - 1), &random);
        }
        scheduler_link(scheduler, minute(0));
        scheduler_forget(scheduler);
        expect_links();
    }
}
END_TEST

/* --- owners ------------------------------------------------------------------------------------------------------- */

static struct scheduled *add_of(const char *name, const char *owner, int64_t priority)
{
    struct job *job = define(name, "*/10 * * * *");
    job->owner = owner;
    job->options->priority = priority;
    return add(job);
}

START_TEST(owners_take_turns_whatever_their_priorities)
{
    struct scheduled *a1 = add_of("a1", "alice", 1);
    struct scheduled *a2 = add_of("a2", "alice", 1);
    struct scheduled *b = add_of("b", "bob", 9);
    struct scheduled *own = add_of("own", NULL, 5);
    start();
    tick(10);
    scheduler_begin_round(scheduler);
    take(a1, 10);
    take(own, 10);
    take(b, 10);
    take(a2, 10);
    nothing_due();
}
END_TEST

START_TEST(an_owner_without_a_session_is_passed_over_until_the_next_round)
{
    struct scheduled *a = add_of("a", "alice", 5);
    struct scheduled *b = add_of("b", "bob", 5);
    struct due due;
    start();
    tick(10);
    scheduler_begin_round(scheduler);
    take(a, 10);
    scheduler_unclaimed(scheduler, a);
    scheduler_leave_out(scheduler, a);
    take(b, 10);
    ck_assert(!scheduler_has_due(scheduler));
    ck_assert(!scheduler_take_due(scheduler, &due));
    scheduler_begin_round(scheduler);
    ck_assert(scheduler_has_due(scheduler));
    take(a, 10);
}
END_TEST

static struct scheduled *put_for(const char *role, int64_t job_id, int64_t now)
{
    struct job *job = define("a", "*/10 * * * *");
    job->owner = role;
    return put(job, job_id, now, now);
}

static void forget(void)
{
    while (scheduler_take_armed(scheduler) != NULL) {
    }
    scheduler_forget(scheduler);
}

START_TEST(an_owner_is_known_while_a_job_is_his)
{
    start();
    struct scheduled *a = put_for("ann", 7, 0);
    take_out(put_for("ann", 8, 0));
    forget();
    ck_assert(scheduler_has_owner(scheduler, "ann", NULL) && !scheduler_has_owner(scheduler, "ann", "elsewhere"));
    tick(10);
    claim(a, 10);
    take_out(a);
    forget();
    ck_assert(scheduler_has_owner(scheduler, "ann", NULL)); /* a run of his is under way */
    finish(a, RUN_SUCCEEDED);
    forget();
    ck_assert(!scheduler_has_owner(scheduler, "ann", NULL));
    put_for("ben", 9, 10);
    put_for("cid", 9, 10);
    ck_assert(!scheduler_has_owner(scheduler, "ben", NULL) && scheduler_has_owner(scheduler, "cid", NULL));
    tick(20);
    claim(scheduler_find(scheduler, 9), 20);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_job_that_is_put_is_due_from_its_cursor_on_and_found_by_number_and_name,
        a_job_that_is_put_again_is_the_same_one_by_another_definition,
        a_job_that_is_put_waits_for_those_it_comes_after,
        a_join_that_is_put_runs_after_its_upstreams,
        who_would_come_after_itself_is_told,
        a_job_that_is_removed_is_due_no_more_and_forgotten_when_its_run_has_ended,
        slots_that_nobody_could_see_are_missed_when_told_so,
        slots_since_then_are_due,
        names_are_found_whoever_came_and_went,
        a_name_that_two_have_for_a_while_is_the_others_when_one_lets_go,
        a_name_that_is_released_is_nobodys_until_the_job_is_put_again,
        what_was_put_is_the_schedulers_own,
        several_that_are_put_find_each_other_in_any_order,
        jobs_of_a_pool_have_its_limit_from_when_it_is_known,
        whoever_came_changed_and_went_those_that_come_after_a_job_are_known,
        owners_take_turns_whatever_their_priorities,
        an_owner_without_a_session_is_passed_over_until_the_next_round,
        an_owner_is_known_while_a_job_is_his,
    };
    return scheduling_run("scheduler_put", tests, sizeof(tests) / sizeof(*tests));
}
