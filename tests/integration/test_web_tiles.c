/* SPDX-License-Identifier: PostgreSQL */
/* Tiles of somebody's plugin (tests/fixtures/plugins/shop_tiles.c): what is answered, to whom, and what their queries
 * cannot do. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/cluster/init_role.h"
#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/web/web.h"

#define TILE(n) "/api/v1/d/main/tile/shop_tiles/" n

static struct web_server *web;
static struct web_stream *stream;
static char *folder;
static char *plugins;
static char *output;
static char *errors;
static char *viewer; /* lines of a head */
static char *watcher;

static char *make_token(const char *name, const char *role, char **line)
{
    char *said = NULL;
    ck_assert_int_eq(daemon_run((const char *const[]){"web", "token", name, "--role", role, NULL}, line, &said), 0);
    const char *token = strstr(said, "token: ");
    ck_assert_ptr_nonnull(token);
    char *lines = files_path("Authorization: Bearer %.*s\r\n", (int)strcspn(token + 7, "\n"),
                             token + strlen("token: "));
    free(said);
    return lines;
}

/* As the role that docs/web.md names, which may read what pgchime_monitor may. */
static void start_web(const char *access)
{
    char *of_viewer = NULL;
    char *of_watcher = NULL;
    viewer = make_token("alice", "view", &of_viewer);
    watcher = make_token("bob", "tiles", &of_watcher);
    char *tokens = files_path("%s%s", of_viewer, of_watcher);
    char *path = files_path("%s/tokens", folder);
    files_write(path, tokens);
    ck_assert_int_eq(chmod(path, 0600), 0);
    char *conninfo = cluster_conninfo_as(cluster, "page", "postgres");
    char *databases = files_path("main: { conninfo = \"%s\"; };", conninfo);
    web = web_server_start(folder, databases, access);
    free(databases);
    free(conninfo);
    free(path);
    free(tokens);
    free(of_viewer);
    free(of_watcher);
}

/* A daemon that leads, as a role of `init`, and a web server; the plugin is not there yet. */
static void set_up(void)
{
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", 4);
    folder = files_make_directory();
    plugins = files_make_directory();
    cluster_execute(cluster,
                    "CREATE TABLE shop_sales (id serial, shop text, amount numeric, words text);"
                    "CREATE TABLE shop_notes (words text); CREATE ROLE mallory;"
                    "INSERT INTO shop_sales (shop, amount, words) VALUES ('a', 2.5, '<img src=x>'), ('b', 1, NULL)");
    init_role_make(cluster, "pgchime", "postgres");
    cluster_execute(cluster, "GRANT SELECT, TRIGGER ON shop_sales TO pgchime; GRANT ALL ON shop_notes TO pgchime;"
                             "GRANT CREATE, USAGE ON SCHEMA public TO mallory");
    site_use_role(site, "pgchime");
    site_use_plugins(site, plugins);
    served = site_lead(site);
    cluster_execute(cluster, "CREATE ROLE page LOGIN IN ROLE pgchime_monitor");
    start_web("tokens_file = \"tokens\";");
}

static void end_web(void)
{
    web_server_destroy(web);
    free(viewer);
    free(watcher);
    web = NULL;
    viewer = watcher = NULL;
}

static void tear_down(void)
{
    web_stream_destroy(stream);
    stream = NULL;
    end_web();
    served_tear_down();
    free(folder);
    free(plugins);
    free(output);
    free(errors);
}

static void drop_in(void)
{
    plugin_put_fixture(plugins, "shop_tiles");
    site_reload(site, served);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.tile WHERE vetted IS NOT NULL", "11", 120);
    WAIT_SQL(cluster, "SELECT count(*) FROM analytics.shop_tiles", "2", 120);
}

/* What is answered with that status, which says this. */
static void expect(int status, const char *target, const char *lines, const char *part)
{
    struct web_answer answer = web_expect(status, web, target, lines);
    commands_has(answer.body, part);
    web_answer_finish(&answer);
}

/* --- what is shown ------------------------------------------------------------------------------------------------ */

struct part {
    const char *target;
    const char *part;
};

static bool has_part(void *data)
{
    const struct part *wanted = data;
    struct web_answer answer = web_get(web, wanted->target, viewer);
    bool has = answer.status == 200 && strstr(answer.body, wanted->part) != NULL;
    web_answer_finish(&answer);
    return has;
}

static bool is_not_there(void *data)
{
    (void)data;
    struct web_answer answer = web_get(web, TILE("0"), viewer);
    web_answer_finish(&answer);
    return answer.status == 404;
}

START_TEST(plugin_that_is_dropped_in_is_seen_and_told)
{
    struct part sold = {TILE("0"), "[\n          3,"};
    struct part alert = {"/api/v1/d/main/alerts", "\"rule\": \"shop-busy\""};
    expect(200, "/api/v1/d/main/tiles", viewer, "\"tiles\": []");
    drop_in();
    struct part listed = {"/api/v1/d/main/tiles", "\"title\": \"Sales of a shop\""};
    ck_assert(wait_until(has_part, &listed, 60));
    cluster_execute(cluster, "INSERT INTO shop_sales (shop, amount) VALUES ('a', 1)");
    ck_assert(wait_until(has_part, &sold, 60));
    cluster_execute(cluster, "INSERT INTO shop_sales (shop, amount) VALUES ('a', 1)");
    ck_assert(wait_until(has_part, &alert, 90));
    plugin_take(plugins, "shop_tiles");
    site_reload(site, served);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.tile", "0", 60);
    struct part gone = {"/api/v1/d/main/tiles", "\"tiles\": []"};
    ck_assert(wait_until(has_part, &gone, 60));
    ck_assert(wait_until(is_not_there, NULL, 60));
}
END_TEST

/* But for how far views are behind, which goes on. */
static char *without_behind(const char *text)
{
    const char *begin = strstr(text, "\"behind_ms\"");
    return begin == NULL ? files_path("%s", text)
                         : files_path("%.*s%s", (int)(begin - text), text, begin + strcspn(begin, "\n"));
}

static bool is_same(void *data)
{
    const char **pair = data; /* a target, and what `pgchime tiles` is asked */
    commands_run(site_config(site), (const char *const[]){"tiles", "-o", "json", pair[1], pair[2], pair[3], NULL},
                 &output, &errors);
    struct web_answer answer = web_expect(200, web, pair[0], viewer);
    char *of_page = without_behind(answer.body);
    char *of_command = without_behind(output);
    bool same = strcmp(of_page, of_command) == 0;
    free(of_page);
    free(of_command);
    web_answer_finish(&answer);
    return same;
}

START_TEST(tiles_are_what_the_command_prints)
{
    const char *pairs[][4] = {{"/api/v1/d/main/tiles", NULL},
                              {TILE("1"), "shop_tiles/1", NULL},
                              {TILE("1") "?choice=b", "shop_tiles/1", "--choice", "b"},
                              {TILE("1") "?choice=b&version=x", "shop_tiles/1", "--choice", "b"},
                              {TILE("4"), "shop_tiles/4", NULL},
                              {TILE("9"), "shop_tiles/9", NULL}};
    drop_in();
    served_end();
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        ck_assert_msg(wait_until(is_same, pairs[i], 30), "%s", pairs[i][0]);
    }
    commands_expect(0, site_config(site), (const char *const[]){"tiles", "shop_tiles/1", "-o", "csv", NULL}, &output,
                    &errors);
    ck_assert_str_eq(output, "shop,n,total_usd,words,status\na,1,2.5,<img src=x>,fresh\n");
    commands_expect(5, site_config(site), (const char *const[]){"tiles", "shop_tiles/99", NULL}, &output, &errors);
    commands_has(errors, "there is no tile \"shop_tiles/99\"");
}
END_TEST

START_TEST(rows_are_cells_with_the_kinds_of_their_columns)
{
    drop_in();
    struct web_answer answer = web_expect(200, web, TILE("9"), viewer);
    commands_has(answer.body, "\"name\": \"a\",\n          \"type\": \"number\"");
    commands_has(answer.body, "\"name\": \"f\",\n          \"type\": \"instant\"");
    commands_has(answer.body,
                 "          1.5,\n          \"NaN\",\n          true,\n          \"{\\\"a\\\":\\\"\\\\u0000\\\"}\",\n"
                 "          \"12345678901234567890123\",\n          \"2026-01-02T03:04:05+00:00\",\n"
                 "          null,\n          \"1 day\"");
    web_answer_finish(&answer);
}
END_TEST

START_TEST(choices_are_given_and_no_other_is_taken)
{
    drop_in();
    expect(200, TILE("1"), viewer, "\"choice\": \"a\"");
    expect(200, TILE("1"), viewer, "\"label\": \"B\"");
    expect(200, TILE("1") "?choice=b", viewer, "\"choice\": \"b\"");
    expect(404, TILE("1") "?choice=c", viewer, "there is no such choice");
    expect(404, TILE("1") "?choice=a%27%20OR%20%27%27%3D%27", viewer, "there is no such choice");
    expect(404, TILE("1") "?choice=", viewer, "there is no such choice");
    expect(404, TILE("0") "?choice=a", viewer, "this tile has no choices");
    expect(404, TILE("77"), viewer, "there is no tile");
    expect(404, TILE("-1"), viewer, "there is no tile");
    expect(404, "/api/v1/d/main/tile/nobody/0", viewer, "there is no tile");
    expect(400, TILE("1") "?shop=a", viewer, "there is no \\\"shop\\\" to ask for here");
}
END_TEST

/* --- what a query cannot do --------------------------------------------------------------------------------------- */

START_TEST(tile_that_writes_writes_nothing)
{
    drop_in();
    expect(503, TILE("3"), viewer, "its query fails");
    commands_run(site_config(site), (const char *const[]){"tiles", "shop_tiles/3", NULL}, &output, &errors);
    commands_has(errors, "cannot execute INSERT in a read-only transaction");
    EXPECT_SQL(cluster, "SELECT count(*) FROM shop_notes", "0");
}
END_TEST

START_TEST(tile_that_gives_much_is_cut)
{
    drop_in();
    struct web_answer answer = web_expect(200, web, TILE("4"), viewer);
    commands_has(answer.body, "\"more\": true");
    commands_has(answer.body, "[\n          500,\n          \"5000000000000000\"\n        ]\n");
    ck_assert_ptr_null(strstr(answer.body, "[\n          501,"));
    web_answer_finish(&answer);
    answer = web_expect(200, web, TILE("5"), viewer);
    commands_has(answer.body, "\"more\": true");
    ck_assert_uint_lt(answer.length, 300 * 1024);
    ck_assert_uint_gt(answer.length, 200 * 1024);
    web_answer_finish(&answer);
}
END_TEST

START_TEST(tile_that_sleeps_holds_up_neither_pages_nor_tiles_for_long)
{
    drop_in();
    expect(503, TILE("2"), viewer, "its query takes longer than 3 s");
    expect(200, "/api/v1/d/main/jobs", viewer, "refresh-shop-tiles");
    expect(503, TILE("2"), viewer, "its query takes longer than 3 s"); /* not asked again for a while */
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active'"
               " AND pid <> pg_backend_pid()",
               "0");
    expect(200, TILE("0"), viewer, "\"title\": \"Sales\"");
}
END_TEST

static bool waits_for_a_look(void *data)
{
    (void)data;
    struct web_answer answer = web_get(web, TILE("7"), viewer);
    bool waits = answer.status == 503 && strstr(answer.body, "the leader has not looked at it") != NULL;
    web_answer_finish(&answer);
    return waits;
}

START_TEST(tile_that_cannot_be_read_or_is_of_somebody_is_refused_and_told)
{
    drop_in();
    EXPECT_SQL(cluster, "SELECT problem FROM chime.tile WHERE title = 'Broken'",
               "relation \"shop_nowhere\" does not exist");
    expect(503, TILE("6"), viewer, "its query cannot be read");
    cluster_execute(
        cluster, "SET ROLE mallory; CREATE FUNCTION public.shop_words(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
                 " RAISE NOTICE 'caught'; RETURN current_user; END $$; RESET ROLE");
    WAIT_SQL(cluster,
             "SELECT problem LIKE 'tile shop_tiles/7 would run function public.shop_words(pg_catalog.text) as pgchime,"
             " and its owner mallory is not trusted' FROM chime.tile WHERE title = 'Of somebody'",
             "t", 60);
    expect(503, TILE("7"), viewer, "its query cannot be read");
    commands_run(site_config(site), (const char *const[]){"doctor", NULL}, &output, &errors);
    commands_has(output, "tile shop_tiles/6 \"Broken\" cannot be shown");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.alerts WHERE rule = 'tile-broken'", "2", 90);
    cluster_execute(cluster, "ALTER FUNCTION public.shop_words(text) OWNER TO postgres");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.tile WHERE vetted IS NOT NULL", "12", 90);
    expect(200, TILE("7"), viewer, "\"pgchime\"");
    cluster_execute(cluster, "ALTER FUNCTION public.shop_words(text) OWNER TO mallory");
    served_end(); /* nobody vets: it is refused all the same */
    ck_assert(wait_until(waits_for_a_look, NULL, 60));
}
END_TEST

static bool is_noted(void *data)
{
    (void)data;
    struct web_answer answer = web_expect(200, web, TILE("8"), viewer);
    web_answer_finish(&answer);
    char *noted = cluster_value(
        cluster, "SELECT coalesce(slow_us > 1000, false) FROM chime.tile WHERE title = 'Over its bound'");
    bool is = strcmp(noted, "t") == 0;
    free(noted);
    return is;
}

START_TEST(tile_over_its_bound_thrice_is_an_alert)
{
    drop_in();
    ck_assert(wait_until(is_noted, NULL, 60));
    WAIT_SQL(cluster, "SELECT subject FROM chime.alerts WHERE rule = 'tile-slow'", "shop_tiles/8", 90);
}
END_TEST

/* --- who sees what ------------------------------------------------------------------------------------------------ */

START_TEST(role_tiles_sees_tiles_and_nothing_else)
{
    static const char *const others[] = {"/api/v1/databases",
                                         "/api/v1/d/main/jobs",
                                         "/api/v1/d/main/job/refresh-shop-tiles",
                                         "/api/v1/d/main/job/refresh-shop-tiles/why",
                                         "/api/v1/d/main/job/tiles/runs",
                                         "/api/v1/d/main/job/tile",
                                         "/api/v1/d/main/runs",
                                         "/api/v1/d/main/views",
                                         "/api/v1/d/main/alerts",
                                         "/api/v1/d/main/graph",
                                         "/api/v1/d/main/doctor",
                                         "/api/v1/d/main/tiles/more",
                                         "/api/v1/d/tiles",
                                         "/api/v1/tiles/tiles",
                                         "/api/v1/nowhere"};
    drop_in();
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        expect(403, others[i], watcher, "the role tiles may see tiles alone");
        expect(401, others[i], "", "who asks is not known");
    }
    expect(401, TILE("0"), "", "who asks is not known");
    expect(200, "/api/v1/d/main/jobs", viewer, "refresh-shop-tiles"); /* kept now, and no way around */
    expect(403, "/api/v1/d/main/jobs", watcher, "the role tiles may see tiles alone");
    expect(200, "/api/v1/tiles", watcher, "\"database\": \"main\",\n      \"reachable\": true,\n      \"led\": true");
    expect(200, "/api/v1/d/main/tiles", watcher, "\"freshness\": \"");
    expect(200, TILE("0"), watcher, "\"title\": \"Sales\"");
    struct web_answer answer = web_expect(200, web, "/api/v1/d/main/tiles", watcher);
    ck_assert_ptr_null(strstr(answer.body, "SELECT"));
    web_answer_finish(&answer);
    expect(503, TILE("3"), watcher, "its query fails");
    answer = web_expect(503, web, TILE("3"), watcher);
    ck_assert_ptr_null(strstr(answer.body, "INSERT"));
    web_answer_finish(&answer);
}
END_TEST

/* --- followed, and public ----------------------------------------------------------------------------------------- */

#define SALES "/d/main/tile/shop_tiles/11"

/* Whoever may see nothing else hears of tiles, too. */
START_TEST(tile_that_is_followed_is_told_of_when_a_view_of_its_plugin_changed)
{
    drop_in();
    expect(400, "/api/v1/stream?topics=" SALES "%20/d/main/jobs", watcher, "the role tiles hears of tiles alone");
    expect(400, "/api/v1/stream?topics=/databases", watcher, "the role tiles hears of tiles alone");
    expect(401, "/api/v1/stream?topics=" SALES, "", "who asks is not known");
    stream = web_stream_open(web, "/api/v1/stream?topics=" SALES "%20/d/main/tiles", watcher);
    web_stream_hear(stream, "{\"" SALES "\":\"");
    expect(200, "/api/v1" SALES, watcher, "\"b\",\n          1\n");
    cluster_execute(cluster, "INSERT INTO shop_sales (shop, amount) VALUES ('b', 1)");
    web_stream_hear(stream, "\"" SALES "\":\"");
    expect(200, "/api/v1" SALES, watcher, "\"b\",\n          2\n"); /* whoever hears of it gets it */
    cluster_execute(cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'page'");
    cluster_execute(cluster, "INSERT INTO shop_sales (shop, amount) VALUES ('b', 1)");
    web_stream_hear(stream, "\"" SALES "\":\"");
    struct part thrice = {"/api/v1" SALES, "\"b\",\n          3\n"};
    ck_assert(wait_until(has_part, &thrice, 60));
}
END_TEST

/* Its text is asked for once, however many follow it, until a view changes; without followers for 5 s. */
START_TEST(tile_that_is_asked_for_again_and_again_is_read_once)
{
    drop_in();
    struct web_answer first = web_expect(200, web, TILE("0"), viewer); /* it says when it was read */
    for (int i = 0; i < 6; i++) {
        struct web_answer again = web_expect(200, web, TILE("0"), i % 2 == 0 ? viewer : watcher);
        ck_assert_str_eq(again.body, first.body);
        web_answer_finish(&again);
    }
    web_answer_finish(&first);
}
END_TEST

/* Nobody learns by it where the database is. */
static bool says_no_more_than_that_it_is_away(void *data)
{
    (void)data;
    struct web_answer answer = web_get(web, TILE("11"), "");
    bool away = answer.status == 503 && strstr(answer.body, "database \\\"main\\\" cannot be reached") != NULL;
    ck_assert_ptr_null(strstr(answer.body, cluster_directory(cluster)));
    ck_assert_ptr_null(strstr(answer.body, "page"));
    web_answer_finish(&answer);
    return away;
}

START_TEST(public_tile_is_everybodys_and_may_be_kept_by_others)
{
    end_web();
    start_web("tokens_file = \"tokens\"; public_tiles = [\"main/shop_tiles/11\", \"main/shop_tiles/1\","
              " \"main/shop_tiles/6\"];");
    drop_in();
    struct web_answer answer = web_expect(200, web, TILE("11"), "");
    commands_has(answer.all, "\r\nCache-Control: public, max-age=60, stale-while-revalidate=60\r\n");
    ck_assert_ptr_null(strstr(answer.all, "private"));
    ck_assert_ptr_null(strstr(answer.all, "Access-Control"));
    char *tag = files_path("If-None-Match: %.*s\r\n", (int)strcspn(strstr(answer.all, "ETag: ") + 6, "\r"),
                           strstr(answer.all, "ETag: ") + 6);
    web_answer_finish(&answer);
    answer = web_expect(304, web, TILE("11"), tag);
    commands_has(answer.all, "\r\nCache-Control: public, ");
    web_answer_finish(&answer);
    free(tag);
    expect(200, TILE("1"), "", "\"choice\": \"a\"");
    expect(401, TILE("1") "?choice=b", "", "who asks is not known"); /* nobody in particular has much asked */
    expect(401, TILE("1") "?version=b", "", "who asks is not known");
    expect(401, TILE("011"), "", "who asks is not known");
    expect(401, TILE("%31"), "", "who asks is not known"); /* nor in many ways */
    expect(401, TILE("11") "?", "", "who asks is not known");
    expect(401, "/api/v1/d/main/tile/shop%5ftiles/11", "", "who asks is not known");
    expect(401, TILE("0"), "", "who asks is not known");
    expect(401, "/api/v1/d/main/tiles", "", "who asks is not known");
    expect(401, "/api/v1/stream?topics=" SALES, "", "who asks is not known");
    answer = web_expect(200, web, TILE("1") "?choice=b", watcher);
    commands_has(answer.all, "\r\nCache-Control: private, no-cache\r\n");
    web_answer_finish(&answer);
    answer = web_expect(503, web, TILE("6"), "");
    commands_has(answer.all, "\r\nCache-Control: private, no-cache\r\n");
    web_answer_finish(&answer);
    cluster_stop(cluster, CLUSTER_IMMEDIATE);
    ck_assert(wait_until(says_no_more_than_that_it_is_away, NULL, 60));
    cluster_start(cluster);
}
END_TEST

/* With views of a plugin, of whose schema the page's role may use nothing (test_web_actions has none). */
START_TEST(page_of_its_own_role_has_all_pages_beside_views)
{
    static const char *const targets[] = {"/databases",    "/d/main/jobs",    "/d/main/job/refresh-shop-tiles",
                                          "/d/main/views", "/d/main/runs",    "/d/main/job/refresh-shop-tiles/why",
                                          "/d/main/graph", "/d/main/alerts",  "/d/main/doctor",
                                          "/d/main/tiles", "/d/main/history", "/d/main/crowded"};
    drop_in();
    EXPECT_SQL(cluster, "SELECT has_schema_privilege('page', 'analytics', 'USAGE')", "f");
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        char *target = files_path("/api/v1%s", targets[i]);
        expect(200, target, viewer, "schema_version");
        free(target);
    }
    struct web_answer answer = web_expect(200, web, "/metrics", viewer);
    commands_has(answer.body, "pgchime_view_rows{database=\"main\",view=\"analytics.shop_tiles\"} 2");
    commands_has(answer.body, "pgchime_database_up{database=\"main\"} 1");
    web_answer_finish(&answer);
}
END_TEST

/* The query runs as the role that vetted it, whoever asks. */
START_TEST(temporary_object_takes_no_place_in_a_tile)
{
    drop_in();
    EXPECT_SQL(cluster, "SELECT has_table_privilege('page', 'analytics.shop_tiles', 'SELECT')", "f");
    expect(200, TILE("0"), viewer, "\"title\": \"Sales\"");
    cluster_execute(cluster, "SET SESSION AUTHORIZATION page");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.tile_rows('shop_tiles', 0, NULL)", "1");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM chime.tile_rows('shop_tiles', 3, NULL)"), "25006");
    ck_assert_str_eq(cluster_sqlstate(cluster, "UPDATE chime.tile SET query = 'SELECT 1'"), "42501");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.vet_tiles()"), "42501");
    cluster_execute(cluster, "SELECT chime.note_tile('shop_tiles', 8, 5)"); /* less than its bound */
    cluster_execute(cluster, "CREATE TEMPORARY TABLE shop_tiles (n integer)");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM chime.tile_rows('shop_tiles', 0, NULL)"), "42501");
    cluster_execute(cluster, "RESET SESSION AUTHORIZATION");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.tile WHERE slow_at IS NOT NULL", "0");
}
END_TEST

static bool has_moved(void *body)
{
    struct web_answer answer = web_expect(200, web, TILE("0") "?version=2", viewer);
    bool moved = strcmp(answer.body, body) != 0;
    web_answer_finish(&answer);
    return moved;
}

START_TEST(tile_is_answered_once_for_all_and_not_again_while_it_is_the_same)
{
    drop_in();
    struct web_answer first = web_expect(200, web, TILE("0") "?version=1", viewer);
    struct web_answer second = web_expect(200, web, TILE("0") "?version=1", watcher);
    ck_assert_str_eq(first.body, second.body); /* read_at is that of the query */
    const char *tag = strstr(first.all, "ETag: ");
    ck_assert_ptr_nonnull(tag);
    char *lines = files_path("%sIf-None-Match: %.*s\r\n", watcher, (int)strcspn(tag + 6, "\r"), tag + 6);
    struct web_answer same = web_expect(304, web, TILE("0") "?version=1", lines);
    web_answer_finish(&same);
    free(lines);
    ck_assert(wait_until(has_moved, (void *)first.body, 60));
    web_answer_finish(&first);
    web_answer_finish(&second);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web_tiles");
    TCase *tests = tcase_create("web_tiles");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, plugin_that_is_dropped_in_is_seen_and_told);
    tcase_add_test(tests, tiles_are_what_the_command_prints);
    tcase_add_test(tests, rows_are_cells_with_the_kinds_of_their_columns);
    tcase_add_test(tests, choices_are_given_and_no_other_is_taken);
    tcase_add_test(tests, tile_that_writes_writes_nothing);
    tcase_add_test(tests, tile_that_gives_much_is_cut);
    tcase_add_test(tests, tile_that_sleeps_holds_up_neither_pages_nor_tiles_for_long);
    tcase_add_test(tests, tile_that_cannot_be_read_or_is_of_somebody_is_refused_and_told);
    tcase_add_test(tests, tile_over_its_bound_thrice_is_an_alert);
    tcase_add_test(tests, role_tiles_sees_tiles_and_nothing_else);
    tcase_add_test(tests, tile_is_answered_once_for_all_and_not_again_while_it_is_the_same);
    tcase_add_test(tests, tile_that_is_followed_is_told_of_when_a_view_of_its_plugin_changed);
    tcase_add_test(tests, tile_that_is_asked_for_again_and_again_is_read_once);
    tcase_add_test(tests, public_tile_is_everybodys_and_may_be_kept_by_others);
    tcase_add_test(tests, page_of_its_own_role_has_all_pages_beside_views);
    tcase_add_test(tests, temporary_object_takes_no_place_in_a_tile);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
