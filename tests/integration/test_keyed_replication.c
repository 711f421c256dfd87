/* SPDX-License-Identifier: PostgreSQL */
/* Sources of keyed views that are written by logical replication, and by sessions with session_replication_role =
 * replica: captured, or told. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/commands.h"
#include "support/keyed/keyed_stage.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *publisher;
static char *configuration;
static char *output;
static char *errors;

static void set_up(void)
{
    static const char *const settings[] = {"wal_level=logical", NULL};

    keyed_stage_set();
    publisher = cluster_create(settings);
    cluster_execute(
        publisher,
        "CREATE SCHEMA app; CREATE TABLE app.items (item integer PRIMARY KEY, order_id integer, quantity integer);"
        "CREATE TABLE app.feed (order_id integer, quantity integer);"
        "CREATE PUBLICATION items FOR TABLE app.items; CREATE PUBLICATION feed FOR TABLE app.feed");
    KEYED_INSTALL(cluster, "shop_items");
    AFTER("INSERT INTO app.orders (id, shop) SELECT i, i % 7 FROM generate_series(1, 70) i; INSERT INTO app.items "
          "SELECT i, i, 1 FROM generate_series(1, 70) i",
          "shop_items", "keyed 7: +7 ~0 -0");
}

static void tear_down(void)
{
    served_tear_down();
    cluster_destroy(publisher);
    free(configuration);
    free(output);
    free(errors);
    configuration = output = errors = NULL;
}

static void subscribe(const char *publication)
{
    char *conninfo = cluster_conninfo(publisher, "postgres");

    cluster_execute_format(cluster, "CREATE SUBSCRIPTION %s CONNECTION $c$%s$c$ PUBLICATION %s", publication, conninfo,
                           publication);
    WAIT_SQL(cluster, "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel", "t", 60);
    free(conninfo);
}

/* From the first look on, though the leader's upkeep is still to come. */
START_TEST(a_source_that_a_subscription_writes_to_is_never_taken_for_captured)
{
    cluster_execute(publisher, "INSERT INTO app.items VALUES (1001, 1, 5)");
    subscribe("items");
    LOOK("shop_items", UNCAPTURED("app.items"));
    cluster_execute(publisher, "INSERT INTO app.items VALUES (1002, 2, 7)");
    WAIT_SQL(cluster, "SELECT count(*) FROM app.items WHERE item > 1000", "2", 60);
    LOOK("shop_items", UNCAPTURED("app.items"));
    keyed_tend(cluster);
    cluster_execute(publisher, "UPDATE app.items SET quantity = 8 WHERE item = 1002");
    WAIT_SQL(cluster, "SELECT quantity FROM app.items WHERE item = 1002", "8", 60);
    LOOK("shop_items", "full: app.items is written by a subscription, which fires no statement triggers");
    cluster_execute(cluster, "DROP SUBSCRIPTION items");
    keyed_tend(cluster);
    LOOK("shop_items", "full: the first time");
    AFTER("UPDATE app.items SET quantity = 9 WHERE item = 1002", "shop_items", "keyed 1: +0 ~1 -0");
}
END_TEST

#define SPREAD                                                                                                   \
    "CREATE TABLE app.feed (order_id integer, quantity integer);"                                                \
    "CREATE FUNCTION app.spread() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE app.items SET quantity = " \
    "NEW.quantity"                                                                                               \
    " WHERE order_id = NEW.order_id; RETURN NEW; END $$;"                                                        \
    "CREATE TRIGGER spread AFTER INSERT ON app.feed FOR EACH ROW EXECUTE FUNCTION app.spread();"                 \
    "ALTER TABLE app.feed ENABLE ALWAYS TRIGGER spread"

static const char *const told[] = {
    "trigger spread of app.feed fires where a subscription writes: what it writes to sources of views leaves no mark",
    "role app_loader has session_replication_role = replica: what it writes to sources of views leaves no mark",
    "role app_loader may write to app.items, app.orders and has temp_file_limit=64kB: a statement of it that changes "
    "more than that fails (53400)",
};

static void ask_doctor(void)
{
    commands_run(configuration, (const char *const[]){"doctor", "-o", "json", NULL}, &output, &errors);
}

START_TEST(what_writes_without_a_mark_or_may_fail_is_told_by_doctor)
{
    configuration = commands_configure(cluster, "postgres", "postgres", cluster_directory(cluster), "");
    ask_doctor();
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        ck_assert_ptr_null(strstr(output, told[i]));
    cluster_execute(cluster, SPREAD);
    subscribe("feed");
    cluster_execute(cluster,
                    "CREATE ROLE app_loader SUPERUSER; ALTER ROLE app_loader SET session_replication_role = replica;"
                    "ALTER ROLE app_loader SET temp_file_limit = '64kB'");
    ask_doctor();
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        commands_has(output, told[i]);
    cluster_execute(
        cluster,
        "DO $$ DECLARE t record; BEGIN FOR t IN SELECT * FROM pg_trigger WHERE tgname LIKE 'chime\\_capture%' LOOP"
        " EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', t.tgrelid::regclass, t.tgname); END LOOP; END $$");
    ask_doctor();
    ck_assert_ptr_null(strstr(output, told[0]));
    EXPECT_SQL(cluster, "SELECT reason LIKE '% may have changed without a mark: %' FROM chime.refresh('shop_items')",
               "t");
    cluster_execute(publisher, "INSERT INTO app.feed VALUES (3, 1000)");
    WAIT_SQL(cluster, "SELECT quantity FROM app.items WHERE order_id = 3", "1000", 60);
    LOOK("shop_items", "keyed 1: +0 ~1 -0");
    cluster_execute(cluster, "DROP SUBSCRIPTION feed");
}
END_TEST

/* The role that refreshes has a limit below what its sources hold. */
START_TEST(a_limit_that_a_refresh_in_full_may_pass_is_told_by_doctor)
{
    configuration = commands_configure(cluster, "postgres", "postgres", cluster_directory(cluster), "");
    ask_doctor();
    ck_assert_ptr_null(strstr(output, "temp_file_limit"));
    cluster_execute(cluster, "ALTER ROLE postgres SET temp_file_limit = '8kB'");
    ask_doctor();
    commands_has(output, "a refresh of kept.shop_items in full may write ");
    commands_has(output, "and the temp_file_limit of postgres is 8kB");
    commands_has(output, "let a superuser run: ALTER ROLE postgres SET temp_file_limit = ");
    cluster_execute(cluster, "ALTER ROLE postgres SET temp_file_limit = '1GB'");
    ask_doctor();
    ck_assert_ptr_null(strstr(output, "temporary files"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keyed_replication");
    TCase *cases = tcase_create("keyed_replication");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 240);
    tcase_add_test(cases, a_source_that_a_subscription_writes_to_is_never_taken_for_captured);
    tcase_add_test(cases, what_writes_without_a_mark_or_may_fail_is_told_by_doctor);
    tcase_add_test(cases, a_limit_that_a_refresh_in_full_may_pass_is_told_by_doctor);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
