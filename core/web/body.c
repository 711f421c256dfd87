/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1
#define ZLIB_CONST 1

#include "web/body.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buffer.h"
#include "base/log.h"
#include "web/hex.h"

#define ZIP_FROM 200 /* bytes; below, it is no gain */
#define ZIP_LEVEL 5
#define ZIP_WINDOW (15 + 16) /* with the head and the end of gzip */

static void zip(struct body *body)
{
    z_stream stream = {.next_in = (const unsigned char *)body->text, .avail_in = (unsigned)body->length};
    if (body->length < ZIP_FROM) {
        return;
    }
    if (deflateInit2(&stream, ZIP_LEVEL, Z_DEFLATED, ZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        fatal("out of memory");
    }
    body->zipped = xmalloc(body->length);
    stream.next_out = (unsigned char *)body->zipped;
    stream.avail_out = (unsigned)body->length;
    if (deflate(&stream, Z_FINISH) == Z_STREAM_END) {
        body->zipped_length = stream.total_out;
    } else { /* it would be longer */
        free(body->zipped);
        body->zipped = NULL;
    }
    deflateEnd(&stream);
}

void body_make(struct body *body, const char *type, const char *text, size_t length)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    *body = (struct body){.type = type, .text = xmalloc(length + 1), .length = length};
    memcpy(body->text, text, length);
    body->text[length] = '\0';
    SHA256((const unsigned char *)text, length, digest);
    hex_write(digest, (BODY_TAG_SIZE - 1) / 2, body->tag);
    zip(body);
}

void body_finish(struct body *body)
{
    free(body->text);
    free(body->zipped);
    *body = (struct body){.text = NULL};
}

static bool takes_gzip(const struct http_head *head)
{
    const char *field = http_head_field(head, "accept-encoding");
    const char *found = field != NULL ? strcasestr(field, "gzip") : NULL;
    return found != NULL && strncmp(found + strlen("gzip"), ";q=0", 4) != 0;
}

void body_answer(const struct body *body, struct http_request *request)
{
    const struct http_head *head = http_request_head(request);
    const char *known = http_head_field(head, "if-none-match");
    bool zipped = body->zipped != NULL && takes_gzip(head);
    bool same = known != NULL && strstr(known, body->tag) != NULL;
    struct buffer fields = {0};
    buffer_printf(&fields, "ETag: \"%s%s\"\r\nVary: Accept-Encoding\r\n%s", body->tag, zipped ? ".gz" : "",
                  zipped && !same ? "Content-Encoding: gzip\r\n" : "");
    http_reply(request, &(struct http_answer){.status = same ? 304 : 200,
                                              .type = same ? NULL : body->type,
                                              .cache = body->cache,
                                              .fields = buffer_text(&fields),
                                              .body = zipped ? body->zipped : body->text,
                                              .length = zipped ? body->zipped_length : body->length});
    buffer_finish(&fields);
}
