/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/cli/next*.c: which jobs of a database are due soonest, without a look at each. */
#ifndef CHIME_CLI_NEXT_SOONEST_H
#define CHIME_CLI_NEXT_SOONEST_H

#include "cli/next.h"
#include "cli/visit.h"

/* At least those that are among the request's count of the soonest. Adds to *due how many have a next slot. */
bool next_soonest(struct visit *visit, const struct next_request *request, size_t *due, soonest_function *function,
                  void *data, struct error *err) CHIME_MUST_CHECK;

#endif
