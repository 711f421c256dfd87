/* SPDX-License-Identifier: PostgreSQL */
/* With libpq's own parser; what it does when that fails is in pg/test_connection.c. */
#include <check.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "pg/conninfo.h"
#include "support/process/suite.h"

static struct conninfo info;

static void read_text(const char *text)
{
    struct error err;
    struct pg_target target = {.conninfo = text, .application_name = "pgchime"};
    bool read = conninfo_read(&info, &target, &err);
    ck_assert_msg(read, "%s: %s", text, err.message);
}

static void expect(const char *keyword, const char *value)
{
    const char *found = conninfo_value(&info, keyword);
    ck_assert_msg(found != NULL, "%s is not set", keyword);
    ck_assert_str_eq(found, value);
}

static void expect_text(const char *found, const char *expected)
{
    if (expected == NULL) {
        ck_assert_ptr_null(found);
    } else {
        ck_assert_ptr_nonnull(found);
        ck_assert_str_eq(found, expected);
    }
}

static void expect_host(size_t host, const char *name, const char *address, const char *port)
{
    ck_assert_uint_lt(host, info.host_count);
    expect_text(info.hosts[host].name, name);
    expect_text(info.hosts[host].address, address);
    expect_text(info.hosts[host].port, port);
}

static void expect_refusal(const char *text, const char *message)
{
    struct error err;
    struct pg_target target = {.conninfo = text, .application_name = "pgchime"};
    ck_assert(!conninfo_read(&info, &target, &err));
    ck_assert_int_eq(err.kind, ERROR_CONFIG);
    ck_assert_str_eq(err.message, message);
}

static const char *options_for(const char *text, const struct pg_setting *settings, size_t count)
{
    struct error err;
    struct pg_target target = {
        .conninfo = text, .application_name = "pgchime", .settings = settings, .setting_count = count};
    ck_assert(conninfo_read(&info, &target, &err));
    return conninfo_value(&info, "options");
}

static void tear_down(void)
{
    conninfo_finish(&info);
}

START_TEST(what_is_given_is_kept_and_ours_is_added)
{
    read_text("host=/run dbname=app user='a b' keepalives_idle=60");
    expect("host", "/run");
    expect("dbname", "app");
    expect("user", "a b");
    expect("application_name", "pgchime");
    expect("client_encoding", "UTF8");
    expect("keepalives_idle", "60");
    expect("keepalives_interval", "2");
    expect("keepalives_count", "3");
    expect("tcp_user_timeout", "10000");
    ck_assert_ptr_null(conninfo_value(&info, "port"));
    ck_assert_ptr_null(info.keywords[info.count]);
}
END_TEST

START_TEST(the_encoding_is_ours_and_the_application_name_the_users)
{
    read_text("client_encoding=LATIN1 application_name=mine");
    expect("client_encoding", "UTF8");
    expect("application_name", "mine");
}
END_TEST

START_TEST(a_uri_is_read)
{
    read_text("postgresql://chime@db1:5433,db2:5434/app?connect_timeout=3");
    ck_assert_uint_eq(info.host_count, 2);
    expect_host(0, "db1", NULL, "5433");
    expect_host(1, "db2", NULL, "5434");
    ck_assert_int_eq(conninfo_timeout(&info), 3 * USEC_PER_SEC);
}
END_TEST

START_TEST(what_libpq_does_not_know_is_refused_in_its_words)
{
    struct error err;
    struct pg_target target = {.conninfo = "hots=/run", .application_name = "pgchime"};
    ck_assert(!conninfo_read(&info, &target, &err));
    ck_assert_int_eq(err.kind, ERROR_CONFIG);
    ck_assert_str_eq(err.message, "conninfo: invalid connection option \"hots\"");
    ck_assert_ptr_nonnull(strstr(err.hint, "conninfo = \"host=/run/postgresql dbname=app\""));
    ck_assert_ptr_null(info.arena);
}
END_TEST

START_TEST(settings_come_behind_the_users_options)
{
    static const struct pg_setting settings[] = {{"jit", "off"}, {"search_path", ""}};
    ck_assert_str_eq(options_for("options='-c work_mem=8MB'", settings, 2),
                     "-c work_mem=8MB -c jit=off -c search_path=");
    tear_down();
    ck_assert_str_eq(options_for("", settings, 1), " -c jit=off");
    tear_down();
    ck_assert_str_eq(options_for("", NULL, 0), "");
}
END_TEST

START_TEST(white_space_and_backslashes_of_a_setting_are_escaped)
{
    static const struct pg_setting settings[] = {{"a", "read committed"}, {"b", "x\\y\tz\n"}};
    ck_assert_str_eq(options_for("", settings, 2), " -c a=read\\ committed -c b=x\\\\y\\\tz\\\n");
}
END_TEST

START_TEST(hosts_are_listed_with_their_addresses_and_ports)
{
    read_text("host=a,,/run,b port=1,2,,4");
    ck_assert_uint_eq(info.host_count, 4);
    expect_host(0, "a", NULL, "1");
    expect_host(1, NULL, NULL, "2");
    expect_host(2, "/run", NULL, NULL);
    expect_host(3, "b", NULL, "4");
    tear_down();
    read_text("host=a,b hostaddr=192.0.2.1, port=5433");
    expect_host(0, "a", "192.0.2.1", "5433");
    expect_host(1, "b", NULL, "5433");
    tear_down();
    read_text("hostaddr=192.0.2.1,192.0.2.2");
    expect_host(1, NULL, "192.0.2.2", NULL);
    tear_down();
    read_text("dbname=app");
    ck_assert_uint_eq(info.host_count, 1);
    expect_host(0, NULL, NULL, NULL);
}
END_TEST

START_TEST(lists_that_do_not_match_are_refused)
{
    expect_refusal("host=a,b hostaddr=192.0.2.1", "conninfo: could not match 2 host names to 1 hostaddr values");
    expect_refusal("host=a,b port=1,2,3", "conninfo: could not match 3 port numbers to 2 hosts");
    expect_refusal("port=1,2", "conninfo: could not match 2 port numbers to 1 hosts");
}
END_TEST

START_TEST(of_several_hosts_the_primary_is_meant)
{
    read_text("host=a,b");
    expect("target_session_attrs", "primary");
    tear_down();
    read_text("host=a,b target_session_attrs=read-write");
    expect("target_session_attrs", "read-write");
    tear_down();
    read_text("host=a");
    ck_assert_ptr_null(conninfo_value(&info, "target_session_attrs"));
}
END_TEST

START_TEST(only_names_without_an_address_need_one)
{
    static const bool needed[] = {true, false, false, false, false, false, true};
    read_text("host=db.example,,/run,@abstract,192.0.2.1,2001:db8::1,192.0.2");
    for (size_t i = 0; i < sizeof(needed); i++) {
        ck_assert_msg(conninfo_needs_address(&info.hosts[i]) == needed[i], "host %zu", i);
    }
    tear_down();
    read_text("host=db.example hostaddr=192.0.2.1");
    ck_assert(!conninfo_needs_address(&info.hosts[0]));
}
END_TEST

START_TEST(this_machine_has_several_names)
{
    static const char *const here[] = {NULL, "", "/run/postgresql", "localhost", "127.0.0.1", "::1"};
    static const char *const elsewhere[] = {"db.example", "localhost.example", "192.0.2.1", "2001:db8::1"};
    for (size_t i = 0; i < sizeof(here) / sizeof(*here); i++) {
        ck_assert_msg(conninfo_is_local(here[i]), "%s", here[i] != NULL ? here[i] : "none");
    }
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++) {
        ck_assert_msg(!conninfo_is_local(elsewhere[i]), "%s", elsewhere[i]);
    }
}
END_TEST

START_TEST(a_choice_leaves_nothing_of_the_others)
{
    read_text("host=one,two,/run hostaddr=,192.0.2.2, port=1,2,");
    conninfo_choose(&info, &info.hosts[0], "192.0.2.1");
    expect("host", "one");
    expect("hostaddr", "192.0.2.1");
    expect("port", "1");
    conninfo_choose(&info, &info.hosts[1], NULL);
    expect("host", "two");
    expect("hostaddr", "192.0.2.2");
    expect("port", "2");
    conninfo_choose(&info, &info.hosts[2], NULL);
    expect("host", "/run");
    expect("hostaddr", "");
    expect("port", "");
    tear_down();
    read_text("dbname=app");
    conninfo_choose(&info, &info.hosts[0], NULL);
    ck_assert_ptr_null(conninfo_value(&info, "host"));
    ck_assert_ptr_null(conninfo_value(&info, "port"));
}
END_TEST

START_TEST(a_timeout_is_read_as_libpq_does)
{
    static const struct {
        const char *text;
        duration expected;
    } cases[] = {{"dbname=x", 0},
                 {"connect_timeout=0", 0},
                 {"connect_timeout=-1", 0},
                 {"connect_timeout=1", 2 * USEC_PER_SEC},
                 {"connect_timeout=7", 7 * USEC_PER_SEC}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        read_text(cases[i].text);
        ck_assert_int_eq(conninfo_timeout(&info), cases[i].expected);
        tear_down();
    }
}
END_TEST

START_TEST(a_description_names_the_place_but_never_the_password)
{
    read_text("host=db port=5433 dbname=app user=chime password=secret passfile=/secret");
    ck_assert_str_eq(conninfo_describe(&info), "host db port 5433 database app user chime");
    tear_down();
    read_text("password=secret");
    ck_assert_str_eq(conninfo_describe(&info), "host default database default");
    tear_down();
    read_text("host=a,b port=1,2");
    conninfo_choose(&info, &info.hosts[1], NULL);
    ck_assert_str_eq(conninfo_describe(&info), "host a,b port 1,2 database default");
}
END_TEST

/* What another role connects by, as libpq would read it. */
static void expect_role(const char *base, const char *given, const char *role, const char *target, const char *expected)
{
    struct error err;
    char *text = conninfo_for_role(base, given, role, target, &err);
    ck_assert_msg(text != NULL, "%s", err.message);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(another_role_connects_to_the_same_place_without_the_daemons_password)
{
    expect_role("host=h port=1 dbname=d user=chime password=x", NULL, "ann", NULL,
                "user='ann' password='' dbname='d' host='h' port='1'");
    expect_role("postgresql://chime:x@h:1/d", NULL, "ann", "other",
                "user='ann' password='' dbname='other' host='h' port='1'");
    expect_role("host=h user=chime", "user=app password=y", "ann", NULL, "user='app' host='h' password='y'");
    expect_role("host=/s hostaddr=192.0.2.1 port=1 user=chime", "host=h sslmode=require", "ann", NULL,
                "user='ann' host='h' hostaddr='' port='1' password='' sslmode='require'");
    expect_role("host=a,b port=1,2 user=chime", "hostaddr=192.0.2.2", "ann", NULL,
                "user='ann' host='' port='' password='' hostaddr='192.0.2.2'");
    expect_role("host=a,b port=1,2 user=chime", "sslcert=c", "ann", NULL,
                "user='ann' host='a,b' port='1,2' password='' sslcert='c'");
    expect_role("host=h user=chime password=x", NULL, NULL, "other",
                "user='chime' password='x' host='h' dbname='other'");
    expect_role("host=h", NULL, "a' host=evil", "x\\y", "host='h' user='a\\' host=evil' password='' dbname='x\\\\y'");
    struct error err;
    ck_assert_ptr_null(conninfo_for_role("host=h", "nonsense", "ann", NULL, &err));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conninfo");
    TCase *tests = tcase_create("conninfo");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, another_role_connects_to_the_same_place_without_the_daemons_password);
    tcase_add_test(tests, what_is_given_is_kept_and_ours_is_added);
    tcase_add_test(tests, the_encoding_is_ours_and_the_application_name_the_users);
    tcase_add_test(tests, a_uri_is_read);
    tcase_add_test(tests, what_libpq_does_not_know_is_refused_in_its_words);
    tcase_add_test(tests, settings_come_behind_the_users_options);
    tcase_add_test(tests, white_space_and_backslashes_of_a_setting_are_escaped);
    tcase_add_test(tests, hosts_are_listed_with_their_addresses_and_ports);
    tcase_add_test(tests, lists_that_do_not_match_are_refused);
    tcase_add_test(tests, of_several_hosts_the_primary_is_meant);
    tcase_add_test(tests, only_names_without_an_address_need_one);
    tcase_add_test(tests, this_machine_has_several_names);
    tcase_add_test(tests, a_choice_leaves_nothing_of_the_others);
    tcase_add_test(tests, a_timeout_is_read_as_libpq_does);
    tcase_add_test(tests, a_description_names_the_place_but_never_the_password);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
