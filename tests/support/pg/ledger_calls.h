/* SPDX-License-Identifier: PostgreSQL */
/* A ledger on a scripted connection, and what reads the answer to a call of it. */
#ifndef CHIME_TESTS_SUPPORT_PG_LEDGER_CALLS_H
#define CHIME_TESTS_SUPPORT_PG_LEDGER_CALLS_H

#include "ledger/ledger.h"
#include "support/libpq/libpq_script_session.h" /* server */
#include "support/process/instants.h"

#define TOKEN "6f1d0b9e-0000-4000-8000-000000000001"
#define SLOT "2026-03-27T01:30:00Z"
#define SLOT_BEFORE "2026-03-27T01:00:00Z"

extern struct ledger ledger; /* TOKEN, epoch 7 */
extern int calls;            /* of on_reply */
extern struct scheduled *scheduled;

void ledger_set_up(void);
void ledger_tear_down(void);
/* A job that the scheduler knows as number 42, version 3: `scheduled`. */
void know_a_job(void);
/* For the calls; its data is &calls. */
void on_reply(void *data, const struct pg_reply *reply);
/* Runs `check` on the answer that was given before. */
void read_with(void (*check)(const struct pg_reply *reply));

#endif
