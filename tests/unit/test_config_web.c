/* SPDX-License-Identifier: PostgreSQL */
/* web.conf: what it says, and what is refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/web.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define DATABASES "databases: { main: { conninfo = \"dbname=app\"; }; };\n"

static char *folder;
static struct report report;

static void set_up(void)
{
    folder = files_make_directory();
    report_init(&report);
}

static void tear_down(void)
{
    report_finish(&report);
    free(folder);
}

static struct web_config *load(const char *text)
{
    char *path = files_path("%s/web.conf", folder);
    files_write(path, text);
    struct web_config *config = web_config_load(path, &report);
    free(path);
    return config;
}

START_TEST(everything_is_read)
{
    struct web_config *web = load(
        DATABASES "listen = [\"127.0.0.1:1\", \"unix:/run/a\"]; url = \"https://cron.example.com/\";\n"
                  "access: { tokens_file = \"tokens\"; peer = ( { user = \"alice\"; role = \"view\"; },"
                  " { group = \"ops\"; role = \"tiles\"; } );\n"
                  "proxy: { from = [\"unix\", \"10.0.0.1\"]; user_header = \"X-Remote-User\"; role = \"view\"; }; };");
    ck_assert_msg(web != NULL, "%s", report.count > 0 ? report.findings[0].message : "");
    ck_assert_uint_eq(web->config->database_count, 1);
    ck_assert_uint_eq(web->listen_count, 2);
    ck_assert_str_eq(web->listen[1], "unix:/run/a");
    ck_assert_str_eq(web->url, "https://cron.example.com/");
    ck_assert_int_eq(web->tokens_file[0], '/');
    ck_assert_uint_eq(web->peer_count, 2);
    ck_assert_str_eq(web->peers[0].user, "alice");
    ck_assert_int_eq(web->peers[1].role, WEB_TILES);
    ck_assert_uint_eq(web->proxy.from_count, 2);
    ck_assert_str_eq(web->proxy.user_header, "x-remote-user");
    ck_assert_int_eq(web->anonymous, WEB_NONE);
    web_config_free(web);
}
END_TEST

START_TEST(public_tiles_are_those_and_no_others)
{
    struct web_config *web = load(DATABASES "access: { public_tiles = [\"main/a/0\", \"main/b/12\"]; };");
    ck_assert_msg(web != NULL, "%s", report.count > 0 ? report.findings[0].message : "");
    ck_assert(web_tile_is_public(web, "main", "a", "0"));
    ck_assert(web_tile_is_public(web, "main", "b", "12"));
    ck_assert(!web_tile_is_public(web, "main", "b", "1"));
    ck_assert(!web_tile_is_public(web, "main", "b", "123"));
    ck_assert(!web_tile_is_public(web, "mai", "n/a", "0"));
    ck_assert(!web_tile_is_public(web, "main", "", "a/0"));
    ck_assert(!web_tile_is_public(web, "main", "a", ""));
    ck_assert(!web_tile_is_public(web, "", "", ""));
    web_config_free(web);
}
END_TEST

START_TEST(databases_alone_are_enough)
{
    struct web_config *web = load(DATABASES);
    ck_assert_ptr_nonnull(web);
    ck_assert_str_eq(web->listen[0], "127.0.0.1:8743");
    ck_assert_ptr_null(web->tokens_file);
    web_config_free(web);
}
END_TEST

static const struct {
    const char *text;
    const char *message;
} refused[] = {
    {"", "no database is named"},
    {DATABASES "jobs: { a: { command = \"SELECT 1\"; }; };", "unknown key \"jobs\" in web.conf"},
    {DATABASES "actions = true; access: { anonymous = \"view\"; };",
     "with \"actions\" nobody is let in without a name: \"anonymous\" would do that"},
    {DATABASES "access: { anonymous = \"tiles\"; }; actions = true;",
     "with \"actions\" nobody is let in without a name: \"anonymous\" would do that"},
    {DATABASES "access: { show_commands = \"tiles\"; };", "\"show_commands\" of \"access\" is \"view\" or \"operate\""},
    {DATABASES "listen = [];", "\"listen\" names no address"},
    {DATABASES "listen = \"a b\";", "\"listen\" of web.conf: \"a b\" cannot be an address to listen at"},
    {DATABASES "url = \"cron.example.com\";", "\"url\" is no address of a page: cron.example.com"},
    {DATABASES "url = \"https://user@cron.example.com/\";",
     "\"url\" is no address of a page: https://user@cron.example.com/"},
    {DATABASES "access: { anonymous = \"root\"; };", "\"anonymous\" of \"access\": there is no role \"root\""},
    {DATABASES "access: { anonymous = \"operate\"; };", "nobody operates without a name"},
    {DATABASES "access: { anonymous = \"view\"; proxy: { from = \"unix\"; user_header = \"X\"; role = \"view\"; }; };",
     "behind a proxy everybody comes from this machine: \"anonymous\" would let all of them in"},
    {DATABASES "access: { proxy: { from = \"unix\"; role = \"view\"; }; };",
     "\"proxy\" needs \"from\", \"user_header\" and \"role\""},
    {DATABASES "access: { proxy: { from = \"unix\"; user_header = \"X: a\"; role = \"view\"; }; };",
     "\"user_header\" of \"proxy\" is no name of a field"},
    {DATABASES "access: { peer = ( { role = \"view\"; } ); };",
     "an entry of \"peer\" needs either \"user\" or \"group\", and \"role\""},
    {DATABASES "access: { peer = ( { user = \"a\"; group = \"b\"; role = \"view\"; } ); };",
     "an entry of \"peer\" needs either \"user\" or \"group\", and \"role\""},
    {DATABASES "access: { public_tiles = \"other/a/0\"; };",
     "\"public_tiles\" of \"access\": there is no database \"other\""},
    {DATABASES "access: { public_tiles = [\"a/0\"]; };", "\"public_tiles\" of \"access\": \"a/0\" cannot be a tile"},
    {DATABASES "access: { public_tiles = [\"main/a/01\"]; };",
     "\"public_tiles\" of \"access\": \"main/a/01\" cannot be a tile"},
    {DATABASES "access: { public_tiles = [\"main/a/b/0\"]; };",
     "\"public_tiles\" of \"access\": \"main/a/b/0\" cannot be a tile"},
    {DATABASES "access: { public_tiles = [\"main/a/*\"]; };",
     "\"public_tiles\" of \"access\": \"main/a/*\" cannot be a tile"},
    {DATABASES "access: { tokens = \"a\"; };", "unknown key \"tokens\" in \"access\""},
};

START_TEST(what_cannot_be_meant_is_refused)
{
    struct web_config *web = load(refused[_i].text);
    ck_assert_ptr_null(web);
    ck_assert_str_eq(report.findings[0].message, refused[_i].message);
    ck_assert_uint_eq(report.count, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_web");
    TCase *tests = tcase_create("config_web");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, everything_is_read);
    tcase_add_test(tests, public_tiles_are_those_and_no_others);
    tcase_add_test(tests, databases_alone_are_enough);
    tcase_add_loop_test(tests, what_cannot_be_meant_is_refused, 0, COUNT_OF(refused));
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
