/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "support/process/suite.h"

START_TEST(whole_text_is_kept_when_it_fits)
{
    ck_assert_uint_eq(utf8_cut("", 0, 0), 0);
    ck_assert_uint_eq(utf8_cut("abc", 3, 3), 3);
    ck_assert_uint_eq(utf8_cut("abc", 3, 100), 3);
    ck_assert_uint_eq(utf8_cut("abc", 3, 2), 2);
}
END_TEST

START_TEST(a_character_is_kept_whole_or_not_at_all)
{
    static const char text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x95\x90z"; /* 1, 2, 3, 4 and 1 bytes */
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    for (size_t limit = 0; limit < COUNT_OF(expected); limit++) {
        ck_assert_uint_eq(utf8_cut(text, sizeof(text) - 1, limit), expected[limit]);
    }
}
END_TEST

START_TEST(bytes_that_are_not_utf8_are_cut_anywhere)
{
    ck_assert_uint_eq(utf8_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 5);
    ck_assert_uint_eq(utf8_cut("\x80\x80", 2, 1), 1);
    ck_assert_uint_eq(utf8_cut("\xC3z", 2, 1), 1);
    ck_assert_uint_eq(utf8_cut("\xFF\xFF", 2, 1), 1);
}
END_TEST

/* Decides UTF-8 by decoding and encoding again, unlike the table in text.c. */
static bool decodes(const unsigned char *bytes, size_t length)
{
    if (length == 1) {
        return bytes[0] < 0x80;
    }
    static const unsigned char masks[] = {0, 0, 0x1F, 0x0F, 0x07};
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    static const unsigned char marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    if ((bytes[0] & (unsigned char)~masks[length]) != marks[length]) {
        return false;
    }
    uint32_t value = bytes[0] & masks[length];
    for (size_t i = 1; i < length; i++) {
        if (bytes[i] >> 6 != 2) {
            return false;
        }
        value = value << 6 | (bytes[i] & 0x3F);
    }
    return value >= smallest[length] && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
}

static size_t expected_length(const char *text, size_t length)
{
    for (size_t i = 1; i <= 4 && i <= length; i++) {
        if (decodes((const unsigned char *)text, i)) {
            return i;
        }
    }
    return 0;
}

/* Random bytes that often form characters; an exact allocation, so that the sanitizer sees a read past the end. */
static char *random_text(size_t length)
{
    static const char likely[] = "a\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0\xC2\xC3\xDF\xE0\xE2\xED\xEF\xF0\xF4\xF5\xFF";
    char *text = xmalloc(length);
    for (size_t i = 0; i < length; i++) {
        text[i] = likely[(size_t)rand() % (sizeof(likely) - 1)];
        if (rand() % 4 == 0) {
            text[i] = (char)(rand() % 256);
        }
    }
    return text;
}

START_TEST(a_character_of_random_bytes_is_what_decoding_says)
{
    srand(1);
    for (int round = 0; round < 200000; round++) {
        size_t length = (size_t)rand() % 6;
        char *text = random_text(length);
        if (utf8_length(text, length) != expected_length(text, length)) {
            ck_abort_msg("round %d: %zu", round, utf8_length(text, length)); /* ck_assert is slow when it holds */
        }
        free(text);
    }
}
END_TEST

START_TEST(cutting_random_bytes_never_splits_a_character_and_drops_nothing_else)
{
    srand(2);
    for (int round = 0; round < 100000; round++) {
        size_t length = (size_t)rand() % 20;
        size_t limit = (size_t)rand() % 22;
        char *text = random_text(length);
        size_t kept = utf8_cut(text, length, limit);
        bool whole = kept == length || kept == limit;
        bool within = kept <= length && kept <= limit;
        if (!within || (!whole && kept + expected_length(text + kept, length - kept) <= limit)) {
            ck_abort_msg("round %d: %zu of %zu bytes kept within %zu", round, kept, length, limit);
        }
        if (utf8_valid(text, length) && (!utf8_valid(text, kept) || (kept < length && kept + 4 <= limit))) {
            ck_abort_msg("round %d: a character is split", round);
        }
        free(text);
    }
}
END_TEST

START_TEST(validity_is_decided_for_the_whole_text)
{
    ck_assert(utf8_valid("", 0));
    ck_assert(utf8_valid("a\xC3\xA9\xED\x9F\xBF\xF4\x8F\xBF\xBF", 10));
    ck_assert(!utf8_valid("a\xC3", 2));
    ck_assert(!utf8_valid("\xC0\xAF", 2));
    ck_assert(!utf8_valid("\xE0\x9F\xBF", 3));
    ck_assert(!utf8_valid("\xED\xA0\x80", 3));
    ck_assert(!utf8_valid("\xF0\x8F\xBF\xBF", 4));
    ck_assert(!utf8_valid("\xF4\x90\x80\x80", 4));
    ck_assert(!utf8_valid("\xE2\x82z", 3));
}
END_TEST

START_TEST(bytes_that_are_no_characters_become_question_marks)
{
    char text[] = "a\xE9\xC3\xA9\xFF\xE2\x82";
    utf8_repair(text, strlen(text));
    ck_assert_str_eq(text, "a?\xC3\xA9???");
    utf8_repair(text, 0);
    ck_assert_str_eq(text, "a?\xC3\xA9???");
}
END_TEST

START_TEST(the_nearest_word_is_suggested_when_it_is_near)
{
    static const char *const words[] = {"catchup", "catchup_window", "priority", "on", "delivery"};
    ck_assert_str_eq(nearest_word("catchup", words, COUNT_OF(words)), "catchup");
    ck_assert_str_eq(nearest_word("cathcup", words, COUNT_OF(words)), "catchup");
    ck_assert_str_eq(nearest_word("catch_up_window", words, COUNT_OF(words)), "catchup_window");
    ck_assert_str_eq(nearest_word("piority", words, COUNT_OF(words)), "priority");
    ck_assert_str_eq(nearest_word("o", words, COUNT_OF(words)), "on");
    ck_assert_ptr_null(nearest_word("", words, COUNT_OF(words)));
    ck_assert_ptr_null(nearest_word("timezone", words, COUNT_OF(words)));
    ck_assert_ptr_null(nearest_word("xy", words, COUNT_OF(words)));
    ck_assert_ptr_null(nearest_word("catchup", words, 0));
}
END_TEST

START_TEST(of_equally_near_words_the_first_is_suggested)
{
    static const char *const words[] = {"lane_a", "lane_b"};
    ck_assert_ptr_eq(nearest_word("lane_c", words, 2), words[0]);
}
END_TEST

START_TEST(words_of_any_length_are_survived)
{
    char longest[65];
    char too_long[67];
    memset(longest, 'a', 64);
    memset(too_long, 'a', 66);
    longest[64] = '\0';
    too_long[66] = '\0';
    const char *const words[] = {too_long, longest};
    ck_assert_ptr_eq(nearest_word(longest, words, 2), longest);
    ck_assert_ptr_null(nearest_word(too_long, words, 2));
    ck_assert_ptr_null(nearest_word(longest, words, 1));
}
END_TEST

START_TEST(whole_numbers_within_bounds_are_read)
{
    int64_t value = 7;
    ck_assert(parse_int64("0", 0, 9, &value) && value == 0);
    ck_assert(parse_int64("-5", -9, 9, &value) && value == -5);
    ck_assert(parse_int64("0042", 0, 99, &value) && value == 42);
    ck_assert(parse_int64("9223372036854775807", INT64_MIN, INT64_MAX, &value) && value == INT64_MAX);
    ck_assert(parse_int64("-9223372036854775808", INT64_MIN, INT64_MAX, &value) && value == INT64_MIN);
}
END_TEST

START_TEST(anything_else_is_no_number_and_changes_nothing)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1a",
                                      "0x1",
                                      "--1",
                                      "1.0",
                                      "10",
                                      "-1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t value = 7;
        ck_assert_msg(!parse_int64(bad[i], 0, 9, &value), "\"%s\" was read", bad[i]);
        ck_assert_int_eq(value, 7);
    }
    int64_t value = 7;
    ck_assert(!parse_int64("-9223372036854775809", INT64_MIN, INT64_MAX, &value));
    ck_assert(!parse_int64("9223372036854775808", INT64_MIN, INT64_MAX, &value));
}
END_TEST

START_TEST(names_are_short_and_plain)
{
    char longest[65];
    memset(longest, 'n', sizeof(longest));
    longest[63] = '\0';
    ck_assert(name_valid("lane_distribution-2"));
    ck_assert(name_valid("9"));
    ck_assert(name_valid("_"));
    ck_assert(name_valid("AZaz09"));
    ck_assert(name_valid(longest));
    longest[63] = 'n';
    longest[64] = '\0';
    ck_assert(!name_valid(longest));
    ck_assert(!name_valid(""));
    ck_assert(!name_valid("-v"));
    ck_assert(!name_valid("a b"));
    ck_assert(!name_valid("a.b"));
    ck_assert(!name_valid("\xC3\xA9"));
}
END_TEST

START_TEST(no_text_is_the_same_as_no_text_alone)
{
    char other[] = "a";
    ck_assert(text_same("a", other));
    ck_assert(!text_same("a", "b"));
    ck_assert(text_same(NULL, NULL));
    ck_assert(!text_same(NULL, ""));
    ck_assert(!text_same("", NULL));
}
END_TEST

START_TEST(the_hash_is_fnv_1a)
{
    ck_assert_uint_eq(text_hash(""), UINT64_C(0xcbf29ce484222325));
    ck_assert_uint_eq(text_hash("a"), UINT64_C(0xaf63dc4c8601ec8c));
    ck_assert_uint_eq(text_hash("foobar"), UINT64_C(0x85944171f73967e8));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tests = tcase_create("text");
    tcase_add_test(tests, bytes_that_are_no_characters_become_question_marks);
    tcase_add_test(tests, whole_text_is_kept_when_it_fits);
    tcase_add_test(tests, a_character_is_kept_whole_or_not_at_all);
    tcase_add_test(tests, bytes_that_are_not_utf8_are_cut_anywhere);
    tcase_add_test(tests, a_character_of_random_bytes_is_what_decoding_says);
    tcase_add_test(tests, cutting_random_bytes_never_splits_a_character_and_drops_nothing_else);
    tcase_add_test(tests, validity_is_decided_for_the_whole_text);
    tcase_add_test(tests, the_nearest_word_is_suggested_when_it_is_near);
    tcase_add_test(tests, of_equally_near_words_the_first_is_suggested);
    tcase_add_test(tests, words_of_any_length_are_survived);
    tcase_add_test(tests, whole_numbers_within_bounds_are_read);
    tcase_add_test(tests, anything_else_is_no_number_and_changes_nothing);
    tcase_add_test(tests, names_are_short_and_plain);
    tcase_add_test(tests, no_text_is_the_same_as_no_text_alone);
    tcase_add_test(tests, the_hash_is_fnv_1a);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
