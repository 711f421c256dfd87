/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/schedule: what the scheduler remembers, and what its files offer each other.
 *
 * Each file needs files above it in this list, and none below (script/check-circles):
 * scheduled.c      what one job is and does just now        names.c       which job has a name
 * list.c           lists of jobs                            timeline.c    a job's slots, and the timer
 * join.c           upstream results                         pool_slots.c  pools and the lines for them
 * phase.c          the one place where a phase changes      requests.c    runs that were asked for
 * decision.c       what is decided without running          upstream_check.c upstreams and trigger rules
 * wait.c           what a run waits for; deadlines          catch_up.c    overlap, what was missed, catch-up
 * event.c          what happens outside of any schedule     supersede.c   overlap_policy cancel_previous
 * agenda.c         what a job does next                     suspend.c     suspension
 * state.c          life                                     link.c        `after` names to pointers
 * definition.c     another definition of a job              job_set.c     which jobs there are
 * scheduler.c      the caller's calls and reports
 *
 * Whatever may let another job go on puts those after it on the agenda; every call from outside ends with agenda_run.
 * So nothing recurses, however long a chain is. */
#ifndef CHIME_SCHEDULE_STATE_H
#define CHIME_SCHEDULE_STATE_H

#include <stddef.h>

#include "base/heap.h"
#include "schedule/scheduler.h"

enum phase { PHASE_IDLE, PHASE_WAITING, PHASE_READY, PHASE_CLAIMING, PHASE_LIVE, PHASE_RETRYING };

#define PRIORITY_BACKFILL 10 /* behind whatever has an option `priority` */
#define PRIORITY_COUNT 11

/* What a join holds of an upstream. */
enum upstream_result {
    RESULT_NONE,
    RESULT_FRESH, /* an outcome since the last decision */
    RESULT_SPENT, /* part of the decision that is due: gone once that is claimed */
    RESULT_KEPT,  /* a success that a skipped decision left */
};

struct upstream {
    struct scheduled *job;
    size_t place; /* of us among its downstreams */
    enum upstream_result result;
    enum run_state outcome; /* of the upstream result */
    instant at;
};

struct downstream {
    struct scheduled *job;
    size_t place; /* which of its upstreams we are */
};

struct request {
    enum run_kind kind;
    instant slot;
};

/* Notifications that came while a run of earlier ones waited for its upstreams. */
struct wake_next {
    bool noted;
    instant first;
    instant last;
    char *payload;
};

/* What happened outside of any schedule (libevent has `struct event`, and event_free). A job has one from its first
 * event on. */
struct wake {
    struct heap_node node; /* key: when it falls due, while that is to come */
    struct scheduled *job;
    bool pending;
    bool due;     /* while pending: its time has come, `slot` */
    bool counted; /* in the scheduler's event_count */
    enum run_kind kind;
    instant first; /* notification of the burst, and the last one */
    instant last;
    instant by; /* due by then whatever comes: a change is part of it, or it was due before; INSTANT_NEVER: neither */
    instant slot;
    instant last_slot[2]; /* of kind EVENT, of kind CHANGE */
    char *payload;        /* of what is pending */
    char *running;        /* of the current run, from its claim to its end */
    struct wake_next next;
};

struct pool {
    const char *name; /* NULL: no limit, for whoever names no known pool */
    int64_t limit;    /* 0: none */
    int64_t held;
};

/* Whose sessions its jobs run on. */
struct owner {
    char *role;     /* NULL: the daemon's own */
    char *target;   /* NULL: the database itself */
    size_t lines;   /* his; with the last one he goes */
    uint64_t round; /* of which the next two are */
    size_t taken;   /* turns it had */
    bool passed_over;
};

struct line {
    struct pool *pool;
    struct owner *owner;
    size_t jobs; /* that would stand here; with the last one it goes */
    size_t count;
    size_t place; /* among the lines where somebody stands */
    struct heap heaps[PRIORITY_COUNT];
};

struct scheduled {
    struct heap_node slot_node; /* key: when `armed` falls due */
    struct heap_node ready_node;
    struct heap_node retry_node;
    struct heap_node deadline_node;
    const struct job *job; /* held */
    int64_t job_id;
    int version;
    enum phase phase;
    enum run_kind kind; /* of the current run, when not idle */
    int attempt;
    bool again; /* the current run is in the ledger already */
    bool join;
    bool linked_as_join; /* its upstreams hold upstream results */
    bool cursor_skipped;
    bool
        wants_news; /* the last decision was skipped, by no fault of an upstream: another takes a new upstream result */
    bool suspended;
    bool withdrawn;
    bool retired;
    bool changed;   /* since the last link */
    bool forgotten; /* about to be freed */
    bool on_agenda;
    bool on_armed;
    bool superseded; /* its attempt is to be cancelled for its successor */
    bool judged;     /* how its run ended is on its way to the ledger: no join decides before that is known */
    bool has_outcome;
    enum run_state last_outcome;
    instant outcome_at;
    instant missed_at;
    bool missed_after; /* slots after that of the last outcome were missed before it came about */
    instant last_end;
    int64_t failures;
    instant slot;            /* of the current run */
    instant run_missed_from; /* the first slot that was missed after the current run's; INSTANT_NONE: there is none */
    instant armed;
    instant noted; /* while `armed` is at most that, what is written of its slots will do */
    instant cursor;
    instant keep_through;
    instant skip_through;
    char *skip_reason;    /* why (keep_through, skip_through] will be skipped; NULL when there is none */
    instant counted_from; /* of @after: its last slot was decided then without running */
    instant caught_up_at;
    instant stands;   /* its place in its line: its slot, or when it gave way last */
    instant began;    /* when the current run was taken to be claimed first */
    instant freed_at; /* when the last run made room for another */
    duration jitter;  /* of this job */
    duration expected;
    duration inherited_lag; /* as scheduled_inherit_lag was told */
    struct pool *pool;
    struct line *line;
    size_t priority;
    struct wake *wake; /* NULL: there never was one */
    struct request *requests;
    size_t request_count;
    struct upstream *upstream;
    size_t upstream_count;
    struct downstream *downstream;
    size_t downstream_count;
    size_t downstream_capacity;
    uint64_t walk;            /* the last walk that came by */
    struct upstream *carried; /* while linking */
};

#define SCHEDULED_OF(node, member) ((struct scheduled *)(void *)((char *)(node)-offsetof(struct scheduled, member)))

struct scheduled_list {
    struct scheduled **items;
    size_t count;
    size_t capacity;
};

/* Jobs that are not retired, by name. Two may have the same while one that was renamed has not been heard of yet. */
struct name_table {
    struct scheduled **slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

struct scheduler {
    struct scheduled_list all; /* by job_id; before the start from the first link on */
    size_t sorted_count;       /* how many of them are sorted: those added since come behind */
    instant now;               /* the largest instant that was passed in since the clock was stepped back */
    instant server_start;
    bool hurried;
    instant started_at; /* before that nothing led; INSTANT_NONE until then */
    struct heap slots;
    struct heap retries;
    struct heap deadlines;
    struct heap events;
    struct pool **pools; /* the first one has no name */
    size_t pool_count;
    struct owner **owners;
    size_t owner_count;
    struct line **lines;
    size_t line_count;
    struct line **ready; /* where somebody stands; room for all */
    size_t ready_count;
    uint64_t round;
    struct name_table names;
    struct scheduled_list changed; /* put, and not yet linked */
    struct scheduled_list gone;    /* removed, and not yet forgotten */
    struct scheduled_list armed;   /* jobs made by SQL whose next slot is another */
    struct scheduled_list agenda;
    struct scheduled_list walked; /* scratch of a walk upstream */
    struct scheduled_list late;   /* scratch of wait_advance: who is late, and the upstream it waited for or NULL */
    uint64_t walk;
    struct skipped *passed;
    size_t skipped_count;
    size_t skipped_taken;
    size_t skipped_capacity;
    struct suspension *suspensions;
    size_t suspension_count;
    size_t suspension_taken;
    struct cancellation *cancellations;
    size_t cancellation_count;
    size_t busy_count;    /* jobs that are not idle */
    size_t request_count; /* of all jobs */
    size_t event_count;   /* jobs with an event that may fall due, or has */
};

/* --- scheduled.c -------------------------------------------------------------------------------------------------- */

/* Whether slots of its own fall due. */
bool scheduled_enabled(const struct scheduled *it);
/* Whether those after it look at it: a job that is being replaced still counts. */
bool scheduled_active(const struct scheduled *it);
/* Whether a slot was missed since its last outcome. */
bool scheduled_missed(const struct scheduled *it);
/* Whether it is due, and not yet in the ledger or on the way to it. */
bool phase_is_unstarted(const struct scheduled *it);
/* Whether the claim of a slot or decision is on its way: nothing beyond it can be decided. */
bool phase_is_claiming_slot(const struct scheduled *it);
/* Whether somebody waits for a request of it: those of backfills stand behind the others. */
bool scheduled_is_asked_for(const struct scheduled *it);
/* Whether its current run is of a backfill: nobody waits for that. */
bool scheduled_backfills(const struct scheduled *it);
bool wake_is_of(enum run_kind kind); /* of a notification or a change */
/* Whether something of it is pending at `until` or before, and will run. */
bool wake_is_pending(const struct scheduled *it, instant until);
bool wake_is_due(const struct scheduled *it);
/* Whether the current run is of one. */
bool wake_runs(const struct scheduled *it);
instant wait_deadline(const struct scheduled *it, instant slot); /* INSTANT_NEVER: none */
/* Until when a job that fails is not tried again for a change; INSTANT_NONE where its last run was well. */
instant failing_until(const struct scheduled *it);
/* Whether a slot of a refresh passes because the tries before it failed, and why. */
bool failing_skips(const struct scheduled *it, instant slot, char reason[static SKIPPED_REASON_SIZE]);

/* --- list.c ------------------------------------------------------------------------------------------------------- */

void list_add(struct scheduled_list *list, struct scheduled *it);
void list_sort(struct scheduler *scheduler); /* all, by job_id */
/* Where it is, or would be, among the sorted ones. */
size_t list_place(const struct scheduler *scheduler, int64_t job_id);

/* --- state.c ------------------------------------------------------------------------------------------------------ */

struct scheduled *scheduled_create(struct scheduler *scheduler, const struct job *job, const struct job_memory *memory);
/* What a job takes from its definition, which it holds from now on. */
void scheduled_define(struct scheduler *scheduler, struct scheduled *it, const struct job *job);
void scheduled_free(struct scheduler *scheduler, struct scheduled *it);

/* --- phase.c ------------------------------------------------------------------------------------------------------ */

void agenda_add(struct scheduler *scheduler, struct scheduled *it);
void agenda_add_downstream(struct scheduler *scheduler, const struct scheduled *it);
/* Moves it between the lines, counts places, and tells those after it. */
void phase_set(struct scheduler *scheduler, struct scheduled *it, enum phase phase);
/* A next attempt whose time is known waits for it no longer. */
void retry_at_once(struct scheduler *scheduler, struct scheduled *it);

/* --- requests.c --------------------------------------------------------------------------------------------------- */

/* Those of backfills stand behind all others: they wait until nothing else of the job is due. */
bool requests_has(const struct scheduled *it, enum run_kind kind, instant slot); /* or runs it */
void requests_add(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot);
struct request requests_take(struct scheduler *scheduler, struct scheduled *it); /* there is one */
/* A request that had its turn waits again, first in line of its sort. */
void requests_put_back(struct scheduler *scheduler, struct scheduled *it);
void requests_drop(struct scheduler *scheduler, struct scheduled *it);

/* --- timeline.c --------------------------------------------------------------------------------------------------- */

/* At most one slot is not decided, and the calendar alone does not know which. */
bool timeline_has_one_slot(const struct scheduled *it);
/* When a slot falls due. */
instant timeline_start(const struct scheduled *it, instant slot);
/* The first slot that is not decided, due or not; INSTANT_NEVER. */
instant timeline_first(const struct scheduler *scheduler, const struct scheduled *it);
/* The last one that is not decided and lies at or before `until`, or has fallen due by then; INSTANT_NONE. */
instant timeline_latest(const struct scheduler *scheduler, const struct scheduled *it, instant until);
instant timeline_latest_due(const struct scheduler *scheduler, const struct scheduled *it, instant until);
/* The first slot in (cursor, last], of which `last` is one, and how many there are. */
instant timeline_first_until(const struct scheduled *it, instant last);
int64_t timeline_count(const struct scheduled *it, instant last);
/* The last slot that was noted. */
instant timeline_seen(const struct scheduled *it);
/* Sets the timer for the next slot that has not been noted. */
void timeline_arm(struct scheduler *scheduler, struct scheduled *it);

/* --- catch_up.c --------------------------------------------------------------------------------------------------- */

/* The armed slot fell due: it will run, or be skipped. */
void timeline_note(struct scheduler *scheduler, struct scheduled *it);
/* Those that are not decided and have fallen due by `until` are missed. A slot whose claim is on its way comes first:
 * those behind it are left to the tick. */
void timeline_miss(struct scheduler *scheduler, struct scheduled *it, instant until, const char *reason);
/* Decides the slots up to now that passed while nothing led; the second beside a live run too. */
void timeline_catch_up(struct scheduler *scheduler, struct scheduled *it);
void timeline_catch_up_now(struct scheduler *scheduler, struct scheduled *it);

/* --- decision.c --------------------------------------------------------------------------------------------------- */

/* Decides (cursor, last]. `outcome`: those after it see that it was skipped. */
void decision_skip(struct scheduler *scheduler, struct scheduled *it, instant last, bool outcome, const char *reason);
void decision_miss(struct scheduler *scheduler, struct scheduled *it, instant last, const char *reason);
/* Slots noted for skipping are recorded as soon as every kept one before them is claimed. */
void decision_flush(struct scheduler *scheduler, struct scheduled *it);
/* What has fallen due and has not started is skipped; so are slots up to `through` that nobody noted. */
void decision_abandon(struct scheduler *scheduler, struct scheduled *it, instant through, const char *reason);
/* The run ended at `at`, and its outcome is set: whether slots after it were missed meanwhile. */
void decision_note_overtaken(struct scheduled *it, instant at);
instant outcome_set(struct scheduler *scheduler, struct scheduled *it, enum run_state state, instant at);

/* --- upstream_check.c --------------------------------------------------------------------------------------------- */

/* The upstream that the slot has to wait for; NULL when none. */
struct scheduled *upstream_check_blocking(struct scheduler *scheduler, const struct scheduled *it, instant slot);
bool upstream_check_blocks_requests(const struct scheduled *it);
bool upstream_check_blocks_event(struct scheduler *scheduler, const struct scheduled *it, instant slot);
/* Whether its trigger rule forbids the run, and why. */
bool upstream_check_refuses(const struct scheduled *it, char reason[static SKIPPED_REASON_SIZE]);

/* --- join.c ------------------------------------------------------------------------------------------------------- */

void join_note_result(struct scheduled *upstream, enum run_state state, instant at);
void join_drop_result(const struct scheduled *upstream); /* its last slot was missed */
/* What the ledger's memory of an upstream amounts to. */
void join_rebuild_result(const struct scheduled *it, struct upstream *upstream);
void join_rebuilt(struct scheduled *it);
/* Whether a decision is due. */
bool join_complete(const struct scheduled *it);
instant join_slot(const struct scheduled *it);
void join_spend(struct scheduled *it, instant slot); /* what the decision goes by */
void join_unspend(struct scheduled *it);             /* it was none */
void join_claimed(struct scheduled *it);
void join_skipped(struct scheduled *it, bool by_upstream);

/* --- wait.c ------------------------------------------------------------------------------------------------------- */

/* Why a slot beside the current run is skipped; caller frees. */
char *wait_overlap_reason(struct scheduler *scheduler, const struct scheduled *it);
/* A slot whose turn comes after its deadline. */
void wait_skip_late(struct scheduler *scheduler, struct scheduled *it, instant slot);
/* Time has come to `now`: what waits beyond its deadline is skipped. */
void wait_advance(struct scheduler *scheduler, instant now);

const char *wait_name_run(enum run_kind kind); /* "run of slot", "run of the notification at", ... */

/* --- event.c ------------------------------------------------------------------------------------------------------ */

void wake_free(struct wake *wake); /* takes NULL */
/* Whether its run, which is ready, has to wait after all: an upstream's fell due. */
bool wake_must_wait(struct scheduler *scheduler, const struct scheduled *it);
/* The job may have been switched on or off: its timer follows, and what nobody remembers goes. */
void wake_arm(struct scheduler *scheduler, struct scheduled *it);
void wake_drop(struct scheduler *scheduler, struct scheduled *it);
void wake_shift(struct scheduler *scheduler, struct scheduled *it, duration by); /* the clock was stepped */
/* Time has come to `now`. */
void wake_advance(struct scheduler *scheduler);
/* The claim of the current run is on its way: what happens from now on is another's. It came to nothing: the run serves
 * what happened since, too. */
void wake_taken(struct scheduler *scheduler, struct scheduled *it);
void wake_untaken(struct scheduler *scheduler, struct scheduled *it);
/* A notification with its payload, or a change of sources: its timer follows. */
void wake_note(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, const char *payload);
/* A run of an earlier leader: slots go on behind it. */
void wake_adopted(struct scheduled *it);
void wake_ended(struct scheduled *it);
const char *wake_payload(const struct scheduled *it); /* of the current run */

/* --- supersede.c -------------------------------------------------------------------------------------------------- */

/* With overlap_policy cancel_previous: skips older kept slots, and notes a live run that is to be cancelled. */
void supersede(struct scheduler *scheduler, struct scheduled *it);

/* --- pool_slots.c ------------------------------------------------------------------------------------------------- */

void pool_slots_finish(struct scheduler *scheduler);
/* Its pool, line and priority: while it stands in none. */
void pool_slots_define(struct scheduler *scheduler, struct scheduled *it);
void pool_slots_leave(struct scheduler *scheduler, struct scheduled *it); /* it goes */
bool pool_has_slot(const struct pool *pool);
struct scheduled *pool_slots_next(const struct scheduler *scheduler); /* whose turn it is; NULL: nobody's */
/* From one phase to another: places, and the line of those that are ready. */
void pool_slots_follow(struct scheduler *scheduler, struct scheduled *it, enum phase from, enum phase to);

/* --- names.c ------------------------------------------------------------------------------------------------------ */

void names_put(struct name_table *names, struct scheduled *it);        /* it must not be there */
void names_take(struct name_table *names, const struct scheduled *it); /* nothing happens when it is not there */
struct scheduled *names_find(const struct name_table *names, const char *name); /* the first that came; NULL: none */
void names_finish(struct name_table *names);

/* --- suspend.c ---------------------------------------------------------------------------------------------------- */

/* It suspends itself when it has failed too often. `noted`: slots may have fallen due before. */
void suspend_if_failing(struct scheduler *scheduler, struct scheduled *it, bool noted);

/* --- link.c ------------------------------------------------------------------------------------------------------- */

/* Finds its upstreams by name; upstream results of those that stay are carried over. */
void link_one(struct scheduler *scheduler, struct scheduled *it);
void link_none(struct scheduled *it);

/* --- definition.c ------------------------------------------------------------------------------------------------- */

/* The memory is the ledger's; ours goes on where it is newer. */
void scheduled_redefine(struct scheduler *scheduler, struct scheduled *it, const struct job *job,
                        const struct job_memory *memory);

/* --- agenda.c ----------------------------------------------------------------------------------------------------- */

/* Looks at whoever may go on. */
void agenda_run(struct scheduler *scheduler);

#endif
