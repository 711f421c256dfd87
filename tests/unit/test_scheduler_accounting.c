/* SPDX-License-Identifier: PostgreSQL */
/* Every slot is accounted for, once: random jobs over simulated days, runs that fail, retry or end in doubt, few
 * sessions, late ticks, a clock that jumps, and a daemon that dies at any point and is rebuilt from what the ledger
 * knows. With every other seed the daemon's clock and the database's drift apart, both ways, and the database's is
 * stepped back, while a daemon leads and while none does. What is checked all along is in
 * support/month/simulation_ledger.c. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/month/simulation.h"
#include "support/process/suite.h"

#define SEEDS (getenv("PGCHIME_TEST_SLOWNESS") == NULL ? 800u : 100u) /* the sanitizers look for other faults */
#define SESSIONS_MAX 12
#define SKIPPED_MAX 500
#define DRIFT_MOST (500 * USEC_PER_MSEC) /* until a heartbeat tells */
#define STEPS_BACK 5

/* --- clocks ------------------------------------------------------------------------------------------------------- */

static void set_clock(struct world *world, instant now)
{
    world->now = now;
    world->latest = now > world->latest ? now : world->latest;
}

/* What happens by the daemon's clock happens when it would have happened. */
static void move_clock(struct world *world, duration by)
{
    set_clock(world, world->now + by);
    world->dies_at += by;
    world->answer_at += by;
    for (size_t i = 0; i < world->working_count; i++) {
        struct sim_job *it = &world->jobs[world->working[i]];
        it->changes_at += it->changes_at != INSTANT_NEVER ? by : 0;
    }
}

/* Not enough for the daemon to tell a step from drift: its slots wait for the clock, and nobody tells the scheduler. */
static void drift(struct world *world)
{
    world->counts.drifts++;
    move_clock(world, simulation_chance(-DRIFT_MOST, DRIFT_MOST));
}

static duration step_length(const struct world *world)
{
    duration most = (world->end - START) / 20;
    return simulation_chance(3 * USEC_PER_SEC, most < 3 * USEC_PER_HOUR ? most : 3 * USEC_PER_HOUR);
}

/* The heartbeat tells. Attempts wait no longer for it. */
static void step_back(struct world *world)
{
    instant before = world->latest;
    move_clock(world, -step_length(world));
    for (size_t i = 0; i < world->job_count; i++) {
        struct sim_job *it = &world->jobs[i];
        it->retry_at += it->live && !it->has_session ? world->now - before : 0;
    }
    world->latest = world->ticked = world->now;
    world->stepped = world->jumped = true;
    world->steps_left--;
    world->counts.steps_back++;
    scheduler_step_back(world->scheduler, world->now);
}

/* --- the daemon: runs --------------------------------------------------------------------------------------------- */

static void sit(struct world *world, struct sim_job *it, enum sim_session session, instant changes_at)
{
    if (it->session == SESSION_NONE) {
        world->working[world->working_count++] = (size_t)(it - world->jobs);
    }
    it->session = session;
    it->changes_at = changes_at;
}

static void rise(struct world *world, struct sim_job *it)
{
    for (size_t i = 0; i < world->working_count; i++) {
        if (world->working[i] == (size_t)(it - world->jobs)) {
            world->working[i] = world->working[--world->working_count];
            break;
        }
    }
    it->session = SESSION_NONE;
}

/* When the next attempt is due, as dispatch.c decides it: before the next slot, or not at all. */
static instant retry_time(const struct world *world, const struct sim_job *it)
{
    instant at = world->now + simulation_chance(0, 60 * USEC_PER_SEC);
    bool may = it->attempt < it->job.options->max_attempts && at < simulation_slot_after(it, world->now);
    return may ? at : INSTANT_NONE;
}

static void end_or_retry(struct world *world, struct sim_job *it, enum run_state state, bool may_retry)
{
    instant retry_at = may_retry ? retry_time(world, it) : INSTANT_NONE;
    rise(world, it);
    if (retry_at != INSTANT_NONE) {
        simulation_retry(world, it, true, retry_at);
        scheduler_retry(world->scheduler, it->scheduled, it->attempt, retry_at);
    } else {
        simulation_end(world, it, state);
        scheduler_ended(world->scheduler, it->scheduled, state, simulation_chance(0, it->lasts_most), world->now);
    }
}

static void end_run(struct world *world, struct sim_job *it)
{
    static const enum run_state failures[] = {RUN_FAILED, RUN_TIMED_OUT, RUN_CANCELLED};
    if (simulation_one_in(40)) {
        world->counts.doubts++;
        if (simulation_one_in(2)) {
            simulation_end(world, it, RUN_SUCCEEDED); /* it was committed, and nobody heard of it */
        }
        scheduler_retry(world->scheduler, it->scheduled, it->attempt, INSTANT_NEVER);
        sit(world, it, SESSION_UNKNOWN, world->now + simulation_chance(0, 3 * USEC_PER_SEC));
    } else if (simulation_one_in(it->fails_one_in)) {
        enum run_state state = failures[simulation_chance(0, 2)];
        end_or_retry(world, it, state, state != RUN_CANCELLED);
    } else {
        end_or_retry(world, it, RUN_SUCCEEDED, false);
    }
}

/* What a sweep for unfinished runs finds of a run whose session is gone. */
static void settle_unknown(struct world *world, struct sim_job *it)
{
    if (!it->live) {
        rise(world, it);
        it->ended_at = world->now; /* as far as the daemon knows */
        scheduler_ended(world->scheduler, it->scheduled, it->last_outcome, 0, world->now);
    } else if (!it->has_session) {
        rise(world, it);
        simulation_retry(world, it, false, it->retry_at > world->now ? it->retry_at : world->now);
        scheduler_retry(world->scheduler, it->scheduled, it->attempt, it->retry_at);
    } else {
        end_or_retry(world, it, RUN_LOST, simulation_one_in(2));
    }
}

static void answer_claim(struct world *world, struct sim_job *it)
{
    if (!it->granted) {
        rise(world, it);
        it->let_go_at = world->now;
        world->counts.dropped++;
        scheduler_dropped(world->scheduler, it->scheduled);
        return;
    }
    scheduler_claimed(world->scheduler, it->scheduled);
    if (simulation_one_in(50)) { /* its session went before its text did */
        rise(world, it);
        simulation_retry(world, it, false, world->now);
        scheduler_retry(world->scheduler, it->scheduled, it->attempt, world->now);
    } else {
        sit(world, it, SESSION_RUNNING, world->now + simulation_chance(0, it->lasts_most));
    }
}

static void answer_claims(struct world *world)
{
    world->answer_pending = false;
    for (size_t i = world->working_count; i-- > 0;) {
        struct sim_job *it = &world->jobs[world->working[i]];
        if (it->session == SESSION_CLAIMED) {
            answer_claim(world, it);
        }
    }
}

/* --- the daemon: its deaths --------------------------------------------------------------------------------------- */

/* What catch-up has to record, said a second time: counted from the oracle's list. */
static int64_t expected_missing(const struct sim_job *it, instant horizon)
{
    const struct job_options *options = it->job.options;
    int64_t all = (int64_t)simulation_slots_until(it, horizon) - (int64_t)simulation_slots_until(it, it->cursor);
    int64_t fresh = 0;
    for (size_t i = simulation_slots_until(it, it->cursor); i < simulation_slots_until(it, horizon); i++) {
        fresh += it->slots[i].at >= horizon - options->catchup_window;
    }
    int64_t most = options->catchup == CATCHUP_NONE     ? 0
                   : options->catchup == CATCHUP_LATEST ? 1
                                                        : options->catchup_limit;
    return all > 0 ? all - (fresh < most ? fresh : most) : 0; /* else the cursor is in the future */
}

static void take_notice(struct world *world, instant now)
{
    world->seen = now > world->seen ? now : world->seen;
}

static void adopt_live(struct world *world, struct sim_job *it)
{
    if (!it->has_session && simulation_one_in(2)) {
        scheduler_adopt(world->scheduler, it->scheduled, it->kind, it->slot, it->attempt, it->retry_at,
                        it->missed_from != INSTANT_NONE);
    } else {
        scheduler_adopt(world->scheduler, it->scheduled, it->kind, it->slot, it->attempt, INSTANT_NEVER,
                        it->missed_from != INSTANT_NONE);
        sit(world, it, SESSION_UNKNOWN, world->now + simulation_chance(0, 20 * USEC_PER_SEC));
    }
}

static void come_alive(struct world *world)
{
    world->scheduler = scheduler_create();
    for (size_t n = 0, i = (size_t)simulation_chance(0, JOBS_MAX); n < world->job_count; n++, i++) {
        struct sim_job *it = &world->jobs[i % world->job_count];
        struct job_memory memory = {.job_id = 1000 + (it - world->jobs),
                                    .version = 1,
                                    .cursor = it->cursor,
                                    .has_outcome = it->has_outcome,
                                    .last_outcome = it->last_outcome,
                                    .outcome_at = it->has_outcome ? it->outcome_at : INSTANT_NONE,
                                    .missed_at = it->missed_at,
                                    .missed_after = it->missed_after};
        it->scheduled = scheduler_put(world->scheduler, &it->job, &memory);
        it->missing = expected_missing(it, world->now);
    }
    scheduler_link(world->scheduler, INSTANT_NONE);
    for (size_t i = 0; i < world->job_count; i++) {
        if (world->jobs[i].live) {
            adopt_live(world, &world->jobs[i]);
        }
    }
    world->horizon = world->now;
    take_notice(world, world->now);
    scheduler_start(world->scheduler, world->now, INSTANT_NONE);
    for (size_t i = 0; i < world->job_count; i++) {
        for (size_t n = 0; n < world->jobs[i].asked_count; n++) {
            scheduler_request(world->scheduler, world->jobs[i].scheduled, world->jobs[i].asked[n].kind,
                              world->jobs[i].asked[n].slot);
        }
    }
    world->dies_at = world->now + simulation_chance(1, world->lives_most);
}

static void die(struct world *world)
{
    for (size_t i = 0; i < world->working_count; i++) {
        struct sim_job *it = &world->jobs[world->working[i]];
        world->counts.deaths_before_answers += it->session == SESSION_CLAIMED;
        world->counts.deaths_running += it->session == SESSION_RUNNING;
        if (it->session == SESSION_RUNNING && simulation_one_in(2)) {
            simulation_end(world, it, RUN_SUCCEEDED); /* the commit was on its way already */
        }
        it->session = SESSION_NONE;
    }
    world->counts.deaths++;
    world->working_count = 0;
    world->answer_pending = world->withdrew = world->jumped = false;
    scheduler_destroy(world->scheduler);
    duration down = simulation_one_in(3) ? simulation_chance(0, 40 * USEC_PER_HOUR)
                                         : simulation_chance(0, 40 * USEC_PER_SEC);
    set_clock(world, world->now + down < world->end ? world->now + down : world->end);
    if (world->steps_left > 0 && simulation_one_in(4)) {
        world->now -= step_length(world);
        world->latest = world->ticked = world->now;
        world->stepped = true;
        world->steps_left--;
        world->counts.deaths_into_the_past++;
    }
    come_alive(world);
}

/* --- the daemon: dispatch ----------------------------------------------------------------------------------------- */

/* As ledger_skip of core/ledger sends them: what was missed before what was skipped. False when it died first. */
static bool write_passes(struct world *world)
{
    struct skipped batch[SKIPPED_MAX];
    for (size_t count = SKIPPED_MAX; count == SKIPPED_MAX;) {
        for (count = 0; count < SKIPPED_MAX && scheduler_take_skipped(world->scheduler, &batch[count]);) {
            count++;
        }
        if (count > 0 && world->now < world->end && simulation_one_in(2000)) {
            world->counts.deaths_before_passes++;
            die(world);
            return false;
        }
        for (int missed = 1; missed >= 0; missed--) {
            for (size_t i = 0; i < count; i++) {
                if (batch[i].missed == (missed == 1)) {
                    simulation_pass(world, &batch[i]);
                }
            }
        }
    }
    return true;
}

static int sessions_taken(const struct world *world)
{
    int taken = 0;
    for (size_t i = 0; i < world->working_count; i++) {
        taken += world->jobs[world->working[i]].session != SESSION_UNKNOWN;
    }
    return taken;
}

static void judge_order(const struct world *world, const struct sim_job *it, const struct due *last,
                        const struct due *due)
{
    if (last->scheduled != NULL) {
        int64_t before = scheduled_job(last->scheduled)->options->priority;
        REQUIRE(world, it,
                before < it->job.options->priority || (before == it->job.options->priority && last->slot <= due->slot));
    }
}

static void write_claims(struct world *world)
{
    struct due last = {0};
    struct due due;
    int taken = sessions_taken(world);
    while (scheduler_take_due(world->scheduler, &due)) {
        struct sim_job *it = simulation_job(world, due.scheduled);
        judge_order(world, it, &last, &due);
        if (taken++ >= world->sessions) {
            scheduler_unclaimed(world->scheduler, due.scheduled);
            world->counts.unclaimed++;
            break;
        }
        last = due;
        it->granted = simulation_claim(world, it, &due);
        sit(world, it, SESSION_CLAIMED, INSTANT_NEVER);
        world->answer_pending = true;
    }
    world->answer_at = world->now +
                       (simulation_one_in(10) ? simulation_chance(0, 5 * USEC_PER_SEC) : simulation_chance(0, 2000));
}

/* The ledger may know of an end that the daemon has yet to hear of. */
static bool may_wait_for_slot(const struct world *world, const struct sim_job *it, instant slot)
{
    for (size_t i = 0; i < it->job.after_count; i++) {
        if (world->jobs[it->upstream[i]].session == SESSION_UNKNOWN) {
            return true;
        }
    }
    return slot > (world->unsteady ? world->ticked : world->seen) || simulation_blocked(world, it, slot);
}

static bool may_wait_as_asked(const struct world *world, const struct sim_job *it)
{
    for (size_t i = 0; i < it->job.after_count; i++) {
        const struct sim_job *upstream = &world->jobs[it->upstream[i]];
        if (upstream->live || upstream->session != SESSION_NONE || upstream->asked_count > 0 ||
            simulation_unfinished(upstream, world->seen)) {
            return true;
        }
    }
    return world->withdrew;
}

/* With a session to spare, whatever may start has started: no wake-up was lost. */
static void judge_idleness(const struct world *world)
{
    for (size_t i = 0; i < world->job_count; i++) {
        const struct sim_job *it = &world->jobs[i];
        instant slot = simulation_slot_after(it, it->cursor);
        REQUIRE(world, it, world->jumped || it->missing == 0);
        if (it->live) {
            REQUIRE(world, it, it->session != SESSION_NONE || it->retry_at >= world->ticked);
        } else if (it->session == SESSION_NONE) {
            REQUIRE(world, it, may_wait_for_slot(world, it, slot));
            REQUIRE(world, it, it->asked_count == 0 || may_wait_as_asked(world, it));
        }
    }
}

static void dispatch(struct world *world)
{
    if (!write_passes(world) || world->answer_pending) {
        return;
    }
    if (world->now < world->end && scheduler_has_due(world->scheduler) && simulation_one_in(2000)) {
        struct due due;
        scheduler_take_due(world->scheduler, &due);
        world->counts.deaths_before_claims++;
        die(world);
        return;
    }
    write_claims(world);
    if (!world->answer_pending && sessions_taken(world) < world->sessions &&
        simulation_one_in(1 + (int64_t)world->job_count)) {
        judge_idleness(world);
    }
}

/* --- the simulation ----------------------------------------------------------------------------------------------- */

static void tick(struct world *world)
{
    take_notice(world, world->now);
    world->ticked = world->now;
    scheduler_tick(world->scheduler, world->now);
    world->late = simulation_one_in(8) ? simulation_chance(0, LATE_MAX) : 0;
}

static void jump(struct world *world)
{
    instant to = world->now + simulation_chance(USEC_PER_SEC, 3 * USEC_PER_HOUR);
    set_clock(world, to < world->end ? to : world->end);
    world->horizon = world->now;
    world->jumped = true;
    world->counts.jumps++;
    take_notice(world, world->now);
    scheduler_catch_up(world->scheduler, world->now);
}

/* People ask for runs and change their minds; the heartbeat repeats what is still asked for. */
static void ask(struct world *world)
{
    struct sim_job *it = &world->jobs[simulation_chance(0, (int64_t)world->job_count - 1)];
    if (it->asked_count < ASKED_MAX && simulation_one_in(2)) {
        enum run_kind kind = simulation_one_in(3) ? RUN_INSTALL : RUN_MANUAL;
        it->asked[it->asked_count++] = (struct asked){kind, world->now - simulation_chance(0, USEC_PER_SEC)};
    } else if (it->asked_count > 0 && simulation_one_in(2)) {
        it->asked_count--;
        world->withdrew = true;
    }
    for (size_t i = 0; i < it->asked_count; i++) {
        scheduler_request(world->scheduler, it->scheduled, it->asked[i].kind, it->asked[i].slot);
    }
}

static instant tick_at(const struct world *world)
{
    instant next = scheduler_next(world->scheduler);
    return next == INSTANT_NEVER ? INSTANT_NEVER : next + world->late;
}

static instant next_event(const struct world *world)
{
    instant next = world->dies_at < world->end ? world->dies_at : world->end;
    instant others[] = {tick_at(world), world->answer_pending ? world->answer_at : INSTANT_NEVER};
    for (size_t i = 0; i < 2; i++) {
        next = others[i] < next ? others[i] : next;
    }
    for (size_t i = 0; i < world->working_count; i++) {
        instant changes_at = world->jobs[world->working[i]].changes_at;
        next = changes_at < next ? changes_at : next;
    }
    return next;
}

static void sessions_change(struct world *world)
{
    for (size_t i = world->working_count; i-- > 0;) {
        struct sim_job *it = &world->jobs[world->working[i]];
        if (it->changes_at > world->now) {
            continue;
        }
        if (!write_passes(world)) { /* what was decided before is written before */
            return;
        }
        if (it->session == SESSION_RUNNING) {
            end_run(world, it);
        } else if (it->session == SESSION_UNKNOWN) {
            settle_unknown(world, it);
        }
    }
}

static void step(struct world *world)
{
    instant next = next_event(world);
    set_clock(world, next > world->now ? next : world->now);
    if (world->now >= world->dies_at) {
        die(world);
    }
    if (world->answer_pending && world->answer_at <= world->now) {
        answer_claims(world);
    }
    if (simulation_one_in(2)) {
        sessions_change(world);
    }
    if (tick_at(world) <= world->now) {
        tick(world);
    }
    if (simulation_one_in(60)) {
        ask(world);
    }
    if (simulation_one_in(4000) && write_passes(world)) {
        jump(world);
    }
    if (world->unsteady && world->now < world->end && simulation_one_in(50)) {
        drift(world);
    }
    if (world->steps_left > 0 && world->now < world->end && simulation_one_in(1000)) {
        step_back(world);
    }
    dispatch(world);
}

/* No more time passes: what is live ends, what was noted is decided, until nothing is left. */
static void drain(struct world *world)
{
    world->sessions = JOBS_MAX + 1;
    tick(world);
    dispatch(world);
    for (size_t rounds = 0; !scheduler_quiet(world->scheduler) || world->working_count > 0; rounds++) {
        REQUIRE(world, &world->jobs[0], rounds < 100000);
        for (size_t i = 0; i < world->job_count; i++) {
            struct sim_job *it = &world->jobs[i];
            if (it->session == SESSION_UNKNOWN && !it->live) {
                settle_unknown(world, it);
            } else if (it->live && it->session != SESSION_CLAIMED) {
                rise(world, it);
                simulation_end(world, it, RUN_FAILED);
                scheduler_ended(world->scheduler, it->scheduled, RUN_FAILED, 0, world->now);
            }
            write_passes(world);
        }
        if (world->answer_pending) {
            answer_claims(world);
        }
        dispatch(world);
    }
    judge_idleness(world);
}

static void judge_slots(struct world *world, const struct sim_job *it)
{
    REQUIRE(world, it, !it->live && it->asked_count == 0 && scheduled_idle(it->scheduled));
    for (size_t i = 0; i < it->slot_count; i++) {
        const struct slot *slot = &it->slots[i];
        REQUIRE(world, it, (slot->fate != UNDECIDED) == (slot->at <= world->end));
        REQUIRE(world, it, slot->ends == (slot->fate == CLAIMED));
    }
}

static void simulate(struct world *world)
{
    static const int64_t spans[] = {0, 1, 4, 30};
    int64_t days = spans[world->seed % 4];
    int64_t most = simulation_one_in(4) ? JOBS_MAX : 30;
    int64_t chained_one_in = simulation_chance(1, 4);
    duration span = days == 0 ? simulation_chance(1, 4) * USEC_PER_HOUR : days * USEC_PER_DAY;
    world->now = world->seen = START;
    world->end = START + span;
    world->unsteady = world->seed % 8 >= 4;
    world->steps_left = world->unsteady ? STEPS_BACK : 0;
    world->lives_most = span / simulation_chance(1, 12);
    world->sessions = (int)simulation_chance(1, SESSIONS_MAX);
    for (int64_t left = simulation_chance(1, most); left > 0; left--) {
        simulation_add_job(world, days, chained_one_in);
    }
    come_alive(world);
    while (world->now < world->end) {
        step(world);
    }
    drain(world);
    for (size_t i = 0; i < world->job_count; i++) {
        judge_slots(world, &world->jobs[i]);
        free(world->jobs[i].slots);
    }
    scheduler_destroy(world->scheduler);
}

START_TEST(every_slot_is_decided_exactly_once_whatever_happens)
{
    struct counts total = {0};
    int64_t *sums = (int64_t *)&total;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *world = xcalloc(1, sizeof(*world));
        world->seed = seed;
        simulation_seed(seed * UINT64_C(0x5851F42D4C957F2D));
        simulate(world);
        const int64_t *counts = (const int64_t *)&world->counts;
        for (size_t i = 0; i < sizeof(total) / sizeof(*sums); i++) {
            sums[i] += counts[i];
        }
        free(world);
    }
    for (size_t i = 0; i < sizeof(total) / sizeof(*sums); i++) {
        ck_assert_msg(sums[i] >= SEEDS / 40, "count %zu of struct counts is %lld: hardly tried", i, (long long)sums[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler_accounting");
    TCase *simulation = tcase_create(SUITE_IN_FULL);
    tcase_set_timeout(simulation, 240);
    tcase_add_test(simulation, every_slot_is_decided_exactly_once_whatever_happens);
    suite_add_tcase(suite, simulation);
    return suite_run(suite);
}
