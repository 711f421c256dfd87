/* SPDX-License-Identifier: PostgreSQL */
#include "support/fault/fault_aim.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

#define AIM_SECONDS 30.0

struct fault_aim {
    struct cluster *cluster;
    PGconn *blocker;
    bool holding;
    enum fault_point point; /* brought to last */
    char *run;              /* whose row was held; "" when there was none yet */
};

#define CURSOR_OF(job)                                                                                          \
    "SELECT run_id FROM chime.job j JOIN chime.job_state s USING (job_id) LEFT JOIN chime.run r USING (job_id)" \
    " WHERE j.name = '" job "' FOR UPDATE OF s"
#define RUN_OF(job)                                                                                \
    "SELECT run_id FROM chime.run r JOIN chime.job j USING (job_id) WHERE j.name = '" job "' AND " \
    "r.pid IS NOT NULL FOR UPDATE OF r"

#define CLAIMED                                                                                 \
    "SELECT EXISTS (SELECT FROM chime.run JOIN chime.job USING (job_id) WHERE name = 'quick-2'" \
    " AND run_id IS DISTINCT FROM nullif('%s', '')::bigint)"
#define DONE "SELECT NOT EXISTS (SELECT FROM chime.run WHERE run_id = %s AND done_at IS NULL)"

static const struct {
    const char *name;
    const char *row;     /* to be held */
    const char *waiting; /* the statement that is to wait for it */
    const char *done;    /* true once it has committed; %s: the run */
} points[FAULT_POINTS] = {
    [FAULT_BEFORE_CLAIM] = {"before the COMMIT of a claim", CURSOR_OF("quick-2"), "chime\\.claim\\(", CLAIMED},
    [FAULT_AFTER_CLAIM] = {"between claim and start", CURSOR_OF("quick-2"), "chime\\.claim\\(", CLAIMED},
    [FAULT_BEFORE_FINISH] = {"before the COMMIT of a finish", RUN_OF("brief-1"), "chime\\.finish\\(", DONE},
    [FAULT_AFTER_FINISH] = {"after the COMMIT of a finish", RUN_OF("brief-1"), "chime\\.finish\\(", DONE},
    [FAULT_BEFORE_OWN_COMMIT] = {"before the COMMIT of a transactional run", RUN_OF("brief-own-1"),
                                 "chime\\.perform\\(", DONE},
    [FAULT_AFTER_OWN_COMMIT] = {"after the COMMIT of a transactional run", RUN_OF("brief-own-1"), "chime\\.perform\\(",
                                DONE},
};

struct fault_aim *fault_aim_create(struct cluster *cluster)
{
    struct fault_aim *aim = calloc(1, sizeof(*aim));

    if (aim == NULL)
        support_fail("out of memory");
    aim->cluster = cluster;
    aim->blocker = cluster_connect(cluster, "postgres");
    return aim;
}

void fault_aim_destroy(struct fault_aim *aim)
{
    if (aim != NULL) {
        PQfinish(aim->blocker);
        free(aim->run);
        free(aim);
    }
}

const char *fault_point_name(enum fault_point point)
{
    return points[point].name;
}

static void blocker_do(struct fault_aim *aim, const char *sql)
{
    PGresult *result = PQexec(aim->blocker, sql);

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        support_fail("%s: %s", sql, PQerrorMessage(aim->blocker));
    PQclear(result);
}

/* Holds a row that the daemon's next step needs: its run, "" when there is none yet; NULL when there is no such row. */
static char *hold(struct fault_aim *aim, const char *sql)
{
    blocker_do(aim, "BEGIN");
    aim->holding = true;
    PGresult *result = PQexec(aim->blocker, sql);
    bool held = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    char *run = held ? files_path("%s", PQgetvalue(result, 0, 0)) : NULL;
    PQclear(result);
    if (!held)
        fault_aim_let_go(aim);
    return run;
}

void fault_aim_let_go(struct fault_aim *aim)
{
    if (aim->holding)
        blocker_do(aim, "ROLLBACK");
    aim->holding = false;
}

/* Whether somebody waits for the row held; *wanted tells whether it is the statement aimed at. */
static bool somebody_waits(struct fault_aim *aim, const char *statement, bool *wanted)
{
    char *sql = files_path("SELECT bool_or(query ~ '%s') FROM pg_stat_activity WHERE %d = ANY (pg_blocking_pids(pid))",
                           statement, PQbackendPID(aim->blocker));
    char *value = cluster_value(aim->cluster, sql);
    bool waits = value != NULL;

    *wanted = waits && strcmp(value, "t") == 0;
    free(value);
    free(sql);
    return waits;
}

/* Returns with the row held and the statement waiting for it: the run whose row it is. */
static char *bring_to(struct fault_aim *aim, enum fault_point point)
{
    struct wait_deadline deadline = wait_deadline_after(AIM_SECONDS);
    bool wanted = false;
    char *run = NULL;

    while (!wanted) {
        free(run);
        run = hold(aim, points[point].row);
        if (run != NULL) {
            while (!somebody_waits(aim, points[point].waiting, &wanted))
                wait_a_little(&deadline, points[point].name, AIM_SECONDS, __FILE__, __LINE__);
            if (!wanted)
                fault_aim_let_go(aim);
        }
        wait_a_little(&deadline, points[point].name, AIM_SECONDS, __FILE__, __LINE__);
    }
    return run;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* points[].done, with one %s */
void fault_aim_let_commit(struct fault_aim *aim)
{
    char *sql = files_path(points[aim->point].done, aim->run);

    fault_aim_let_go(aim);
    WAIT_SQL(aim->cluster, sql, "t", AIM_SECONDS);
    free(sql);
}
#pragma GCC diagnostic pop

void fault_aim_bring(struct fault_aim *aim, struct daemon *daemon, enum fault_point point)
{
    free(aim->run);
    aim->point = point;
    aim->run = bring_to(aim, point);
    if (point == FAULT_AFTER_CLAIM || point == FAULT_AFTER_FINISH || point == FAULT_AFTER_OWN_COMMIT) {
        daemon_signal(daemon, SIGSTOP);
        fault_aim_let_commit(aim);
    }
}
