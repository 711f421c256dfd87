/* SPDX-License-Identifier: PostgreSQL */
/* pgchime metrics: others' parsers read it, in both forms; it says what the ledger does; jobs have series as
 * metrics_jobs says; the rules and the dashboard name what there is. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/cluster/cluster.h"
#include "support/cluster/session.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/web/web.h"

#define READER PGCHIME_SOURCE_DIR "/tests/fixtures/read_metrics.py"

static struct cluster *cluster;
static struct site *site;
static struct web_server *web;
static char *output;
static char *errors;
static char *folder;
static char *path;          /* of what was printed */
static char *configuration; /* its path */

static void configure(const char *settings)
{
    free(configuration);
    configuration = commands_configure(cluster, "postgres", "postgres", folder, settings);
}

static void set_up(void)
{
    cluster = ledger_sql_create(5);
    folder = files_make_directory();
    path = xasprintf("%s/metrics", folder);
    configure("");
}

static void tear_down(void)
{
    web_server_destroy(web);
    site_destroy(site);
    web = NULL;
    site = NULL;
    cluster_destroy(cluster);
    free(configuration);
    free(path);
    free(folder);
    free(output);
    free(errors);
    configuration = output = errors = NULL;
}

/* The output of a shell command; its exit status must be 0. */
static void shell(const char *command)
{
    char *whole = xasprintf("{ %s ; } >'%s.out' 2>&1", command, path);
    char *file = xasprintf("%s.out", path);
    int status = system(whole);
    free(output);
    output = files_read(file);
    ck_assert_msg(status == 0, "%s: %s", command, output);
    free(whole);
    free(file);
}

/* Prints, as the form says, and reads it by prometheus_client. */
static void print_and_read(const char *form, int status)
{
    bool open = strcmp(form, "open") == 0;
    commands_expect(status, configuration, (const char *const[]){"metrics", open ? NULL : "--text", NULL}, &output,
                    &errors);
    files_write(path, output);
    char *command = xasprintf("/usr/bin/python3 " READER " %s '%s'", form, path);
    shell(command);
    free(command);
}

#define EXPECT_SAMPLE(text) ck_assert_msg(strstr(output, text "\n") != NULL, "%s is not among:\n%s", text, output)
#define EXPECT_NONE(text) ck_assert_msg(strstr(output, text) == NULL, "%s is among:\n%s", text, output)

/* A name as hostile as one may be, runs of each outcome, totals, and alerts. */
static void fill(void)
{
    cluster_execute(
        cluster,
        "UPDATE chime.job SET name = E'a \"quoted\\\\\\\\ name\\n# EOF\\n\u00e9', options = '{}' WHERE job_id = 1;"
        "SELECT run(1, 1, 'succeeded', 'all'), run(2, 1, 'failed', 'all'), run(2, 2, 'failed', 'all'),"
        " run(3, 1, 'timed_out', 'all');"
        "UPDATE chime.job SET active = false WHERE job_id = 4;"
        "UPDATE chime.job_state SET suspended_at = now() WHERE job_id = 3;"
        "UPDATE chime.job SET problem = 'it is wrong' WHERE job_id = 5;"
        "SELECT chime.add_totals('" LEDGER_SQL_TOKEN
        "', '{2026-01-01 00:01Z,2026-01-01 00:01Z}', '{schedule,schedule}',"
        " '{succeeded,failed}', '{3,2}', '{1500000,70}', '{40,0}', '{40,0}',"
        " '{\"{2,0,0,0,0,0,1,0,0,0,0,0}\",\"{2,0,0,0,0,0,0,0,0,0,0,0}\"}',"
        " '{\"{1,0,0,0,0,0,0,0,0,0,0,1}\",\"{0,0,0,0,0,0,0,0,0,0,0,0}\"}');"
        "INSERT INTO chime.alert (rule, subject, severity, state, since, changed_at, summary, labels)"
        " VALUES ('slow', 'x', 'critical', 'firing', now(), now(), 'slow', '{}');"
        "INSERT INTO chime.sink VALUES ('ops', 'webhook', '{}')");
}

START_TEST(what_is_printed_is_read_by_others_and_says_what_the_ledger_does)
{
    fill();
    for (int form = 0; form < 2; form++) {
        print_and_read(form == 0 ? "open" : "text", 0);
        EXPECT_SAMPLE("pgchime_database_up{database=main} 1");
        EXPECT_SAMPLE("pgchime_leader_up{database=main} 0");
        EXPECT_SAMPLE("pgchime_leader_epoch{database=main} 7");
        EXPECT_SAMPLE("pgchime_jobs{database=main,state=ok} 1");
        EXPECT_SAMPLE("pgchime_jobs{database=main,state=failing} 1");
        EXPECT_SAMPLE("pgchime_jobs{database=main,state=suspended} 1");
        EXPECT_SAMPLE("pgchime_jobs{database=main,state=refused} 1");
        EXPECT_SAMPLE("pgchime_jobs{database=main,state=inactive} 1");
        EXPECT_SAMPLE("pgchime_runs_total{database=main,kind=schedule,outcome=succeeded} 3");
        EXPECT_SAMPLE("pgchime_run_duration_seconds_bucket{database=main,le=0.001} 4");
        EXPECT_SAMPLE("pgchime_run_duration_seconds_bucket{database=main,le=1.0} 4");
        EXPECT_SAMPLE("pgchime_run_duration_seconds_bucket{database=main,le=5.0} 5");
        EXPECT_SAMPLE("pgchime_run_duration_seconds_count{database=main} 5");
        EXPECT_SAMPLE("pgchime_run_duration_seconds_sum{database=main} 1.50007");
        EXPECT_SAMPLE("pgchime_schedule_delay_seconds_bucket{database=main,le=300.0} 1");
        EXPECT_SAMPLE("pgchime_schedule_delay_seconds_bucket{database=main,le=+Inf} 2");
        EXPECT_SAMPLE("pgchime_job_consecutive_failures{database=main,job_name=job 2} 2");
        EXPECT_SAMPLE("pgchime_job_runs_total{database=main,job_name=job 2,outcome=failed} 2");
        EXPECT_SAMPLE(
            "pgchime_job_typical_duration_seconds{database=main,job_name=a \"quoted\\\\ name\n# EOF\n\u00e9} 60");
        EXPECT_SAMPLE("pgchime_job_series_omitted{database=main} 0");
        EXPECT_SAMPLE("pgchime_alerts{database=main,severity=critical,state=firing} 1");
        EXPECT_SAMPLE("pgchime_alerts{database=main,severity=info,state=pending} 0");
        EXPECT_SAMPLE("pgchime_notifications_waiting{database=main,sink=ops} 0");
        EXPECT_NONE("job_name=job 4");
        EXPECT_NONE("pgchime_waiting_runs"); /* nobody leads */
        EXPECT_NONE("instance=");
        EXPECT_NONE("job=");
    }
    char *command = xasprintf("promtool check metrics <'%s'", path);
    shell(command);
    free(command);
}
END_TEST

START_TEST(a_job_has_series_of_its_own_as_metrics_jobs_says)
{
    configure("metrics_jobs = 3;");
    print_and_read("open", 0);
    EXPECT_NONE("job_name=");
    EXPECT_SAMPLE("pgchime_job_series_omitted{database=main} 5");
    configure("metrics_jobs = [\"job 1\", \"*4\", \"job_2\", \"100%\", \"a\\\"b\\\\c\"];");
    print_and_read("open", 0);
    EXPECT_SAMPLE("pgchime_job_consecutive_failures{database=main,job_name=job 1} 0");
    EXPECT_SAMPLE("pgchime_job_consecutive_failures{database=main,job_name=job 4} 0");
    EXPECT_NONE("job_name=job 2");
    EXPECT_SAMPLE("pgchime_job_series_omitted{database=main} 3");
    cluster_execute(cluster, "UPDATE chime.job SET name = E'a\"b\\\\c' WHERE job_id = 3");
    print_and_read("open", 0);
    EXPECT_SAMPLE("pgchime_job_consecutive_failures{database=main,job_name=a\"b\\c} 0");
    configure("metrics_jobs = 5001;");
    commands_expect(3, configuration, (const char *const[]){"check", NULL}, &output, &errors);
    ck_assert_msg(strstr(errors, "expected 0 to 5000, found 5001") != NULL, "%s", errors);
}
END_TEST

/* Ten series of each job, and names as long as they may be. */
START_TEST(what_is_printed_stays_below_a_mebibyte_and_says_what_it_leaves_out)
{
    char *own = cluster_value(cluster, "SELECT count(*) FROM chime.job WHERE active");
    cluster_execute(
        cluster,
        "INSERT INTO chime.job (name, origin, schedule, command, since)"
        " SELECT 'm ' || to_char(n, 'FM0000') || repeat('\"', CASE WHEN n > 4000 THEN 60 ELSE 0 END), 'config',"
        "        '* * * * *', 'SELECT 1', '2026-01-01Z' FROM generate_series(1, 4990) n;"
        "INSERT INTO chime.job_state (job_id, last_slot) SELECT job_id, now() FROM chime.job WHERE name LIKE 'm %'");
    configure("metrics_jobs = 5000;");
    commands_expect(0, configuration, (const char *const[]){"metrics", NULL}, &output, &errors);
    ck_assert_uint_lt(strlen(output), 1 << 20);
    ck_assert_ptr_nonnull(strstr(output, "job_name=\"m 0900\"} "));
    ck_assert_ptr_null(strstr(output, "job_name=\"m 4000\"} "));
    long long omitted = atoll(strstr(output, "pgchime_job_series_omitted{database=\"main\"} ") +
                              strlen("pgchime_job_series_omitted{database=\"main\"} "));
    long long printed = 0;
    for (const char *at = output; (at = strstr(at, "pgchime_job_late_seconds{")) != NULL; at++) {
        printed++;
    }
    ck_assert_int_eq(printed + omitted, 4990 + atoll(own));
    configure("metrics_jobs = [\"m *\\\"*\"];");
    commands_expect(0, configuration, (const char *const[]){"metrics", NULL}, &output, &errors);
    ck_assert_uint_lt(strlen(output), 1 << 20);
    free(own);
}
END_TEST

START_TEST(a_database_that_is_away_is_said_to_be_and_hides_no_other)
{
    char *conninfo = cluster_conninfo(cluster, "postgres");
    char *text = xasprintf("databases: { main: { conninfo = \"%s\"; }; away: { conninfo = \"host=/nowhere/at/all "
                           "dbname=x\"; }; };\n",
                           conninfo);
    files_write(configuration, text);
    free(text);
    free(conninfo);
    print_and_read("open", 4);
    EXPECT_SAMPLE("pgchime_database_up{database=away} 0");
    EXPECT_SAMPLE("pgchime_database_up{database=main} 1");
    EXPECT_SAMPLE("pgchime_leader_epoch{database=main} 7");
}
END_TEST

/* The counter that is printed is the one in memory a moment before; what the leader knows is there while somebody
 * looks, and not after. */
START_TEST(a_daemon_that_leads_shows_what_it_alone_knows_while_somebody_looks)
{
    cluster_execute(cluster, "DELETE FROM chime.job; UPDATE chime.leader SET token = NULL");
    site = site_create(cluster, "postgres", 2);
    site_use_pools(site, "narrow = 3;");
    site_job(site, "asked", NEVER_DUE "command = \"SELECT 1\"; database = \"main\"; pool = \"narrow\";");
    struct daemon *served = site_lead(site);
    PGconn *looks = cluster_connect(cluster, "postgres");
    runs_ask_and_await(cluster, "asked");
    session_execute(looks, "SET application_name = 'pgchime web'");
    WAIT_SQL(cluster, "SELECT at IS NOT NULL FROM chime.pulse", "t", 30);
    WAIT_SQL(cluster, "SELECT sum(runs) FROM chime.tally", "1", 30);
    print_and_read("open", 0);
    EXPECT_SAMPLE("pgchime_leader_up{database=main} 1");
    EXPECT_SAMPLE("pgchime_waiting_runs{database=main} 0");
    EXPECT_SAMPLE("pgchime_run_sessions_limit{database=main} 2");
    EXPECT_SAMPLE("pgchime_pool_limit{database=main,pool=narrow} 3");
    EXPECT_SAMPLE("pgchime_runs_total{database=main,kind=manual,outcome=succeeded} 1");
    EXPECT_SAMPLE("pgchime_job_runs_total{database=main,job_name=asked,outcome=succeeded} 1");
    ck_assert(strstr(output, "pgchime_daemon_cpu_seconds_total{database=main} ") != NULL);
    PQfinish(looks);
    site_end(served);
    daemon_destroy(served);
    print_and_read("open", 0);
    EXPECT_NONE("pgchime_waiting_runs");
}
END_TEST

/* With all that there is: each name and label that a rule or a panel uses is printed. */
START_TEST(rules_and_dashboard_name_what_is_printed)
{
    fill();
    cluster_execute(cluster,
                    "UPDATE chime.leader SET pid = pg_backend_pid(), backend_start = (SELECT a.backend_start FROM"
                    " pg_stat_activity a WHERE a.pid = pg_backend_pid());"
                    "SELECT chime.note_pulse('" LEDGER_SQL_TOKEN "', '{\"jobs\": 3, \"waiting\": 1, \"sessions\": 2,"
                    " \"sessions_most\": 8, \"loop_lag_us\": 900, \"cpu_us\": 7, \"resident_bytes\": 9, \"started_at\":"
                    " \"2026-01-01Z\", \"pools\": [{\"pool\": \"heavy\", \"used\": 1, \"limit\": 2}]}');");
    commands_expect(0, configuration, (const char *const[]){"metrics", NULL}, &output, &errors);
    /* Of views, which only plugins make, and of the page's own: as they are printed. */
    char *all = xasprintf(
        "%.*s"
        "# TYPE pgchime_view_behind_seconds gauge\npgchime_view_behind_seconds{database=\"main\",view=\"v\"} 1\n"
        "# TYPE pgchime_view_target_seconds gauge\npgchime_view_target_seconds{database=\"main\",view=\"v\"} 1\n"
        "# TYPE pgchime_view_refreshes counter\npgchime_view_refreshes_total{database=\"main\",view=\"v\"} 1\n"
        "# TYPE pgchime_web_streams gauge\npgchime_web_streams 1\n"
        "# TYPE pgchime_web_requests counter\npgchime_web_requests_total{code=\"200\"} 1\n"
        "# TYPE pgchime_web_query_seconds summary\npgchime_web_query_seconds_count{database=\"main\"} 1\n"
        "pgchime_web_query_seconds_sum{database=\"main\"} 1\n# EOF\n",
        (int)(strlen(output) - strlen("# EOF\n")), output);
    files_write(path, all);
    char *command = xasprintf("/usr/bin/python3 " READER " names '%s' '" PGCHIME_SOURCE_DIR
                              "/packaging/prometheus/pgchime.rules.yml' '" PGCHIME_SOURCE_DIR
                              "/packaging/grafana/pgchime.json'",
                              path);
    shell(command);
    free(command);
    free(all);
}
END_TEST

START_TEST(rules_fire_by_what_they_are_about_and_by_nothing_else)
{
    shell("cd '" PGCHIME_SOURCE_DIR "/packaging/prometheus' && promtool check rules pgchime.rules.yml && "
          "promtool test rules pgchime.rules.test.yml");
}
END_TEST

/* --- the page ----------------------------------------------------------------------------------------------------- */

#define OPEN "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\n"

static void start_web(const char *access)
{
    char *conninfo = cluster_conninfo(cluster, "postgres");
    char *databases = xasprintf("main: { conninfo = \"%s\"; };", conninfo);
    web = web_server_start(folder, databases, access);
    free(databases);
    free(conninfo);
}

static void get_and_read(const char *form, const char *lines, const char *type)
{
    struct web_answer answer = web_expect(200, web, "/metrics", lines);
    ck_assert_msg(strstr(answer.all, type) != NULL, "no %s in:\n%s", type, answer.all);
    files_write(path, answer.body);
    web_answer_finish(&answer);
    char *command = xasprintf("/usr/bin/python3 " READER " %s '%s'", form, path);
    shell(command);
    free(command);
}

START_TEST(page_has_the_same_and_its_own_in_the_form_that_is_asked_for)
{
    fill();
    start_web("anonymous = \"view\";");
    get_and_read("open", OPEN, "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n");
    EXPECT_SAMPLE("pgchime_runs_total{database=main,kind=schedule,outcome=succeeded} 3");
    EXPECT_SAMPLE("pgchime_job_consecutive_failures{database=main,job_name=job 2} 2");
    EXPECT_SAMPLE("pgchime_web_streams{} 0");
    EXPECT_SAMPLE("pgchime_web_query_seconds_count{database=main} 1");
    /* However many ask within ten seconds: once. The other form is another text. */
    cluster_execute(cluster, "UPDATE chime.leader SET epoch = 8");
    get_and_read("open", OPEN, "openmetrics");
    EXPECT_SAMPLE("pgchime_leader_epoch{database=main} 7");
    get_and_read("text", "", "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    EXPECT_SAMPLE("pgchime_leader_epoch{database=main} 8");
    EXPECT_SAMPLE("pgchime_web_requests_total{code=200} 2");
    EXPECT_SAMPLE("pgchime_web_query_seconds_count{database=main} 2");
}
END_TEST

START_TEST(page_says_which_database_is_away)
{
    web = web_server_start(folder, "away: { conninfo = \"host=127.0.0.1 port=1 dbname=none\"; };",
                           "anonymous = \"view\";");
    get_and_read("open", OPEN, "openmetrics");
    EXPECT_SAMPLE("pgchime_database_up{database=away} 0");
}
END_TEST

START_TEST(page_is_for_who_may_view)
{
    start_web("anonymous = \"tiles\";");
    struct web_answer answer = web_expect(403, web, "/metrics", OPEN);
    web_answer_finish(&answer);
    answer = web_expect(401, web, "/metrics", "Authorization: Bearer 1234\r\n");
    web_answer_finish(&answer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tests = tcase_create("metrics");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, what_is_printed_is_read_by_others_and_says_what_the_ledger_does);
    tcase_add_test(tests, a_job_has_series_of_its_own_as_metrics_jobs_says);
    tcase_add_test(tests, what_is_printed_stays_below_a_mebibyte_and_says_what_it_leaves_out);
    tcase_add_test(tests, a_database_that_is_away_is_said_to_be_and_hides_no_other);
    tcase_add_test(tests, a_daemon_that_leads_shows_what_it_alone_knows_while_somebody_looks);
    tcase_add_test(tests, rules_and_dashboard_name_what_is_printed);
    tcase_add_test(tests, rules_fire_by_what_they_are_about_and_by_nothing_else);
    tcase_add_test(tests, page_has_the_same_and_its_own_in_the_form_that_is_asked_for);
    tcase_add_test(tests, page_says_which_database_is_away);
    tcase_add_test(tests, page_is_for_who_may_view);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
