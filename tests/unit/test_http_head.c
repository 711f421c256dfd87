/* SPDX-License-Identifier: PostgreSQL */
/* Heads of requests: what is taken, and with which status the rest is refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "http/head.h"
#include "support/process/suite.h"

#define LINE "GET /a HTTP/1.1\r\n"
#define HOST "Host: localhost\r\n"
#define POST "POST /a HTTP/1.1\r\n" HOST

/* The length of a text that may hold NUL. */
#define BYTES(text) text, sizeof(text) - 1

static const struct {
    const char *what;
    const char *bytes;
    size_t length;
    int status;
} refused[] = {
    {"no Host", BYTES(LINE "\r\n"), 400},
    {"an empty Host", BYTES(LINE "Host:\r\n\r\n"), 400},
    {"two Hosts", BYTES(LINE HOST "Host: evil\r\n\r\n"), 400},
    {"two Hosts that are equal", BYTES(LINE HOST HOST "\r\n"), 400},
    {"two lengths", BYTES(POST "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"), 400},
    {"two lengths in one", BYTES(POST "Content-Length: 4, 4\r\n\r\nabcd"), 400},
    {"a length and an encoding", BYTES(POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
    {"an encoding", BYTES(POST "Transfer-Encoding: identity\r\n\r\n"), 400},
    {"a length with a sign", BYTES(POST "Content-Length: +4\r\n\r\nabcd"), 400},
    {"a length below zero", BYTES(POST "Content-Length: -4\r\n\r\nabcd"), 400},
    {"no length in its field", BYTES(POST "Content-Length:\r\n\r\n"), 400},
    {"a length beyond the limit", BYTES(POST "Content-Length: 16385\r\n\r\n"), 413},
    {"a length beyond numbers", BYTES(POST "Content-Length: 99999999999999999999999\r\n\r\n"), 413},
    {"a body of GET", BYTES(LINE HOST "Content-Length: 4\r\n\r\nabcd"), 400},
    {"two tokens", BYTES(LINE HOST "Authorization: a\r\nAuthorization: b\r\n\r\n"), 400},
    {"two users", BYTES(LINE HOST "X-Remote-User: a\r\nx-remote-user: b\r\n\r\n"), 400},
    {"a blank before the colon", BYTES(LINE HOST "X : a\r\n\r\n"), 400},
    {"no colon", BYTES(LINE HOST "X\r\n\r\n"), 400},
    {"no name", BYTES(LINE HOST ": a\r\n\r\n"), 400},
    {"a folded line", BYTES(LINE HOST "X: a\r\n b\r\n\r\n"), 400},
    {"a blank before the first field", BYTES(LINE " X: a\r\n" HOST "\r\n"), 400},
    {"NUL in the target", BYTES("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"NUL in a field", BYTES(LINE HOST "X: a\0b\r\n\r\n"), 400},
    {"a control in a field", BYTES(LINE HOST "X: a\033b\r\n\r\n"), 400},
    {"LF alone", BYTES("GET /a HTTP/1.1\nHost: localhost\n\n"), 400},
    {"LF alone in the end", BYTES(LINE "Host: localhost\r\n\n"), 400},
    {"CR alone", BYTES(LINE HOST "X: a\rY: b\r\n\r\n"), 400},
    {"an empty line in front", BYTES("\r\n" LINE HOST "\r\n"), 400},
    {"HTTP/1.0", BYTES("GET /a HTTP/1.0\r\n" HOST "\r\n"), 505},
    {"HTTP/1.9", BYTES("GET /a HTTP/1.9\r\n" HOST "\r\n"), 505},
    {"HTTP/0.9", BYTES("GET /a\r\n\r\n"), 400},
    {"lower case", BYTES("GET /a http/1.1\r\n" HOST "\r\n"), 400},
    {"two blanks", BYTES("GET  /a HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"a tab", BYTES("GET\t/a HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"a blank in the target", BYTES("GET /a b HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"a fragment", BYTES("GET /a#b HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"what is no ASCII", BYTES("GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"a whole address", BYTES("GET http://localhost/ HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"a star", BYTES("GET * HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"another method", BYTES("DELETE /a HTTP/1.1\r\n" HOST "\r\n"), 405},
    {"a method in lower case", BYTES("get /a HTTP/1.1\r\n" HOST "\r\n"), 400},
    {"an expectation", BYTES(POST "Expect: 100-continue\r\n\r\n"), 417},
};

START_TEST(what_two_readers_could_understand_differently_is_refused)
{
    struct http_head head;
    size_t used;
    int status = 0;
    enum http_reading reading = http_head_read(refused[_i].bytes, refused[_i].length, &head, &used, &status);
    ck_assert_msg(reading == HTTP_REFUSED, "%s was taken", refused[_i].what);
    ck_assert_msg(status == refused[_i].status, "%s: %d", refused[_i].what, status);
}
END_TEST

START_TEST(request_is_taken_apart)
{
    static const char text[] =
        "POST /d/main?x=1 HTTP/1.1\r\nHost: a:80\r\nX-Name:\t b c \t\r\nContent-Length: 2\r\n\r\n{}next";
    struct http_head head;
    size_t used;
    int status;
    ck_assert_int_eq(http_head_read(text, strlen(text), &head, &used, &status), HTTP_WHOLE);
    ck_assert_int_eq(head.method, HTTP_POST);
    ck_assert_str_eq(head.target, "/d/main?x=1");
    ck_assert_str_eq(head.host, "a:80");
    ck_assert_str_eq(http_head_field(&head, "x-name"), "b c");
    ck_assert_ptr_null(http_head_field(&head, "x-other"));
    ck_assert_uint_eq(head.body_length, 2);
    ck_assert_str_eq(text + used, "{}next");
    ck_assert(!head.last);
    http_head_finish(&head);
}
END_TEST

START_TEST(connection_ends_where_the_client_says_so)
{
    static const char text[] = LINE HOST "Connection: Close\r\n\r\n";
    struct http_head head;
    size_t used;
    int status;
    ck_assert_int_eq(http_head_read(text, strlen(text), &head, &used, &status), HTTP_WHOLE);
    ck_assert(head.last);
    http_head_finish(&head);
}
END_TEST

START_TEST(lists_may_come_in_several_lines)
{
    static const char text[] = LINE HOST "Accept: a\r\nAccept: b\r\nX-Forwarded-For: c\r\nX-Forwarded-For: d\r\n\r\n";
    struct http_head head;
    size_t used;
    int status;
    ck_assert_int_eq(http_head_read(text, strlen(text), &head, &used, &status), HTTP_WHOLE);
    http_head_finish(&head);
}
END_TEST

START_TEST(head_is_whole_with_its_last_byte_and_not_before)
{
    static const char text[] = LINE HOST "\r\n";
    struct http_head head;
    size_t used;
    int status;
    for (size_t length = 0; length < strlen(text); length++) {
        ck_assert_int_eq(http_head_read(text, length, &head, &used, &status), HTTP_MORE);
    }
    ck_assert_int_eq(http_head_read(text, strlen(text), &head, &used, &status), HTTP_WHOLE);
    http_head_finish(&head);
}
END_TEST

/* A head of the request line, Host, and one field that fills it up to `length` bytes. */
static char *make_head(size_t length)
{
    struct buffer text = {0};
    buffer_puts(&text, LINE HOST "X: ");
    while (text.length < length - 4) {
        buffer_putc(&text, 'a');
    }
    buffer_puts(&text, "\r\n\r\n");
    return buffer_take(&text);
}

static int read_head_of(size_t length)
{
    struct http_head head;
    size_t used;
    int status = 0;
    char *text = make_head(length);
    if (http_head_read(text, length, &head, &used, &status) == HTTP_WHOLE) {
        http_head_finish(&head);
    }
    free(text);
    return status;
}

START_TEST(head_has_eight_kibibytes_at_most)
{
    ck_assert_int_eq(read_head_of(HTTP_HEAD_MAX), 0);
    ck_assert_int_eq(read_head_of(HTTP_HEAD_MAX + 1), 431);
    ck_assert_int_eq(read_head_of(20000), 431);
}
END_TEST

static int read_target_of(int length)
{
    struct http_head head;
    size_t used;
    int status = 0;
    char *text = xasprintf("GET /%0*d HTTP/1.1\r\n" HOST "\r\n", length - 1, 0);
    if (http_head_read(text, strlen(text), &head, &used, &status) == HTTP_WHOLE) {
        http_head_finish(&head);
    }
    free(text);
    return status;
}

START_TEST(target_has_4096_bytes_at_most)
{
    ck_assert_int_eq(read_target_of(HTTP_TARGET_MAX), 0);
    ck_assert_int_eq(read_target_of(HTTP_TARGET_MAX + 1), 414);
}
END_TEST

static int read_fields(int count)
{
    struct buffer text = {0};
    struct http_head head;
    size_t used;
    int status = 0;
    buffer_puts(&text, LINE HOST);
    for (int i = 1; i < count; i++) {
        buffer_printf(&text, "X%d: a\r\n", i);
    }
    buffer_puts(&text, "\r\n");
    if (http_head_read(text.data, text.length, &head, &used, &status) == HTTP_WHOLE) {
        http_head_finish(&head);
    }
    buffer_finish(&text);
    return status;
}

START_TEST(head_has_64_fields_at_most)
{
    ck_assert_int_eq(read_fields(HTTP_FIELDS_MAX), 0);
    ck_assert_int_eq(read_fields(HTTP_FIELDS_MAX + 1), 431);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_head");
    TCase *tests = tcase_create("http_head");
    tcase_add_loop_test(tests, what_two_readers_could_understand_differently_is_refused, 0, COUNT_OF(refused));
    tcase_add_test(tests, request_is_taken_apart);
    tcase_add_test(tests, connection_ends_where_the_client_says_so);
    tcase_add_test(tests, lists_may_come_in_several_lines);
    tcase_add_test(tests, head_is_whole_with_its_last_byte_and_not_before);
    tcase_add_test(tests, head_has_eight_kibibytes_at_most);
    tcase_add_test(tests, target_has_4096_bytes_at_most);
    tcase_add_test(tests, head_has_64_fields_at_most);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
