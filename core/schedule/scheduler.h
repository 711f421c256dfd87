/* SPDX-License-Identifier: PostgreSQL */
/* The scheduler of one database: decides what is due, with the time passed in.
 *
 * Does: keep every job's next slot in a heap; apply catch-up, jitter, overlap, starting deadlines, dependency upstream
 *   checks and joins, pools, priority, suspension; say which runs may start, which slots are skipped or missed and why.
 * Does not: any I/O, read a clock, or start anything. What it decides is done by the caller, who reports back.
 *
 * Every slot of a job is decided in order. `cursor` is the last decided slot, as in the ledger; beyond it
 *   (cursor, keep_through]        slots that will run, one after the other (catch-up, or buffered ones)
 *   (keep_through, skip_through]  slots that fell due meanwhile and will be skipped; recorded once the cursor gets
 *                                 there, so that a crash before finds all of them again by the cursor
 * With overlap_policy cancel_previous the newest slot alone runs: kept ones before it are skipped, and a live run of a
 *   slot, a decision or an event is to be cancelled as soon as another slot, decision or event of the job may start
 *   (its upstreams are done and let it). A run that was asked for is waited for. What a crash leaves is decided anew.
 * Phases of a job:
 *   IDLE      nothing due               WAITING   due, an upstream has to finish first
 *   READY     due, waits for a session or a slot of its pool   CLAIMING  the caller is writing the claim
 *   LIVE      claimed                   RETRYING  an attempt failed, the next has a time
 * A run holds a slot of its pool while CLAIMING and LIVE: waiting and retrying hold none.
 *
 * A missed slot counts as skipped for those after it: an upstream check sees it as the outcome, as long as none is
 * later; a join lets go of the upstream result from before it, and waits for another.
 *
 * Joins (job_is_join): an upstream result per upstream holds its latest outcome since the join's last decision. Once
 * every active upstream has one, the trigger rule decides: a run of kind DEPENDENCY is due and all upstream results go;
 * or the slot is skipped, naming the upstream, and the upstream results of successes stay. Its slot is the moment the
 * last upstream result came; the cursor is the last decided one. A run under way when the upstream results are complete
 * is followed by one more. A join stands open for those after it while any of its upstreams does. Runs of an upstream
 * count whatever their kind; of the join's own, only those of kind DEPENDENCY decide anything.
 *
 * A tick costs what is due, not what exists.
 *
 * Ownership: everything is the scheduler's, jobs included, but for their zones. Decisions are taken with the take
 * functions and stay valid until the next call that is not a take. */
#ifndef CHIME_SCHEDULE_SCHEDULER_H
#define CHIME_SCHEDULE_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"
#include "model/job.h"
#include "model/run.h"

struct scheduler;
struct scheduled; /* one job as the scheduler holds it; stable until it is forgotten */

/* What the ledger knows of a job. */
struct job_memory {
    int64_t job_id;
    int version;
    instant cursor;
    bool cursor_skipped; /* of a join: its last decision was a skip, so that successes before it still count */
    bool has_outcome;
    enum run_state last_outcome;
    instant outcome_at;     /* when that was; INSTANT_NONE: no outcome */
    instant missed_at;      /* when slots of it were missed last; INSTANT_NONE: never */
    bool missed_after;      /* slots after that of the last outcome were missed before it came about */
    instant last_end;       /* of its last run, whatever its kind: what @after counts from; INSTANT_NONE: never ran */
    duration last_duration; /* 0 unknown */
    int64_t failures;       /* runs in a row that ended failed, timed out or lost */
    bool suspended;
};

/* A run that may start now. For kinds that move the cursor (run_kind_moves) the ledger moves it from `cursor` to
 * `slot`. */
struct due {
    struct scheduled *scheduled;
    enum run_kind kind;
    instant slot;
    instant cursor;
    int attempt; /* 1 for the first */
    bool again;  /* the run is in the ledger already: it needs a session, not a claim */
    const char
        *payload; /* of a run of kind EVENT: the scheduler's, until the run has ended; NULL: none, or not known */
};

#define SKIPPED_REASON_SIZE 240

/* Slots decided without running: the ledger writes them and moves the cursor from `cursor` to `last`. */
struct skipped {
    struct scheduled *scheduled;
    enum run_kind kind; /* RUN_SCHEDULE; RUN_DEPENDENCY: one skipped decision of a join, at `last` */
    instant cursor;
    instant first;
    instant last;
    instant at;               /* when it was decided */
    int64_t count;            /* of missed slots; 0 for skipped ones, which are listed one by one */
    bool missed;              /* else skipped: one record for each slot in (cursor, last] of `schedule` */
    bool outcome;             /* counts as the job's outcome for those after it */
    struct schedule schedule; /* by which the slots are listed: the job's as it was then; its zone may be gone after the
                               * next call that is not a take */
    char reason[SKIPPED_REASON_SIZE];
};

/* A job that failed too often: suspended from now on; the ledger is to be told. */
struct suspension {
    struct scheduled *scheduled;
    char reason[SKIPPED_REASON_SIZE];
};

/* A live run whose job has overlap_policy cancel_previous, and whose successor may start once it has ended. */
struct cancellation {
    int64_t job_id;
    enum run_kind kind;
    instant slot;
    char reason[SKIPPED_REASON_SIZE]; /* names the successor */
};

struct scheduler *scheduler_create(void);
void scheduler_destroy(struct scheduler *scheduler);
/* A named limit of runs in flight; 0: none. Again to change it. A job whose pool is not known has no limit. */
void scheduler_pool(struct scheduler *scheduler, const char *name, int64_t limit);
int64_t scheduler_pool_held(const struct scheduler *scheduler, const char *name); /* by runs; 0 where none is known */
/* Before the first link: slots of the job were put on record as missed. */
void scheduler_note_missed(struct scheduled *it, instant at);
/* Notifications and changes are due at once: whoever waits for the end of all runs does not wait for more of them to
 * come together. */
void scheduler_hurry(struct scheduler *scheduler);
/* All jobs that there are were put, and linked. From now on: slots up to `now` are subject to catch-up. `server_start`
 * is the slot of @reboot. */
void scheduler_start(struct scheduler *scheduler, instant now, instant server_start);
/* The database's clock was stepped forward: slots up to `now` that nobody saw are subject to catch-up. */
void scheduler_catch_up(struct scheduler *scheduler, instant now);

/* It was stepped back: what waits for a time to come waits no longer than it would have. No slot is decided twice. */
void scheduler_step_back(struct scheduler *scheduler, instant now);

/* Takes note of every slot, event, retry and deadline that fell due up to `now`. */
void scheduler_tick(struct scheduler *scheduler, instant now);
/* When to tick next; INSTANT_NEVER when nothing is scheduled. */
instant scheduler_next(const struct scheduler *scheduler);
/* When the next slot falls due; INSTANT_NEVER: there is none. Unlike scheduler_next, of slots alone. */
instant scheduler_next_slot(const struct scheduler *scheduler);
/* Shows the idle jobs of which a slot falls due up to `until`, in no order, until the visitor answers false. Suspended
 * and inactive jobs have none. The visitor may not change the schedule. */
typedef bool scheduler_visitor(void *data, const struct scheduled *it);
void scheduler_visit_coming(const struct scheduler *scheduler, instant until, scheduler_visitor *visitor, void *data);
/* Asks for a run beside the schedule; it waits for a live run and for upstreams that run or are asked for. A suspended
 * job takes none (the ledger keeps the request). */
void scheduler_request(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot);
/* The same, and a suspended job takes it: for this run, and stays suspended. */
void scheduler_force(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot);
/* A live run of an idle job, found in the ledger: its next attempt is due at `retry_at`; INSTANT_NEVER while its
 * old session is still there, until scheduler_retry or scheduler_ended says more.
 * missed_after: slots after it are on record as missed already. */
void scheduler_adopt(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot, int attempt,
                     instant retry_at, bool missed_after);

/* The next run that may start, by priority, then slot, among those with a slot of their pool; it is CLAIMING from then
 * on. False when there is none. Owners (a role and where it connects to) take turns: of jobs of several, the next is of
 * the one that had the fewest in this round. */
bool scheduler_take_due(struct scheduler *scheduler, struct due *due);
bool scheduler_has_due(const struct scheduler *scheduler);
/* All owners have turns again. */
void scheduler_begin_round(struct scheduler *scheduler);
/* There is no session for this job: its owner has no further turn in this round. */
void scheduler_leave_out(struct scheduler *scheduler, const struct scheduled *it);
/* How many others of its owner and pool may start. */
size_t scheduled_waiting_beside(const struct scheduled *scheduled);
bool scheduler_take_skipped(struct scheduler *scheduler, struct skipped *passed);
bool scheduler_next_skipped_is_missed(const struct scheduler *scheduler);
bool scheduler_take_suspension(struct scheduler *scheduler, struct suspension *suspension);
/* The caller ends that run, if it is still the job's and under way: once for each of its attempts. */
bool scheduler_take_cancellation(struct scheduler *scheduler, struct cancellation *cancellation);

/* Reports of what became of a due. */
void scheduler_claimed(struct scheduler *scheduler, struct scheduled *it);
/* Not started after all; it is due again. */
void scheduler_unclaimed(struct scheduler *scheduler, struct scheduled *it);
/* The request was withdrawn: as if it had never been made. A slot, a decision or an event is due again. */
void scheduler_dropped(struct scheduler *scheduler, struct scheduled *it);
/* The slot is decided, and ran already while the clock was ahead. */
void scheduler_ran_ahead(struct scheduler *scheduler, struct scheduled *it);
/* Of a job with a schedule: its cursor was in the future and is there now. Slots since, up to `now`, are subject to
 * catch-up. */
void scheduler_rewind(struct scheduler *scheduler, struct scheduled *it, instant cursor, instant now);
/* The live run goes on with this attempt at `retry_at` (INSTANT_NEVER: not known yet, call again). */
void scheduler_retry(struct scheduler *scheduler, struct scheduled *it, int attempt, instant retry_at);
/* A chunk of the live run is done, and it goes on at once: behind those of its priority that are due by `now`. */
void scheduler_yield(struct scheduler *scheduler, struct scheduled *it, instant now);
/* The run ended at `at` with a final state; whoever waited is looked at again. When that outcome came about, for the
 * ledger: `at`, unless the clock was stepped back since a join was decided, or slots were missed. */
instant scheduler_ended(struct scheduler *scheduler, struct scheduled *it, enum run_state state, duration took,
                        instant at);
/* The ledger is being told how its run ended, as was decided at `at`: the joins that come after it decide nothing until
 * scheduler_retry or scheduler_ended says what became of it. Returns the instant of such an outcome, as scheduler_ended
 * does. */
instant scheduler_judge(struct scheduled *it, instant at);
/* The latest decision of the joins that come after it; INSTANT_NONE: there was none. */
instant scheduled_joined(const struct scheduled *it);

/* --- events
 * ----------------------------------------------------------------------------------------------------------------- A
 * job has at most one event pending: armed until its time has come, then due until it is claimed. It runs beside the
 * schedule, with a slot of its own: the moment it fell due, each one later than the last of the job and kind. */
/* Something happened outside of any schedule: `kind` is RUN_EVENT (a notification on one of the job's channels) or
 * RUN_CHANGE (its sources changed). `payload` is copied; NULL: something may have happened.
 *   EVENT   due `debounce` after the last one, at the latest `debounce_max` after the first. All until the claim is
 *           taken are one run with the last payload; those since are one more run behind it.
 *   CHANGE  due half the target_lag later, less the time that a run takes; at once where target_lag is 2 s or less; no
 *           earlier than backoff.max after a run that failed. Later ones do not move it. Ignored where something of the
 *           job is due, pending or live, and while nothing may start: whoever looks for changes tells again.
 * Together they are one run of kind EVENT, due when the first of the two is. While the job is suspended, withdrawn or
 * inactive, an EVENT is remembered and falls due once it is back. Retired jobs have none.
 * The run waits for upstreams that run or are asked for, and for those whose own event is pending at its slot or
 * before, through joins that will decide: of jobs that are told with the same `now` and debounce, upstreams go first.
 * It does not wait for what became due to an upstream later than to itself. Starting deadlines and trigger rules are
 * for slots. */
void scheduler_event(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, const char *payload,
                     instant now);

/* What the views need that read the views of this job (0: nothing). It counts from the next change on, and while the
 * job's target_lag is TARGET_LAG_DOWNSTREAM. */
#define SCHEDULED_LAG_UNTOLD (10 * USEC_PER_SEC)
void scheduled_inherit_lag(struct scheduled *scheduled, duration lag);

/* --- suspension by hand ------------------------------------------------------------------------------------------- */
/* Nothing more falls due; what has fallen due and has not started is skipped for that reason; a live run goes on,
 * retries included. Those after it treat it as inactive. Nothing happens when it is suspended already. */
void scheduler_suspend(struct scheduler *scheduler, struct scheduled *it, const char *reason, instant now);
/* Slots up to `now` are missed for that reason; failures are counted anew. Nothing happens when it is not suspended. */
void scheduler_resume(struct scheduler *scheduler, struct scheduled *it, const char *reason, instant now);
/* The suspension was over at `until`: only slots up to then are missed for that reason. Those since are due, or subject
 * to catch-up where it ended before the start. */
void scheduler_resume_since(struct scheduler *scheduler, struct scheduled *it, const char *reason, instant until,
                            instant now);

/* --- jobs come, change and go ------------------------------------------------------------------------------------ */

/* One of them or all, wherever they came from: withdraw what changes its slots or goes, take and write its skipped
 * slots, bring the jobs to the ledger; then put and remove, and link. What that costs grows with the upstreams and
 * downstreams of these jobs, not with how many others there are. From the first put or remove to the link nothing is
 * decided, and no run is CLAIMING. */

/* Before the ledger is told of a job that changes its schedule, sleeps or goes: what has fallen due and has not started
 * is skipped for that reason (slots that nobody has seen yet up to `now` too), and nothing more falls due until it is
 * put. */
void scheduler_withdraw(struct scheduler *scheduler, struct scheduled *it, const char *reason, instant now);
/* New, or in place of the one with that job_id, once that is linked: the job as it is now, which the scheduler holds,
 * and its memory as the ledger has it (the cursor only moves forward). A live run goes on; upstream results of
 * upstreams that stay are kept, but not by a join that wakes: it starts from its memory. A job that is switched off
 * lets go of its requests and of its event. */
struct scheduled *scheduler_put(struct scheduler *scheduler, const struct job *job, const struct job_memory *memory);
/* It has another name, or goes: until it is put again, or removed, nobody is found by the old one, or another job that
 * has it by now. */
void scheduler_release_name(struct scheduler *scheduler, const struct scheduled *it);
/* Its live run goes on, then it is forgotten (scheduler_forget). A further attempt is due at once, whatever it waits
 * for: the caller ends the run instead. Whoever came after it was put again, or is before the link. */
void scheduler_remove(struct scheduler *scheduler, struct scheduled *it);
/* After the last of these, and before anything else: `after` names resolve, without a cycle (scheduler_would_cycle),
 * and whoever may go on does; before the start nobody does. */
void scheduler_link(struct scheduler *scheduler, instant now);
/* Frees those removed jobs whose last run has ended and whose skipped slots were taken. */
void scheduler_forget(struct scheduler *scheduler);
/* Slots that fell due up to `until` are missed for that reason; those since are due. */
void scheduler_miss(struct scheduler *scheduler, struct scheduled *it, const char *reason, instant until, instant now);
bool scheduler_would_cycle(struct scheduler *scheduler, const struct scheduled *it, struct scheduled *upstream);
struct scheduled *scheduler_find_named(const struct scheduler *scheduler, const char *name); /* NULL: no such job */
/* Whether a job that is not forgotten yet is of that owner, in that database (NULL: the daemon's role; the database
 * itself). */
bool scheduler_has_owner(const struct scheduler *scheduler, const char *role, const char *target);
size_t scheduler_owner_count(const struct scheduler *scheduler);              /* in each database they are others */
const char *scheduler_owner(const struct scheduler *scheduler, size_t index); /* NULL: the daemon's role */
/* One of the jobs made by SQL whose next slot is another since it was taken last; NULL: there is none. */
struct scheduled *scheduler_take_armed(struct scheduler *scheduler);
instant scheduled_next_slot(const struct scheduled *scheduled); /* that has not fallen due; INSTANT_NEVER */
/* For whoever writes next slots down: nothing is to be written while the next one is at most that. INSTANT_NONE: anew;
 * as it is after each scheduler_put. */
void scheduled_note_slots(struct scheduled *scheduled, instant until);
instant scheduled_noted(const struct scheduled *scheduled);
size_t scheduled_downstream_count(const struct scheduled *scheduled);
struct scheduled *scheduled_downstream(const struct scheduled *scheduled, size_t index);

/* --- looking ------------------------------------------------------------------------------------------------------ */
const struct job *scheduled_job(const struct scheduled *scheduled);
int64_t scheduled_id(const struct scheduled *scheduled);
instant scheduled_cursor(const struct scheduled *scheduled);
int scheduled_version(const struct scheduled *scheduled);
duration scheduled_expected(const struct scheduled *scheduled); /* how long a run takes lately; 0 unknown */
/* How far behind its sources its views may be: its target_lag, or where that is TARGET_LAG_DOWNSTREAM, what
 * scheduled_inherit_lag was told last, and SCHEDULED_LAG_UNTOLD before. 0: changes do not wake it. */
duration scheduled_target_lag(const struct scheduled *scheduled);
/* Whether nothing of this job is due, live or waiting. */
bool scheduled_idle(const struct scheduled *scheduled);
bool scheduled_retired(const struct scheduled *scheduled); /* it was removed; scheduled_job is its last definition */
/* Whether its live run is this one. */
bool scheduled_is_at(const struct scheduled *scheduled, enum run_kind kind, instant slot);
/* Its current run; false when it has none. */
bool scheduled_run(const struct scheduled *scheduled, enum run_kind *kind, instant *slot, int *attempt);
/* Since when it could start, and has not: it waits for a session or a slot of its pool. INSTANT_NONE: it does not. */
instant scheduled_due_since(const struct scheduled *scheduled);
bool scheduled_lacks_slot(const struct scheduled *scheduled); /* its pool has none free */
/* Whether its live run waits for its next attempt: for the time, which is known, or for a session or a place. */
bool scheduled_waits_for_attempt(const struct scheduled *scheduled);
struct scheduled *scheduler_find(const struct scheduler *scheduler, int64_t job_id); /* NULL: not ours */
size_t scheduler_count(const struct scheduler *scheduler);
struct scheduled *scheduler_at(const struct scheduler *scheduler, size_t index); /* by job_id, retired ones included */
/* No job is due, live, or waiting, nor has an event that may fall due: what `serve --once` ends on. */
bool scheduler_quiet(const struct scheduler *scheduler);

#endif
