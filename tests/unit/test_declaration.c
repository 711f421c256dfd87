/* declaration_encode, declaration_decode and every check between them, without a process or a shared object. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "plugin/declaration.h"
#include "plugin/plugins.h"
#include "support/suite.h"

#define FILE_NAME "/plugins/orders.so"

/* --- a sound plugin that each test spoils in one place --- */

static struct chime_source source;
static struct chime_index index_of_view;
static struct chime_view view;
static struct chime_option option;
static struct chime_job job;
static struct chime_function function;
static struct chime_channel channel;
static struct chime_tile tile;
static struct chime_alert alert;
static struct chime_setting setting;
static struct chime_upgrade upgrade;
static struct chime_plain_view plain_view;
static struct chime_plugin plugin;

#define ONE(item)                          \
    {                                      \
        &(item), 1, (uint32_t)sizeof(item) \
    }

static void setup_lists(void)
{
    plugin = (struct chime_plugin){
        .magic = CHIME_MAGIC,
        .abi_major = CHIME_ABI_MAJOR,
        .abi_minor = CHIME_ABI_MINOR,
        .size = (uint32_t)sizeof(plugin),
        .name = "orders",
        .version = "1.1",
        .summary = "orders per day",
        .sources = ONE(source),
        .views = ONE(view),
        .jobs = ONE(job),
        .functions = ONE(function),
        .channels = ONE(channel),
        .tiles = ONE(tile),
        .alerts = ONE(alert),
        .settings = ONE(setting),
        .upgrades = ONE(upgrade),
        .plain_views = ONE(plain_view),
    };
}

static void setup(void)
{
    source = (struct chime_source){
        .table = "orders", .columns = "id, total", .capture = "day", .map = "SELECT day FROM marks"};
    index_of_view = (struct chime_index){"idx_total", "total DESC", "total > 0"};
    view = (struct chime_view){
        .relation = "mv_orders",
        .definition = "SELECT \"day\", 'a\\b\n\xc3\xbc' FROM orders",
        .key = "day , Region",
        .grain = "day",
        .mode = "keyed",
        .stamps = "made_at",
        .revisit = "SELECT day FROM mv_orders",
        .indexes = ONE(index_of_view),
    };
    plain_view = (struct chime_plain_view){"v_orders", "SELECT day FROM mv_orders", "days"};
    option = (struct chime_option){"max_attempts", "5"};
    job = (struct chime_job){
        .name = "refresh-orders",
        .schedule = "0 * * * *",
        .refresh = "mv_orders",
        .after = "first-job, second-job",
        .on = "orders_changed",
        .debounce = "5s",
        .options = ONE(option),
    };
    function = (struct chime_function){"orders_of(date)", "CREATE FUNCTION orders_of(date) ..."};
    channel = (struct chime_channel){"orders_changed", "orders", "CREATE TRIGGER ..."};
    tile = (struct chime_tile){"Orders", "SELECT 1", "number", "> 1", NULL};
    alert = (struct chime_alert){"no-orders", "SELECT true", "warning", "10min"};
    setting = (struct chime_setting){"window_days", "int", "7", "1", "90", "days"};
    upgrade = (struct chime_upgrade){"1.0", "ALTER TABLE ..."};
    setup_lists();
}

/* The declaration that the daemon would hold, or NULL with the error of whichever side refused. */
static struct declaration *pass_on(struct error *err)
{
    error_clear(err);
    char *bytes = declaration_encode(&plugin, "orders", err);
    struct declaration *declaration = bytes == NULL ? NULL : declaration_decode(bytes, strlen(bytes), FILE_NAME, err);
    free(bytes);
    return declaration;
}

static void assert_accepted(void)
{
    struct error err;
    struct declaration *declaration = pass_on(&err);
    ck_assert_msg(declaration != NULL, "refused: %s", err.message);
    declaration_destroy(declaration);
}

static void assert_refused(const char *reason)
{
    struct error err;
    struct declaration *declaration = pass_on(&err);
    ck_assert_msg(declaration == NULL, "accepted in spite of: %s", reason);
    ck_assert_msg(strstr(err.message, reason) != NULL, "\"%s\" does not say: %s", err.message, reason);
    ck_assert_int_eq(err.kind, ERROR_CONFIG);
    ck_assert_msg(err.hint[0] != '\0', "no way out of: %s", err.message);
    setup();
}

static void assert_malformed(const char *bytes, const char *reason)
{
    struct error err = {.kind = ERROR_NONE};
    struct declaration *declaration = declaration_decode(bytes, strlen(bytes), FILE_NAME, &err);
    ck_assert_msg(declaration == NULL, "accepted: %s", bytes);
    declaration_destroy(declaration); /* takes NULL */
    ck_assert_msg(strstr(err.message, reason) != NULL, "\"%s\" does not say: %s", err.message, reason);
    ck_assert_msg(err.hint[0] != '\0', "no way out of: %s", err.message);
}

static void assert_names(const struct names *names, const char *expected)
{
    char joined[256] = "";
    for (size_t i = 0; i < names->count; i++) {
        strcat(strcat(joined, i > 0 ? "|" : ""), names->items[i]);
    }
    ck_assert_str_eq(joined, expected);
}

/* --- what arrives --- */

START_TEST(every_member_arrives)
{
    struct error err;
    struct declaration *declaration = pass_on(&err);
    ck_assert_msg(declaration != NULL, "%s", err.message);
    ck_assert_str_eq(declaration->file, FILE_NAME);
    ck_assert_str_eq(declaration->name, "orders");
    ck_assert_str_eq(declaration->version, "1.1");
    ck_assert_str_eq(declaration->summary, "orders per day");
    ck_assert_uint_eq(declaration->source_count, 1);
    ck_assert_str_eq(declaration->sources[0].map, "SELECT day FROM marks");
    const struct declared_view *got = &declaration->views[0];
    ck_assert_str_eq(got->definition, view.definition);
    assert_names(&got->key, "day|Region");
    assert_names(&got->grain, "day");
    assert_names(&got->stamps, "made_at");
    ck_assert_str_eq(got->mode, "keyed");
    ck_assert_str_eq(got->key_index, "mv_orders_pk");
    ck_assert_ptr_null(got->rejected);
    ck_assert_uint_eq(got->index_count, 1);
    ck_assert_str_eq(got->indexes[0].where, "total > 0");
    ck_assert_str_eq(declaration->functions[0].signature, "orders_of(date)");
    ck_assert_str_eq(declaration->settings[0].high, "90");
    ck_assert_str_eq(declaration->channels[0].table, "orders");
    ck_assert_str_eq(declaration->tiles[0].draw, "number");
    ck_assert_str_eq(declaration->alerts[0].hold, "10min");
    ck_assert_str_eq(declaration->upgrades[0].from_version, "1.0");
    ck_assert_uint_eq(declaration->plain_view_count, 1);
    ck_assert_str_eq(declaration->plain_views[0].relation, "v_orders");
    ck_assert_str_eq(declaration->plain_views[0].definition, "SELECT day FROM mv_orders");
    ck_assert_str_eq(declaration->plain_views[0].comment, "days");
    declaration_destroy(declaration);
}
END_TEST

START_TEST(a_job_arrives_with_only_the_options_that_it_gave)
{
    struct error err;
    struct declaration *declaration = pass_on(&err);
    ck_assert_msg(declaration != NULL, "%s", err.message);
    const struct declared_job *got = &declaration->jobs[0];
    assert_names(&got->refresh, "mv_orders");
    assert_names(&got->after, "first-job|second-job");
    assert_names(&got->on, "orders_changed");
    ck_assert_str_eq(got->schedule, "0 * * * *");
    ck_assert_str_eq(got->command, "");
    ck_assert_str_eq(got->debounce, "5s");
    ck_assert_int_eq(got->options.max_attempts, 5);
    ck_assert_int_eq(__builtin_popcount(got->options.set), 1);
    declaration_destroy(declaration);
}
END_TEST

START_TEST(captured_columns_are_among_those_a_source_must_have)
{
    source.columns = "id, total";
    source.capture = "total, region";
    struct error err;
    struct declaration *declaration = pass_on(&err);
    ck_assert_msg(declaration != NULL, "%s", err.message);
    assert_names(&declaration->sources[0].columns, "id|total|region");
    assert_names(&declaration->sources[0].capture, "total|region");
    declaration_destroy(declaration);
}
END_TEST

START_TEST(empty_texts_are_not_given)
{
    view.grain = "";
    view.mode = "";
    view.revisit = "";
    view.comment = "";
    job.command = "";
    struct error err;
    struct declaration *declaration = pass_on(&err);
    ck_assert_msg(declaration != NULL, "%s", err.message);
    ck_assert_str_eq(declaration->views[0].mode, "auto");
    ck_assert_uint_eq(declaration->views[0].grain.count, 0);
    ck_assert_ptr_null(declaration->views[0].comment);
    declaration_destroy(declaration);
}
END_TEST

START_TEST(a_plugin_of_functions_only_is_a_plugin)
{
    plugin = (struct chime_plugin){.magic = CHIME_MAGIC,
                                   .abi_major = CHIME_ABI_MAJOR,
                                   .size = (uint32_t)sizeof(plugin),
                                   .name = "orders",
                                   .version = "1",
                                   .functions = ONE(function)};
    assert_accepted();
}
END_TEST

START_TEST(a_shorter_description_is_read_as_far_as_it_goes)
{
    plugin.size = (uint32_t)offsetof(struct chime_plugin, functions);
    plugin.functions = (struct chime_list){(const void *)16, 3, 8}; /* must not be touched */
    struct error err;
    struct declaration *declaration = pass_on(&err);
    ck_assert_msg(declaration != NULL, "%s", err.message);
    ck_assert_uint_eq(declaration->job_count, 1);
    ck_assert_uint_eq(declaration->function_count, 0);
    declaration_destroy(declaration);
}
END_TEST

START_TEST(a_member_that_is_cut_in_half_does_not_count)
{
    plugin.size = (uint32_t)offsetof(struct chime_plugin, functions) + 8;
    struct error err;
    struct declaration *declaration = pass_on(&err);
    ck_assert_msg(declaration != NULL, "%s", err.message);
    ck_assert_uint_eq(declaration->function_count, 0);
    declaration_destroy(declaration);
}
END_TEST

START_TEST(shorter_items_are_read_as_far_as_they_go)
{
    plugin.jobs.item_size = (uint32_t)offsetof(struct chime_job, debounce);
    job.debounce = (const char *)16; /* must not be touched */
    struct error err;
    struct declaration *declaration = pass_on(&err);
    ck_assert_msg(declaration != NULL, "%s", err.message);
    ck_assert_ptr_null(declaration->jobs[0].debounce);
    ck_assert_int_eq((int)declaration->jobs[0].options.set, 0);
    declaration_destroy(declaration);
}
END_TEST

/* --- what the plugin host refuses --- */

START_TEST(the_prefix_is_checked_first)
{
    plugin.magic = 1;
    assert_refused("CHIME_MAGIC");
    plugin.abi_major = 2;
    assert_refused("built for plugin ABI 2");
    plugin.size = 15;
    assert_refused("15 bytes long");
    plugin.size = 65537;
    assert_refused("65537 bytes long");
    plugin.size = 16;
    assert_refused("name is \"\"");
    plugin.name = NULL;
    assert_refused("name is \"\"");
    plugin.name = "orders2";
    assert_refused("the file is named orders.so");
    plugin.name = "order";
    assert_refused("the file is named orders.so");
}
END_TEST

START_TEST(no_description_is_an_error)
{
    struct error err = {.kind = ERROR_NONE};
    ck_assert_ptr_null(declaration_encode(NULL, "orders", &err));
    ck_assert_ptr_nonnull(strstr(err.message, "returned NULL"));
}
END_TEST

START_TEST(lists_that_cannot_be_are_refused)
{
    plugin.jobs.item_size = 0;
    assert_refused("jobs has items of 0 bytes");
    plugin.jobs.item_size = 65537;
    assert_refused("jobs has items of 65537 bytes");
    plugin.jobs.count = 10001;
    assert_refused("jobs has 10001 items");
    plugin.jobs.items = NULL;
    assert_refused("jobs has 1 items, but points to none");
    view.indexes.count = UINT32_MAX;
    assert_refused("views[0].indexes has 4294967295 items");
}
END_TEST

START_TEST(texts_are_bounded_and_utf8)
{
    size_t length = (size_t)1 << 20;
    char *text = xcalloc(length + 2, 1);
    memset(text, 'x', length);
    view.definition = text;
    assert_accepted();
    text[length] = 'x';
    assert_refused("views[0].definition is longer than 1 MiB");
    text[1] = (char)0xff;
    text[2] = '\0';
    view.definition = text;
    assert_refused("views[0].definition is not UTF-8");
    free(text);
}
END_TEST

START_TEST(a_declaration_is_at_most_4_mib)
{
    size_t length = (size_t)1 << 20;
    char *text = xcalloc(length + 1, 1);
    memset(text, 'x', length);
    view.definition = text;
    function.definition = text;
    channel.definition = text;
    tile.query = text;
    assert_refused("larger than 4 MiB at tiles[0].query");
    memset(text, '\n', length); /* six bytes each in JSON */
    view.definition = text;
    assert_refused("larger than 4 MiB at views[0].definition");
    free(text);
}
END_TEST

/* --- what the daemon refuses --- */

START_TEST(the_plugin_is_checked)
{
    plugin.version = NULL;
    assert_refused("plugin: version is missing");
    plugin.version = "1 0";
    assert_refused("plugin: version \"1 0\" is not a version");
    plugin.summary = "two\nlines";
    assert_refused("summary has a line break");
    plugin.views.count = plugin.jobs.count = plugin.functions.count = 0;
    assert_refused("declares no work");
}
END_TEST

START_TEST(the_daemon_compares_the_name_with_the_file_itself)
{
    static const char bytes[] = "{\"name\":\"other\",\"version\":\"1\"}";
    assert_malformed(bytes, "name is \"other\", but the file is " FILE_NAME);
    assert_malformed("{\"name\":\"orders.so\",\"version\":\"1\"}", "is not a name");
    assert_malformed("{\"version\":\"1\"}", "name is missing");
}
END_TEST

START_TEST(sources_are_checked)
{
    source.table = NULL;
    assert_refused("sources[0]: table is missing");
    source.table = "\"orders\"";
    assert_refused("table \"\"orders\"\" is not a name");
    source.columns = "id,,total";
    assert_refused("sources[0] \"orders\": columns has \"\"");
    source.columns = "id, total, id";
    assert_refused("columns has \"id\" twice");
    source.capture = "a\x01";
    assert_refused("capture has");
    source.capture = NULL;
    assert_refused("nothing is captured");
    struct chime_source two[] = {source, source};
    plugin.sources = (struct chime_list)CHIME_LIST(two);
    assert_refused("sources: the table \"orders\" is declared twice");
}
END_TEST

START_TEST(a_table_may_lead_to_a_grain_of_each_view)
{
    struct chime_view views[] = {view,
                                 {.relation = "mv_shops", .definition = "SELECT shop FROM orders", .key = "shop"}};
    struct chime_source two[] = {source, source};
    plugin.views = (struct chime_list)CHIME_LIST(views);
    plugin.sources = (struct chime_list)CHIME_LIST(two);
    two[0].views = "mv_orders";
    two[1].views = "mv_shops";
    struct error err;
    struct declaration *declaration = pass_on(&err);
    ck_assert_msg(declaration != NULL, "refused: %s", err.message);
    ck_assert(source_is_for(&declaration->sources[0], "mv_orders"));
    ck_assert(!source_is_for(&declaration->sources[0], "mv_shops"));
    ck_assert(source_is_for(&declaration->sources[1], "mv_shops"));
    declaration_destroy(declaration);
}
END_TEST

static void assert_two_sources_refused(const char *first, const char *second, const char *reason)
{
    struct chime_source two[] = {source, source};
    plugin.sources = (struct chime_list)CHIME_LIST(two);
    two[0].views = first;
    two[1].views = second;
    assert_refused(reason);
}

START_TEST(a_view_has_one_way_from_a_table)
{
    assert_two_sources_refused("mv_orders", "mv_orders", "\"orders\" is declared twice for view \"mv_orders\"");
    assert_two_sources_refused("mv_orders", NULL, "the table \"orders\" is declared twice");
    assert_two_sources_refused("mv_nothing", NULL, "sources[0] \"orders\": \"mv_nothing\" is no view of this plugin");
    source.views = "Mv";
    assert_refused("views has \"Mv\", which is not a name");
}
END_TEST

START_TEST(names_of_columns_are_at_most_63_bytes)
{
    char name[65] = "";
    memset(name, 'a', 63);
    view.key = name;
    assert_accepted();
    name[63] = 'a';
    assert_refused("which is not a name");
}
END_TEST

START_TEST(lists_of_names_are_bounded)
{
    char names[4 * 1601 + 1] = "";
    for (size_t i = 0; i < 1601; i++) {
        memcpy(names + 4 * i, "abc,", 4);
    }
    view.key = names;
    assert_refused("key has 1602 names");
}
END_TEST

START_TEST(views_are_checked)
{
    view.relation = NULL;
    assert_refused("views[0]: relation is missing");
    view.relation = "Mv";
    assert_refused("relation \"Mv\" is not a name");
    view.relation = "1mv";
    assert_refused("relation \"1mv\" is not a name");
    view.relation = "a23456789_123456789_123456789_123456789_123456789_1234567";
    assert_refused("is not a name");
    view.definition = NULL;
    assert_refused("views[0] \"mv_orders\": definition is missing");
    view.key = NULL;
    assert_refused("key is missing");
    view.key = " ";
    assert_refused("key has \"\"");
    view.key_index = "no-name";
    assert_refused("key_index \"no-name\" is not a name");
    view.mode = "fast";
    assert_refused("mode \"fast\" is not known");
    view.stamps = "day";
    assert_refused("column \"day\" is both in key and in stamps");
    view.grain = NULL;
    assert_refused("mode \"keyed\" needs grain");
    view.grain = NULL;
    view.mode = NULL;
    assert_refused("revisit needs grain");
}
END_TEST

START_TEST(indexes_are_checked)
{
    index_of_view.name = NULL;
    assert_refused("views[0] \"mv_orders\" indexes[0]: name is missing");
    index_of_view.name = "Idx";
    assert_refused("indexes[0]: name \"Idx\" is not a name");
    index_of_view.columns = NULL;
    assert_refused("indexes[0]: columns is missing");
}
END_TEST

START_TEST(relations_and_indexes_share_their_names)
{
    struct chime_view two[] = {view, view};
    two[1].indexes.count = 0;
    plugin.views = (struct chime_list)CHIME_LIST(two);
    assert_refused("\"mv_orders\" is declared twice");
    index_of_view.name = "mv_orders_pk";
    assert_refused("\"mv_orders_pk\" is declared twice");
    index_of_view.name = "mv_orders__live";
    assert_refused("\"mv_orders__live\" is declared twice");
    plain_view.relation = "mv_orders";
    assert_refused("\"mv_orders\" is declared twice");
    plain_view.relation = "mv_orders__live";
    assert_refused("\"mv_orders__live\" is declared twice");
}
END_TEST

START_TEST(plain_views_are_checked)
{
    plain_view.relation = NULL;
    assert_refused("plain_views[0]: relation is missing");
    plain_view.relation = "V";
    assert_refused("plain_views[0] \"V\": relation \"V\" is not a name");
    plain_view.definition = NULL;
    assert_refused("plain_views[0] \"v_orders\": definition is missing");
    plain_view.comment = NULL;
    assert_accepted();
}
END_TEST

START_TEST(jobs_are_checked)
{
    job.name = NULL;
    assert_refused("jobs[0]: name is missing");
    job.name = "no name";
    assert_refused("name \"no name\" is not a name");
    job.command = "SELECT 1";
    assert_refused("jobs[0] \"refresh-orders\": both refresh and command");
    job.refresh = NULL;
    assert_refused("refresh or command is missing");
    job.refresh = "mv_order";
    assert_refused("refresh names \"mv_order\", which is no view");
    job.after = "a, b c";
    assert_refused("after has \"b c\"");
    job.on = "\"x\"";
    assert_refused("on has \"\"x\"\"");
    struct chime_job two[] = {job, job};
    plugin.jobs = (struct chime_list)CHIME_LIST(two);
    assert_refused("jobs: the job \"refresh-orders\" is declared twice");
}
END_TEST

START_TEST(a_job_needs_something_that_makes_it_run)
{
    job.schedule = "* * *";
    assert_refused("jobs[0] \"refresh-orders\": schedule \"");
    job.schedule = NULL;
    assert_accepted();
    job.after = NULL;
    assert_accepted();
    job.on = NULL;
    job.debounce = NULL;
    assert_refused("nothing makes it run");
    job.on = NULL;
    assert_refused("no channel wakes it");
    job.debounce = "5 parsecs";
    assert_refused("jobs[0] \"refresh-orders\": debounce: ");
    job.debounce = "2d";
    assert_refused("jobs[0] \"refresh-orders\": debounce \"2d\" is outside 0s to 1d");
    option = (struct chime_option){"debounce", "1s"};
    assert_refused("jobs[0] \"refresh-orders\": debounce is given twice");
    option = (struct chime_option){"debounce", "1s"};
    job.debounce = NULL;
    assert_accepted();
}
END_TEST

START_TEST(changes_of_its_sources_make_a_job_run_too)
{
    option = (struct chime_option){"target_lag", "10s"};
    job.schedule = NULL;
    job.after = NULL;
    job.on = NULL;
    job.debounce = NULL;
    assert_accepted();
    option.value = "none";
    assert_refused("nothing makes it run");
}
END_TEST

START_TEST(options_are_checked)
{
    option.name = NULL;
    assert_refused("jobs[0] \"refresh-orders\": the name of an option is missing");
    option.name = "max_atempts";
    assert_refused("max_atempts");
    option.value = "many";
    assert_refused("many");
    option.value = NULL;
    assert_refused("max_attempts");
    struct chime_option two[] = {option, option};
    job.options = (struct chime_list)CHIME_LIST(two);
    assert_refused("option \"max_attempts\" is given twice");
}
END_TEST

START_TEST(functions_are_checked)
{
    function.signature = NULL;
    assert_refused("functions[0]: signature is missing");
    function.signature = "orders_of";
    assert_refused("signature is not NAME(types)");
    function.signature = "Orders(date)";
    assert_refused("signature is not NAME(types)");
    function.signature = "orders(date); drop";
    assert_refused("signature is not NAME(types)");
    function.definition = NULL;
    assert_refused("definition is missing");
    struct chime_function two[] = {function, function};
    plugin.functions = (struct chime_list)CHIME_LIST(two);
    assert_refused("functions: the function \"orders_of(date)\" is declared twice");
}
END_TEST

START_TEST(channels_are_checked)
{
    channel.name = NULL;
    assert_refused("channels[0]: name is missing");
    channel.table = NULL;
    assert_refused("channels[0] \"orders_changed\": table is missing");
    channel.table = "customers";
    assert_refused("table \"customers\" is no source");
    channel.definition = NULL;
    assert_refused("definition is missing");
    struct chime_channel two[] = {channel, channel};
    plugin.channels = (struct chime_list)CHIME_LIST(two);
    assert_refused("channels: the channel \"orders_changed\" is declared twice");
}
END_TEST

START_TEST(tiles_are_checked)
{
    tile.title = NULL;
    assert_refused("tiles[0]: title is missing");
    tile.query = NULL;
    assert_refused("tiles[0] \"Orders\": query is missing");
    tile.draw = NULL;
    assert_refused("draw is missing");
    tile.draw = "pie";
    assert_refused("draw \"pie\" is not known");
}
END_TEST

START_TEST(alerts_are_checked)
{
    alert.name = "no name";
    assert_refused("name \"no name\" is not a name");
    alert.condition = NULL;
    assert_refused("alerts[0] \"no-orders\": condition is missing");
    alert.severity = "fatal";
    assert_refused("severity \"fatal\" is not known");
    alert.severity = NULL;
    assert_refused("severity is missing");
    alert.hold = "soon";
    assert_refused("hold: ");
    alert.hold = NULL;
    assert_accepted();
    struct chime_alert two[] = {alert, alert};
    plugin.alerts = (struct chime_list)CHIME_LIST(two);
    assert_refused("alerts: the alert \"no-orders\" is declared twice");
}
END_TEST

START_TEST(settings_are_checked)
{
    setting.name = "Window";
    assert_refused("name \"Window\" is not a name");
    setting.type = NULL;
    assert_refused("settings[0] \"window_days\": type is missing");
    setting.type = "integer";
    assert_refused("type \"integer\" is not known");
    setting.value = NULL;
    assert_refused("value is missing");
    setting.value = "0";
    assert_refused("settings[0] \"window_days\": value: 0 is out of range");
    setting.value = "91";
    assert_refused("value: 91 is out of range");
    setting.value = "seven";
    assert_refused("value: \"seven\" is not a whole number");
    setting.low = "few";
    assert_refused("low: \"few\" is not a whole number");
    setting.high = "many";
    assert_refused("high: \"many\" is not a whole number");
    setting.high = "0";
    assert_refused("high: 0 is out of range");
    struct chime_setting two[] = {setting, setting};
    plugin.settings = (struct chime_list)CHIME_LIST(two);
    assert_refused("settings: the setting \"window_days\" is declared twice");
}
END_TEST

START_TEST(settings_of_every_type_are_accepted)
{
    static const struct chime_setting accepted[] = {
        {"n", "number", "-0.5e1", "-5", "5.5", NULL}, {"i", "int", "-9223372036854775808", NULL, NULL, NULL},
        {"b", "bool", "false", NULL, NULL, NULL},     {"t", "text", NULL, NULL, NULL, NULL},
        {"d", "duration", "90s", "1min", "1h", NULL}, {"o", "int", "5", NULL, "5", NULL},
    };
    plugin.settings = (struct chime_list)CHIME_LIST(accepted);
    assert_accepted();
}
END_TEST

START_TEST(settings_are_of_their_type)
{
    static const struct {
        struct chime_setting setting;
        const char *reason;
    } refused[] = {
        {{"n", "number", "inf", NULL, NULL, NULL}, "\"inf\" is not a number"},
        {{"n", "number", "0x10", NULL, NULL, NULL}, "\"0x10\" is not a number"},
        {{"n", "number", "1 ", NULL, NULL, NULL}, "\"1 \" is not a number"},
        {{"n", "number", "1.5", "1.6", NULL, NULL}, "1.5 is out of range"},
        {{"b", "bool", "yes", NULL, NULL, NULL}, "neither true nor false"},
        {{"b", "bool", "true", "false", NULL, NULL}, "has no range"},
        {{"t", "text", "b", "a", "c", NULL}, "has no range"},
        {{"d", "duration", "90", NULL, NULL, NULL}, "value: "},
        {{"d", "duration", "2h", "1min", "1h", NULL}, "2h is out of range"},
    };
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        setting = refused[i].setting;
        assert_refused(refused[i].reason);
    }
}
END_TEST

START_TEST(a_value_from_conf_d_is_held_to_type_and_range)
{
    struct error err = {.kind = ERROR_NONE};
    const struct declared_setting declared = {"window_days", "int", "7", "1", NULL, ""};
    ck_assert(setting_accepts(&declared, "1", &err));
    ck_assert(!setting_accepts(&declared, "0", &err));
    ck_assert_str_eq(err.hint, "setting \"window_days\" is from 1 to any");
    ck_assert(!setting_accepts(&declared, "1d", &err));
    ck_assert_str_eq(err.hint, "setting \"window_days\" is of type int");
    ck_assert(!setting_accepts(&declared, "1d", NULL));
}
END_TEST

START_TEST(upgrades_are_checked)
{
    upgrade.from_version = NULL;
    assert_refused("upgrades[0]: from_version is missing");
    upgrade.from_version = "1.1";
    assert_refused("from_version is the plugin's own version");
    upgrade.statements = NULL;
    assert_refused("upgrades[0] \"1.0\": statements is missing");
    struct chime_upgrade two[] = {upgrade, upgrade};
    plugin.upgrades = (struct chime_list)CHIME_LIST(two);
    assert_refused("upgrades: the version \"1.0\" is declared twice");
}
END_TEST

/* --- bytes from a hostile host --- */

START_TEST(bytes_that_are_no_declaration_are_refused)
{
    assert_malformed("", "malformed");
    assert_malformed("x", "malformed");
    assert_malformed("[]", "not a JSON object");
    assert_malformed("{\"name\":\"orders\"} {}", "malformed");
    assert_malformed("{\"name\":\"orders\",\"name\":\"orders\"}", "duplicate");
    assert_malformed("{\"name\":1}", "name is not a text");
    assert_malformed("{\"name\":null}", "name is not a text");
    assert_malformed("{\"name\":\"a\\u0000b\"}", "malformed");
    assert_malformed("{\"name\":\"\xff\"}", "malformed");
    assert_malformed("{\"nam\":\"orders\"}", "nam is not a known member");
    assert_malformed("{\"magic\":1}", "magic is not a known member");
    assert_malformed("{\"jobs\":{}}", "jobs is not a list");
    assert_malformed("{\"jobs\":[1]}", "jobs[0]. is not an object");
    assert_malformed("{\"jobs\":[{\"nam\":\"x\"}]}", "jobs[0].nam is not a known member");
    assert_malformed("{\"views\":[{},{\"indexes\":[{\"name\":[]}]}]}", "views[1].indexes[0].name is not a text");
}
END_TEST

START_TEST(deep_nesting_is_refused_before_it_is_parsed)
{
    char deep[200001] = "";
    memset(deep, '[', sizeof(deep) - 1);
    assert_malformed(deep, "nested too deep");
}
END_TEST

START_TEST(brackets_inside_texts_are_text)
{
    view.definition = "SELECT '[[[[[[[[[[[[[[{{{{{{{{{{{{{{\"\\'";
    assert_accepted();
}
END_TEST

START_TEST(floods_of_small_values_are_refused_before_they_are_parsed)
{
    char *many = xcalloc(1000001, 1);
    memset(many, ',', 1000000);
    assert_malformed(many, "too many values");
    free(many);
}
END_TEST

START_TEST(more_than_4_mib_are_refused_unread)
{
    struct error err = {.kind = ERROR_NONE};
    char one = '{';
    ck_assert_ptr_null(declaration_decode(&one, PLUGIN_ANSWER_LIMIT + 1, FILE_NAME, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "larger than 4 MiB"));
}
END_TEST

START_TEST(an_empty_list_is_one_that_is_not_given)
{
    static const char bytes[] =
        "{\"name\":\"orders\",\"version\":\"1\",\"views\":[],\"summary\":\"\",\"jobs\":[{\"name\":\"a\","
        "\"schedule\":\"@hourly\",\"command\":\"SELECT 1\"}]}";
    struct error err = {.kind = ERROR_NONE};
    struct declaration *declaration = declaration_decode(bytes, strlen(bytes), FILE_NAME, &err);
    ck_assert_msg(declaration != NULL, "%s", err.message);
    ck_assert_uint_eq(declaration->view_count, 0);
    ck_assert_str_eq(declaration->summary, "");
    declaration_destroy(declaration);
}
END_TEST

START_TEST(a_text_of_more_than_1_mib_is_refused)
{
    struct buffer bytes = {0};
    buffer_puts(&bytes, "{\"name\":\"");
    for (int i = 0; i <= 1 << 20; i++) {
        buffer_putc(&bytes, 'x');
    }
    buffer_puts(&bytes, "\"}");
    assert_malformed(buffer_text(&bytes), "name is longer than 1 MiB");
    buffer_finish(&bytes);
}
END_TEST

START_TEST(lists_of_more_than_10000_items_are_refused)
{
    struct buffer bytes = {0};
    buffer_puts(&bytes, "{\"jobs\":[{}");
    for (int i = 0; i < 10000; i++) {
        buffer_puts(&bytes, ",{}");
    }
    buffer_puts(&bytes, "]}");
    assert_malformed(buffer_text(&bytes), "jobs is not a list of at most 10000 items");
    buffer_finish(&bytes);
}
END_TEST

START_TEST(every_prefix_of_an_answer_is_refused)
{
    struct error err = {.kind = ERROR_NONE};
    char *bytes = declaration_encode(&plugin, "orders", &err);
    ck_assert_ptr_nonnull(bytes);
    for (size_t length = 0; length < strlen(bytes); length++) {
        char *exact = xmalloc(length + 1); /* so that a sanitizer sees a read past the end */
        memcpy(exact, bytes, length);
        ck_assert_ptr_null(declaration_decode(exact, length, FILE_NAME, &err));
        free(exact);
    }
    free(bytes);
}
END_TEST

static TCase *arrives_case(void)
{
    TCase *tests = tcase_create("arrives");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, every_member_arrives);
    tcase_add_test(tests, a_job_arrives_with_only_the_options_that_it_gave);
    tcase_add_test(tests, captured_columns_are_among_those_a_source_must_have);
    tcase_add_test(tests, empty_texts_are_not_given);
    tcase_add_test(tests, a_plugin_of_functions_only_is_a_plugin);
    tcase_add_test(tests, a_shorter_description_is_read_as_far_as_it_goes);
    tcase_add_test(tests, a_member_that_is_cut_in_half_does_not_count);
    tcase_add_test(tests, shorter_items_are_read_as_far_as_they_go);
    return tests;
}

static TCase *refused_case(void)
{
    TCase *tests = tcase_create("refused");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, the_prefix_is_checked_first);
    tcase_add_test(tests, no_description_is_an_error);
    tcase_add_test(tests, lists_that_cannot_be_are_refused);
    tcase_add_test(tests, texts_are_bounded_and_utf8);
    tcase_add_test(tests, a_declaration_is_at_most_4_mib);
    tcase_add_test(tests, the_plugin_is_checked);
    tcase_add_test(tests, the_daemon_compares_the_name_with_the_file_itself);
    tcase_add_test(tests, sources_are_checked);
    tcase_add_test(tests, a_table_may_lead_to_a_grain_of_each_view);
    tcase_add_test(tests, a_view_has_one_way_from_a_table);
    tcase_add_test(tests, names_of_columns_are_at_most_63_bytes);
    tcase_add_test(tests, lists_of_names_are_bounded);
    tcase_add_test(tests, views_are_checked);
    tcase_add_test(tests, indexes_are_checked);
    tcase_add_test(tests, relations_and_indexes_share_their_names);
    tcase_add_test(tests, plain_views_are_checked);
    tcase_add_test(tests, jobs_are_checked);
    tcase_add_test(tests, a_job_needs_something_that_makes_it_run);
    tcase_add_test(tests, changes_of_its_sources_make_a_job_run_too);
    tcase_add_test(tests, options_are_checked);
    tcase_add_test(tests, functions_are_checked);
    tcase_add_test(tests, channels_are_checked);
    tcase_add_test(tests, tiles_are_checked);
    tcase_add_test(tests, alerts_are_checked);
    tcase_add_test(tests, settings_are_checked);
    tcase_add_test(tests, settings_of_every_type_are_accepted);
    tcase_add_test(tests, settings_are_of_their_type);
    tcase_add_test(tests, a_value_from_conf_d_is_held_to_type_and_range);
    tcase_add_test(tests, upgrades_are_checked);
    return tests;
}

static TCase *bytes_case(void)
{
    TCase *tests = tcase_create("bytes");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, bytes_that_are_no_declaration_are_refused);
    tcase_add_test(tests, deep_nesting_is_refused_before_it_is_parsed);
    tcase_add_test(tests, brackets_inside_texts_are_text);
    tcase_add_test(tests, floods_of_small_values_are_refused_before_they_are_parsed);
    tcase_add_test(tests, more_than_4_mib_are_refused_unread);
    tcase_add_test(tests, an_empty_list_is_one_that_is_not_given);
    tcase_add_test(tests, a_text_of_more_than_1_mib_is_refused);
    tcase_add_test(tests, lists_of_more_than_10000_items_are_refused);
    tcase_add_test(tests, every_prefix_of_an_answer_is_refused);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("declaration");
    suite_add_tcase(suite, arrives_case());
    suite_add_tcase(suite, refused_case());
    suite_add_tcase(suite, bytes_case());
    return suite_run(suite);
}
