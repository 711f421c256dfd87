/* SPDX-License-Identifier: PostgreSQL */
/* A simulated world for the scheduler: random jobs, an oracle of their slots, and a ledger in memory.
 *
 * The ledger moves cursors by compare-and-set as sql/functions/runs.sql does and judges all that it is asked to write:
 * no gate passed by, no slot decided twice, no overlap against the policy. The oracle tries every second or minute and
 * knows nothing of calendar/schedule.c. Whoever plays the daemon is in test_scheduler_accounting.c. */
#ifndef CHIME_TEST_SIMULATION_H
#define CHIME_TEST_SIMULATION_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/job.h"
#include "schedule/scheduler.h"

#define JOBS_MAX 200
#define UPSTREAMS_MAX 3
#define ASKED_MAX 3
#define LATE_MAX (4 * USEC_PER_SEC)
#define START INT64_C(1772236800000000) /* Saturday 2026-02-28: a month's end is never far */

enum fate { UNDECIDED, CLAIMED, SKIPPED, MISSED };

struct slot {
    instant at;
    enum fate fate;
    int ends;
};

struct asked {
    enum run_kind kind;
    instant slot;
};

enum sim_session { SESSION_NONE, SESSION_CLAIMED, SESSION_RUNNING, SESSION_UNKNOWN };

struct sim_job {
    char name[16];
    char text[128];
    struct job job;
    struct job_options options; /* the job's */
    const char *after[UPSTREAMS_MAX];
    size_t upstream[UPSTREAMS_MAX];
    int64_t fails_one_in;
    duration lasts_most;
    struct slot *slots;
    size_t slot_count;

    /* the ledger: chime.job_state, chime.run and chime.request */
    instant cursor;
    bool has_outcome;
    enum run_state last_outcome;
    instant missed_at; /* INSTANT_NONE: never */
    duration last_duration;
    bool live;
    enum run_kind kind;
    instant slot;
    instant missed_from; /* of this run: the first slot after it that was missed; INSTANT_NONE: there is none */
    bool missed_after;   /* of the last outcome */
    int attempt;
    bool has_session; /* chime.run.pid */
    instant retry_at;
    struct asked asked[ASKED_MAX];
    size_t asked_count;

    /* the daemon */
    struct scheduled *scheduled;
    enum sim_session session;
    instant changes_at; /* end of the run, or verdict */
    bool granted;

    /* for judging */
    instant claimed_at;
    instant ended_at;
    instant outcome_at;
    instant let_go_at; /* skipped for an upstream, or dropped */
    int64_t missing;   /* slots that the last start has to record as missed */
};

struct counts {
    int64_t claims, reclaims, overlaps, upstream_skips, missed, retries, doubts, lost, requests, dropped, unclaimed;
    int64_t deaths, deaths_before_passes, deaths_before_claims, deaths_before_answers, deaths_running, jumps, slots;
    int64_t drifts, steps_back, deaths_into_the_past;
};

struct world {
    uint64_t seed;
    instant now;    /* the database's clock as the daemon knows it: its own, and what they are apart */
    instant latest; /* the latest `now` since the clock was stepped back */
    instant end;
    int steps_left;  /* of those back: else a simulation has no end */
    bool unsteady;   /* the two clocks drift, and the database's is stepped back */
    bool stepped;    /* it was: what came before what is not known by times any more */
    instant seen;    /* slots up to here the scheduler was told of */
    instant ticked;  /* the last tick: retries that were due before have been seen */
    instant horizon; /* of the last catch-up */
    struct sim_job jobs[JOBS_MAX];
    size_t job_count;
    struct scheduler *scheduler;
    duration late; /* of the next tick */
    instant dies_at;
    duration lives_most;
    int sessions;
    size_t working[JOBS_MAX]; /* jobs with a session other than none */
    size_t working_count;
    bool answer_pending;
    instant answer_at;
    bool withdrew; /* a request that the scheduler does not know to be gone */
    bool jumped;   /* since the start: what is missing is not known */
    struct counts counts;
};

/* ck_assert writes to a pipe each time: too slow for what is checked millions of times. */
#define REQUIRE(world, it, condition)                                                                             \
    do {                                                                                                          \
        if (!(condition)) {                                                                                       \
            ck_abort_msg("seed %llu, %s (%s), %lld s after the start: %s", (unsigned long long)(world)->seed,     \
                         (it)->name, (it)->text, (long long)(((world)->now - START) / USEC_PER_SEC), #condition); \
        }                                                                                                         \
    } while (0)

/* Chance, the same for the same seed. */
void simulation_seed(uint64_t seed);
int64_t simulation_chance(int64_t low, int64_t high);
bool simulation_one_in(int64_t n);

/* The oracle: how many slots there are until then, and the first one later. */
size_t simulation_slots_until(const struct sim_job *it, instant until);
instant simulation_slot_after(const struct sim_job *it, instant after);
/* What the design calls unfinished, from the ledger alone. */
bool simulation_unfinished(const struct sim_job *it, instant slot);
bool simulation_blocked(const struct world *world, const struct sim_job *it, instant slot);

/* `days` 0: hours, with seconds. */
void simulation_add_job(struct world *world, int64_t days, int64_t chained_one_in);
struct sim_job *simulation_job(struct world *world, const struct scheduled *scheduled);

/* What sql/functions does (jobs, runs, requests). */
bool simulation_claim(struct world *world, struct sim_job *it, const struct due *due);
void simulation_pass(struct world *world, const struct skipped *passed);
void simulation_retry(struct world *world, struct sim_job *it, bool counts, instant retry_at);
void simulation_end(struct world *world, struct sim_job *it, enum run_state state);

#endif
