/* SPDX-License-Identifier: PostgreSQL */
#include "http/head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/text.h"

#define VERSION " HTTP/1.1"

/* Fields that are lists, which may come in several lines. */
static const char *const lists[] = {"accept",          "accept-encoding",  "accept-language",  "cache-control",
                                    "connection",      "forwarded",        "pragma",           "via",
                                    "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"};

static enum http_reading refuse(int *status, int code)
{
    *status = code;
    return HTTP_REFUSED;
}

/* --- where it ends ------------------------------------------------------------------------------------------------ */

/* A control other than a tab, and a CR or LF without the other, are in no head. */
static bool is_out_of_place(const char *bytes, size_t length, size_t at)
{
    unsigned char byte = (unsigned char)bytes[at];
    if (byte == '\r') {
        return at + 1 < length && bytes[at + 1] != '\n';
    }
    if (byte == '\n') {
        return at == 0 || bytes[at - 1] != '\r';
    }
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

/* The bytes up to and with the empty line. */
static enum http_reading find_end(const char *bytes, size_t length, size_t *used, int *status)
{
    for (size_t at = 0; at < length; at++) {
        if (at >= HTTP_HEAD_MAX) {
            return refuse(status, 431);
        }
        if (is_out_of_place(bytes, length, at)) {
            return refuse(status, 400);
        }
        if (at >= 3 && memcmp(bytes + at - 3, "\r\n\r\n", 4) == 0) {
            *used = at + 1;
            return HTTP_WHOLE;
        }
    }
    return HTTP_MORE;
}

/* --- the line of the request -------------------------------------------------------------------------------------- */

static int read_method(const char *word, enum http_method *method)
{
    static const char *const names[] = {"GET", "HEAD", "POST"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(names[i], word) == 0) {
            *method = (enum http_method)i;
            return 0;
        }
    }
    size_t capitals = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return capitals > 0 && word[capitals] == '\0' ? 405 : 400;
}

static int check_target(const char *target)
{
    size_t length = strlen(target);
    for (size_t i = 0; i < length; i++) {
        if (target[i] < 0x21 || target[i] == 0x7f || target[i] == '#') { /* char may be signed: what is no ASCII, too */
            return 400;
        }
    }
    return target[0] != '/' ? 400 : length > HTTP_TARGET_MAX ? 414 : 0;
}

/* 0, or the status it is refused with. */
static int read_request_line(char *line, struct http_head *head)
{
    char *blank = strchr(line, ' ');
    char *version = strrchr(line, ' ');
    if (blank == NULL || blank == version) {
        return 400;
    }
    if (strcmp(version, VERSION) != 0) {
        return strncmp(version, " HTTP/", 6) == 0 ? 505 : 400;
    }
    *blank = *version = '\0';
    head->target = blank + 1;
    int status = read_method(line, &head->method);
    return status != 0 ? status : check_target(head->target);
}

/* --- fields ------------------------------------------------------------------------------------------------------- */

static bool is_token(const char *name)
{
    static const char characters[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
    return name[0] != '\0' && name[strspn(name, characters)] == '\0';
}

static void make_lower(char *text)
{
    for (; *text != '\0'; text++) {
        *text = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
    }
}

static char *trim(char *value)
{
    value += strspn(value, " \t");
    size_t length = strlen(value);
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t')) {
        value[--length] = '\0';
    }
    return value;
}

static bool is_list(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        if (strcmp(lists[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static int add_field(struct http_head *head, const char *name, const char *value)
{
    if (http_head_field(head, name) != NULL && !is_list(name)) {
        return 400;
    }
    if (head->field_count == HTTP_FIELDS_MAX) {
        return 431;
    }
    if (strcmp(name, "connection") == 0 && strcasecmp(value, "keep-alive") != 0) {
        head->last = true;
    }
    head->fields[head->field_count++] = (struct http_field){name, value};
    return 0;
}

static int read_field(char *line, struct http_head *head)
{
    char *colon = strchr(line, ':');
    if (colon == NULL) {
        return 400;
    }
    *colon = '\0';
    make_lower(line);
    return is_token(line) ? add_field(head, line, trim(colon + 1)) : 400;
}

/* --- what they say of the connection ------------------------------------------------------------------------------ */

static int read_length(struct http_head *head)
{
    const char *value = http_head_field(head, "content-length");
    int64_t length = 0;
    if (http_head_field(head, "transfer-encoding") != NULL) {
        return 400;
    }
    if (value == NULL) {
        return 0;
    }
    if (value[0] == '\0' || value[strspn(value, "0123456789")] != '\0') {
        return 400;
    }
    if (!parse_int64(value, 0, (int64_t)HTTP_BODY_MAX, &length)) {
        return 413;
    }
    head->body_length = (size_t)length;
    return head->method == HTTP_POST || length == 0 ? 0 : 400;
}

static int judge(struct http_head *head)
{
    head->host = http_head_field(head, "host");
    if (head->host == NULL || head->host[0] == '\0') {
        return 400;
    }
    if (http_head_field(head, "expect") != NULL) {
        return 417;
    }
    return read_length(head);
}

/* `text` ends with the last field's line, without the empty one. */
static int read_lines(struct http_head *head)
{
    char *line = head->text;
    for (bool first = true; line != NULL; first = false) {
        char *end = strstr(line, "\r\n");
        if (end != NULL) {
            *end = '\0';
        }
        int status = first ? read_request_line(line, head) : read_field(line, head);
        if (status != 0) {
            return status;
        }
        line = end != NULL ? end + 2 : NULL;
    }
    return judge(head);
}

enum http_reading http_head_read(const char *bytes, size_t length, struct http_head *head, size_t *used, int *status)
{
    enum http_reading reading = find_end(bytes, length, used, status);
    if (reading != HTTP_WHOLE) {
        return reading;
    }
    *head = (struct http_head){.text = xstrndup(bytes, *used - 4)};
    int refusal = read_lines(head);
    if (refusal != 0) {
        http_head_finish(head);
        return refuse(status, refusal);
    }
    return HTTP_WHOLE;
}

void http_head_finish(struct http_head *head)
{
    free(head->text);
    head->text = NULL;
}

const char *http_head_field(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->field_count; i++) {
        if (strcmp(head->fields[i].name, name) == 0) {
            return head->fields[i].value;
        }
    }
    return NULL;
}
