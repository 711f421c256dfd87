/* SPDX-License-Identifier: PostgreSQL */
/* CREATE PUBLICATION ... FOR ALL TABLES, beside jobs and refreshes: of a table without a replica identity no row may
 * go. */
#include <check.h>
#include <stdlib.h>

#include "support/daemon/commands.h"
#include "support/keyed/keyed_stage.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define WITHOUT_IDENTITY                                                                                           \
    "SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace" \
    " WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('chime', 'kept') AND c.relreplident <> 'f'"                  \
    "   AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)"

static char *output;
static char *errors;

static void set_up(void)
{
    keyed_stage_set();
    cluster_execute(cluster, "ALTER TABLE app.orders REPLICA IDENTITY FULL");
}

static void serve(void)
{
    served_set_up(2);
    cluster_execute(cluster, "CREATE TABLE t (at timestamptz DEFAULT clock_timestamp());"
                             "CREATE PUBLICATION everything FOR ALL TABLES");
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"INSERT INTO t DEFAULT VALUES\";");
}

static void tear_down(void)
{
    served_tear_down();
    free(output);
    free(errors);
}

START_TEST(every_table_has_a_replica_identity_and_refreshes_go_on)
{
    cluster_execute(cluster, "CREATE PUBLICATION everything FOR ALL TABLES");
    KEYED_INSTALL(cluster, "shop_total");
    EXPECT_SQL(cluster, WITHOUT_IDENTITY, NULL);
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    AFTER(THREE_SHOPS, "shop_total", "keyed 3: +3 ~0 -0");
    AFTER("UPDATE app.orders SET amount = 99 WHERE shop = 2", "shop_total", "keyed 1: +0 ~1 -0");
    AFTER("INSERT INTO app.orders (shop) VALUES (NULL); DELETE FROM app.orders WHERE shop = 3", "shop_total",
          "keyed 2: +1 ~0 -1");
    cluster_execute(cluster, "DELETE FROM app.orders WHERE shop = 1; UPDATE app.orders SET amount = 5");
    EXPECT_SQL(cluster, "SELECT method FROM chime.refresh('kept.shop_total', true)", "full");
    EXPECT_SQL(cluster, "SELECT string_agg(concat_ws(' ', shop, total), ', ' ORDER BY shop) FROM kept.shop_total",
               "2 5, 5");
}
END_TEST

#define AS_MATVIEW                                                                                   \
    "SELECT app.install('shop_total', 'SELECT shop, count(*) AS n, sum(amount) AS total FROM orders" \
    " GROUP BY shop', '{shop}', '[{\"table\": \"orders\", \"columns\": [\"shop\", \"amount\"],"      \
    " \"capture\": [\"shop\"]}]', p_mode => 'matview')"
#define ROWS "SELECT string_agg(concat_ws(' ', shop, n, total), ', ' ORDER BY shop) FROM kept.shop_total"

/* A materialized view is in no publication, the tables of a change of mode are new, and a wrong row is mended in
 * place. */
START_TEST(modes_change_and_wrong_rows_are_mended)
{
    cluster_execute(cluster,
                    "CREATE PUBLICATION everything FOR ALL TABLES; " THREE_SHOPS AS_MATVIEW ";"
                    "SELECT chime.refresh('kept.shop_total'); UPDATE app.orders SET amount = 5 WHERE shop = 3");
    EXPECT_SQL(cluster, "SELECT method FROM chime.refresh('kept.shop_total')", "matview");
    EXPECT_SQL(cluster, ROWS, "1 2 21, 2 1 20, 3 1 5");
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "SELECT chime.refresh('kept.shop_total')");
    EXPECT_SQL(cluster, "SELECT relkind FROM pg_class WHERE oid = 'kept.shop_total'::regclass", "r");
    EXPECT_SQL(cluster, WITHOUT_IDENTITY, NULL);
    AFTER("UPDATE app.orders SET amount = 6 WHERE shop = 3", "shop_total", "keyed 1: +0 ~1 -0");
    cluster_execute(cluster, "UPDATE kept.shop_total SET n = 7 WHERE shop = 2;"
                             "DELETE FROM kept.shop_total WHERE shop = 1");
    cluster_execute(cluster, "BEGIN ISOLATION LEVEL REPEATABLE READ;"
                             "SELECT chime.verify_view('kept.shop_total', true); COMMIT");
    EXPECT_SQL(cluster, ROWS, "1 2 21, 2 1 20, 3 1 6");
}
END_TEST

START_TEST(jobs_are_led_again_and_again_and_doctor_warns)
{
    for (int i = 1; i <= 2; i++) {
        served = site_lead(site);
        WAIT_SQL(cluster, i == 1 ? "SELECT count(*) > 1 FROM t" : "SELECT count(*) > 3 FROM t", "t", 30);
        EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership WHERE epoch > 2", "0");
        commands_expect(8, site_config(site), (const char *const[]){"doctor", "-o", "json", NULL}, &output, &errors);
        commands_has(output, "publication everything sends all tables, schema chime among them");
        commands_has(output, "CREATE PUBLICATION everything_data FOR TABLES IN SCHEMA public");
        site_end(served);
        daemon_destroy(served);
        served = NULL;
        cluster_execute(cluster, i == 1 ? "SELECT chime.schedule('made', '1 seconds', 'SELECT 1')"
                                        : "SELECT chime.schedule('made', '2 seconds', 'SELECT 1')");
    }
    EXPECT_SQL(cluster, WITHOUT_IDENTITY, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("publication");
    TCase *keyed = tcase_create("refreshes");
    TCase *jobs = tcase_create("jobs");
    tcase_add_checked_fixture(keyed, set_up, tear_down);
    tcase_add_checked_fixture(jobs, serve, tear_down);
    tcase_set_timeout(keyed, 120);
    tcase_set_timeout(jobs, 120);
    tcase_add_test(keyed, every_table_has_a_replica_identity_and_refreshes_go_on);
    tcase_add_test(keyed, modes_change_and_wrong_rows_are_mended);
    tcase_add_test(jobs, jobs_are_led_again_and_again_and_doctor_warns);
    suite_add_tcase(suite, keyed);
    suite_add_tcase(suite, jobs);
    return suite_run(suite);
}
