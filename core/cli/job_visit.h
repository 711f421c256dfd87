/* SPDX-License-Identifier: PostgreSQL */
/* Commands about one job: found by its name in whichever database has it.
 *
 * Does: load the configuration, look through the wanted databases, refuse a name that none or several of them have
 *   (with a did-you-mean), and run a function on a connection to the one. */
#ifndef CHIME_CLI_JOB_VISIT_H
#define CHIME_CLI_JOB_VISIT_H

#include "cli/visit.h"

struct job_visit {
    const struct invocation *invocation;
    struct visit visit;
    const char *job;
    char job_id[24];
    bool active;
};

/* Returns the exit status; an error it sets is printed with the database's name. */
typedef int job_visit_function(struct job_visit *visit, void *data, struct error *err);

/* The exit status of it all. */
int visit_job(const struct invocation *invocation, const char *job, job_visit_function *function, void *data);
bool visit_is_led(struct visit *visit, bool *led, struct error *err) CHIME_MUST_CHECK;
void visit_pause(duration length); /* between two looks at what the leader does */
/* False when nobody leads the database, so that nothing would be done. */
bool visit_require_leader(struct visit *visit, const struct invocation *invocation, struct error *err) CHIME_MUST_CHECK;

#endif
