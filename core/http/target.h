/* SPDX-License-Identifier: PostgreSQL */
/* The target of a request, taken apart: "/d/main/job/a%2Fb?limit=5".
 *
 * Does: split the path at its slashes, then decode each part, so that a decoded slash is no slash; likewise the query.
 * Does not: resolve "." and "..": they are refused, as are empty parts, broken escapes, and what decodes to NUL, to a
 *   control or to no UTF-8. */
#ifndef CHIME_HTTP_TARGET_H
#define CHIME_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_PARTS_MAX 12
#define HTTP_QUERIES_MAX 16

struct http_query {
    const char *name;
    const char *value; /* "" without one */
};

struct http_target {
    char *text;                        /* what the others point into */
    const char *parts[HTTP_PARTS_MAX]; /* "/" has none */
    size_t part_count;
    struct http_query queries[HTTP_QUERIES_MAX];
    size_t query_count;
};

/* False when it is refused; then it needs no finish. A name that comes twice in a query is refused, too. */
bool http_target_read(const char *text, struct http_target *target);
void http_target_finish(struct http_target *target);
const char *http_target_query(const struct http_target *target, const char *name); /* NULL: not there */

#endif
