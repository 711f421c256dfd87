/* SPDX-License-Identifier: PostgreSQL */
/* The head of a request of HTTP/1.1, read strictly: what two readers could understand differently is refused.
 *
 * Does: find where a head ends, and read the line of the request and the fields; say with which status it is refused.
 * Does not: know what a target or a field means, but for Host, Content-Length, Connection, and what changes how the
 *   rest of the connection is read.
 * Refused are: no Host or two, two Content-Lengths or one that is no plain number, any Transfer-Encoding, a field that
 * comes twice and is no list, white space before a colon, folded lines, NUL and other controls, a CR or LF without the
 * other, other versions than HTTP/1.1, other methods than GET, HEAD and POST, targets that do not begin with '/'. */
#ifndef CHIME_HTTP_HEAD_H
#define CHIME_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_MAX ((size_t)8 << 10)
#define HTTP_BODY_MAX ((size_t)16 << 10)
#define HTTP_TARGET_MAX 4096
#define HTTP_FIELDS_MAX 64

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST };

struct http_field {
    const char *name; /* in lower case */
    const char *value;
};

struct http_head {
    char *text; /* what the others point into */
    enum http_method method;
    const char *target; /* begins with '/', ASCII without controls and blanks */
    const char *host;
    size_t body_length;
    bool last; /* the connection is to be closed behind the answer */
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t field_count;
};

enum http_reading { HTTP_MORE, HTTP_WHOLE, HTTP_REFUSED };

/* Reads what has come so far. HTTP_WHOLE: `head` is filled, for http_head_finish, and `used` bytes were its. Refused:
 * `status` says with which status, and `head` needs no finish. */
enum http_reading http_head_read(const char *bytes, size_t length, struct http_head *head, size_t *used, int *status);
void http_head_finish(struct http_head *head);
/* The value of a field, its name in lower case; NULL when it is not there. */
const char *http_head_field(const struct http_head *head, const char *name);

#endif
