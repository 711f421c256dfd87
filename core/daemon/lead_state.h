/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/daemon: what a leadership holds. lead.c owns its life, leadership.c is what all files ask of it,
 * dispatch.c moves runs, recovery.c what was left, apply_reload.c brings another catalog in, requests.c does what
 * people ask for. */
#ifndef CHIME_DAEMON_LEAD_STATE_H
#define CHIME_DAEMON_LEAD_STATE_H

#include "base/log_fold.h"
#include "daemon/expired.h"
#include "daemon/job_pings.h"
#include "daemon/lead.h"
#include "daemon/roles.h"
#include "daemon/sql_job_status.h"
#include "daemon/sql_jobs.h"
#include "daemon/sql_placing.h"
#include "daemon/totals.h"
#include "ledger/install.h"
#include "ledger/sync.h"
#include "schedule/scheduler.h"

/* A claim on its way: the queue it was made for, NULL once that queue broke, or where the run is to fail. */
struct pending_claim {
    struct due due;
    struct run_queue *queue;
    char *failure;     /* why there is no session; NULL: there is one */
    duration expected; /* as reserved */
};

/* An end to be written; owns its texts. */
struct pending_finish {
    struct scheduled *scheduled;
    struct ledger_finish finish;
    int attempt;
    char *message;
    char *reason;
};

/* A run whose session went without an answer. */
struct unknown_outcome {
    struct scheduled *scheduled;
    enum run_kind kind;
    instant slot;
    int attempt;
    bool too_large; /* its session was ended for what it was sent */
    bool asked;     /* a sweep that was sent after the outcome became unknown is under way */
};

struct lead;
typedef void recovery_callback(struct lead *lead);

/* The jobs of a catalog as they are in one database. */
struct job_list {
    const struct job **items; /* sorted by name */
    size_t count;
    struct arena *asleep; /* inactive copies of those whose plugin is dormant */
};

struct lead {
    struct loop *loop;
    struct resolver *resolver;
    struct job_pings *pings; /* of all databases */
    const struct config_database *database;
    struct snapshot *snapshot; /* held; `database` is of it */
    struct ledger ledger;
    const struct lead_handlers *handlers;
    void *data;

    struct install *install; /* while it is under way, at the start */
    struct plugin_states plugins;
    struct job_list jobs;                  /* at the start, until the ledger has them */
    struct ledger_sync *sync;              /* while jobs go to the ledger */
    struct listener *listener;             /* NULL until the schedule starts */
    struct upkeep *upkeep;                 /* likewise */
    struct alerts *alerts;                 /* likewise */
    struct notifications *notifications;   /* likewise */
    struct heartbeat_ping *heartbeat_ping; /* likewise */
    struct reload *reload;                 /* another catalog on its way in; NULL: none */
    bool reload_writes;                    /* the scheduler is about to have other jobs: nothing is put into it */
    struct totals *totals;
    struct pulse *pulse;
    struct loop_timer *wake_timer;
    struct scheduler *scheduler; /* NULL until the ledger was read */
    bool hurried;
    struct roles roles;
    struct sql_jobs *sql_jobs;             /* NULL until the ledger was read */
    struct sql_placing *sql_placing;       /* likewise; theirs */
    struct sql_job_status *sql_job_status; /* likewise */
    struct expired *expired;               /* likewise */
    bool started;
    bool over; /* `ended` was called: answers still to come are ignored */
    bool draining;
    bool drained;
    bool impatient; /* what runs was told to end */
    struct loop_timer *drain_timer;

    instant server_start;
    duration offset;        /* the database's clock minus ours */
    instant heartbeat_sent; /* by our clock */
    instant heartbeat_good; /* when the last answered one was sent */
    bool heartbeat_pending;
    bool heartbeat_refused; /* the last one: the leader lock is ours, and nothing is known of its clock */
    int heartbeats;
    struct loop_timer *tick_timer;
    struct loop_timer *warm_up_timer;
    instant warmed_up_to; /* sessions were opened for the slots up to then; INSTANT_NONE: for none yet */
    instant start_again; /* by clock_boot: when a role has its next share of starts; INSTANT_NEVER: none waits for it */
    struct loop_timer *heartbeat_timer;
    struct loop_timer *capture_timer;
    char *capture_problem; /* as last logged; NULL: none */
    instant capture_sent;
    struct log_fold *failures;
    char *write_problem;      /* why the ledger cannot be written now; NULL: it can */
    char *write_problem_told; /* as last logged, with who is in the way */
    bool holders_asked;

    struct pending_claim *claims;
    size_t claim_count;              /* 0: none on its way */
    struct ledger_request *releases; /* claimed, put back, and the ledger does not know yet */
    size_t release_count;
    size_t release_capacity;
    struct pending_finish *finishes;
    size_t finish_count;
    size_t finish_capacity;
    bool finish_pending;
    size_t skipped_pending;
    loop_callback *dispatch;
    bool dispatch_deferred;

    struct unknown_outcome *unknown;
    size_t unknown_count;
    struct loop_timer *recovery_timer;
    recovery_callback *recovery_read;  /* once all pages are there; NULL: no sweep is under way */
    struct unfinished_run *unfinished; /* of the sweep under way, or the last one */
    size_t unfinished_count;
    size_t verdicts_pending; /* answers that are to come */
};

/* leadership.c */
instant lead_now(const struct lead *lead); /* the database's clock */
void lead_end(struct lead *lead, const struct error *reason);
/* Whether the program knows all of what the ledger remembers of that job. If not, the leadership has ended. */
bool lead_knows(struct lead *lead, const struct job_memory *memory, const char *job);
/* The ledger moved on without us: only another leader, or a change of the job, can do that. */
void lead_end_for_disagreement(struct lead *lead, const struct scheduled *scheduled);
/* An answer of the ledger that is no answer: true when the caller has nothing more to do. What can be asked again never
 * comes here (write_queue.h). */
bool lead_refused(struct lead *lead, const struct pg_reply *reply, const char *what);
/* The ledger could not be written, or read, when it was tried last: nothing is claimed. */
bool lead_waits(const struct lead *lead);
void dispatch_soon(struct lead *lead);
/* The limits of `next`; a pool that only the database in force limits has none any more. */
void lead_set_pools(struct lead *lead, const struct config_database *next);

/* run_queues.c */
/* One after the other, from {0, 0} on; NULL at the end. */
struct run_queue_cursor {
    size_t role;
    size_t queue;
};
struct run_queue *run_queues_next(const struct lead *lead, struct run_queue_cursor *cursor);
size_t run_queues_count(const struct lead *lead);
void run_queues_remove(struct role_sessions *sessions, size_t index);
void run_queues_lost(struct role_sessions *sessions, struct run_queue *queue);
void run_queues_forget(struct lead *lead);    /* what is being claimed does not start, but is put back */
void run_queues_wake(struct lead *lead);      /* the heartbeat is back: what waited for it may start */
void run_queues_hand_back(struct lead *lead); /* draining: nothing that has not started will be */
void run_queues_cancel(struct lead *lead);

void job_list_finish(struct job_list *list);
/* Jobs of plugins that are dormant stay known, but nothing of theirs falls due; of plugins that are only available,
 * those that others come after. */
void job_list_fill(struct job_list *list, const struct catalog *catalog, const char *database,
                   const struct plugin_states *plugins);
const struct job *job_list_find(const struct job_list *list, const char *name);

/* apply_reload.c */
void apply_reload_start(struct lead *lead); /* the schedule has started: looks for dormant plugins from time to time */
/* Called by dispatch when no claim is on its way. True: nothing may be claimed now. */
bool apply_reload_step(struct lead *lead);
void apply_reload_destroy(struct lead *lead);

/* blocked_writes.c */
extern const struct write_queue_handlers blocked_writes_handlers;
void blocked_writes_note(struct lead *lead, const struct pg_reply *reply);
void blocked_writes_end(struct lead *lead); /* something that was refused has been taken */
void blocked_writes_forget(struct lead *lead);

/* requests.c */
void requests_grant(struct lead *lead, const struct pg_reply *heartbeat);

/* warm_up.c */
void warm_up_create(struct lead *lead);
void warm_up_destroy(struct lead *lead);
/* Something may have changed when the next slot is. */
void warm_up_plan(struct lead *lead);

/* slot_backfills.c */
/* Asks for the next slots of a backfill, by the job's schedule as it is now. */
void slot_backfills_feed(struct lead *lead, struct scheduled *scheduled, const struct open_request *backfill);

/* dispatch.c */
void dispatch_create(struct lead *lead);
void dispatch_destroy(struct lead *lead);
/* Ends a live run of the job: true when it is ending, or had not started and ended at once; false when it cannot be
 * told yet (its claim is on the way). */
bool dispatch_cancel(struct lead *lead, struct scheduled *scheduled, const char *reason);
/* skipped_slots.c, attempt_results.c */
void dispatch_write_skipped(struct lead *lead);
void dispatch_write_suspensions(struct lead *lead);
void dispatch_add_finish(struct lead *lead, struct scheduled *scheduled, const struct run *run,
                         const struct outcome *outcome);
void dispatch_write_finishes(struct lead *lead);
bool dispatch_busy(const struct lead *lead);
/* When the next attempt may start, INSTANT_NONE when there is to be none. */
instant dispatch_retry_at(const struct lead *lead, const struct scheduled *scheduled, int attempt);

/* recovery.c */
void recovery_sweep(void *data); /* loop_callback */
/* Looks for them page by page, between heartbeats, and ends sessions of earlier leaders. */
void recovery_read(struct lead *lead, recovery_callback *read);
void recovery_judge(struct lead *lead); /* those that were read */
void recovery_add_unknown(struct lead *lead, struct scheduled *scheduled, const struct run *run, bool too_large);
bool recovery_awaited(const struct lead *lead); /* while draining: an outcome is unknown, and patience is not over */
void recovery_destroy(struct lead *lead);

#endif
