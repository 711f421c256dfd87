/* SPDX-License-Identifier: PostgreSQL */
/* What reads works on a standby, and says how old it is; what would write says that it is one. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/cluster/standby.h"
#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/web/web.h"

#define MARK "database \"main\": a standby, and what it has last was committed "
#define TILE "/api/v1/d/main/tile/shop_tiles/11"

static struct cluster *standby;
static struct web_server *web;
static struct web_stream *stream;
static char *folder;
static char *plugins;
static char *configuration; /* of the standby */
static char *output;
static char *errors;

static void set_up(void)
{
    served_set_up(2);
    folder = files_make_directory();
    plugins = files_make_directory();
    cluster_execute(cluster, "CREATE TABLE shop_sales (id serial, shop text, amount numeric, words text);"
                             "INSERT INTO shop_sales (shop, amount) VALUES ('a', 2.5), ('b', 1);"
                             "CREATE ROLE page LOGIN IN ROLE pgchime_monitor, pgchime_operator");
    plugin_put_fixture(plugins, "shop_tiles");
    site_use_plugins(site, plugins);
    site_job(site, "quick", NEVER_DUE "command = \"SELECT 1\";");
    site_job(site, "bad", NEVER_DUE "command = \"SELECT 1/0\"; max_attempts = 1;");
    served = site_lead(site);
    runs_ask_and_await(cluster, "quick");
    runs_ask_and_await(cluster, "bad");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.tile WHERE vetted IS NOT NULL", "11", 120);
    WAIT_SQL(cluster, "SELECT count(*) FROM analytics.shop_tiles", "2", 120);
    standby = standby_create(cluster);
    standby_catch_up(cluster, standby);
    configuration = commands_configure(standby, "postgres", "postgres", folder, "");
}

static void tear_down(void)
{
    web_stream_destroy(stream);
    web_server_destroy(web);
    cluster_destroy(standby);
    served_tear_down();
    free(configuration);
    free(plugins);
    free(folder);
    free(output);
    free(errors);
}

#define RUN(status, ...) \
    commands_expect(status, configuration, (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

START_TEST(commands_that_read_work_and_say_how_old_it_is)
{
    static const char *const words[][3] = {
        {"jobs"},    {"show", "quick"},   {"runs"},           {"runs", "bad"}, {"why", "bad"},
        {"next"},    {"next", "quick"},   {"views"},          {"tiles"},       {"tiles", "shop_tiles/11"},
        {"metrics"}, {"alerts", "--all"}, {"alerts", "rules"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        RUN(0, words[i][0], words[i][1], words[i][2]);
        ck_assert_msg(strstr(errors, MARK) != NULL, "%s: %s", words[i][0], errors);
    }
    RUN(0, "show", "bad");
    commands_has(output, "division by zero");
    RUN(8, "status", "-o", "json");
    commands_has(output, "\"leader_session\": true");
    commands_has(output, "\"standby_behind_ms\": ");
    ck_assert_ptr_null(strstr(output, "\"standby_behind_ms\": null"));
    commands_has(output, "\"problem\": \"job bad fails: ");
    ck_assert_ptr_null(strstr(output, "nobody leads"));
    RUN(8, "doctor", "-o", "json");
    commands_has(output, "job bad fails: ");
    commands_has(errors, MARK);
    ck_assert_msg(strstr(output, "\"state\": \"failed\"") == NULL, "%s", output);
}
END_TEST

START_TEST(commands_that_write_are_refused_by_that_name)
{
    static const char *const words[][7] = {{"run", "quick"},
                                           {"suspend", "quick"},
                                           {"resume", "quick"},
                                           {"refresh", "shop_tiles"},
                                           {"alerts", "silence", "job=quick", "--for", "1h", "--reason", "x"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        commands_run(configuration,
                     (const char *const[]){words[i][0], words[i][1], words[i][2], words[i][3], words[i][4], words[i][5],
                                           words[i][6], NULL},
                     &output, &errors);
        ck_assert_msg(strstr(errors, "the server is a standby") != NULL, "%s: %s%s", words[i][0], output, errors);
        commands_has(errors, "list all hosts in the conninfo");
    }
}
END_TEST

static void start_web(void)
{
    char *line = NULL;
    char *said = NULL;
    char *path = files_path("%s/tokens", folder);
    char *conninfo = cluster_conninfo_as(standby, "page", "postgres");
    char *databases = files_path("main: { conninfo = \"%s\"; };", conninfo);
    ck_assert_int_eq(daemon_run((const char *const[]){"web", "token", "ann", "--role", "operate", NULL}, &line, &said),
                     0);
    files_write(path, line);
    ck_assert_int_eq(chmod(path, 0600), 0);
    web = web_server_start(folder, databases, "tokens_file = \"tokens\"; }; actions = true; #");
    free(output);
    output = files_path("Authorization: Bearer %.*s\r\n", (int)strcspn(strstr(said, "token: ") + 7, "\n"),
                        strstr(said, "token: ") + 7);
    free(databases);
    free(conninfo);
    free(path);
    free(said);
    free(line);
}

START_TEST(page_shows_what_the_standby_has_and_its_age_and_follows)
{
    static const char *const targets[] = {"/d/main/jobs",
                                          "/d/main/job/quick",
                                          "/d/main/job/bad/why",
                                          "/d/main/runs",
                                          "/d/main/views",
                                          "/d/main/alerts?all=1",
                                          "/d/main/graph",
                                          "/d/main/history",
                                          "/d/main/crowded",
                                          "/d/main/silences",
                                          "/d/main/notifications",
                                          "/d/main/doctor",
                                          "/d/main/tiles",
                                          "/tiles",
                                          "/d/main/tile/shop_tiles/0",
                                          "/d/main/tile/shop_tiles/8"};
    start_web();
    char *lines = output;
    output = NULL;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        char *target = files_path("/api/v1%s", targets[i]);
        struct web_answer answer = web_expect(200, web, target, lines);
        web_answer_finish(&answer);
        free(target);
    }
    struct web_answer answer = web_expect(200, web, "/metrics", lines);
    commands_has(answer.body, "pgchime_leader_up{database=\"main\"} 1");
    web_answer_finish(&answer);
    answer = web_expect(200, web, "/api/v1/databases", lines);
    commands_has(answer.body, "\"leader_session\": true");
    ck_assert_ptr_null(strstr(answer.body, "\"standby_behind_ms\": null"));
    web_answer_finish(&answer);
    stream = web_stream_open(web, "/api/v1/stream?topics=/d/main/tile/shop_tiles/11", lines);
    web_stream_hear(stream, "event: v");
    cluster_execute(cluster, "INSERT INTO shop_sales (shop, amount) VALUES ('c', 1)");
    web_stream_hear(stream, "event: v"); /* by what was replayed */
    answer = web_expect(200, web, TILE, lines);
    commands_has(answer.body, "\"c\",\n          1\n");
    web_answer_finish(&answer);
    char *head = files_path("%sContent-Type: application/json\r\n", lines);
    answer = web_post(web, "/api/v1/d/main/job/quick/run", head, "{\"reason\": \"a\"}");
    ck_assert_int_eq(answer.status, 503);
    commands_has(answer.body, "the server is a standby");
    web_answer_finish(&answer);
    free(head);
    free(lines);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("standby");
    TCase *tests = tcase_create("standby");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, commands_that_read_work_and_say_how_old_it_is);
    tcase_add_test(tests, commands_that_write_are_refused_by_that_name);
    tcase_add_test(tests, page_shows_what_the_standby_has_and_its_age_and_follows);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
