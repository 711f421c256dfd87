/* SPDX-License-Identifier: PostgreSQL */
/* A simulated month: jobs with every option mixed, their slots by the C library's clock, a ledger in memory that
 * foresees every decision, and a daemon that now and then is not there.
 *
 * The slots are the wall oracle's (support/schedule/wall_oracle.h) or plain arithmetic, never core/calendar's. What is
 * to become of each is foreseen from docs/jobs.md the moment it falls due or its turn comes (month_plans.c), before the
 * scheduler is asked; what the scheduler then does must be that. Time is exact: a tick comes when the scheduler wants
 * it, and no two events happen at once. A mirror, when there is one, is told all that the ledger is told. */
#ifndef CHIME_TEST_MONTH_H
#define CHIME_TEST_MONTH_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/ledger.h"
#include "model/job.h"
#include "schedule/scheduler.h"
#include "support/schedule/random_schedule.h"
#include "support/schedule/wall_oracle.h"

#define MONTH_JOBS 200
#define MONTH_UPSTREAMS 3
#define MONTH_POOLS 3
#define MONTH_SESSIONS 16
#define MONTH_START INT64_C(1772755200000000)       /* 2026-03-06: clocks go forward on the 8th and the 29th */
#define MONTH_END (MONTH_START + 31 * USEC_PER_DAY) /* 2026-04-06: and back on the 5th, in the south */
#define MONTH_FIRST_ID 1000

enum month_form { MONTH_LISTED, MONTH_DELAY, MONTH_REBOOT, MONTH_JOIN };
enum month_fate { MONTH_UNDECIDED, MONTH_CLAIMED, MONTH_SKIPPED, MONTH_MISSED };

/* What is foreseen of a slot that fell due. */
enum month_plan {
    PLAN_NONE,
    PLAN_KEEP,     /* it runs, unless its turn finds it late or its upstreams forbid it */
    PLAN_OVERLAP,  /* skipped by the overlap policy */
    PLAN_CATCHUP,  /* missed by the catch-up options */
    PLAN_GIVEN_UP, /* skipped because the job was suspended */
    PLAN_SLEPT,    /* missed because it was suspended then */
    PLAN_RUN,      /* its turn came, and it runs */
    PLAN_REFUSED,  /* its turn came, and the trigger rule forbids it */
};

struct month_slot {
    instant at;
    enum month_plan plan;
    enum month_fate fate;
    enum run_state state; /* how it ended */
    bool ended;
    bool unsure; /* something before it was decided at the same instant: either may go first */
};

enum month_mark { MONTH_MARK_NONE, MONTH_MARK_FRESH, MONTH_MARK_SPENT, MONTH_MARK_KEPT };

struct month_upstream {
    size_t job;
    enum month_mark mark; /* of a join */
    enum run_state outcome;
    instant at;
};

struct month_job {
    char name[48];
    char text[400];
    struct job job;
    struct job_options options; /* the job's */
    const char *after[MONTH_UPSTREAMS];
    struct month_upstream upstream[MONTH_UPSTREAMS];
    enum month_form form;
    int pool; /* -1: none of those with a limit */
    int64_t fails_one_in;
    duration lasts_most;
    duration jitter; /* of this job, once a scheduler was asked */

    /* Slots in order. Those of a schedule are all there from the beginning, others since they fell due. */
    struct month_slot *slots;
    size_t slot_count;
    size_t slot_capacity;
    size_t next;  /* the first that is not decided */
    size_t noted; /* the first that has not fallen due */
    bool wants_news;
    instant
        unsure_at; /* of a join: when several things came about at once that it takes in one by one or together; NONE */
    instant counted_from; /* of @after */

    /* the ledger: chime.job_state and chime.run */
    struct job_memory memory;
    bool live;
    enum run_kind kind;
    instant slot;
    instant missed_from; /* of this run: the first slot after it that was missed; INSTANT_NONE: there is none */
    int attempt;
    bool has_session;
    bool unfinished; /* its session was of an earlier leader: it holds no slot of its pool */
    bool committed;  /* by a leader that did not live to hear of it */
    instant retry_at;
    int64_t runs, successes, failures, skips, missed, attempts, rows;

    /* the daemon */
    struct scheduled *scheduled;
    instant ends_at;    /* of the attempt under way */
    instant resumes_at; /* INSTANT_NONE: not suspended, or nobody thought of it yet */
};

struct month_counts {
    int64_t runs, failures, timeouts, cancelled, lost, retries, overlaps, refusals, late, catch_ups, caught_up,
        suspensions, resumes, slept, given_up, joins, join_refusals, full_pools, full_sessions, deaths,
        deaths_unsuspended, delays, reboots, once, gated, not_logged, turns;
    int64_t unsure, join_suspensions; /* of the turns, those that may end either way */
};

struct month;

/* A second ledger. Memories and verdicts that it gives back are compared with those of the first. */
struct month_mirror {
    void (*start)(void *data, struct month *month); /* leads anew; then compares or answers memories */
    void (*claim)(void *data, struct month *month, const struct due *dues, size_t count);
    void (*finish)(void *data, struct month *month, const struct ledger_finish *finish);
    void (*pass)(void *data, struct month *month, const struct skipped *passed, size_t count);
    void (*suspend)(void *data, struct month *month, const struct suspension *suspension);
    void (*resume)(void *data, struct month *month, struct month_job *it);
    void (*commit)(void *data, struct month *month, const struct month_job *it); /* the work is done, nobody was told */
    void (*adopt)(void *data, struct month *month); /* the verdicts, as month_adopt will apply them */
};

struct month {
    uint64_t seed;
    struct random chance;
    instant start;
    instant end;
    instant now;
    instant server_start;
    instant dies_at;
    struct month_job jobs[MONTH_JOBS];
    size_t job_count;
    struct scheduler *scheduler;
    int64_t pool_limits[MONTH_POOLS];
    int64_t pool_held[MONTH_POOLS];
    size_t sessions[MONTH_SESSIONS];
    size_t session_count;
    struct wall_window *windows[16]; /* of the zones */
    struct zones *zones;
    const struct month_mirror *mirror;
    void *mirror_data;
    struct month_counts counts;
};

/* ck_assert writes to a pipe each time: too slow for what is checked millions of times. */
#define MONTH_REQUIRE(month, it, condition)                        \
    do {                                                           \
        if (!(condition)) {                                        \
            month_fail(month, it, #condition, __LINE__, __FILE__); \
        }                                                          \
    } while (0)
void month_fail(const struct month *month, const struct month_job *it, const char *condition, int line,
                const char *file) __attribute__((noreturn));

int64_t month_chance(struct month *month, int64_t low, int64_t high);
bool month_one_in(struct month *month, int64_t n);

/* --- month_jobs.c: the jobs, and their slots --- */
extern const char *const month_pools[MONTH_POOLS];
void month_make_jobs(struct month *month, size_t count);
void month_free_jobs(struct month *month);

/* --- month_plans.c: what is to become of the slots --- */
bool month_active(const struct month_job *it);
/* The first slot that is not decided, due or not; INSTANT_NEVER. */
instant month_next_slot(const struct month *month, const struct month_job *it);
/* When a slot falls due. */
instant month_due(const struct month_job *it, size_t index);
/* Whether it is too late for the slot to start. */
bool month_is_late(const struct month *month, const struct month_job *it, instant slot);
/* Slots that fall due now. */
void month_note(struct month *month);
/* At the beginning of a leadership. */
void month_plan_catch_up(struct month *month);
/* What is undecided is given up (a suspension), or was slept through (its end). */
void month_plan_surrender(struct month *month, struct month_job *it, enum month_plan plan);
/* Whoever's turn has come since the ledger changed: the trigger rules. */
void month_take_turns(struct month *month);
/* Whether somebody has to wait although nothing holds him back: for the end of a dispatch with sessions to spare. */
void month_require_idleness(const struct month *month);
/* Whether its next slot waits for an upstream. */
bool month_waits(const struct month *month, const struct month_job *it);

/* --- month_joins.c: the marks of joins --- */
void month_mark_downstream(struct month *month, const struct month_job *it, enum run_state state, instant at);
/* When an outcome of now comes about, joins being decided up to then. */
instant month_outcome_time(const struct month *month, const struct month_job *it, instant joined);
void month_unmark_downstream(struct month *month, const struct month_job *it);
void month_rebuild_marks(struct month *month);
bool month_join_complete(const struct month *month, const struct month_job *it);
void month_join_turn(struct month *month, struct month_job *it);
/* A decision that nobody could foresee for sure: it has to be one that was possible. */
void month_join_settle(const struct month *month, struct month_job *it, instant slot, enum month_plan plan);
void month_join_decided(struct month_job *it, bool ran, bool by_upstream);
/* An upstream whose next slot is skipped at once has another outcome at once: that one counts. */
bool month_upstream_is_passing(const struct month *month, const struct month_job *it);
/* A join of which nobody knows whether it stands open. */
bool month_upstream_is_unsure(const struct month *month, const struct month_job *it);
bool month_rule_holds(const struct month *month, const struct month_job *it);

/* --- month_ledger.c: the ledger in memory; each call requires what was foreseen --- */
struct month_job *month_job_of(struct month *month, const struct scheduled *scheduled);
void month_claim(struct month *month, struct month_job *it, const struct due *due);
bool month_foresaw(const struct month *month, const struct month_job *it, const struct skipped *passed);
void month_pass(struct month *month, const struct skipped *passed);
void month_finish(struct month *month, struct month_job *it, enum run_state state, bool adopted);
void month_retry(struct month *month, struct month_job *it, bool another, instant retry_at);
void month_suspend(struct month *month, struct month_job *it, const char *reason);
void month_resume(struct month *month, struct month_job *it);

/* --- month_daemon.c --- */
/* Lives through all of it; at the end every slot is decided and every run has ended. */
void month_live(struct month *month);
void month_require_end(const struct month *month);
/* What an unfinished run gets: INSTANT_NONE when it is lost. */
instant month_orphan_retry(const struct month *month, const struct month_job *it);

#endif
