/* SPDX-License-Identifier: PostgreSQL */
/* The run sessions of a leadership, grouped by role: those of the daemon's role, and those of each role that owns
 * jobs, in this database or in another one of the same server.
 *
 * Does: open them where a job wants one (as its `roles` entry or the database's conninfo says), each role within a
 *   limit of its own and all of them within role_sessions; refuse those as whom pgchime.conf does not
 *   let the daemon log in; remember why none could be opened, and that a role is no longer there.
 * Does not: decide what runs on them. */
#ifndef CHIME_DAEMON_ROLES_H
#define CHIME_DAEMON_ROLES_H

#include "pg/pool.h"
#include "runner/run_queue.h"

struct lead;
struct job;

struct role_sessions {
    struct lead *lead;
    char *role;     /* NULL: the daemon's own */
    char *target;   /* NULL: the database itself */
    char *conninfo; /* NULL: it cannot be made, as `problem` says */
    bool plain;     /* of a role with powers no session is kept */
    struct pool *pool;
    struct run_queue **queues;
    size_t run_queue_count;
    size_t run_queue_capacity;
    char *problem;     /* why the last attempt to open one failed; NULL: it did not */
    bool dropped;      /* there is no such role */
    bool leaving;      /* the configuration has another conninfo, or no job is left: goes with its last run */
    int coming;        /* while sessions are opened ahead of slots: jobs of it that fall due soon */
    bool hungry;       /* a job of it waits, and it has no session, since all places are taken */
    bool told;         /* and that was logged */
    bool giving;       /* claims nothing until one of its sessions went to a hungry one */
    int max_starts;    /* of runs a second; -1: any number */
    instant starts_to; /* by clock_boot: until then it has had its share */
    bool held;         /* and it was told that it had ten seconds of it at once */
};

/* An owner as whom the daemon does not log in. */
struct role_problem {
    char *owner;
    char *problem;
};

/* The first are the daemon's own. */
struct roles {
    struct role_sessions **items;
    size_t count;
    struct pool_budget budget; /* of all but the first */
    struct role_problem *problems;
    size_t problem_count;
    bool asked;                         /* a look is under way */
    bool again;                         /* and another is wanted after it */
    void (*changed)(struct lead *lead); /* other owners stand in the way than before; NULL: nobody is told */
};

void roles_create(struct lead *lead);
void roles_destroy(struct lead *lead);
struct role_sessions *roles_own(const struct lead *lead);
/* Made where there are none yet. */
struct role_sessions *roles_of(struct lead *lead, const struct job *job);
/* Jobs of it fall due soon: opens sessions towards as many as are named, within the limits. Where the last one could
 * not be opened, nothing is tried before a job is due. */
void roles_warm_up(struct role_sessions *sessions, int wanted);
/* Why its job's run must fail now: NULL while there is hope. */
const char *roles_failure(const struct role_sessions *sessions);
/* Other conninfos may hold now. */
void roles_follow(struct lead *lead);
/* Interrupts what a session of another role executes: over a further session of that role, which needs no rights, else
 * by the leader's, which needs pg_signal_backend; where both fail and it is to be terminated, the session is cut off.
 * False for the daemon's own. */
bool roles_interrupt(struct lead *lead, const struct pg_identity *session, bool terminate);
/* Frees those that are leaving and idle. */
void roles_tidy(struct lead *lead);
/* The pids of all open sessions; caller frees. */
size_t roles_pids(const struct lead *lead, int **pids);
/* A round of claims begins: it finds out who waits. */
void roles_begin_round(struct lead *lead);
/* After the round, where role_sessions are too few for all roles that have something to run: whoever has none gets a
 * session that nobody uses. True: there was none, and of those who have most sessions whoever is done first gives
 * one. */
bool roles_share(struct lead *lead);
/* How long the start of a run has to wait, so that the role has no more than max_starts in a second, over ten
 * seconds. */
duration roles_start_wait(struct role_sessions *sessions);
void roles_count_start(struct role_sessions *sessions);
/* Whether what is due of them may wait for its own runs, for its share of starts, or since roles have all sessions that
 * there are for them. */
bool roles_hold_back(const struct role_sessions *sessions);
/* A job of it waits for a session. */
void roles_await(struct role_sessions *sessions);
/* One of its sessions is idle: it goes to a hungry role, where this one is to give. */
void roles_give(struct role_sessions *sessions);

/* --- as whom the daemon may log in (roles_check.c) ---------------------------------------------------------------- */

/* Tells the ledger what pgchime.conf says of roles, so that SQL can refuse by it early, and looks. */
void roles_tell(struct lead *lead);
/* Looks which owners of jobs are not there any more, have no job, or are none to log in as. */
void roles_check(struct lead *lead);
/* What stands in the way of an owner's jobs, by the last look; NULL: nothing. Each login is judged anew, whatever this
 * says. */
const char *roles_problem(const struct lead *lead, const char *owner);
void roles_forget_problems(struct roles *roles);

#endif
