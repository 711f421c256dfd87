/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "support/process/abort_trap.h"
#include "support/process/suite.h"

/* Lets an allocation that cannot succeed fail, as it does without the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static char last_line[512];

static void keep_line(const char *line, void *data)
{
    (void)data;
    snprintf(last_line, sizeof(last_line), "%s", line);
}

static volatile size_t too_much = SIZE_MAX / 2 + 1;

static void allocate_too_much(void *data)
{
    *(void **)data = xmalloc(too_much);
}

static void allocate_zeroed_too_much(void *data)
{
    *(void **)data = xcalloc(too_much, 2);
}

static void reallocate_too_much(void *data)
{
    *(void **)data = xrealloc(NULL, too_much, 3);
}

static void fill_arena_too_much(void *data)
{
    *(void **)data = arena_alloc(*(struct arena **)data, too_much);
}

static void format_invalid_character(void *data)
{
    static const wchar_t invalid[] = {0x7FFFFFFF, 0};
    *(void **)data = xasprintf("%ls", invalid);
}

START_TEST(out_of_memory_ends_the_process_with_a_line_in_the_log)
{
    void *result = NULL;
    log_capture(keep_line, NULL);
    ck_assert(aborts(allocate_too_much, &result));
    ck_assert_ptr_nonnull(strstr(last_line, " error out of memory (9223372036854775808 bytes)\n"));
}
END_TEST

START_TEST(a_size_that_overflows_ends_the_process)
{
    void *result = NULL;
    log_capture(keep_line, NULL);
    ck_assert(aborts(allocate_zeroed_too_much, &result));
    ck_assert_ptr_nonnull(strstr(last_line, "out of memory (9223372036854775808 times 2 bytes)"));
    ck_assert(aborts(reallocate_too_much, &result));
    ck_assert_ptr_nonnull(strstr(last_line, "times 3 bytes"));
}
END_TEST

START_TEST(an_arena_refuses_a_size_that_would_overflow)
{
    struct arena *arena = arena_create();
    void *result = arena;
    log_capture(keep_line, NULL);
    ck_assert(aborts(fill_arena_too_much, &result));
    ck_assert_ptr_nonnull(strstr(last_line, "out of memory"));
    arena_destroy(arena);
}
END_TEST

START_TEST(a_text_that_cannot_be_formatted_ends_the_process)
{
    void *result = NULL;
    log_capture(keep_line, NULL);
    ck_assert(aborts(format_invalid_character, &result));
    ck_assert_ptr_nonnull(strstr(last_line, "cannot format a text"));
}
END_TEST

START_TEST(nothing_asked_for_is_still_memory_of_its_own)
{
    void *a = xmalloc(0);
    void *b = xcalloc(0, 8);
    void *c = xrealloc(NULL, 0, 8);
    ck_assert(a != NULL && b != NULL && c != NULL && a != b && b != c);
    free(a);
    free(b);
    free(c);
}
END_TEST

START_TEST(xcalloc_gives_zeroes_and_xrealloc_keeps_what_was_there)
{
    int *numbers = xcalloc(100, sizeof(*numbers));
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(numbers[i], 0);
        numbers[i] = i;
    }
    numbers = xrealloc(numbers, 10000, sizeof(*numbers));
    ck_assert_int_eq(numbers[99], 99);
    free(numbers);
}
END_TEST

START_TEST(copies_of_text_are_separate_and_end_where_asked)
{
    char *whole = xstrdup("lane");
    char *part = xstrndup("lane", 2);
    char *longer = xstrndup("lane", 100);
    char *printed = xasprintf("%s-%d", "lane", 7);
    ck_assert_str_eq(whole, "lane");
    ck_assert_str_eq(part, "la");
    ck_assert_str_eq(longer, "lane");
    ck_assert_str_eq(printed, "lane-7");
    free(whole);
    free(part);
    free(longer);
    free(printed);
}
END_TEST

static bool all_are(const unsigned char *bytes, size_t size, unsigned char value)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

START_TEST(an_arena_gives_zeroed_aligned_memory_that_does_not_overlap)
{
    struct arena *arena = arena_create();
    unsigned char *pieces[3000];
    size_t sizes[3000];
    for (size_t i = 0; i < 3000; i++) {
        sizes[i] = i % 97 == 0 ? 5000 + i : i % 61;
        pieces[i] = arena_alloc(arena, sizes[i]);
        ck_assert_uint_eq((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        ck_assert(all_are(pieces[i], sizes[i], 0));
        memset(pieces[i], (int)(i % 251) + 1, sizes[i]);
    }
    for (size_t i = 0; i < 3000; i++) {
        ck_assert(all_are(pieces[i], sizes[i], (unsigned char)(i % 251 + 1)));
    }
    arena_destroy(arena);
}
END_TEST

START_TEST(an_arena_keeps_texts)
{
    struct arena *arena = arena_create();
    ck_assert_str_eq(arena_strdup(arena, "lane"), "lane");
    ck_assert_ptr_null(arena_strdup(arena, NULL));
    ck_assert_str_eq(arena_strndup(arena, "lane", 3), "lan");
    ck_assert_str_eq(arena_printf(arena, "%05d", 42), "00042");
    arena_destroy(arena);
    arena_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");
    tcase_add_test(tests, out_of_memory_ends_the_process_with_a_line_in_the_log);
    tcase_add_test(tests, a_size_that_overflows_ends_the_process);
    tcase_add_test(tests, an_arena_refuses_a_size_that_would_overflow);
    tcase_add_test(tests, a_text_that_cannot_be_formatted_ends_the_process);
    tcase_add_test(tests, nothing_asked_for_is_still_memory_of_its_own);
    tcase_add_test(tests, xcalloc_gives_zeroes_and_xrealloc_keeps_what_was_there);
    tcase_add_test(tests, copies_of_text_are_separate_and_end_where_asked);
    tcase_add_test(tests, an_arena_gives_zeroed_aligned_memory_that_does_not_overlap);
    tcase_add_test(tests, an_arena_keeps_texts);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
