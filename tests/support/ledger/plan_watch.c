/* SPDX-License-Identifier: PostgreSQL */
#include "support/ledger/plan_watch.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/cluster/session.h"

struct plan_watch {
    PGconn *session;
    struct plan_cost cost;
    double worst_rows;
    char error[500];
};

static double number_at(const char *node, const char *end, const char *key)
{
    const char *at = strstr(node, key);
    return at != NULL && at < end ? strtod(at + strlen(key), NULL) : 0;
}

/* A node's own numbers stand before its children. */
static double rows_of(const char *node)
{
    const char *end = strstr(node, "\"Node Type\"");
    end = end != NULL ? end : node + strlen(node);
    double rows = number_at(node, end, "\"Actual Rows\": ") + number_at(node, end, "\"Rows Removed by Filter\": ") +
                  number_at(node, end, "\"Rows Removed by Join Filter\": ") +
                  number_at(node, end, "\"Rows Removed by Index Recheck\": ");
    return rows * number_at(node, end, "\"Actual Loops\": ");
}

static double rows_of_plan(const char *plan)
{
    static const char key[] = "\"Node Type\"";
    double rows = 0;
    for (const char *node = strstr(plan, key); node != NULL; node = strstr(node, key)) {
        node += sizeof(key) - 1;
        rows += rows_of(node);
    }
    return rows;
}

/* The statement itself comes last: the pages of its first node are those of all that it called. */
static void take_notice(void *data, const PGresult *notice)
{
    struct plan_watch *watch = data;
    const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    const char *plan = text != NULL ? strstr(text, "plan:\n") : NULL;
    if (plan == NULL) {
        return;
    }
    const char *end = plan + strlen(plan);
    double rows = rows_of_plan(plan);
    watch->cost.pages = number_at(plan, end, "\"Shared Hit Blocks\": ") +
                        number_at(plan, end, "\"Shared Read Blocks\": ");
    watch->cost.rows += rows;
    if (rows >= watch->worst_rows) {
        watch->worst_rows = rows;
        free(watch->cost.worst);
        watch->cost.worst = xstrdup(plan);
    }
}

struct plan_watch *plan_watch_create(const struct cluster *cluster, const char *database)
{
    struct plan_watch *watch = xcalloc(1, sizeof(*watch));
    watch->session = cluster_connect(cluster, database);
    session_execute(watch->session,
                    "LOAD 'auto_explain'; SET client_min_messages = notice; SET auto_explain.log_level = notice;"
                    "SET auto_explain.log_nested_statements = on; SET auto_explain.log_analyze = on;"
                    "SET auto_explain.log_buffers = on; SET auto_explain.log_timing = off;"
                    "SET auto_explain.log_format = json; SET jit = off");
    PQsetNoticeReceiver(watch->session, take_notice, watch);
    return watch;
}

void plan_watch_destroy(struct plan_watch *watch)
{
    if (watch != NULL) {
        PQfinish(watch->session);
        free(watch->cost.worst);
        free(watch);
    }
}

void plan_watch_execute(struct plan_watch *watch, const char *sql)
{
    session_execute(watch->session, sql);
}

bool plan_watch_try(struct plan_watch *watch, const char *sql, struct plan_cost *cost)
{
    free(watch->cost.worst);
    watch->cost = (struct plan_cost){.worst = NULL};
    watch->worst_rows = 0;
    session_execute(watch->session, cost != NULL ? "BEGIN; SET LOCAL auto_explain.log_min_duration = 0" : "BEGIN");
    PGresult *result = PQexec(watch->session, sql);
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    snprintf(watch->error, sizeof(watch->error), "%s", PQresultErrorMessage(result));
    PQclear(result);
    if (cost != NULL) {
        *cost = watch->cost;
    }
    session_execute(watch->session, "ROLLBACK");
    return good;
}

const char *plan_watch_error(const struct plan_watch *watch)
{
    return watch->error;
}
