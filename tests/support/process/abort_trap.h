/* SPDX-License-Identifier: PostgreSQL */
/* Runs what is expected to end in fatal(), and comes back. What it allocated before is lost. */
#ifndef CHIME_TESTS_ABORT_TRAP_H
#define CHIME_TESTS_ABORT_TRAP_H

#include <stdbool.h>

/* True when `action` aborted. */
bool aborts(void (*action)(void *data), void *data);

#endif
