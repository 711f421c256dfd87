/* SPDX-License-Identifier: PostgreSQL */
/* A real Alertmanager (Debian's prometheus-alertmanager) takes what a sink of that type is sent: it groups it, tells
 * its own receiver, and tells it again when it is resolved. Skipped where it is not installed. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "notify/delivery.h"
#include "support/cluster/cluster.h"
#include "support/daemon/receiver.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PROGRAM "/usr/bin/prometheus-alertmanager"
#define TOKEN "'11111111-1111-1111-1111-111111111111'"

static struct cluster *cluster;
static struct receiver *receiver; /* that the Alertmanager tells */
static char *url;                 /* of the Alertmanager */

/* --- the Alertmanager --------------------------------------------------------------------------------------------- */

static int free_port(void)
{
    struct receiver *held = receiver_create(RECEIVER_NEVER);
    int port = receiver_port(held);
    receiver_destroy(held);
    return port;
}

static void start_alertmanager(void)
{
    char *folder = files_make_directory();
    char *config = files_path("%s/alertmanager.yml", folder);
    char *text = files_path(
        "route: {receiver: ours, group_by: [alertname, database], group_wait: 1s, group_interval: 1s}\n"
        "receivers: [{name: ours, webhook_configs: [{url: 'http://127.0.0.1:%d/told'}]}]\n",
        receiver_port(receiver));
    int port = free_port();
    char *listen = files_path("--web.listen-address=127.0.0.1:%d", port);
    char *configured = files_path("--config.file=%s", config);
    char *storage = files_path("--storage.path=%s/data", folder);
    char *log = files_path("%s/log", folder);
    files_write(config, text);
    const char *const argv[] = {PROGRAM, listen, configured, storage, "--cluster.listen-address=", NULL};
    guard_process(GUARD_GROUP, process_start(argv, log, log));
    url = files_path("http://127.0.0.1:%d", port);
    free(folder);
    free(config);
    free(text);
    free(listen);
    free(configured);
    free(storage);
    free(log);
}

static bool told(const char *text)
{
    char *all = receiver_got(receiver);
    bool found = strstr(all, text) != NULL;
    free(all);
    return found;
}

static size_t times_told(const char *text)
{
    size_t count = 0;
    char *all = receiver_got(receiver);
    for (const char *at = strstr(all, text); at != NULL; at = strstr(at + 1, text)) {
        count++;
    }
    free(all);
    return count;
}

/* Whether one message has both, and not the third. */
static bool told_together(const char *first, const char *second, const char *never)
{
    bool found = false;
    char *all = receiver_got(receiver);
    char *rest = NULL;
    for (char *line = strtok_r(all, "\n", &rest); line != NULL && !found; line = strtok_r(NULL, "\n", &rest)) {
        found = strstr(line, first) != NULL && strstr(line, second) != NULL && strstr(line, never) == NULL;
    }
    free(all);
    return found;
}

/* --- a message ---------------------------------------------------------------------------------------------------- */

struct attempt {
    struct loop *loop;
    bool delivered;
};

static void came(void *data, const char *problem)
{
    struct attempt *attempt = data;
    attempt->delivered = problem == NULL;
    loop_stop(attempt->loop);
}

static bool deliver(const char *body)
{
    struct config_sink sink = {.name = "am", .type = SINK_ALERTMANAGER, .url = url};
    struct attempt attempt = {.loop = loop_create()};
    struct error err;
    struct notify_delivery *delivery = delivery_start(attempt.loop, &sink, body, "main-1", came, &attempt, &err);
    ck_assert_msg(delivery != NULL, "%s", err.message);
    loop_run(attempt.loop);
    delivery_destroy(delivery);
    loop_destroy(attempt.loop);
    return attempt.delivered;
}

/* The latest message of the rule, and that the ledger knows it delivered. */
static void send_latest(const char *rule)
{
    char *number_sql = files_path("SELECT max(notification_id) FROM chime.notification WHERE rule = '%s'", rule);
    char *number = cluster_value(cluster, number_sql);
    char *body_sql = files_path("SELECT chime.notification_body(%s)", number);
    char *body = cluster_value(cluster, body_sql);
    char *noted = files_path("SELECT chime.note_delivery(" TOKEN ", %s, NULL)", number);
    WAIT_FOR(deliver(body), 60); /* it may not listen yet */
    EXPECT_SQL(cluster, noted, "delivered");
    free(number_sql);
    free(number);
    free(body_sql);
    free(body);
    free(noted);
}

/* --- the test ----------------------------------------------------------------------------------------------------- */

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    receiver = receiver_create(200);
}

static void tear_down(void)
{
    receiver_destroy(receiver);
    cluster_destroy(cluster);
    free(url);
}

static void look(const char *found)
{
    cluster_execute_format(
        cluster, "SELECT FROM chime.note_alerts(" TOKEN ", ARRAY['%s']::jsonb[], '{job-failed,job-suspended}')", found);
}

START_TEST(it_receives_groups_and_resolves_ours)
{
    if (access(PROGRAM, X_OK) != 0) {
        printf("skipped: no " PROGRAM "\n");
        return;
    }
    start_alertmanager();
    cluster_execute(cluster, "UPDATE chime.leader SET token = " TOKEN ", epoch = 7");
    cluster_execute(cluster, "SELECT chime.set_alert_rules(" TOKEN ", '[]')");
    cluster_execute(cluster, "SELECT chime.set_sinks(" TOKEN ", '[{\"name\": \"am\", \"type\": \"alertmanager\"}]')");
    look("[{\"rule\": \"job-failed\", \"subject\": \"one\", \"summary\": \"division \\\"by\\\" zero\"},"
         " {\"rule\": \"job-failed\", \"subject\": \"two\"}, {\"rule\": \"job-suspended\", \"subject\": \"three\"}]");
    send_latest("job-failed");
    send_latest("job-suspended");
    WAIT_FOR(told("\"groupLabels\":{\"alertname\":\"job-failed\",\"database\":\"postgres\"}"), 60);
    WAIT_FOR(told("\"groupLabels\":{\"alertname\":\"job-suspended\",\"database\":\"postgres\"}"), 60);
    WAIT_FOR(told_together("\"job\":\"one\"", "\"job\":\"two\"", "\"job\":\"three\""), 60);
    ck_assert(told("\"summary\":\"division \\\"by\\\" zero\""));
    ck_assert(!told("\"status\":\"resolved\""));
    look("[]");
    look("[]");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.alert", "0");
    send_latest("job-failed");
    send_latest("job-suspended");
    WAIT_FOR(times_told("\"status\":\"resolved\",\"labels\"") == 3, 60);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alertmanager");
    TCase *tests = tcase_create("alertmanager");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, it_receives_groups_and_resolves_ours);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
