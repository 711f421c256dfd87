/* SPDX-License-Identifier: PostgreSQL */
/* A view as SQL, in the plugin folder and in conf.d, under a real daemon: the same verdicts as through a plugin, and
 * what is refused changes nothing. */
#include <check.h>
#include <stdlib.h>

#include "base/error.h"
#include "support/daemon/commands.h"
#include "support/keyed/keyed_stage.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define SECONDS 120

static char *folder;

static void set_up(void)
{
    keyed_stage_set_corpus();
    cluster_execute(cluster, "SELECT app.put_rows(100); ANALYZE");
    site = site_create(cluster, "postgres", 4);
    site_use_members(site, "view_schema = \"forms\"; source_schema = \"app\";");
    folder = files_make_directory();
    site_use_plugins(site, folder);
}

static void tear_down(void)
{
    served_tear_down();
    free(folder);
}

static void put(const char *name, const char *text)
{
    char *path = files_path("%s/%s.sql", folder, name);
    files_write(path, text);
    free(path);
}

static char *of_corpus(const char *expression, int n)
{
    char *query = files_path("SELECT %s FROM app.corpus c WHERE n = %d", expression, n);
    char *value = cluster_value(cluster, query);
    free(query);
    return value;
}

/* Every second one is a file; the key is found where the definition shows it. */
static void place(int n)
{
    char *name = of_corpus("name", n);
    char *definition = of_corpus("definition", n);
    char *key = of_corpus("array_to_string(app.key_of(c), ', ')", n);
    char *grain = of_corpus("array_to_string(grain, ', ')", n);

    if (n % 2 == 0) {
        char *text = files_path("-- key: %s\n-- grain: %s\n-- schedule: @yearly\n%s;\n", key, grain, definition);
        put(name, text);
        free(text);
    } else {
        char *quoted = site_quoted(definition);
        char *text = files_path("views: { %s: { sql = \"%s\"; key = \"%s\"; schedule = \"@yearly\"; }; };\n", name,
                                quoted, key);
        site_file(site, name, text);
        free(text);
        free(quoted);
    }
    free(name);
    free(definition);
    free(key);
    free(grain);
}

START_TEST(the_corpus_has_the_same_verdicts_as_sql)
{
    int count = (int)cluster_integer(cluster, "SELECT max(n) FROM app.corpus");
    for (int n = 1; n <= count; n++)
        place(n);
    cluster_execute(cluster, "SELECT app.install_corpus()");
    served = site_lead(site);
    EXPECT_SQL(cluster,
               "SELECT string_agg(name || ': ' || reason, '; ') FROM chime.plugin WHERE state <> 'installed' AND name "
               "<> 'test'",
               NULL);
    EXPECT_SQL(cluster,
               "SELECT count(*) = (SELECT count(*) FROM app.corpus) AND count(*) > 180 FROM chime.plugin"
               " WHERE name <> 'test'",
               "t");
    /* Of these, what a plugin in C captures or names as the grain says more than the definition. */
    EXPECT_SQL(cluster,
               "SELECT string_agg(c.name || ' ' || coalesce(v.full_reason, 'keyed'), '; ' ORDER BY n) FROM app.corpus c"
               " JOIN chime.view v ON v.relation = c.name"
               " WHERE v.view_schema = 'forms' AND (v.full_reason IS NULL) <> (c.verdict = 'keyed')",
               "trap_self_join keyed; trap_map_of_now keyed; d_46 keyed");
    WAIT_SQL(cluster,
             "SELECT count(*) FROM chime.view_refresh r JOIN chime.view v USING (view_schema, relation)"
             " JOIN chime.plugin_status p ON p.name = v.plugin"
             " WHERE r.refreshed_at IS NULL AND v.view_schema = 'forms' AND p.state <> 'failed'",
             "0", SECONDS);
    EXPECT_SQL(cluster,
               "SELECT count(*) < 5 AND bool_and(reason LIKE '%gives the same key twice%') IS NOT FALSE"
               " FROM chime.plugin_status WHERE state = 'failed'",
               "t");
    cluster_execute(cluster, "SELECT app.write() FROM generate_series(1, 20);"
                             "SELECT chime.refresh('forms.' || relation) FROM chime.view WHERE full_reason IS NULL"
                             " AND view_schema = 'forms' AND NOT EXISTS (SELECT FROM chime.plugin_status p WHERE"
                             " p.name = plugin AND p.state = 'failed')");
    EXPECT_SQL(cluster,
               "SELECT string_agg(relation, ', ') FROM chime.view v CROSS JOIN LATERAL"
               " chime.difference('forms.' || relation) AS d WHERE view_schema = 'forms' AND full_reason IS NULL AND "
               "d.missing + d.surplus > 0",
               NULL);
}
END_TEST

/* What became of it, and that nothing else is there of it. */
#define BECOMES(name, state_and_reason)                                                                    \
    EXPECT_SQL(cluster, "SELECT concat_ws(': ', state, reason) FROM chime.plugin WHERE name = '" name "'", \
               state_and_reason);                                                                          \
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view WHERE relation = '" name "'", "0")

START_TEST(what_the_server_refuses_fails_its_view_alone)
{
    cluster_execute(cluster, "CREATE TABLE app.left_alone (n integer); INSERT INTO app.left_alone VALUES (1);"
                             "CREATE SCHEMA forms; CREATE TABLE forms.taken (n integer);"
                             "CREATE ROLE mallory; CREATE FUNCTION app.theirs() RETURNS integer LANGUAGE sql IMMUTABLE"
                             " RETURN 1; ALTER FUNCTION app.theirs() OWNER TO mallory");
    put("good", "SELECT shop, count(*) AS n FROM ord GROUP BY shop;");
    site_file(site, "as_good",
              "views: { as_good: { sql = \"SELECT shop, count(*) AS n FROM ord GROUP BY shop\"; key = \"shop\";"
              " schedule = \"@yearly\"; }; };\n");
    put("several", "SELECT 1 AS one; DROP TABLE app.left_alone");
    put("hidden", "SELECT 1 AS one /* ; */\n;\n-- harmless\nDELETE FROM app.left_alone");
    put("writes", "WITH gone AS (DELETE FROM left_alone RETURNING n) SELECT n FROM gone");
    put("command", "TRUNCATE app.left_alone");
    put("taken", "SELECT shop, count(*) AS n FROM ord GROUP BY shop");
    put("untrusted", "SELECT shop, app.theirs() AS n FROM ord GROUP BY shop");
    put("keyless", "SELECT kind FROM ord");
    put("absent", "SELECT n FROM nowhere");
    put("strict", "-- mode: strict\nSELECT shop, rank() OVER (ORDER BY count(*)) AS r FROM ord GROUP BY shop");
    served = site_lead(site);
    EXPECT_SQL(cluster, "SELECT string_agg(name, ' ' ORDER BY name) FROM chime.plugin WHERE state = 'installed'",
               "as_good good");
#define SEVERAL                                                                                                      \
    "failed: a definition is one SELECT, and this one has several statements; leave out what stands after the first" \
    " \";\", or keep a view for each"
    BECOMES("several", SEVERAL);
    BECOMES("hidden", SEVERAL);
    BECOMES("writes", "failed: views must not contain data-modifying statements in WITH");
    BECOMES("command", "failed: a definition is one SELECT, and this one begins with \"TRUNCATE app.left_alone\"; begin"
                       " it with SELECT or WITH");
    BECOMES("keyless", "failed: the key of view forms.keyless does not follow from its definition;"
                       " name them as its key; its columns are kind");
    BECOMES("absent", "dormant: missing: relation \"nowhere\" does not exist");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.plugin WHERE name IN ('taken', 'untrusted') AND state = 'failed'",
               "2");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view WHERE relation IN ('taken', 'untrusted')", "0");
    EXPECT_SQL(cluster,
               "SELECT reason LIKE 'view strict is strict, and its window function is computed over all rows%'"
               " FROM chime.plugin WHERE name = 'strict' AND state = 'failed'",
               "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM app.left_alone, (SELECT FROM forms.taken HAVING count(*) = 0) AS t", "1");
    cluster_execute(cluster, "CREATE TABLE app.nowhere (n integer PRIMARY KEY)");
    WAIT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'absent'", "installed", SECONDS);
}
END_TEST

START_TEST(a_command_for_a_job_that_is_given_a_view_names_its_job)
{
    char *output = NULL;
    char *errors = NULL;
    put("good", "SELECT shop, count(*) AS n FROM ord GROUP BY shop;");
    served = site_lead(site);
    static const char *const names[] = {"good", "forms.good"};
    for (size_t i = 0; i < 2; i++) {
        commands_expect(ERROR_NOT_FOUND, site_config(site), (const char *const[]){"runs", names[i], NULL}, &output,
                        &errors);
        commands_has(errors, "HINT:  it is a view; job \"refresh-good\" refreshes it");
    }
    free(output);
    free(errors);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("view forms");
    TCase *forms = tcase_create("view forms");

    tcase_add_checked_fixture(forms, set_up, tear_down);
    tcase_set_timeout(forms, 600);
    tcase_add_test(forms, what_the_server_refuses_fails_its_view_alone);
    tcase_add_test(forms, a_command_for_a_job_that_is_given_a_view_names_its_job);
    suite_add_tcase(all, forms);
    TCase *in_full = tcase_create(SUITE_IN_FULL);
    tcase_add_checked_fixture(in_full, set_up, tear_down);
    tcase_set_timeout(in_full, 600);
    if (getenv("PGCHIME_TEST_SLOWNESS") == NULL) /* files and conf.d are read as in the other case; the rest is SQL */
        tcase_add_test(in_full, the_corpus_has_the_same_verdicts_as_sql);
    suite_add_tcase(all, in_full);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
