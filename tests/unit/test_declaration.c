/* SPDX-License-Identifier: PostgreSQL */
/* declaration_encode, declaration_decode and every check between them, without a process or a shared object: what
 * arrives, and what is refused of a plugin as a whole. Its items are in test_declaration_relations.c and
 * test_declaration_items.c, and bytes that no plugin host of ours would send in test_declaration_bytes.c. */
#include <check.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/plugin/declarations.h"
#include "support/process/suite.h"

/* --- what arrives --- */

static void assert_names(const struct names *names, const char *expected)
{
    char joined[256] = "";
    for (size_t i = 0; i < names->count; i++) {
        strcat(strcat(joined, i > 0 ? "|" : ""), names->items[i]);
    }
    ck_assert_str_eq(joined, expected);
}

START_TEST(every_member_arrives)
{
    struct declaration *declaration = accepted();
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
    ck_assert_str_eq(got->timezone, "Europe/Berlin");
    ck_assert_str_eq(got->frozen, "day < chime.as_of() - interval '90 days'");
    ck_assert_uint_eq(got->index_count, 1);
    ck_assert_str_eq(got->indexes[0].where, "total > 0");
    ck_assert_str_eq(declaration->functions[0].signature, "orders_of(date)");
    ck_assert_str_eq(declaration->settings[0].high, "90");
    ck_assert_str_eq(declaration->channels[0].table, "orders");
    ck_assert_str_eq(declaration->tiles[0].draw, "table");
    ck_assert_str_eq(declaration->tiles[0].choices, "SELECT region, region FROM mv_orders");
    ck_assert_str_eq(declaration->tiles[0].state, "status");
    ck_assert_str_eq(declaration->tiles[0].bound, "100ms");
    ck_assert_str_eq(declaration->tiles[0].note, "by region");
    ck_assert_str_eq(declaration->alerts[0].hold, "10min");
    ck_assert_str_eq(declaration->upgrades[0].from_version, "1.0");
    ck_assert_uint_eq(declaration->plain_view_count, 1);
    ck_assert_str_eq(declaration->plain_views[0].relation, "v_orders");
    ck_assert_str_eq(declaration->plain_views[0].definition, "SELECT day FROM mv_orders");
    ck_assert_str_eq(declaration->plain_views[0].comment, "days");
    declaration_destroy(declaration);
}
END_TEST

/* Built with ABI 1.2, in which a tile ended with `critical`: the next one begins there. */
START_TEST(tiles_of_an_older_minor_version_are_read)
{
    struct {
        const char *title, *query, *draw, *warn, *critical;
    } old[] = {{"One", "SELECT 1", "number", "> 1", "> 2"}, {"Two", "SELECT 2", "table", NULL, NULL}};
    plugin.tiles = (struct chime_list)CHIME_LIST(old);
    struct declaration *declaration = accepted();
    ck_assert_uint_eq(declaration->tile_count, 2);
    ck_assert_str_eq(declaration->tiles[0].critical, "> 2");
    ck_assert_ptr_null(declaration->tiles[0].choices);
    ck_assert_ptr_null(declaration->tiles[0].bound);
    ck_assert_str_eq(declaration->tiles[1].title, "Two");
    ck_assert_ptr_null(declaration->tiles[1].note);
    declaration_destroy(declaration);
}
END_TEST

START_TEST(a_job_arrives_with_only_the_options_that_it_gave)
{
    struct declaration *declaration = accepted();
    const struct declared_job *got = &declaration->jobs[0];
    assert_names(&got->refresh, "mv_orders");
    assert_names(&got->after, "first-job|second-job");
    assert_names(&got->on, "orders_changed");
    ck_assert_str_eq(got->schedule, "0 * * * *");
    ck_assert_str_eq(got->command, "");
    ck_assert_str_eq(got->debounce, "5s");
    ck_assert_int_eq(got->options.max_attempts, 5);
    ck_assert_int_eq(__builtin_popcountll(got->options.set), 1);
    declaration_destroy(declaration);
}
END_TEST

START_TEST(captured_columns_are_among_those_a_source_must_have)
{
    source.columns = "id, total";
    source.capture = "total, region";
    struct declaration *declaration = accepted();
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
    struct declaration *declaration = accepted();
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
    struct declaration *declaration = accepted();
    ck_assert_uint_eq(declaration->job_count, 1);
    ck_assert_uint_eq(declaration->function_count, 0);
    declaration_destroy(declaration);
}
END_TEST

START_TEST(a_member_that_is_cut_in_half_does_not_count)
{
    plugin.size = (uint32_t)offsetof(struct chime_plugin, functions) + 8;
    struct declaration *declaration = accepted();
    ck_assert_uint_eq(declaration->function_count, 0);
    declaration_destroy(declaration);
}
END_TEST

START_TEST(shorter_items_are_read_as_far_as_they_go)
{
    plugin.jobs.item_size = (uint32_t)offsetof(struct chime_job, debounce);
    job.debounce = (const char *)16; /* must not be touched */
    struct declaration *declaration = accepted();
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

static TCase *arrives_case(void)
{
    TCase *tests = tcase_create("arrives");
    tcase_add_checked_fixture(tests, sound_plugin, NULL);
    tcase_add_test(tests, every_member_arrives);
    tcase_add_test(tests, tiles_of_an_older_minor_version_are_read);
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
    tcase_add_checked_fixture(tests, sound_plugin, NULL);
    tcase_add_test(tests, the_prefix_is_checked_first);
    tcase_add_test(tests, no_description_is_an_error);
    tcase_add_test(tests, lists_that_cannot_be_are_refused);
    tcase_add_test(tests, texts_are_bounded_and_utf8);
    tcase_add_test(tests, a_declaration_is_at_most_4_mib);
    tcase_add_test(tests, the_plugin_is_checked);
    tcase_add_test(tests, the_daemon_compares_the_name_with_the_file_itself);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("declaration");
    suite_add_tcase(suite, arrives_case());
    suite_add_tcase(suite, refused_case());
    return suite_run(suite);
}
