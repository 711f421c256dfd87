/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/cli/next*.c: which jobs of a database are due soonest, without a look at each. */
#ifndef CHIME_CLI_NEXT_SOONEST_H
#define CHIME_CLI_NEXT_SOONEST_H

#include "cli/next.h"
#include "cli/visit.h"

/* Adds at least the jobs that are among the request's count of the soonest, and to *due how many have a next slot. */
bool next_soonest(struct visit *visit, const struct next_request *request, struct next_answers *answers, size_t *due,
                  struct error *err) CHIME_MUST_CHECK;

#endif
