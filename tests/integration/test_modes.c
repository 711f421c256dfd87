/* SPDX-License-Identifier: PostgreSQL */
/* Modes of views: a table or a materialized view under one name, from one to the other under its readers. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define VALUE(sql, expected) EXPECT_SQL(cluster, sql, expected)

#define ROWS "SELECT string_agg(concat_ws(' ', shop, n, total), ', ' ORDER BY shop) FROM kept.shop_total"
#define KIND "SELECT relkind FROM pg_class WHERE oid = 'kept.shop_total'::regclass"
#define MATVIEW "full: its mode is matview"

/* chime.install_view and install_keys for shop_total and what may change about it. */
static void set_up(void)
{
    keyed_stage_set();
    cluster_execute(
        cluster, "CREATE FUNCTION app.switch(p_mode text, p_columns text DEFAULT 'count(*) AS n, sum(amount) AS total')"
                 " RETURNS text LANGUAGE sql AS $$ SELECT app.install('shop_total', format('SELECT shop, %s FROM orders"
                 " GROUP BY shop', p_columns), '{shop}', '[{\"table\": \"orders\", \"columns\": [\"shop\", \"amount\"],"
                 " \"capture\": [\"shop\"]}]', p_mode => p_mode) $$;"
                 "CREATE FUNCTION app.install_rows() RETURNS void LANGUAGE sql AS $$ SELECT "
                 "chime.install_function('test', 'kept',"
                 " 'app', 'shop_rows(integer)', 'CREATE OR REPLACE FUNCTION shop_rows(fewest integer) RETURNS TABLE "
                 "(shop integer,"
                 " total bigint) LANGUAGE sql STABLE BEGIN ATOMIC SELECT t.shop, t.total FROM shop_total t WHERE t.n >="
                 " shop_rows.fewest; END') $$;" THREE_SHOPS);
}

/* The error's text and HINT hold these. */
static void refused(const char *sql, const char *part, const char *hint)
{
    PGconn *session = cluster_connect(cluster, "postgres");
    PGresult *result = PQexec(session, sql);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hinted = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

    ck_assert_msg(primary != NULL && strstr(primary, part) != NULL, "%s: %s", sql,
                  primary != NULL ? primary : "it worked");
    ck_assert_msg(hinted != NULL && strstr(hinted, hint) != NULL, "%s: %s", sql, hinted != NULL ? hinted : "no hint");
    PQclear(result);
    PQfinish(session);
}

/* --- materialized views ------------------------------------------------------------------------------------------- */

START_TEST(a_materialized_view_is_filled_by_its_first_refresh_and_kept_like_any_other)
{
    VALUE("SELECT app.switch('matview')", "its mode is matview");
    VALUE("SELECT matviewname || ' ' || ispopulated FROM pg_matviews", "shop_total false");
    VALUE("SELECT obj_description('kept.shop_total'::regclass) ~ '^a test \\(pgchime [0-9a-f]{16}\\)$'", "t");
    VALUE("SELECT has_table_privilege('analytics_reader', 'kept.shop_total', 'SELECT')", "t");
    VALUE(
        "SELECT string_agg(indexrelid::regclass::text, ' ') FROM pg_index WHERE indrelid = 'kept.shop_total'::regclass",
        "kept.shop_total_pk");
    LOOK("shop_total", MATVIEW);
    VALUE(ROWS, "1 2 21, 2 1 20, 3 1 30");
    AFTER("INSERT INTO app.orders (shop) VALUES (NULL); DELETE FROM app.orders WHERE shop = 3", "shop_total", MATVIEW);
    VALUE(ROWS, "1 2 21, 2 1 20, 1");
    VALUE("SELECT chime.refresh_words('shop_total', r) FROM chime.refresh('shop_total') r",
          "shop_total: materialized view, 3 rows");
    VALUE("SELECT method || ' ' || (inserted IS NULL AND updated IS NULL AND deleted IS NULL AND keys IS NULL)"
          " FROM chime.view_refresh",
          "matview true");
}
END_TEST

START_TEST(a_refresh_of_a_materialized_view_says_whether_anything_changed)
{
    cluster_execute(cluster, "DELETE FROM app.orders WHERE shop IS NULL");
    VALUE("SELECT app.switch('matview')", "its mode is matview");
    LOOK("shop_total", MATVIEW);
    VALUE("SELECT changed_at = refreshed_at FROM chime.view_refresh", "t");
    LOOK("shop_total", MATVIEW);
    VALUE("SELECT changed_at < refreshed_at FROM chime.view_refresh", "t");
    AFTER("UPDATE app.orders SET amount = 1 WHERE shop = 2", "shop_total", MATVIEW);
    VALUE("SELECT changed_at = refreshed_at FROM chime.view_refresh", "t");
}
END_TEST

START_TEST(readers_of_a_materialized_view_are_not_held_up_by_its_refresh)
{
    PGconn *reader = cluster_connect(cluster, "postgres");

    VALUE("SELECT app.switch('matview')", "its mode is matview");
    LOOK("shop_total", MATVIEW);
    session_execute(reader, "BEGIN; SELECT * FROM kept.shop_total");
    AFTER("SET lock_timeout = '5s'; INSERT INTO app.orders (shop) VALUES (9)", "shop_total", MATVIEW);
    session_execute(reader, "COMMIT");
    PQfinish(reader);
}
END_TEST

START_TEST(a_materialized_view_whose_definition_gives_a_key_twice_is_refused)
{
    static const char statement[] = "SELECT chime.refresh('loose')";

    VALUE("SELECT app.install('loose', 'SELECT shop, amount FROM orders', '{shop}', '[]', p_mode => 'matview')",
          "its mode is matview");
    refused(statement, "the definition of kept.loose gives the same key twice", "its key is (shop)");
    cluster_execute(cluster, "DELETE FROM app.orders WHERE kind = 'b'");
    cluster_execute(cluster, statement);
    cluster_execute(cluster, "INSERT INTO app.orders (shop, amount) VALUES (1, 77)");
    refused(statement, "the definition of kept.loose gives the same key twice", "its key is (shop)");
    cluster_execute(cluster, "UPDATE app.orders SET amount = 77 WHERE shop = 1"); /* whole rows, too */
    refused(statement, "the definition of kept.loose gives the same key twice", "its key is (shop)");
}
END_TEST

/* Nobody but a superuser with a grudge can change a row of it. */
START_TEST(a_wrong_row_of_a_materialized_view_is_found_and_mended)
{
    VALUE("SELECT app.switch('matview')", "its mode is matview");
    LOOK("shop_total", MATVIEW);
    cluster_execute(cluster, "UPDATE pg_class SET relkind = 'r', relhasrules = false WHERE relname = 'shop_total'");
    cluster_execute(cluster,
                    "UPDATE kept.shop_total SET n = 7 WHERE shop = 2; DELETE FROM kept.shop_total WHERE shop = 3");
    cluster_execute(cluster, "UPDATE pg_class SET relkind = 'm', relhasrules = true WHERE relname = 'shop_total'");
    VALUE("SELECT concat_ws(' ', rows, missing, surplus) FROM chime.difference('shop_total')", "2 2 1");
    VALUE("SELECT string_agg(concat_ws(' ', side, line ->> 'shop', line ->> 'n'), ', ') FROM "
          "chime.differences('shop_total')",
          "surplus 2 7, missing 2 1, missing 3 1");
    VALUE("SELECT method FROM chime.refresh('shop_total', true)", "matview");
    VALUE("SELECT missing + surplus FROM chime.difference('shop_total')", "0");
}
END_TEST

START_TEST(a_materialized_view_is_verified_in_one_snapshot)
{
    PGconn *session = cluster_connect(cluster, "postgres");

    VALUE("SELECT app.switch('matview')", "its mode is matview");
    LOOK("shop_total", MATVIEW);
    session_execute(session, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM app.orders");
    cluster_execute(cluster, "INSERT INTO app.orders (shop) VALUES (9)");
    session_execute(session,
                    "SELECT chime.refresh('shop_total');"
                    "SELECT 1 / (missing + surplus = 0)::integer FROM chime.difference('shop_total'); ROLLBACK");
    VALUE("SELECT missing FROM chime.difference('shop_total')", "1");
    PQfinish(session);
}
END_TEST

/* --- from one to another ------------------------------------------------------------------------------------------ */

struct reader {
    PGconn *session;
    atomic_bool over;
    atomic_int rounds;
    char fault[512]; /* the first */
};

static void read_once(struct reader *reader, PGresult *result, const char *how)
{
    bool right = PQresultStatus(result) == PGRES_TUPLES_OK && strcmp(PQgetvalue(result, 0, 0), "3") == 0;

    if (!right && reader->fault[0] == '\0')
        snprintf(reader->fault, sizeof(reader->fault), "%s: %s%s", how, PQerrorMessage(reader->session),
                 PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
}

static void *read_all_the_time(void *data)
{
    struct reader *reader = data;

    while (!atomic_load(&reader->over)) {
        read_once(reader, PQexec(reader->session, "SELECT count(*) FROM kept.shop_total"), "by name");
        read_once(reader, PQexecPrepared(reader->session, "count", 0, NULL, NULL, NULL, 0), "prepared");
        read_once(reader, PQexec(reader->session, "SELECT count(*) FROM kept.shop_rows(0)"), "by the function");
        atomic_fetch_add(&reader->rounds, 1);
    }
    return NULL;
}

START_TEST(readers_see_every_row_while_the_mode_changes_fifty_times)
{
    static const char *const modes[] = {"matview", "full", "matview", "keyed", "full"};
    struct reader reader = {.session = cluster_connect(cluster, "postgres")};
    pthread_t thread;

    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "SELECT app.install_rows()");
    PQclear(PQprepare(reader.session, "count", "SELECT count(*) FROM kept.shop_total", 0, NULL));
    ck_assert_int_eq(pthread_create(&thread, NULL, read_all_the_time, &reader), 0);
    for (int i = 0; i < 50; i++) {
        cluster_execute_format(cluster, "SELECT app.switch('%s')", modes[i % 5]);
        if (i % 5 == 3)
            keyed_tend(cluster);
        EXPECT_SQL(cluster, KIND, strcmp(modes[i % 5], "matview") == 0 ? "m" : "r");
        EXPECT_SQL(cluster, "SELECT app.look('shop_total') !~ 'WRONG'", "t");
    }
    atomic_store(&reader.over, true);
    pthread_join(thread, NULL);
    ck_assert_str_eq(reader.fault, "");
    ck_assert_int_ge(atomic_load(&reader.rounds), 50);
    PQfinish(reader.session);
}
END_TEST

/* Who may read what, by which function; comments; indexes. */
#define PROPERTIES                                                                                                     \
    "SELECT (SELECT string_agg(concat_ws(' ', a.grantee::regrole, a.privilege_type, a.is_grantable), ', ' ORDER BY 1)" \
    "          FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = 'kept.shop_total'::regclass AND a.grantee <> "    \
    "c.relowner)"                                                                                                      \
    " || '; ' || (SELECT string_agg(attname || attacl::text, ', ') FROM pg_attribute WHERE attrelid = "                \
    "'kept.shop_total'::regclass AND attacl IS NOT NULL)"                                                              \
    " || '; ' || (SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass::text) FROM "        \
    "pg_index WHERE indrelid = "                                                                                       \
    "'kept.shop_total'::regclass)"                                                                                     \
    " || '; ' || concat_ws(' ', left(obj_description('kept.shop_total'::regclass), -27), "                             \
    "col_description('kept.shop_total'::regclass, 2))"                                                                 \
    " || '; ' || (SELECT count(*) FROM kept.shop_rows(2)) || ' ' || has_function_privilege('ann', "                    \
    "'kept.shop_rows(integer)', 'EXECUTE')"

START_TEST(what_was_granted_said_and_indexed_stays_with_the_name)
{
    static const char expected[] = "analytics_reader SELECT f, ann SELECT t, bob UPDATE f; n{=r/postgres}; kept.mine "
                                   "kept.shop_total_pk; a test how many; 1 true";

    cluster_execute(cluster, "CREATE ROLE ann; CREATE ROLE bob");
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "SELECT app.install_rows(); GRANT SELECT ON kept.shop_total TO ann WITH GRANT OPTION;"
                             "GRANT UPDATE ON kept.shop_total TO bob; GRANT SELECT (n) ON kept.shop_total TO PUBLIC;"
                             "GRANT EXECUTE ON FUNCTION kept.shop_rows(integer) TO ann;"
                             "COMMENT ON COLUMN kept.shop_total.n IS 'how many';"
                             "CREATE INDEX mine ON kept.shop_total (total) WHERE n > 1");
    VALUE(PROPERTIES, expected);
    cluster_execute(cluster, "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO bob; SELECT app.switch('matview')");
    VALUE(KIND, "m");
    VALUE(PROPERTIES, expected);
    cluster_execute(cluster, "SELECT app.switch('auto')");
    VALUE(KIND, "r");
    VALUE(PROPERTIES, expected);
    VALUE("SELECT reloptions FROM pg_class WHERE oid = 'kept.shop_total'::regclass",
          "{fillfactor=80,autovacuum_vacuum_scale_factor=0.05}");
}
END_TEST

#define EVERYTHING_BUT_CHIME_VIEW                                                                                      \
    "SELECT md5(string_agg(t, ' ' ORDER BY t)) FROM (SELECT concat_ws(' ', oid, xmin, relfilenode) AS t FROM pg_class" \
    " WHERE relnamespace IN ('kept'::regnamespace, 'app'::regnamespace) UNION ALL SELECT concat_ws(' ', oid, xmin)"    \
    " FROM pg_trigger UNION ALL SELECT concat_ws(' ', ctid, xmin) FROM kept.shop_total) AS u"

START_TEST(from_keyed_to_full_and_back_changes_nothing_that_is_kept)
{
    KEYED_INSTALL(cluster, "shop_total");
    char *before = cluster_value(cluster, EVERYTHING_BUT_CHIME_VIEW);

    VALUE("SELECT app.switch('full')", "its mode is full");
    VALUE(EVERYTHING_BUT_CHIME_VIEW, before);
    VALUE("SELECT app.switch('keyed')", NULL);
    VALUE(EVERYTHING_BUT_CHIME_VIEW, before);
    free(before);
}
END_TEST

/* Nobody keeps marks for a view that is not keyed: its parts go. */
START_TEST(what_changed_while_a_view_was_full_is_not_lost_when_it_is_keyed_again)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster,
                    "CREATE OR REPLACE FUNCTION chime.part_size() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 8192;"
                    "SELECT app.switch('full'); UPDATE app.orders SET amount = 77 WHERE shop = 2");
    for (int i = 0; i < 4; i++)
        keyed_tend(cluster);
    VALUE("SELECT to_regclass('chime.change_1_1')", NULL);
    VALUE("SELECT app.switch('keyed')", NULL);
    LOOK("shop_total", "full: changes of a source were not captured for a while");
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
}
END_TEST

START_TEST(a_reader_who_stays_is_waited_for_in_short_turns_and_then_the_old_relation_stays)
{
    PGconn *reader = cluster_connect(cluster, "postgres");

    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(
        cluster, "CREATE OR REPLACE FUNCTION chime.exchange_turns() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 3");
    session_execute(reader, "BEGIN; SELECT * FROM kept.shop_total");
    refused("SELECT app.switch('matview')", "readers of kept.shop_total did not end in time", "pgchime reload");
    VALUE(KIND, "r");
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    session_execute(reader, "COMMIT");
    VALUE("SELECT app.switch('matview')", "its mode is matview");
    PQfinish(reader);
}
END_TEST

#define SET_ASIDE \
    "SELECT count(*) FROM pg_class WHERE relnamespace = 'chime'::regnamespace AND relname ~ '^replaced_\\d'"

START_TEST(what_was_replaced_is_kept_for_a_moment_and_goes_when_nobody_reads_it)
{
    PGconn *reader = cluster_connect(cluster, "postgres");

    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "SELECT app.switch('matview')");
    keyed_tend(cluster);
    VALUE(SET_ASIDE, "2"); /* with its index */
    cluster_execute(cluster, "CREATE OR REPLACE FUNCTION chime.replaced_kept() RETURNS interval LANGUAGE sql IMMUTABLE"
                             " RETURN interval '0'");
    char *name = cluster_value(cluster, "SELECT name FROM chime.replaced");
    char *read = files_path("BEGIN; SELECT * FROM chime.%s", name);
    session_execute(reader, read);
    keyed_tend(cluster);
    VALUE(SET_ASIDE, "2");
    session_execute(reader, "COMMIT");
    keyed_tend(cluster);
    VALUE(SET_ASIDE, "0");
    VALUE("SELECT count(*) FROM chime.replaced", "0");
    free(read);
    free(name);
    PQfinish(reader);
}
END_TEST

/* --- other columns ------------------------------------------------------------------------------------------------ */

START_TEST(new_columns_and_other_types_are_there_at_once_with_all_rows)
{
    KEYED_INSTALL(cluster, "shop_total", "shop_size");
    cluster_execute(cluster, "SELECT app.install_rows()");
    VALUE("SELECT app.switch('auto', 'count(*) AS n, sum(amount) AS total, max(amount) AS highest')", NULL);
    VALUE("SELECT string_agg(highest::text, ' ' ORDER BY shop) FROM kept.shop_total", "11 20 30");
    VALUE("SELECT count(*) FROM kept.shop_rows(1)", "3");
    VALUE("SELECT app.switch('auto', 'count(*)::integer AS n, sum(amount) AS total')", NULL);
    VALUE("SELECT pg_typeof(n)::text || count(*) FROM kept.shop_total GROUP BY pg_typeof(n)", "integer3");
    VALUE("SELECT count(*) FROM kept.shop_rows(2)", "1");
    keyed_tend(cluster);
    LOOK("shop_total", "full: its definition or its relation is another one");
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    VALUE("SELECT app.look('shop_size') ~ '^full: kept.shop_total may have changed[^W]*$'", "t");
    AFTER(THREE_SHOPS, "shop_total", "keyed 3: +0 ~3 -0");
    LOOK("shop_size", "keyed 3: +0 ~1 -0");
    VALUE("SELECT app.switch('auto', 'min(amount::text) AS word')", NULL);
    VALUE("SELECT app.switch('auto', 'min(amount::text) COLLATE \"C\" AS word')", NULL);
    VALUE("SELECT collation_name FROM information_schema.columns WHERE table_name = 'shop_total' AND column_name = "
          "'word'",
          "C");
}
END_TEST

START_TEST(a_view_over_a_relation_made_anew_reads_the_new_one)
{
    KEYED_INSTALL(cluster, "shop_total", "shop_size");
    VALUE("SELECT app.switch('matview')", "its mode is matview");
    VALUE("SELECT app.install_shop_size()", "changes of kept.shop_total are not captured");
    cluster_execute(cluster, THREE_SHOPS);
    LOOK("shop_total", MATVIEW);
    LOOK("shop_size", "full: changes of kept.shop_total are not captured");
    VALUE("SELECT string_agg(size, ' ' ORDER BY shop) FROM kept.shop_size", "large small small");
    VALUE("SELECT app.switch('auto')", NULL);
    VALUE("SELECT app.install_shop_size()", NULL);
    keyed_tend(cluster);
    LOOK("shop_size", "full: the first time");
    LOOK("shop_total", "full: the first time");
    AFTER("DELETE FROM app.orders WHERE shop = 3", "shop_total", "keyed 1: +0 ~0 -1");
    LOOK("shop_size", "keyed 1: +0 ~0 -1");
}
END_TEST

START_TEST(a_view_that_does_not_go_with_the_new_columns_waits_for_its_own_installation)
{
    KEYED_INSTALL(cluster, "shop_total", "shop_size");
    cluster_execute(cluster, "SELECT app.install_rows()");
    VALUE("SELECT app.switch('auto', 'count(*) AS items')", NULL);
    VALUE("SELECT to_regclass('kept.shop_size__live')", NULL);
    VALUE("SELECT count(*) FROM kept.shop_size", "3");
    VALUE("SELECT to_regprocedure('kept.shop_rows(integer)')", NULL);
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.refresh('shop_size')"), "42P01");
    VALUE("SELECT app.switch('auto')", NULL);
    VALUE("SELECT app.install_shop_size()", NULL);
    cluster_execute(cluster, "SELECT app.install_rows()");
    VALUE("SELECT count(*) FROM kept.shop_rows(0)", "3");
    keyed_tend(cluster);
    VALUE("SELECT app.look('shop_size') !~ 'WRONG'", "t");
}
END_TEST

START_TEST(what_others_built_on_a_relation_is_named_before_it_is_made_anew)
{
    static const char *const theirs[][3] = {
        {"CREATE VIEW app.report AS SELECT shop FROM kept.shop_total", "view app.report", "DROP VIEW app.report"},
        {"CREATE FUNCTION app.all_of_it() RETURNS SETOF kept.shop_total LANGUAGE sql AS 'SELECT * FROM "
         "kept.shop_total'",
         "function app.all_of_it()", "DROP FUNCTION app.all_of_it()"},
        {"CREATE TRIGGER told AFTER UPDATE ON kept.shop_total EXECUTE FUNCTION app.groups_are_cheap()",
         "trigger told on kept.shop_total", "DROP TRIGGER told ON kept.shop_total"},
        {"ALTER TABLE kept.shop_total ENABLE ROW LEVEL SECURITY", "row security",
         "ALTER TABLE kept.shop_total DISABLE ROW LEVEL SECURITY"},
        {"ALTER TABLE kept.shop_total ADD COLUMN note text", "column kept.shop_total.note",
         "ALTER TABLE kept.shop_total DROP COLUMN note"},
        {"ALTER TABLE kept.shop_total ALTER n SET DEFAULT 7", "default value of column kept.shop_total.n",
         "ALTER TABLE kept.shop_total ALTER n DROP DEFAULT"},
        {"ALTER TABLE kept.shop_total ADD CONSTRAINT positive CHECK (n > 0)", "constraint positive on kept.shop_total",
         "ALTER TABLE kept.shop_total DROP CONSTRAINT positive"},
        {"ALTER TABLE kept.shop_total ADD CONSTRAINT one_each UNIQUE (n, shop)",
         "constraint one_each on kept.shop_total", "ALTER TABLE kept.shop_total DROP CONSTRAINT one_each"},
        {"CREATE RULE told AS ON UPDATE TO kept.shop_total DO ALSO NOTHING", "rule told on kept.shop_total",
         "DROP RULE told ON kept.shop_total"},
    };

    KEYED_INSTALL(cluster, "shop_total", "shop_size");
    for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++) {
        cluster_execute(cluster, theirs[i][0]);
        refused("SELECT app.switch('matview')", theirs[i][1], "take away what is named");
        refused("SELECT app.switch('auto', 'count(*) AS n')", theirs[i][1], "take away what is named");
        VALUE(KIND, "r");
        LOOK("shop_total", "keyed 0: +0 ~0 -0");
        cluster_execute(cluster, theirs[i][2]);
    }
    cluster_execute(cluster, "CREATE VIEW app.report AS SELECT n FROM kept.shop_total__live");
    VALUE("SELECT app.switch('full', 'count(*) AS n, sum(amount) AS total, 1 AS one')", "its mode is full");
    refused("SELECT app.switch('full', 'count(*)::integer AS n')", "view app.report", "take away what is named");
    cluster_execute(cluster, "DROP VIEW app.report");
    VALUE("SELECT app.switch('matview')", "its mode is matview");
}
END_TEST

/* Its column is written by nobody but him, and a refresh leaves it alone. */
START_TEST(a_column_that_somebody_added_keeps_its_values_and_is_named_before_it_would_be_lost)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster,
                    "ALTER TABLE kept.shop_total ADD COLUMN note text; UPDATE kept.shop_total SET note = 'n' || shop");
    AFTER("UPDATE app.orders SET amount = amount + 1 WHERE shop = 2", "shop_total", "keyed 1: +0 ~1 -0");
    VALUE("SELECT method FROM chime.refresh('shop_total', true)", "full");
    refused("SELECT app.install_shop_total()", "column kept.shop_total.note", "take away what is named");
    VALUE("SELECT string_agg(note, ' ' ORDER BY shop) FROM kept.shop_total", "n1 n2 n3");
    VALUE("SELECT missing + surplus FROM chime.difference('shop_total')", "0");
}
END_TEST

/* His transaction is open when the new relation is made, and ends when that is about to take the place of the old
 * one. */
START_TEST(a_column_that_is_added_while_the_relation_is_made_anew_is_named_too)
{
    PGconn *his = cluster_connect(cluster, "postgres");
    PGconn *ours = cluster_connect(cluster, "postgres");

    KEYED_INSTALL(cluster, "shop_total");
    PQclear(PQexec(his, "BEGIN; ALTER TABLE kept.shop_total ADD COLUMN note text DEFAULT 'mine'"));
    ck_assert_int_eq(PQsendQuery(ours, "SELECT app.switch('auto', 'count(*)::integer AS n')"), 1);
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'kept.shop_total'::regclass", "1",
             60);
    PQclear(PQexec(his, "COMMIT"));
    PGresult *result = PQgetResult(ours);
    ck_assert_str_eq(PQresultErrorField(result, PG_DIAG_SQLSTATE), "2BP01");
    ck_assert_ptr_nonnull(strstr(PQresultErrorMessage(result), "column kept.shop_total.note"));
    PQclear(result);
    VALUE("SELECT string_agg(note, ' ') FROM kept.shop_total", "mine mine mine");
    PQfinish(his);
    PQfinish(ours);
}
END_TEST

/* Not even where the new version's column has its name and its type, so that nothing would have to be made anew. */
START_TEST(a_column_that_somebody_added_is_not_taken_by_a_new_version)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster,
                    "ALTER TABLE kept.shop_total ADD COLUMN most integer; UPDATE kept.shop_total SET most = -shop");
    refused("SELECT app.switch('auto', 'count(*) AS n, sum(amount) AS total, max(amount) AS most')",
            "column kept.shop_total.most", "take away what is named");
    AFTER("UPDATE app.orders SET amount = amount + 1 WHERE shop = 2", "shop_total", "keyed 1: +0 ~1 -0");
    VALUE("SELECT string_agg(most::text, ' ' ORDER BY shop) FROM kept.shop_total", "-1 -2 -3");
}
END_TEST

/* While a reader is waited for, the new relation is whole: what is said of the old one then counts, too. */
START_TEST(what_is_taken_away_and_made_while_a_reader_is_waited_for_counts)
{
    PGconn *reader = cluster_connect(cluster, "postgres");
    PGconn *ours = cluster_connect(cluster, "postgres");

    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "CREATE ROLE bob; GRANT SELECT ON kept.shop_total TO bob");
    PQclear(PQexec(reader, "BEGIN; SELECT FROM kept.shop_total"));
    ck_assert_int_eq(PQsendQuery(ours, "SELECT app.switch('matview')"), 1);
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'kept.shop_total'::regclass", "1",
             60);
    cluster_execute(cluster, "REVOKE SELECT ON kept.shop_total FROM bob;"
                             "CREATE INDEX his ON kept.shop_total (n); COMMENT ON COLUMN kept.shop_total.n IS 'his'");
    PQclear(PQexec(reader, "COMMIT"));
    PGresult *result = PQgetResult(ours);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQresultErrorMessage(result));
    PQclear(result);
    VALUE(KIND, "m");
    VALUE("SELECT has_table_privilege('bob', 'kept.shop_total', 'SELECT')", "f");
    VALUE("SELECT has_table_privilege('analytics_reader', 'kept.shop_total', 'SELECT')", "t");
    VALUE("SELECT count(*) FROM pg_indexes WHERE tablename = 'shop_total' AND indexname = 'his'", "1");
    VALUE("SELECT col_description('kept.shop_total'::regclass, 2)", "his");
    PQfinish(reader);
    PQfinish(ours);
}
END_TEST

#define STORAGE                                                                                                      \
    "SELECT concat_ws('; ', (SELECT array_to_string(reloptions, ' ') FROM pg_class WHERE oid = "                     \
    "'kept.shop_total'::regclass),"                                                                                  \
    " (SELECT string_agg(concat_ws(' ', attname, nullif(attstattarget, -1), (SELECT o FROM unnest(attoptions) AS o " \
    "WHERE o LIKE 'n\\_distinct%'), "                                                                                \
    "CASE WHEN attnotnull THEN 'not null' END), ', ' ORDER BY attnum)"                                               \
    "    FROM pg_attribute WHERE attrelid = 'kept.shop_total'::regclass AND attnum > 0),"                            \
    " (SELECT string_agg(concat_ws(' ', c.relname, obj_description(c.oid), nullif(a.attstattarget, -1), CASE WHEN "  \
    "i.indisclustered THEN 'cluster' END), ', '"                                                                     \
    "                    ORDER BY c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"                \
    "                    JOIN pg_attribute a ON a.attrelid = c.oid WHERE i.indrelid = 'kept.shop_total'::regclass))"

START_TEST(what_was_set_for_storage_and_statistics_stays_with_the_name)
{
    static const char expected[] =
        "autovacuum_vacuum_scale_factor=0.05 fillfactor=55 parallel_workers=2;"
        " shop, n 33 not null, total n_distinct=5%s; mine about n 44 cluster, shop_total_pk the key";
    char with_one[256];
    char without[256];

    snprintf(with_one, sizeof(with_one), expected, ", one");
    snprintf(without, sizeof(without), expected, "");
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(
        cluster,
        "ALTER TABLE kept.shop_total ALTER n SET NOT NULL, ALTER n SET STATISTICS 33, ALTER total SET (n_distinct = 5),"
        " RESET (fillfactor); ALTER TABLE kept.shop_total SET (fillfactor = 55, parallel_workers = 2);"
        "COMMENT ON INDEX kept.shop_total_pk IS 'the key'; CREATE INDEX mine ON kept.shop_total ((n + total));"
        "ALTER INDEX kept.mine ALTER COLUMN 1 SET STATISTICS 44; COMMENT ON INDEX kept.mine IS 'about n';"
        "ALTER TABLE kept.shop_total CLUSTER ON mine");
    VALUE(STORAGE, without);
    // As PostgreSQL 15.20 does, which is not ours to copy: a view refuses it.
    cluster_execute(cluster, "UPDATE pg_attribute SET attoptions = array_append(attoptions, 'pg_attver=1')"
                             " WHERE attrelid = 'kept.shop_total'::regclass AND attname IN ('shop', 'total')");
    VALUE("SELECT string_agg(s, '; ') FROM chime.storage_statements('kept.shop_total', 'kept.shop_total') AS s"
          " WHERE s LIKE '%COLUMN shop%' OR s LIKE '%COLUMN total%'",
          "ALTER TABLE kept.shop_total ALTER COLUMN total SET (n_distinct=5)");
    VALUE("SELECT app.switch('auto', 'count(*) AS n, sum(amount) AS total, 1 AS one')", NULL);
    VALUE(STORAGE, with_one);
    VALUE("SELECT app.switch('full')", "its mode is full");
    VALUE(STORAGE, without);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("modes");
    TCase *cases = tcase_create("modes");

    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, a_materialized_view_is_filled_by_its_first_refresh_and_kept_like_any_other);
    tcase_add_test(cases, a_refresh_of_a_materialized_view_says_whether_anything_changed);
    tcase_add_test(cases, readers_of_a_materialized_view_are_not_held_up_by_its_refresh);
    tcase_add_test(cases, a_materialized_view_whose_definition_gives_a_key_twice_is_refused);
    tcase_add_test(cases, a_wrong_row_of_a_materialized_view_is_found_and_mended);
    tcase_add_test(cases, a_materialized_view_is_verified_in_one_snapshot);
    tcase_add_test(cases, readers_see_every_row_while_the_mode_changes_fifty_times);
    tcase_add_test(cases, what_was_granted_said_and_indexed_stays_with_the_name);
    tcase_add_test(cases, from_keyed_to_full_and_back_changes_nothing_that_is_kept);
    tcase_add_test(cases, what_changed_while_a_view_was_full_is_not_lost_when_it_is_keyed_again);
    tcase_add_test(cases, a_reader_who_stays_is_waited_for_in_short_turns_and_then_the_old_relation_stays);
    tcase_add_test(cases, what_was_replaced_is_kept_for_a_moment_and_goes_when_nobody_reads_it);
    tcase_add_test(cases, new_columns_and_other_types_are_there_at_once_with_all_rows);
    tcase_add_test(cases, a_view_over_a_relation_made_anew_reads_the_new_one);
    tcase_add_test(cases, a_view_that_does_not_go_with_the_new_columns_waits_for_its_own_installation);
    tcase_add_test(cases, what_others_built_on_a_relation_is_named_before_it_is_made_anew);
    tcase_add_test(cases, a_column_that_somebody_added_keeps_its_values_and_is_named_before_it_would_be_lost);
    tcase_add_test(cases, a_column_that_is_added_while_the_relation_is_made_anew_is_named_too);
    tcase_add_test(cases, a_column_that_somebody_added_is_not_taken_by_a_new_version);
    tcase_add_test(cases, what_is_taken_away_and_made_while_a_reader_is_waited_for_counts);
    tcase_add_test(cases, what_was_set_for_storage_and_statistics_stays_with_the_name);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
