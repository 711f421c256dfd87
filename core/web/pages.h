/* SPDX-License-Identifier: PostgreSQL */
/* Pages that are asked for, each made once however many ask for it at a time, and again when it is older than a second.
 *
 * Does: ask each database that the page is about, and answer everybody when the last one has answered, or has not in
 *   time.
 * Does not: know who may see what. */
#ifndef CHIME_WEB_PAGES_H
#define CHIME_WEB_PAGES_H

#include "config/config.h"
#include "http/request.h"
#include "http/target.h"
#include "loop/loop.h"

struct pages;

/* The configuration is borrowed. */
struct pages *pages_create(struct loop *loop, const struct config *config);
void pages_destroy(struct pages *pages); /* who waits is not answered; takes NULL */
/* Answers the request, now or later. `name` is the target as it was written; `target` is taken over. */
void pages_answer(struct pages *pages, struct http_request *request, const char *name, struct http_target *target);

#endif
