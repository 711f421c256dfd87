/* SPDX-License-Identifier: PostgreSQL */
/* What the main function of a test program does. */
#ifndef CHIME_TESTS_SUPPORT_SUITE_H
#define CHIME_TESTS_SUPPORT_SUITE_H

#include <check.h>
#include <stdint.h>

/* The TCase of what checks less with a tool that slows or takes memory: limits of memory, sizes, fewer rounds. A run of
 * script/test that runs all of a program with ASan runs these alone without it (PGCHIME_TEST_IN_FULL). */
#define SUITE_IN_FULL "in full"

/* Runs the suite as CK_VERBOSITY says, and frees it; 0: every check passed. */
int suite_run(Suite *suite);

/* The same without a process for each case, for a suite of one case that may take more than 35 minutes: Check counts
 * the time of a forked one in 31 bits of microseconds and ends it with an error after it has passed. Check's timeouts
 * do not hold there; ctest's do. */
int suite_run_in_process(Suite *suite);

/* How often a property is tried: `usual`; `soak` under PGCHIME_TEST_SOAK; `again` under PGCHIME_TEST_AGAIN, set where a
 * run on another version of the server has tried it as usual. */
int suite_rounds(int again, int usual, int soak);

/* PGCHIME_TEST_SEED; else the same each time, with PGCHIME_TEST_SOAK another for each program. Printed, so that it can
 * be repeated. */
uint64_t suite_seed(void);

#endif
