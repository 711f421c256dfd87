/* SPDX-License-Identifier: PostgreSQL */
/* How a job's session logs in as its owner: by the name of the daemon's user, a certificate, a file of passwords, a
 * service. Where it cannot, the run says why in the server's words. */
#include <check.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cluster/cluster.h"
#include "support/daemon/authority.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/daemon/sql_jobs.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define YEARLY "0 0 29 2 *" /* no test lives to see it */

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static char *folder;
static char *address; /* of this test alone, so that its port is free */

static void set_up(void)
{
    address = files_path("127.%d.%d.%d", 64 + (int)(getpid() >> 16) % 64, (int)(getpid() >> 8) % 256,
                         (int)getpid() % 256);
    char *listen = files_path("listen_addresses=%s", address);
    cluster = cluster_create((const char *const[]){listen, NULL});
    site = site_create(cluster, "postgres", 2);
    folder = files_make_directory();
    cluster_execute(cluster, "CREATE ROLE alice LOGIN PASSWORD 'secret'; CREATE ROLE bob LOGIN PASSWORD 'other';"
                             "CREATE TABLE who (name text); GRANT INSERT ON who TO PUBLIC");
    free(listen);
}

static void tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
    unsetenv("PGSERVICEFILE");
    free(folder);
    free(address);
}

/* From now on the server lets others than postgres in by this; `maps`: its pg_ident.conf. */
static void let_in(const char *rules, const char *maps)
{
    char *hba = files_path("%s/data/pg_hba.conf", cluster_directory(cluster));
    char *ident = files_path("%s/data/pg_ident.conf", cluster_directory(cluster));
    char *text = files_path("local all postgres trust\n%s", rules);

    files_write(hba, text);
    files_write(ident, maps);
    cluster_execute(cluster, "SELECT pg_reload_conf()");
    WAIT_SQL(cluster,
             "SELECT count(*) = (SELECT count(*) FROM pg_hba_file_rules WHERE error IS NULL) AND count(*) > 1"
             " FROM pg_hba_file_rules",
             "t", 20);
    free(hba);
    free(ident);
    free(text);
}

/* Of alice and of bob, who log in as `alice` and `bob` say (NULL: as the database's conninfo does). */
static void run_both(const char *alice, const char *bob)
{
    char *entries = files_path(
        "roles = ( { name = \"alice\"; conninfo = \"%s\"; }, { name = \"bob\"; conninfo = \"%s\"; } );", alice, bob);

    site_use_entries(site, entries);
    served = site_lead(site);
    sql_jobs_make(cluster, "alice", "in", YEARLY, "INSERT INTO who VALUES (session_user)", NULL);
    sql_jobs_make(cluster, "bob", "out", YEARLY, "INSERT INTO who VALUES (session_user)", NULL);
    sql_jobs_await_taken(cluster, "out");
    sql_jobs_run(cluster, "in");
    sql_jobs_run(cluster, "out");
    free(entries);
}

static void expect_bob_refused(const char *words)
{
    char *expression = files_path(
        "state || ' ' || reason || ' ' || coalesce(nullif(message LIKE '%%%s%%', false)::text, message)", words);

    EXPECT_RUN(cluster, "alice/in", "state || ' ' || message", "succeeded INSERT 0 1");
    EXPECT_SQL(cluster, "SELECT string_agg(name, ' ') FROM who", "alice");
    EXPECT_RUN(cluster, "bob/out", expression, "failed no session as role bob true");
    free(expression);
}

START_TEST(by_the_name_of_the_daemons_user)
{
    char *map = files_path("jobs %s alice\n", getpwuid(geteuid())->pw_name);

    let_in("local all all peer map=jobs\n", map);
    run_both("connect_timeout=5", "connect_timeout=5");
    expect_bob_refused("FATAL:  Peer authentication failed for user \"bob\"");
    free(map);
}
END_TEST

START_TEST(by_a_file_of_passwords)
{
    char *file = files_path("%s/pgpass", folder);
    char *entry = files_path("passfile=%s", file);

    let_in("local all all scram-sha-256\n", "");
    files_write(file, "*:*:*:alice:secret\n*:*:*:bob:wrong\n");
    run_both(entry, entry);
    expect_bob_refused("FATAL:  password authentication failed for user \"bob\"");
    free(file);
    free(entry);
}
END_TEST

START_TEST(by_a_service)
{
    char *file = files_path("%s/pg_service.conf", folder);

    let_in("local all all scram-sha-256\n", "");
    files_write(file, "[jobs]\npassword=secret\n");
    setenv("PGSERVICEFILE", file, 1);
    run_both("service=jobs", "service=jobs");
    expect_bob_refused("FATAL:  password authentication failed for user \"bob\"");
    free(file);
}
END_TEST

/* Where the server can: PostgreSQL may be built without. */
static bool use_certificates(void)
{
    authority_make(folder);
    authority_certify(folder, "server", address);
    authority_certify(folder, "alice", NULL);
    if (!cluster_true(cluster, "SELECT setting <> '' FROM pg_settings WHERE name = 'ssl_library'"))
        return false;
    cluster_execute_format(cluster, "ALTER SYSTEM SET ssl_ca_file = '%s/ca.crt'", folder);
    cluster_execute_format(cluster, "ALTER SYSTEM SET ssl_cert_file = '%s/server.crt'", folder);
    cluster_execute_format(cluster, "ALTER SYSTEM SET ssl_key_file = '%s/server.key'", folder);
    cluster_execute(cluster, "ALTER SYSTEM SET ssl = on");
    let_in("hostssl all all all cert\n", "");
    WAIT_SQL(cluster, "SHOW ssl", "on", 20);
    return true;
}

START_TEST(by_a_certificate)
{
    if (!authority_is_possible() || !use_certificates()) {
        fprintf(stderr, "no openssl, or a server without: nothing is tested\n");
        return;
    }
    char *entry = files_path(
        "host=%s sslmode=verify-full sslrootcert=%s/ca.crt sslcert=%s/alice.crt sslkey=%s/alice.key", address, folder,
        folder, folder);

    run_both(entry, entry);
    expect_bob_refused("FATAL:  certificate authentication failed for user \"bob\"");
    free(entry);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("logins");
    TCase *cases = tcase_create("logins");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, by_the_name_of_the_daemons_user);
    tcase_add_test(cases, by_a_file_of_passwords);
    tcase_add_test(cases, by_a_service);
    tcase_add_test(cases, by_a_certificate);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
