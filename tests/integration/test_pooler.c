/* SPDX-License-Identifier: PostgreSQL */
/* A PgBouncer between the daemon and its server is refused by its name, whatever its mode and however little it
 * minds. */
#include <check.h>
#include <stdlib.h>

#include "support/cluster/cluster.h"
#include "support/cluster/pgbouncer.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/ledger_sql.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *cluster;
static struct pgbouncer *pgbouncer;
static struct site *site;
static struct daemon *served;
static char *output;
static char *errors;

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    site = site_create(cluster, "postgres", 2);
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"SELECT 1\";");
    served = site_lead(site); /* so that there is a ledger, through no pooler */
    site_end(served);
    daemon_destroy(served);
    served = NULL;
}

static void tear_down(void)
{
    daemon_destroy(served);
    pgbouncer_stop(pgbouncer);
    site_destroy(site);
    cluster_destroy(cluster);
    free(output);
    free(errors);
}

static void serve_through(const char *mode, const char *more)
{
    pgbouncer = pgbouncer_start(cluster, mode, more);
    site_use_conninfo(site, pgbouncer_conninfo(pgbouncer));
    served = site_serve(site, NULL, NULL);
}

static void expect_refused(int status, const char *message)
{
    static const char *const commands[] = {"status", "doctor"};
    WAIT_FOR(daemon_said(served, message), 20);
    WAIT_FOR(daemon_said(served, "connect to the server itself"), 20); /* the hint comes in a line of its own */
    for (size_t i = 0; i < 2; i++) {
        commands_expect(status, site_config(site), (const char *const[]){commands[i], "-o", "json", NULL}, &output,
                        &errors);
        commands_has(output, message);
    }
    ck_assert(cluster_true(cluster, "SELECT NOT alive FROM chime.leader_status"));
}

START_TEST(one_that_refuses_our_settings_is_named)
{
    serve_through("transaction", "");
    expect_refused(4, "a pooler (PgBouncer) is in between: ");
}
END_TEST

START_TEST(one_that_drops_our_settings_is_named)
{
    serve_through(_i == 0 ? "transaction" : "session", "ignore_startup_parameters = options");
    expect_refused(6, "a pooler is in between, such as PgBouncer in transaction mode");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pooler");
    TCase *tests = tcase_create("pooler");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, one_that_refuses_our_settings_is_named);
    tcase_add_loop_test(tests, one_that_drops_our_settings_is_named, 0, 2);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
