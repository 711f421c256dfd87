/* SPDX-License-Identifier: PostgreSQL */
/* A backup of schema chime by a role that may read all data, and is no superuser. */
#include <check.h>
#include <stdlib.h>

#include "support/cluster/cluster_internal.h"
#include "support/cluster/dump.h"
#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static char *output;
static char *errors;

static void set_up(void)
{
    served_set_up(2);
    cluster_execute(cluster, "CREATE ROLE backup LOGIN; GRANT pg_read_all_data TO backup;"
                             "CREATE ROLE sneaky LOGIN; GRANT USAGE ON SCHEMA public TO sneaky");
    site_job(site, "job", NEVER_DUE "command = \"SELECT 1\";");
}

static void tear_down(void)
{
    served_tear_down();
    free(output);
    free(errors);
}

START_TEST(a_backup_by_a_plain_role_is_whole)
{
    served = site_lead(site);
    runs_ask_and_await(cluster, "job");
    char *file = files_path("%s/backup.sql", cluster_directory(cluster));
    ck_assert(!dump_write(cluster, "backup", "postgres", NULL, file)); /* hence what doctor says */
    commands_expect(8, site_config(site), (const char *const[]){"doctor", "-o", "json", NULL}, &output, &errors);
    commands_has(output, "pg_dump as backup stops at row-level security of schema chime");
    commands_has(output, "pg_dump --enable-row-security has all rows; or: ALTER ROLE backup BYPASSRLS");
    ck_assert(dump_write(cluster, "backup", "postgres", "--enable-row-security", file));
    site_end(served);
    char *rows = cluster_rows(cluster, "SELECT h.*, j.* FROM chime.run_history h JOIN chime.job j USING (job_id)"
                                       " JOIN chime.job_state s USING (job_id)");
    cluster_create_database(cluster, "restored");
    dump_restore(cluster, "restored", file);
    cluster_use(cluster, "restored");
    char *restored = cluster_rows(cluster, "SELECT h.*, j.* FROM chime.run_history h JOIN chime.job j USING (job_id)"
                                           " JOIN chime.job_state s USING (job_id)");
    ck_assert_str_ne(rows, "");
    ck_assert_str_eq(rows, restored);
    free(file);
    free(rows);
    free(restored);
}
END_TEST

/* As docs/operating.md says: without the triggers, which call what is not there. */
START_TEST(one_source_is_restored_where_pgchime_is_not)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/keyed/keyed.sql");
    cluster_execute(cluster, "SELECT app.install_shop_total(); INSERT INTO app.orders (shop) VALUES (1), (2)");
    cluster_execute(cluster, "CALL chime.tend_capture()");
    cluster_create_database(cluster, "elsewhere");
    char *script = files_path(
        "cd %s && PATH=$PATH:%s && pg_dump -h \"$PWD\" -U postgres -Fc -t app.orders postgres > dump && pg_restore -l "
        "dump > all"
        " && grep -q chime_capture_1_update all && grep -v ' TRIGGER .*chime_capture_' all > list"
        " && psql -Xq -h \"$PWD\" -U postgres elsewhere -c 'CREATE SCHEMA app'"
        " && pg_restore -e -h \"$PWD\" -U postgres -L list -d elsewhere dump",
        cluster_directory(cluster), cluster_program_folder());
    ck_assert_int_eq(system(script), 0);
    cluster_use(cluster, "elsewhere");
    EXPECT_SQL(
        cluster,
        "WITH more AS (INSERT INTO app.orders (shop) VALUES (3) RETURNING 1) SELECT count(*) FROM app.orders, more",
        "2");
    free(script);
}
END_TEST

/* Into a table that a keyed view reads: with its triggers on, and with --disable-triggers; and a kept relation by
 * itself, elsewhere. */
START_TEST(data_restored_into_a_source_show_in_its_view)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/keyed/keyed.sql");
    cluster_execute(cluster, "SELECT app.install_shop_total(); INSERT INTO app.orders (shop) VALUES (1), (2)");
    cluster_execute(cluster, "CALL chime.tend_capture()");
    cluster_execute(cluster, "SELECT chime.refresh('kept.shop_total')");
    cluster_create_database(cluster, "elsewhere");
    char *dump = files_path(
        "cd %s && PATH=$PATH:%s && pg_dump -h \"$PWD\" -U postgres -Fc -t app.orders postgres > dump"
        " && pg_dump -h \"$PWD\" -U postgres -t kept.shop_total postgres > kept"
        " && psql -Xq -h \"$PWD\" -U postgres elsewhere -c 'CREATE SCHEMA kept'"
        " && psql -Xq -v ON_ERROR_STOP=1 -h \"$PWD\" -U postgres elsewhere -f kept",
        cluster_directory(cluster), cluster_program_folder());
    ck_assert_int_eq(system(dump), 0);
    for (int i = 0; i < 2; i++) {
        char *restore = files_path(
            "cd %s && PATH=$PATH:%s && pg_restore -e -h \"$PWD\" -U postgres --data-only %s -d postgres dump",
            cluster_directory(cluster), cluster_program_folder(), i == 0 ? "" : "--disable-triggers");
        cluster_execute(cluster, "DELETE FROM app.orders");
        EXPECT_SQL(cluster, "SELECT app.look('shop_total')", "keyed 2: +0 ~0 -2");
        ck_assert_int_eq(system(restore), 0);
        EXPECT_SQL(cluster, "SELECT app.look('shop_total')",
                   i == 0
                       ? "keyed 2: +2 ~0 -0"
                       : "full: app.orders may have changed without a mark: its storage, partitions or triggers did");
        free(restore);
    }
    cluster_use(cluster, "elsewhere");
    EXPECT_SQL(cluster, "SELECT count(*) FROM kept.shop_total", "2");
    free(dump);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backup");
    TCase *tests = tcase_create("backup");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_backup_by_a_plain_role_is_whole);
    tcase_add_test(tests, one_source_is_restored_where_pgchime_is_not);
    tcase_add_test(tests, data_restored_into_a_source_show_in_its_view);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
