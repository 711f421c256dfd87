/* SPDX-License-Identifier: PostgreSQL */
/* Pages that are asked for, each made once however many ask for it at a time, and again when it is older than a second.
 *
 * Does: ask each database that the page is about, and answer everybody when the last one has answered, or has not in
 *   time. A page that is held is made again by itself: ten times as long after it was made as that took, within 1 s and
 *   30 s, and 2 s after it could not be read. Ten pages a second are begun at most, however many are held. A tile that
 *   is held is made again when a view of its plugin changed (tile_moves.h), and else after 10 s.
 * Does not: know who may see what. */
#ifndef CHIME_WEB_PAGES_H
#define CHIME_WEB_PAGES_H

#include "config/web.h"
#include "http/request.h"
#include "http/target.h"
#include "loop/loop.h"

struct pages;
struct kept;

/* The configuration is borrowed. */
struct pages *pages_create(struct loop *loop, const struct web_config *config);
void pages_destroy(struct pages *pages); /* who waits is not answered; takes NULL */
/* Answers the request, now or later, with the page of that target. `hides`: without the texts of jobs. */
void pages_answer(struct pages *pages, struct http_request *request, const char *target, bool hides);
/* Called for each text of metrics, to add what is known of this process. */
struct metrics;
void pages_on_figures(struct pages *pages, void (*figures)(void *data, struct metrics *metrics), void *data);

/* The page of a target as it is written ("/api/v1/d/main/jobs"), held until it is released as often. NULL with the
 * error, as for page_create; ERROR_REFUSED: 256 are held already. */
struct kept *pages_hold(struct pages *pages, const char *target, bool hides, struct error *err);
void pages_release(struct pages *pages, struct kept *kept);
/* Another text when the page is another one: the beginning of its ETag, or of what is wrong. "": it is being made. */
const char *kept_version(const struct kept *kept);
/* Called when the version of a page that is held has changed. */
void pages_on_change(struct pages *pages, void (*changed)(void *data), void *data);
/* The status of an error: 400, 404, 503. */
int pages_status(const struct error *err);

#endif
