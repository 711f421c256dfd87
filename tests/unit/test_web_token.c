/* SPDX-License-Identifier: PostgreSQL */
/* Tokens, and the cookies by which browsers are known. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "web/basic.h"
#include "web/cookie.h"

#define NOW INT64_C(1772409600000000)
/* SHA-256 of "test", as FIPS 180-4 has it. */
#define DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static struct tokens parse(const char *text)
{
    struct tokens tokens;
    struct error err;
    ck_assert_msg(tokens_parse(text, "tokens", &tokens, &err), "%s", err.message);
    return tokens;
}

START_TEST(token_is_found_by_its_digest_alone)
{
    struct tokens tokens = parse("# people\n\nalice view " DIGEST "\n  bob tiles "
                                 "0000000000000000000000000000000000000000000000000000000000000000\n");
    ck_assert_uint_eq(tokens.count, 2);
    ck_assert_str_eq(tokens_find(&tokens, "test")->name, "alice");
    ck_assert_int_eq(tokens_find(&tokens, "test")->role, WEB_VIEW);
    ck_assert_ptr_null(tokens_find(&tokens, "Test"));
    ck_assert_ptr_null(tokens_find(&tokens, ""));
    ck_assert_ptr_null(tokens_find(&tokens, DIGEST));
    tokens_finish(&tokens);
}
END_TEST

START_TEST(made_token_is_found_by_the_line_that_is_made_of_it)
{
    char secret[TOKEN_TEXT_SIZE];
    char other[TOKEN_TEXT_SIZE];
    token_make(secret);
    token_make(other);
    ck_assert_str_ne(secret, other);
    char *line = token_line("alice", WEB_OPERATE, secret);
    ck_assert_ptr_null(strstr(line, secret));
    struct tokens tokens = parse(line);
    ck_assert_int_eq(tokens_find(&tokens, secret)->role, WEB_OPERATE);
    ck_assert_ptr_null(tokens_find(&tokens, other));
    tokens_finish(&tokens);
    free(line);
}
END_TEST

static const struct {
    const char *text;
    const char *message;
} refused[] = {
    {"alice view", "tokens:1: a line has a name, a role and a SHA-256"},
    {"\nalice view " DIGEST " more", "tokens:2: a line has a name, a role and a SHA-256"},
    {"alice none " DIGEST, "tokens:1: the role is none of tiles, view and operate"},
    {"alice root " DIGEST, "tokens:1: the role is none of tiles, view and operate"},
    {"alice view " DIGEST "0", "tokens:1: the SHA-256 is not 64 hexadecimal digits in lower case"},
    {"alice view test", "tokens:1: the SHA-256 is not 64 hexadecimal digits in lower case"},
    {"al.ice view " DIGEST, "tokens:1: the name is no name"},
    {"alice view " DIGEST "\nalice tiles " DIGEST, "tokens:2: that name comes twice"},
};

START_TEST(line_that_is_none_is_refused_with_its_number)
{
    struct tokens tokens;
    struct error err;
    ck_assert(!tokens_parse(refused[_i].text, "tokens", &tokens, &err));
    ck_assert_str_eq(err.message, refused[_i].message);
    ck_assert_uint_eq(tokens.count, 0);
}
END_TEST

START_TEST(file_that_others_may_read_is_refused)
{
    struct tokens tokens;
    struct error err;
    char *folder = files_make_directory();
    char *path = files_path("%s/tokens", folder);
    files_write(path, "alice view " DIGEST "\n");
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert(!tokens_read(path, &tokens, &err));
    ck_assert_msg(strstr(err.message, "everybody may read") != NULL, "%s", err.message);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_msg(tokens_read(path, &tokens, &err), "%s", err.message);
    ck_assert_uint_eq(tokens.count, 1);
    tokens_finish(&tokens);
    free(path);
    free(folder);
}
END_TEST

/* --- cookies ------------------------------------------------------------------------------------------------------ */

static const struct token *find(const struct tokens *tokens, const char *before, const char *value, instant now)
{
    char *field = xasprintf("%s" COOKIE_NAME "=%s; other=1", before, value);
    const struct token *found = cookie_find(field, tokens, now);
    free(field);
    return found;
}

START_TEST(cookie_holds_for_twelve_hours)
{
    struct tokens tokens = parse("alice view " DIGEST);
    char *value = cookie_make(&tokens.tokens[0], NOW);
    ck_assert_ptr_eq(find(&tokens, "", value, NOW), &tokens.tokens[0]);
    ck_assert_ptr_eq(find(&tokens, "a=b; ", value, NOW + COOKIE_LIFE), &tokens.tokens[0]);
    ck_assert_ptr_null(find(&tokens, "", value, NOW + COOKIE_LIFE + USEC_PER_SEC));
    free(value);
    tokens_finish(&tokens);
}
END_TEST

START_TEST(cookie_ends_with_its_token)
{
    struct tokens tokens = parse("alice view " DIGEST);
    struct tokens anew = parse("alice view 0f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
    struct tokens none = parse("");
    char *value = cookie_make(&tokens.tokens[0], NOW);
    ck_assert_ptr_null(find(&anew, "", value, NOW));
    ck_assert_ptr_null(find(&none, "", value, NOW));
    free(value);
    tokens_finish(&tokens);
    tokens_finish(&anew);
    tokens_finish(&none);
}
END_TEST

START_TEST(cookie_with_any_other_byte_is_none)
{
    struct tokens tokens = parse("alice view " DIGEST "\nalicf tiles "
                                 "0000000000000000000000000000000000000000000000000000000000000000");
    char *value = cookie_make(&tokens.tokens[0], NOW);
    for (size_t i = 0; value[i] != '\0'; i++) {
        value[i] = (char)(value[i] + 1);
        ck_assert_msg(find(&tokens, "", value, NOW) == NULL, "%s", value);
        value[i] = (char)(value[i] - 1);
    }
    value[strlen(value) - 1] = '\0';
    ck_assert_ptr_null(find(&tokens, "", value, NOW));
    ck_assert_ptr_null(find(&tokens, "", "", NOW));
    ck_assert_ptr_null(find(&tokens, "", "alice.99999999999999999999.00", NOW));
    ck_assert_ptr_null(cookie_find("", &tokens, NOW));
    ck_assert_ptr_null(cookie_find(";;; ;", &tokens, NOW));
    free(value);
    tokens_finish(&tokens);
}
END_TEST

START_TEST(password_of_basic_is_read)
{
    char *password = basic_password("YWxpY2U6dGVzdA==");
    ck_assert_str_eq(password, "test");
    free(password);
    password = basic_password("OmE6Yg==");
    ck_assert_str_eq(password, "a:b");
    free(password);
    ck_assert_ptr_null(basic_password(""));
    ck_assert_ptr_null(basic_password("YWxpY2U6dGVzdA"));
    ck_assert_ptr_null(basic_password("!!!!"));
    ck_assert_ptr_null(basic_password("YWxpY2U="));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web_token");
    TCase *tests = tcase_create("web_token");
    tcase_add_test(tests, token_is_found_by_its_digest_alone);
    tcase_add_test(tests, made_token_is_found_by_the_line_that_is_made_of_it);
    tcase_add_loop_test(tests, line_that_is_none_is_refused_with_its_number, 0, COUNT_OF(refused));
    tcase_add_test(tests, file_that_others_may_read_is_refused);
    tcase_add_test(tests, cookie_holds_for_twelve_hours);
    tcase_add_test(tests, cookie_ends_with_its_token);
    tcase_add_test(tests, cookie_with_any_other_byte_is_none);
    tcase_add_test(tests, password_of_basic_is_read);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
