/* With libpq's own parser; what it does when that fails is in pg/test_connection.c. */
#include <check.h>
#include <libpq-fe.h>
#include <string.h>

#include "pg/conninfo.h"
#include "support/suite.h"

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
    ck_assert_str_eq(info.hosts[0], "db1");
    ck_assert_str_eq(info.hosts[1], "db2");
    expect("port", "5433,5434");
    expect("connect_timeout", "3");
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

START_TEST(hosts_are_listed_unless_addresses_are_given)
{
    read_text("host=a,,/run,b");
    ck_assert_uint_eq(info.host_count, 4);
    ck_assert_str_eq(info.hosts[1], "");
    ck_assert_str_eq(info.hosts[3], "b");
    tear_down();
    read_text("host=a hostaddr=192.0.2.1");
    ck_assert_uint_eq(info.host_count, 0);
    expect("hostaddr", "192.0.2.1");
    tear_down();
    read_text("dbname=app");
    ck_assert_uint_eq(info.host_count, 0);
}
END_TEST

START_TEST(only_names_need_an_address)
{
    static const bool needed[] = {true, false, false, false, false, false, true};
    read_text("host=db.example,,/run,@abstract,192.0.2.1,2001:db8::1,192.0.2");
    for (size_t i = 0; i < sizeof needed; i++) {
        ck_assert_msg(conninfo_needs_address(&info, i) == needed[i], "host %zu: \"%s\"", i, info.hosts[i]);
    }
}
END_TEST

START_TEST(addresses_are_set_and_hosts_without_one_left_out_with_their_port)
{
    static const char *const addresses[] = {NULL, "192.0.2.2", NULL, NULL};
    read_text("host=gone,two,/run,192.0.2.4 port=1,2,3,4");
    ck_assert(conninfo_set_addresses(&info, addresses));
    expect("host", "two,/run,192.0.2.4");
    expect("hostaddr", "192.0.2.2,,");
    expect("port", "2,3,4");
}
END_TEST

START_TEST(one_port_for_all_stays_one_port)
{
    static const char *const addresses[] = {NULL, "192.0.2.2"};
    read_text("host=gone,two port=5433");
    ck_assert(conninfo_set_addresses(&info, addresses));
    expect("host", "two");
    expect("port", "5433");
    tear_down();
    read_text("host=gone,two");
    ck_assert(conninfo_set_addresses(&info, addresses));
    ck_assert_ptr_null(conninfo_value(&info, "port"));
}
END_TEST

START_TEST(without_any_address_nothing_is_changed)
{
    static const char *const addresses[] = {NULL, NULL};
    read_text("host=one,two port=1,2");
    ck_assert(!conninfo_set_addresses(&info, addresses));
    expect("host", "one,two");
    expect("port", "1,2");
    ck_assert_ptr_null(conninfo_value(&info, "hostaddr"));
}
END_TEST

START_TEST(a_description_names_the_place_but_never_the_password)
{
    read_text("host=db port=5433 dbname=app user=chime password=secret passfile=/secret");
    ck_assert_str_eq(conninfo_describe(&info), "host db port 5433 database app user chime");
    tear_down();
    read_text("password=secret");
    ck_assert_str_eq(conninfo_describe(&info), "host default database default");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conninfo");
    TCase *tests = tcase_create("conninfo");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, what_is_given_is_kept_and_ours_is_added);
    tcase_add_test(tests, the_encoding_is_ours_and_the_application_name_the_users);
    tcase_add_test(tests, a_uri_is_read);
    tcase_add_test(tests, what_libpq_does_not_know_is_refused_in_its_words);
    tcase_add_test(tests, settings_come_behind_the_users_options);
    tcase_add_test(tests, white_space_and_backslashes_of_a_setting_are_escaped);
    tcase_add_test(tests, hosts_are_listed_unless_addresses_are_given);
    tcase_add_test(tests, only_names_need_an_address);
    tcase_add_test(tests, addresses_are_set_and_hosts_without_one_left_out_with_their_port);
    tcase_add_test(tests, one_port_for_all_stays_one_port);
    tcase_add_test(tests, without_any_address_nothing_is_changed);
    tcase_add_test(tests, a_description_names_the_place_but_never_the_password);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
