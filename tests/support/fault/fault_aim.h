/* SPDX-License-Identifier: PostgreSQL */
/* Brings a daemon under the load of fault_load.h to a chosen place between two steps of a run: a session of the test's
 * own holds a row that the next step needs. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_FAULT_AIM_H
#define CHIME_TESTS_SUPPORT_FAULT_AIM_H

#include "support/cluster/cluster.h"
#include "support/daemon/daemon.h"

enum fault_point {
    FAULT_BEFORE_CLAIM,      /* the claim holds the leader row and has not committed */
    FAULT_AFTER_CLAIM,       /* it has; the text has not gone out */
    FAULT_BEFORE_FINISH,     /* the end of an at_most_once run is being written, not committed */
    FAULT_AFTER_FINISH,      /* it is committed; the daemon has not read that */
    FAULT_BEFORE_OWN_COMMIT, /* a transactional run has done its work, and has not committed */
    FAULT_AFTER_OWN_COMMIT,  /* it has; the daemon has not read that */
    FAULT_POINTS
};

struct fault_aim;

struct fault_aim *fault_aim_create(struct cluster *cluster);
void fault_aim_destroy(struct fault_aim *aim); /* takes NULL */

const char *fault_point_name(enum fault_point point); /* for reports */
/* Returns with the leading daemon at that point. At one BEFORE something it runs, the row is held and the statement
 * waits for it. At one AFTER something it is stopped (SIGSTOP), and the step is committed. */
void fault_aim_bring(struct fault_aim *aim, struct daemon *daemon, enum fault_point point);
/* What waits may go on, and has committed when this returns. */
void fault_aim_let_commit(struct fault_aim *aim);
/* What waits may go on; nothing held is no fault. */
void fault_aim_let_go(struct fault_aim *aim);

#endif
