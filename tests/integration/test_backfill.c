/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime backfill`: groups computed again in batches, resumed after kill -9, beside writers and refreshes. */
#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/terminal.h"
#include "support/keyed/keyed.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/views/installed.h"

static struct cluster *cluster;
static struct daemon *filling;
static char *configuration;
static char *output;
static char *errors;
static json_t *document;

#define ASSERT_RUN(status, ...) \
    commands_expect(status, configuration, (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)
#define EQUAL(view) EXPECT_SQL(cluster, "SELECT missing + surplus FROM chime.difference('" view "')", "0")

/* The member of the only row of the last JSON output is this number. */
static void result_is(const char *member, json_int_t number)
{
    json_decref(document);
    document = json_loads(output, JSON_REJECT_DUPLICATES, NULL);
    json_t *row = json_array_get(json_object_get(document, "backfills"), 0);
    json_t *value = json_object_get(row, member);
    ck_assert_msg(json_is_integer(value) && json_integer_value(value) == number, "%s is not %lld in:\n%s", member,
                  (long long)number, output);
}

static void configure(void)
{
    char *folder = files_make_directory();

    configuration = commands_configure(cluster, "postgres", "postgres", folder, "");
    free(folder);
}

/* Shops 1 to 300 and none, and hours of sales. Triggers are off while rows are changed behind the views' backs. */
static void make(struct cluster *made)
{
    keyed_make(made);
    cluster_execute(made, "INSERT INTO app.orders (shop, kind, amount) SELECT nullif(n % 301, 0), 'k' || n % 2, n"
                          " FROM generate_series(1, 3000) AS n;"
                          "CREATE TABLE app.sales (at timestamptz, amount integer); CREATE INDEX ON app.sales (at);"
                          "INSERT INTO app.sales SELECT timestamptz '2026-01-01 00:30Z' + n * interval '1 hour', n"
                          " FROM generate_series(0, 239) AS n;"
                          "CREATE FUNCTION app.install_hourly() RETURNS text LANGUAGE sql AS $$ SELECT app.install("
                          "'hourly', 'SELECT at AS hour, sum(amount) AS total FROM sales GROUP BY at', '{hour}',"
                          " '[{\"table\": \"sales\", \"columns\": [\"at\", \"amount\"], \"capture\": [\"at\"],"
                          " \"map\": \"SELECT at FROM marks\"}]') $$;"
                          "CREATE FUNCTION app.behind_their_backs(statement text) RETURNS void LANGUAGE plpgsql AS $$"
                          " BEGIN SET LOCAL session_replication_role = replica; EXECUTE statement; END $$");
    KEYED_INSTALL(made, "shop_total", "kind_total", "hourly");
    cluster_execute(made,
                    "INSERT INTO chime.job (name, origin, views) VALUES ('shops', 'config', '{kept.shop_total}'),"
                    " ('both', 'config', '{kept.shop_total,kept.kind_total}'), ('idle', 'config', '{kept.nothing}');"
                    "INSERT INTO chime.job (name, origin, command) VALUES ('vacuum', 'config', 'VACUUM')");
}

static void set_up(void)
{
    static const struct cluster_template filled = {"backfill", make, NULL};

    cluster = cluster_create_from(&filled, NULL);
    configure();
}

static void set_up_telemetry(void)
{
    cluster = installed_create("telemetry", "tests/support/views/tables_telemetry.sql", NULL);
    configure();
}

static void tear_down(void)
{
    daemon_destroy(filling);
    cluster_destroy(cluster);
    free(configuration);
    free(output);
    free(errors);
    json_decref(document);
}

static void spoil(const char *statement)
{
    char *sql = files_path("SELECT app.behind_their_backs($s$%s$s$)", statement);
    cluster_execute(cluster, sql);
    free(sql);
}

static void start(const char *view, const char *batch)
{
    daemon_destroy(filling);
    filling = daemon_start((const char *const[]){"--config", configuration, "backfill", view, "--batch", batch, NULL});
}

#define GROUPS_DONE "SELECT groups FROM chime.backfill"
#define AWAIT_MIDDLE WAIT_SQL(cluster, "SELECT groups > 5 FROM chime.backfill WHERE finished_at IS NULL", "t", 60)

/* --- what it does ------------------------------------------------------------------------------------------------- */

START_TEST(rows_that_no_mark_told_of_become_right_and_stay_so)
{
    spoil("UPDATE app.orders SET amount = amount + 1 WHERE shop = 7 OR shop IS NULL");
    spoil("DELETE FROM app.orders WHERE shop = 8");
    spoil("INSERT INTO app.orders (shop, amount) VALUES (1000, 1), (1001, 1)");
    EXPECT_LOOK(cluster, "shop_total", "keyed 0: +0 ~0 -0 WRONG: 4 missing, 3 surplus");
    ASSERT_RUN(0, "backfill", "shop_total", "--batch", "50", "-o", "json");
    result_is("total", 303);
    result_is("groups", 303);
    result_is("batches", 7);
    result_is("inserted", 2);
    result_is("updated", 2);
    result_is("deleted", 1);
    EQUAL("shop_total");
    EXPECT_LOOK(cluster, "shop_total", "keyed 0: +0 ~0 -0");
    ASSERT_RUN(0, "backfill", "kept.shop_total", "-o", "json");
    result_is("inserted", 0);
    result_is("updated", 0);
    result_is("deleted", 0);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.backfill_group", "0");
}
END_TEST

/* The definition has no such column; an index on a source is asked about, and writes the keyed refresh anew. */
START_TEST(a_column_that_somebody_added_is_left_alone)
{
    cluster_execute(cluster,
                    "ALTER TABLE kept.shop_total ADD COLUMN note text, ADD COLUMN twice bigint GENERATED ALWAYS"
                    " AS (2 * n) STORED; UPDATE kept.shop_total SET note = 'n' || shop");
    spoil("UPDATE app.orders SET amount = amount + 1");
    ASSERT_RUN(0, "backfill", "shop_total", "-o", "json");
    result_is("updated", 301);
    EQUAL("shop_total");
    cluster_execute(cluster, "CREATE INDEX ON app.orders (shop, amount)");
    EXPECT_SQL(cluster, "SELECT chime.ask_again('kept', 'app', 'shop_total')", "");
    cluster_execute(cluster, "SELECT chime.refresh('shop_total');"
                             "UPDATE app.orders SET amount = amount + 1 WHERE shop = 7");
    EXPECT_LOOK(cluster, "shop_total", "keyed 1: +0 ~1 -0");
    ASSERT_RUN(0, "verify", "--repair");
    EXPECT_SQL(cluster, "SELECT count(*) FROM kept.shop_total WHERE note = 'n' || shop AND twice = 2 * n", "300");
    cluster_execute(cluster,
                    "ALTER TABLE kept.shop_total RENAME COLUMN total TO turnover"); /* fewer columns are not right */
    ASSERT_RUN(1, "backfill", "shop_total");
    commands_has(errors, "column k.total does not exist");
}
END_TEST

START_TEST(groups_of_several_columns_with_nulls_are_each_done_once)
{
    spoil("UPDATE app.orders SET kind = NULL WHERE id % 7 = 0");
    char *groups = cluster_value(cluster, "SELECT count(*) FROM (SELECT shop, kind FROM kept.kind_total__live"
                                          " UNION SELECT shop, kind FROM kept.kind_total) AS g");
    ASSERT_RUN(0, "backfill", "kind_total", "--batch", "20", "-o", "json");
    EQUAL("kind_total");
    EXPECT_SQL(cluster, GROUPS_DONE, groups);
    free(groups);
}
END_TEST

START_TEST(only_groups_of_the_time_asked_for)
{
    spoil("UPDATE app.sales SET amount = amount + 1");
    ASSERT_RUN(0, "backfill", "hourly", "--from", "2026-01-02", "--to", "2026-01-03T00:30:00Z", "-o", "json");
    result_is("total", 24);
    result_is("updated", 24);
    EXPECT_SQL(cluster, "SELECT missing FROM chime.difference('hourly')", "216");
    ASSERT_RUN(0, "backfill", "hourly", "--to", "2026-01-02", "-o", "json");
    result_is("updated", 24);
    ASSERT_RUN(0, "backfill", "hourly", "--from", "2026-01-03 02:30+02:00", "-o", "json");
    EQUAL("hourly");
    ASSERT_RUN(6, "backfill", "shop_total", "--from", "2026-01-02");
    commands_has(errors, "the grain of kept.shop_total has no column with a time\nHINT:  its grain is (shop)");
    ASSERT_RUN(6, "backfill", "hourly", "--from", "2026-01-03", "--to", "2026-01-02");
    ASSERT_RUN(2, "backfill", "hourly", "--from", "yesterday");
    ASSERT_RUN(2, "backfill", "hourly", "--batch", "0");
}
END_TEST

START_TEST(a_dry_run_counts_and_changes_nothing)
{
    spoil("UPDATE app.orders SET amount = amount + 1");
    ASSERT_RUN(0, "backfill", "shop_total", "--dry-run", "-o", "json");
    result_is("total", 301);
    result_is("groups", 0);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.backfill", "0");
    EXPECT_SQL(cluster, "SELECT missing FROM chime.difference('shop_total')", "301");
}
END_TEST

START_TEST(a_job_stands_for_its_views_and_has_the_runs)
{
    spoil("UPDATE app.orders SET amount = amount + 1 WHERE shop < 11");
    ASSERT_RUN(0, "backfill", "both");
    EQUAL("shop_total");
    EQUAL("kind_total");
    EXPECT_SQL(cluster,
               "SELECT string_agg(concat_ws(' ', job, kind, state, rows, attempt), ', ' ORDER BY slot) FROM chime.runs",
               "both backfill succeeded 10 1, both backfill succeeded 0 1");
    EXPECT_SQL(cluster, "SELECT message FROM chime.runs ORDER BY slot LIMIT 1",
               "kept.shop_total: 301 groups in 1 batches, 0 inserted, 10 updated, 0 deleted");
    ASSERT_RUN(0, "backfill", "shop_total");
    EXPECT_SQL(cluster, "SELECT job FROM chime.runs ORDER BY slot DESC LIMIT 1", "shops");
}
END_TEST

START_TEST(what_cannot_be_done_is_refused)
{
    ASSERT_RUN(5, "backfill", "shop_totl");
    commands_has(errors, "did you mean \"shop_total\"?");
    ASSERT_RUN(2, "backfill", "vacuum"); /* slots of a command */
    commands_has(errors, "a backfill of slots needs --from");
    ASSERT_RUN(2, "backfill", "shop_total", "--only", "failed");
    commands_has(errors, "--only is for jobs whose slots are done again");
    EXPECT_SQL(cluster, "SELECT app.install('whole', 'SELECT count(*) AS n FROM orders', '{}', '[]', '{n}')",
               "it has no grain");
    ASSERT_RUN(6, "backfill", "whole");
    commands_has(errors, "cannot be computed in parts: it has no grain\nHINT:  pgchime refresh kept.whole --full");
    cluster_execute(cluster, "DROP INDEX app.sales_at_idx");
    ASSERT_RUN(6, "backfill", "hourly");
    commands_has(errors, "no index finds one group in app.sales");
}
END_TEST

/* --- broken off --------------------------------------------------------------------------------------------------- */

START_TEST(killed_in_the_middle_it_goes_on_where_it_was)
{
    spoil("UPDATE app.orders SET amount = amount + 1");
    start("shop_total", "1");
    AWAIT_MIDDLE;
    daemon_kill(filling);
    WAIT_SQL(cluster, "SELECT chime.backend_alive(pid, backend_start) FROM chime.backfill", "f", 30);
    int64_t done = cluster_integer(cluster, GROUPS_DONE);
    ck_assert_int_lt(done, 301);
    char *words = files_path("going on where an earlier backfill stopped, at %lld of 301 groups", (long long)done);
    ASSERT_RUN(0, "backfill", "shop_total", "--batch", "100", "-o", "json");
    commands_has(errors, words);
    result_is("groups", 301);
    result_is("updated", 301);
    EQUAL("shop_total");
    EXPECT_SQL(cluster, "SELECT batches < 301 FROM chime.backfill", "t");
    EXPECT_SQL(cluster, "SELECT count(*) || ' ' || max(attempt) || ' ' || max(rows) FROM chime.runs", "1 2 301");
    free(words);
}
END_TEST

#define ROLLUPS "chat_telemetry_domain_rollups"

START_TEST(the_rollups_of_telemetry_go_on_after_a_kill)
{
    cluster_execute(cluster, "SET session_replication_role = replica; UPDATE chat_telemetry SET cost_usd = 1;"
                             "DELETE FROM analytics." ROLLUPS
                             " WHERE bucket_start < '2026-03-01'; RESET session_replication_role");
    start(ROLLUPS, "1");
    AWAIT_MIDDLE;
    daemon_kill(filling);
    WAIT_SQL(cluster, "SELECT chime.backend_alive(pid, backend_start) FROM chime.backfill", "f", 30);
    EXPECT_SQL(cluster, "SELECT groups < total FROM chime.backfill", "t");
    cluster_execute(cluster,
                    "INSERT INTO chat_telemetry (domain, created_at) SELECT domain, created_at FROM chat_telemetry"
                    " WHERE id % 9 = 0");
    ASSERT_RUN(0, "backfill", "refresh-telemetry-rollups-hourly", "-o", "json");
    commands_has(errors, "going on where an earlier backfill stopped");
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT r.method, ' ') FROM chime.view v, chime.refresh(v.relation) r"
               " WHERE v.relation LIKE 'chat_telemetry_%rollups'",
               "keyed");
    EQUAL("chat_telemetry_rollups");
    EQUAL(ROLLUPS);
    EQUAL("chat_telemetry_model_rollups");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM (SELECT FROM analytics." ROLLUPS
               " GROUP BY bucket_start, granularity, domain HAVING count(*) > 1) AS d",
               "0");
}
END_TEST

/* Hour and day of a request, and what the groups are listed by: not the whole table for each bucket. */
START_TEST(a_batch_of_rollups_reads_each_request_a_few_times)
{
    cluster_execute(cluster,
                    "INSERT INTO chat_telemetry (domain, model, created_at) SELECT 'd' || n % 20, 'm', timestamptz"
                    " '2026-01-01Z' + n * interval '7 min' FROM generate_series(1, 5000) AS n;"
                    "SELECT count(r) FROM chime.view v, chime.refresh(v.relation) r; ANALYZE chat_telemetry");
    cluster_execute(cluster, "SELECT pg_stat_force_next_flush()");
    cluster_execute(cluster, "SELECT pg_stat_reset()");
    ASSERT_RUN(0, "backfill", ROLLUPS, "-o", "json");
    WAIT_SQL(cluster, "SELECT idx_tup_fetch > 0 FROM pg_stat_all_tables WHERE relname = 'chat_telemetry'", "t", 30);
    EXPECT_SQL(cluster,
               "SELECT seq_tup_read + idx_tup_fetch <= 8 * (SELECT count(*) FROM chat_telemetry)"
               " FROM pg_stat_all_tables WHERE relname = 'chat_telemetry'",
               "t");
    EQUAL(ROLLUPS);
}
END_TEST

#define BAR "\rkept.kind_total ["

START_TEST(on_a_terminal_a_bar_shows_how_far_it_is_and_goes_away)
{
    const char *const words[] = {"backfill", "kind_total", "--batch", "50", NULL};

    ck_assert_int_eq(terminal_run(configuration, words, "", &output), 0);
    commands_has(output, BAR);
    commands_has(output, " groups\r\033[K");
    commands_has(output, " of 602 groups");
    ASSERT_RUN(0, "backfill", "kind_total", "--batch", "50");
    ck_assert_ptr_null(strchr(errors, '\r'));
    ck_assert_int_eq(terminal_run(configuration,
                                  (const char *const[]){"-q", "backfill", "kind_total", "--batch", "50", NULL}, "",
                                  &output),
                     0);
    ck_assert_ptr_null(strstr(output, BAR));
}
END_TEST

START_TEST(interrupted_or_out_of_time_it_says_so_and_goes_on_later)
{
    spoil("UPDATE app.orders SET amount = amount + 1");
    ASSERT_RUN(124, "backfill", "shop_total", "--batch", "1", "--timeout", "1us");
    commands_has(errors, "was out of time before its end\nHINT:  run the same command again: it goes on from there");
    start("shop_total", "1");
    AWAIT_MIDDLE;
    daemon_signal(filling, SIGINT);
    ck_assert_int_eq(daemon_wait(filling, 60), 130);
    ck_assert_int_lt(cluster_integer(cluster, GROUPS_DONE), 301);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.runs", "0");
    ASSERT_RUN(0, "backfill", "shop_total");
    EQUAL("shop_total");
    EXPECT_SQL(cluster, "SELECT attempt FROM chime.runs", "3");
}
END_TEST

START_TEST(groups_that_appear_meanwhile_are_counted_in_the_total)
{
    ASSERT_RUN(124, "backfill", "hourly", "--batch", "1", "--timeout", "1us");
    cluster_execute(cluster, "INSERT INTO app.sales SELECT timestamptz '2027-01-01Z' + n * interval '1 hour', n"
                             " FROM generate_series(0, 29) AS n");
    ASSERT_RUN(0, "backfill", "hourly", "--batch", "10", "-o", "json");
    result_is("groups", 270);
    result_is("total", 270);
    EQUAL("hourly");
}
END_TEST

/* One that joins by the grain's equality alone would read all of it for a span. */
START_TEST(what_only_equality_finds_is_done_group_by_group)
{
    EXPECT_SQL(cluster,
               "SELECT app.install('shop_share', 'SELECT o.shop, count(*) AS n, max(a.total) AS total FROM orders o"
               " JOIN (SELECT shop, sum(amount) AS total FROM orders GROUP BY shop) a ON a.shop = o.shop"
               " GROUP BY o.shop', '{shop}', '[{\"table\": \"orders\", \"columns\": [\"shop\", \"amount\"],"
               " \"capture\": [\"shop\"]}]')",
               NULL);
    cluster_execute(cluster, "SELECT chime.refresh('shop_share')");
    spoil("UPDATE app.orders SET amount = amount + 1 WHERE shop < 200");
    ASSERT_RUN(0, "backfill", "shop_share", "--batch", "50", "-o", "json");
    result_is("updated", 199);
    EQUAL("shop_share");
}
END_TEST

START_TEST(other_groups_or_another_definition_begin_anew)
{
    ASSERT_RUN(124, "backfill", "hourly", "--batch", "1", "--timeout", "1us");
    ASSERT_RUN(0, "backfill", "hourly", "--from", "2026-01-02", "-o", "json");
    result_is("total", 216);
    ASSERT_RUN(124, "backfill", "hourly", "--batch", "1", "--timeout", "1us");
    cluster_execute(cluster, "SELECT app.install('hourly', 'SELECT at AS hour, sum(amount) AS total FROM sales"
                             " WHERE amount > 9 GROUP BY at', '{hour}', '[{\"table\": \"sales\", \"columns\": [\"at\","
                             " \"amount\"], \"capture\": [\"at\"], \"map\": \"SELECT at FROM marks\"}]')");
    ASSERT_RUN(0, "backfill", "hourly", "-o", "json");
    result_is("deleted", 10);
    EXPECT_SQL(cluster, "SELECT starts FROM chime.backfill", "1");
    EQUAL("hourly");
}
END_TEST

/* --- beside others ------------------------------------------------------------------------------------------------ */

START_TEST(a_second_one_of_the_view_is_refused)
{
    PGconn *holder = cluster_connect(cluster, "postgres");
    session_execute(holder, "BEGIN; SELECT FROM chime.view_refresh WHERE relation = 'shop_total' FOR UPDATE");
    start("shop_total", "10");
    WAIT_SQL(cluster, "SELECT count(*) > 0 FROM chime.backfill_group", "t", 30);
    ASSERT_RUN(6, "backfill", "shop_total");
    commands_has(errors, "another backfill of kept.shop_total is under way\nHINT:  its session has the pid ");
    ASSERT_RUN(0, "backfill", "kind_total");
    session_execute(holder, "COMMIT");
    ck_assert_int_eq(daemon_wait(filling, 60), 0);
    PQfinish(holder);
}
END_TEST

/* Writers change groups that are done and groups that are not; refreshes go on in between. */
START_TEST(beside_writers_and_refreshes_nothing_is_lost)
{
    PGconn *writer = cluster_connect(cluster, "postgres");
    spoil("UPDATE app.orders SET amount = amount + 1");
    start("shop_total", "5");
    int rounds = 0;
    do {
        session_execute(writer, "UPDATE app.orders SET amount = amount + 1, shop = (shop + 13) % 301 WHERE id % 97 = 5;"
                                "DELETE FROM app.orders WHERE id = (SELECT max(id) FROM app.orders);"
                                "INSERT INTO app.orders (shop, amount) VALUES (400, 1), (5, 2)");
        session_execute(writer, "SELECT chime.refresh('shop_total')");
        rounds++;
    } while (daemon_is_running(filling));
    ck_assert_int_eq(daemon_wait(filling, 60), 0);
    ck_assert_int_ge(rounds, 3);
    session_execute(writer, "SELECT chime.refresh('shop_total')");
    EXPECT_SQL(cluster, "SELECT method FROM chime.view_refresh WHERE relation = 'shop_total'", "keyed");
    EQUAL("shop_total");
    EXPECT_SQL(cluster,
               "SELECT rows - (SELECT count(*) FROM kept.shop_total) FROM chime.view_refresh WHERE relation ="
               " 'shop_total'",
               "0");
    PQfinish(writer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backfill");
    TCase *tests = tcase_create("backfill");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, rows_that_no_mark_told_of_become_right_and_stay_so);
    tcase_add_test(tests, a_column_that_somebody_added_is_left_alone);
    tcase_add_test(tests, groups_of_several_columns_with_nulls_are_each_done_once);
    tcase_add_test(tests, only_groups_of_the_time_asked_for);
    tcase_add_test(tests, a_dry_run_counts_and_changes_nothing);
    tcase_add_test(tests, a_job_stands_for_its_views_and_has_the_runs);
    tcase_add_test(tests, what_cannot_be_done_is_refused);
    tcase_add_test(tests, killed_in_the_middle_it_goes_on_where_it_was);
    tcase_add_test(tests, interrupted_or_out_of_time_it_says_so_and_goes_on_later);
    tcase_add_test(tests, on_a_terminal_a_bar_shows_how_far_it_is_and_goes_away);
    tcase_add_test(tests, groups_that_appear_meanwhile_are_counted_in_the_total);
    tcase_add_test(tests, what_only_equality_finds_is_done_group_by_group);
    tcase_add_test(tests, other_groups_or_another_definition_begin_anew);
    tcase_add_test(tests, a_second_one_of_the_view_is_refused);
    tcase_add_test(tests, beside_writers_and_refreshes_nothing_is_lost);
    TCase *telemetry = tcase_create("telemetry");
    tcase_set_timeout(telemetry, 300);
    tcase_add_checked_fixture(telemetry, set_up_telemetry, tear_down);
    tcase_add_test(telemetry, the_rollups_of_telemetry_go_on_after_a_kill);
    tcase_add_test(telemetry, a_batch_of_rollups_reads_each_request_a_few_times);
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, telemetry);
    return suite_run(suite);
}
