/* SPDX-License-Identifier: PostgreSQL */
/* A queue over the one session of a pool, to a scripted server, and what it tells. */
#ifndef CHIME_TESTS_SUPPORT_PG_ONE_LANE_H
#define CHIME_TESTS_SUPPORT_PG_ONE_LANE_H

#include <stdbool.h>

#include "runner/run_queue.h"
#include "support/libpq/libpq_script_session.h" /* loop, server */

#define TOKEN "token"
#define NOW (1000 * USEC_PER_SEC)
#define SLOT "1970-01-01T00:10:00Z" /* of every run */
#define SEND_ONE "QUERY UPDATE t SET a = 1()"
#define TWO_STATEMENTS "SELECT 1; SELECT 2"
#define GRACE (10 * USEC_PER_SEC)
#define ENDS_MAX 8

/* How a run ended; it is freed by then. */
struct end {
    const struct run *run;
    const void *owner;
    enum run_end how;
    struct outcome outcome;
    char message[128];
    char reason[128];
};

extern struct pool *pool;
extern struct pool_session *session;
extern struct run_queue *queue; /* NULL once it is gone */
extern struct job job;          /* a statement that runs at most once: SEND_ONE */
extern instant now;             /* the database's: NOW */
extern bool allowed;            /* runs may start */
/* As the dispatcher does: whatever is drained is given back. */
extern bool release_when_drained;
/* What was told. */
extern struct end ends[ENDS_MAX];
extern int end_count;
extern int drained;
extern int interrupts;
extern int terminations;
extern int complaints; /* lines of the log */

void run_queue_set_up(void);
void run_queue_tear_down(void);
/* No timeouts, and GRACE behind a cancellation. */
void define_command(struct job *defined, const char *text, enum delivery delivery);
void become_command(const char *text, enum delivery delivery); /* `job` does */
void become_scheduled(const char *schedule);                   /* so it does */
/* Of two views. */
void define_refresh(struct job *defined);
/* A run that is to be pushed, number 17, which was claimed for its slot and takes a second. */
struct run *claimed_run(const struct job *of);
struct run *push_of(const struct job *of);
struct run *push(void); /* of `job` */
struct run *push_and_start(void);
/* The end of that number was so, at NOW. */
void expect_end(int number, enum run_end how, enum run_state state, const char *why);

#endif
