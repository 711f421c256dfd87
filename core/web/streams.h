/* SPDX-License-Identifier: PostgreSQL */
/* Tells browsers when pages have changed, by server-sent events that carry the version of a page, not the page.
 *
 * Does: hold the pages that are named, and say "event: v" with {"/d/main/jobs": "VERSION"} of those that changed, at
 *   most four times a second; a comment each 15 s, at which it is also asked again who may go on.
 * Does not: say what changed. The browser then asks for the page. */
#ifndef CHIME_WEB_STREAMS_H
#define CHIME_WEB_STREAMS_H

#include "web/pages.h"

#define STREAMS_MAX 400      /* of 640 connections: the others are for what is asked */
#define STREAM_TOPICS_MAX 64 /* of one */

struct streams;

/* What who asked for a stream may not hear of. */
struct stream_rights {
    bool hides_commands; /* of pages without the texts of jobs */
    bool tiles_alone;
};

/* Whether who sent the request may still hear. */
typedef bool streams_allowed(void *data, const struct http_request *request, const struct stream_rights *rights);

/* Borrows the pages. */
struct streams *streams_create(struct loop *loop, struct pages *pages, streams_allowed *allowed, void *data);
/* Before the pages; the connections are left to their server. Takes NULL. */
void streams_destroy(struct streams *streams);
size_t streams_count(const struct streams *streams);
/* Answers the request. `topics`: paths below /api/v1, as they are written, with blanks between them. */
void streams_begin(struct streams *streams, struct http_request *request, const char *topics,
                   struct stream_rights rights);

#endif
