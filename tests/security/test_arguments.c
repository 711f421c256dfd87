/* SPDX-License-Identifier: PostgreSQL */
/* Every function of schemas chime and cron that a role may call, with odd arguments (odd_arguments.sql): none fails
 * inside the server (XX000), none goes on for long, none shows what is another role's, and none changes it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/init_role.h"
#include "support/cluster/session.h"
#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

struct caller {
    const char *role;
    int functions;    /* at least so many: what it was granted was found */
    bool sees_all;    /* it is shown what others wrote, which is its business */
    bool changes_all; /* and changes it */
};

static const struct caller callers[] = {
    {"nobody", 7, false, false},  {"reader", 11, false, false}, {"mallory", 120, false, false},
    {"watcher", 30, true, false}, {"operator", 13, true, true},
};
#define CALLERS ((int)(sizeof(callers) / sizeof(callers[0])))
#define CALLS (getenv("PGCHIME_TEST_SOAK") != NULL ? 50 : 8) /* of each function */

static PGconn *connect_as(const char *role)
{
    char *conninfo = cluster_conninfo_as(cluster, role, "postgres");
    PGconn *session = PQconnectdb(conninfo);
    ck_assert_msg(PQstatus(session) == CONNECTION_OK, "%s", PQerrorMessage(session));
    free(conninfo);
    return session;
}

static const char objects[] =
    "CREATE SCHEMA reports; GRANT USAGE, CREATE ON SCHEMA reports TO victim, mallory;"
    "CREATE SCHEMA secrets AUTHORIZATION victim; SET ROLE victim;"
    "CREATE TABLE secrets.money (day date, note text); CREATE INDEX ON secrets.money (day);"
    "INSERT INTO secrets.money VALUES ('2026-11-01', 'classified'); RESET ROLE;"
    "CREATE TABLE orders (day date, amount numeric); CREATE INDEX ON orders (day);"
    "INSERT INTO orders VALUES ('2026-11-01', 1); GRANT SELECT, TRIGGER ON orders TO mallory, pgchime;"
    "GRANT pgchime_jobs TO victim, mallory; GRANT analytics_reader TO reader; GRANT pgchime_monitor TO watcher;"
    "GRANT pgchime_operator TO operator";

/* The word "classified" is in what victim wrote and others may not see: a row, a command, a message, a definition, of
 * which PostgreSQL keeps no comment. */
#define MAKE_BUSINESS(name, table, word)                                                                         \
    "SELECT chime.keep_view('" name "', $$SELECT day, count(*) AS n /* " word " */ FROM " table " GROUP BY 1$$," \
    " view_schema => 'reports');"                                                                                \
    "SELECT chime.schedule('" name " job', '0 0 29 2 *', $$SELECT '" word "'::int$$);"                           \
    "SELECT chime.run_now('" name " job')"

static void make_business(const char *role, const char *sql)
{
    PGconn *session = connect_as(role);
    session_execute(session, sql);
    PQfinish(session);
}

/* One server and one daemon for all. */
static void start(void)
{
    char *output = NULL;
    char *errors = NULL;
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", 2);
    cluster_execute(cluster, "CREATE ROLE victim LOGIN; CREATE ROLE mallory LOGIN; CREATE ROLE nobody LOGIN;"
                             "CREATE ROLE reader LOGIN; CREATE ROLE watcher LOGIN; CREATE ROLE operator LOGIN");
    free(init_role_make_as(cluster, "postgres", "pgchime", "postgres"));
    site_use_role(site, "pgchime");
    cluster_execute(cluster, objects);
    served = site_lead(site);
    commands_expect(0, site_config(site), (const char *const[]){"migrate", "--with-cron", NULL}, &output, &errors);
    free(output);
    free(errors);
    make_business("victim", MAKE_BUSINESS("theirs", "secrets.money", "classified"));
    make_business("mallory", MAKE_BUSINESS("mine", "public.orders", "known"));
    cluster_execute(cluster, "SELECT chime.keep_view('totals', 'SELECT day, sum(amount) AS t FROM orders GROUP BY 1')");
    WAIT_SQL(cluster,
             "SELECT count(*) FROM chime.role_view_refresh r, chime.job_runs j WHERE r.method = 'keyed' AND j.state ="
             " 'failed' AND j.message ~ 'classified|known'",
             "4", 60);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/security/odd_arguments.sql");
    cluster_execute(cluster, "GRANT USAGE ON SCHEMA odd, cron TO PUBLIC; GRANT USAGE ON SCHEMA chime TO nobody");
}

static bool is_shown(const PGresult *result, const char *word)
{
    for (int row = 0; row < PQntuples(result); row++) {
        for (int column = 0; column < PQnfields(result); column++) {
            if (strstr(PQgetvalue(result, row, column), word) != NULL)
                return true;
        }
    }
    return strstr(PQresultErrorMessage(result), word) != NULL;
}

static char *others(PGconn *session)
{
    PGresult *result = PQexec(session, "SELECT odd.others()");
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQresultErrorMessage(result));
    char *told = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return told;
}

/* pg_cron's errors have this code, too, and ours are the same: they come by RAISE. */
static bool is_internal(const PGresult *result)
{
    return strncmp(PQresultErrorField(result, PG_DIAG_SQLSTATE), "XX", 2) == 0 &&
           strcmp(PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION), "exec_stmt_raise") != 0;
}

/* What is wrong with one call; NULL: nothing. Its transaction is undone. */
static char *find_wrong(PGconn *session, const struct caller *caller, const char *call)
{
    const char *wrong = NULL;
    session_execute(session, "BEGIN");
    char *before = others(session);
    PGresult *result = PQexec(session, call);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (PQstatus(session) != CONNECTION_OK) {
        support_fail("%s: %s", call, PQerrorMessage(session));
    } else if (state != NULL && (is_internal(result) || strcmp(state, "57014") == 0)) {
        wrong = PQresultErrorMessage(result);
    } else if (!caller->sees_all && is_shown(result, "classified")) {
        wrong = "shows what is another role's";
    } else if (state == NULL && !caller->changes_all) {
        char *after = others(session);
        if (strcmp(before, after) != 0)
            wrong = "changes what is another role's";
        free(after);
    }
    char *told = wrong != NULL ? files_path("%s", wrong) : NULL;
    PQclear(result);
    free(before);
    session_execute(session, "ROLLBACK");
    return told;
}

START_TEST(no_odd_argument_breaks_or_opens_anything)
{
    const struct caller *caller = &callers[_i];
    PGconn *session = connect_as(caller->role);
    char sql[200];
    snprintf(sql, sizeof(sql), "SELECT * FROM odd.calls('%s', %d)", caller->role, CALLS);
    PGresult *calls = cluster_query(cluster, sql);
    const char *last = "";
    int functions = 0;
    int failures = 0;

    session_execute(session, "SET statement_timeout = '20s'; SET client_min_messages = warning");
    for (int i = 0; i < PQntuples(calls); i++) {
        const char *function = PQgetvalue(calls, i, 0);
        functions += strcmp(function, last) != 0;
        last = function;
        ck_assert_msg(PQgetvalue(calls, i, 2)[0] == 'f', "%s: odd.values has nothing of a type of its", function);
        char *wrong = find_wrong(session, caller, PQgetvalue(calls, i, 1));
        if (wrong != NULL) {
            fprintf(stderr, "%.1000s: %.600s\n", PQgetvalue(calls, i, 1), wrong);
            failures++;
        }
        free(wrong);
    }
    ck_assert_msg(failures == 0, "%d calls by %s, see above", failures, caller->role);
    ck_assert_msg(functions >= caller->functions, "%d functions of %s, fewer than %d", functions, caller->role,
                  caller->functions);
    EXPECT_SQL(cluster, "SELECT epoch::text || chime.backend_alive(pid, backend_start) FROM chime.leader", "1true");
    PQclear(calls);
    PQfinish(session);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arguments");
    TCase *cases = tcase_create("arguments");

    tcase_add_unchecked_fixture(cases, start, served_tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_loop_test(cases, no_odd_argument_breaks_or_opens_anything, 0, CALLERS);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
