/* SPDX-License-Identifier: PostgreSQL */
/* Any bytes as what a client sends, in pieces; the first byte says how long they are. What must hold: the answer does
 * not depend on the pieces; what is taken has one Host, no length twice, no other encoding, and a target that no two
 * readers take apart differently. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "http/head.h"
#include "http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static size_t count_fields(const struct http_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        count += strcmp(head->fields[i].name, name) == 0 ? 1 : 0;
    }
    return count;
}

static void check_target(const char *text)
{
    struct http_target target;
    if (!http_target_read(text, &target)) {
        return;
    }
    for (size_t i = 0; i < target.part_count; i++) {
        const char *part = target.parts[i];
        require(part[0] != '\0' && strcmp(part, ".") != 0 && strcmp(part, "..") != 0);
        require(utf8_valid(part, strlen(part)));
    }
    for (size_t i = 0; i < target.query_count; i++) {
        require(http_target_query(&target, target.queries[i].name) == target.queries[i].value);
    }
    http_target_finish(&target);
}

static void check_head(const struct http_head *head, size_t used, size_t length)
{
    require(used <= length && used <= HTTP_HEAD_MAX);
    require(count_fields(head, "host") == 1 && count_fields(head, "content-length") <= 1);
    require(count_fields(head, "transfer-encoding") == 0 && head->body_length <= HTTP_BODY_MAX);
    require(head->body_length == 0 || head->method == HTTP_POST);
    for (const char *at = head->target; *at != '\0'; at++) {
        require(*at > ' ' && *at != 0x7f);
    }
    check_target(head->target);
}

/* A copy of just that size, so that a read past its end is seen. */
static enum http_reading read_copy(const char *bytes, size_t length, struct http_head *head, size_t *used, int *status)
{
    char *copy = xmalloc(length > 0 ? length : 1);
    memcpy(copy, bytes, length);
    enum http_reading reading = http_head_read(copy, length, head, used, status);
    free(copy);
    return reading;
}

static enum http_reading read_in_pieces(const char *bytes, size_t length, size_t piece, int *status, size_t *used)
{
    enum http_reading reading = HTTP_MORE;
    struct http_head head;
    for (size_t come = piece; reading == HTTP_MORE && come < length + piece; come += piece) {
        reading = read_copy(bytes, come < length ? come : length, &head, used, status);
    }
    if (reading == HTTP_WHOLE) {
        http_head_finish(&head);
    }
    return reading;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct http_head head;
    size_t used = 0;
    size_t used_in_pieces = 0;
    int status = 0;
    int status_in_pieces = 0;
    if (length == 0) {
        return 0;
    }
    const char *text = (const char *)bytes + 1;
    size_t piece = bytes[0] % 64 + (size_t)1;
    enum http_reading reading = read_copy(text, --length, &head, &used, &status);
    require(read_in_pieces(text, length, piece, &status_in_pieces, &used_in_pieces) == reading);
    require(reading == HTTP_REFUSED ? status == status_in_pieces && status >= 400 : used == used_in_pieces);
    if (reading == HTTP_WHOLE) {
        check_head(&head, used, length);
        http_head_finish(&head);
    }
    return 0;
}
