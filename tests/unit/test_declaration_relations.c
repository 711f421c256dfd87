/* SPDX-License-Identifier: PostgreSQL */
/* What is refused of the sources, views, indexes and plain views that a plugin declares. */
#include <check.h>
#include <string.h>

#include "support/plugin/declarations.h"
#include "support/process/suite.h"

START_TEST(sources_are_checked)
{
    static const struct spoiled cases[] = {
        {&source.table, NULL, "sources[0]: table is missing"},
        {&source.table, "\"orders\"", "table \"\"orders\"\" is not a name"},
        {&source.columns, "id,,total", "sources[0] \"orders\": columns has \"\""},
        {&source.columns, "id, total, id", "columns has \"id\" twice"},
        {&source.capture, "a\x01", "capture has"},
        {&source.capture, NULL, "nothing is captured"},
    };
    ASSERT_EACH_REFUSED(cases);
    ASSERT_TWICE_REFUSED(plugin.sources, source, "sources: the table \"orders\" is declared twice");
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
    struct declaration *declaration = accepted();
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
    static const struct spoiled cases[] = {
        {&view.relation, NULL, "views[0]: relation is missing"},
        {&view.relation, "Mv", "relation \"Mv\" is not a name"},
        {&view.relation, "1mv", "relation \"1mv\" is not a name"},
        {&view.relation, "a23456789_123456789_123456789_123456789_123456789_1234567", "is not a name"},
        {&view.definition, NULL, "views[0] \"mv_orders\": definition is missing"},
        {&view.key, NULL, "key is missing"},
        {&view.key, " ", "key has \"\""},
        {&view.key_index, "no-name", "key_index \"no-name\" is not a name"},
        {&view.mode, "fast", "mode \"fast\" is not known"},
        {&view.stamps, "day", "column \"day\" is both in key and in stamps"},
        {&view.grain, NULL, "mode \"keyed\" needs grain"},
    };
    ASSERT_EACH_REFUSED(cases);
    view.grain = NULL;
    view.mode = NULL;
    assert_refused("revisit needs grain");
}
END_TEST

START_TEST(indexes_are_checked)
{
    static const struct spoiled cases[] = {
        {&index_of_view.name, NULL, "views[0] \"mv_orders\" indexes[0]: name is missing"},
        {&index_of_view.name, "Idx", "indexes[0]: name \"Idx\" is not a name"},
        {&index_of_view.columns, NULL, "indexes[0]: columns is missing"},
    };
    ASSERT_EACH_REFUSED(cases);
}
END_TEST

START_TEST(relations_and_indexes_share_their_names)
{
    struct chime_view two[] = {view, view};
    two[1].indexes.count = 0;
    plugin.views = (struct chime_list)CHIME_LIST(two);
    assert_refused("\"mv_orders\" is declared twice");
    static const struct spoiled cases[] = {
        {&index_of_view.name, "mv_orders_pk", "\"mv_orders_pk\" is declared twice"},
        {&index_of_view.name, "mv_orders__live", "\"mv_orders__live\" is declared twice"},
        {&plain_view.relation, "mv_orders", "\"mv_orders\" is declared twice"},
        {&plain_view.relation, "mv_orders__live", "\"mv_orders__live\" is declared twice"},
    };
    ASSERT_EACH_REFUSED(cases);
}
END_TEST

START_TEST(plain_views_are_checked)
{
    static const struct spoiled cases[] = {
        {&plain_view.relation, NULL, "plain_views[0]: relation is missing"},
        {&plain_view.relation, "V", "plain_views[0] \"V\": relation \"V\" is not a name"},
        {&plain_view.definition, NULL, "plain_views[0] \"v_orders\": definition is missing"},
    };
    ASSERT_EACH_REFUSED(cases);
    plain_view.comment = NULL;
    assert_accepted();
}
END_TEST

static TCase *refused_case(void)
{
    TCase *tests = tcase_create("refused");
    tcase_add_checked_fixture(tests, sound_plugin, NULL);
    tcase_add_test(tests, sources_are_checked);
    tcase_add_test(tests, a_table_may_lead_to_a_grain_of_each_view);
    tcase_add_test(tests, a_view_has_one_way_from_a_table);
    tcase_add_test(tests, names_of_columns_are_at_most_63_bytes);
    tcase_add_test(tests, lists_of_names_are_bounded);
    tcase_add_test(tests, views_are_checked);
    tcase_add_test(tests, indexes_are_checked);
    tcase_add_test(tests, relations_and_indexes_share_their_names);
    tcase_add_test(tests, plain_views_are_checked);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("declaration_relations");
    suite_add_tcase(suite, refused_case());
    return suite_run(suite);
}
