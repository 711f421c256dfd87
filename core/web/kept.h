/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/web: a page as it was answered last, or with those who wait for it.
 *
 * Does: answer with what there is; say how long that is good, and when it is to be made again.
 * Does not: ask a database, or know which other pages there are (pages.h). */
#ifndef CHIME_WEB_KEPT_H
#define CHIME_WEB_KEPT_H

#include "web/body.h"
#include "web/page.h"
#include "web/pages.h"

#define KEPT_VERSION_SIZE 16

/* What one database says to a page. */
struct part {
    struct kept *kept;
    const struct config_database *database;
    struct question questions[PAGE_QUESTIONS_MAX];
    size_t count;
    struct pg_rows answers[PAGE_QUESTIONS_MAX];
    bool failed;
    struct error failure;
};

/* A page as it was answered last, or with those who wait for it. */
struct kept {
    struct pages *pages;
    struct kept *next;
    char *name;
    bool hides;
    struct page *page; /* while it is being made */
    struct part *parts;
    size_t part_count;
    size_t missing; /* parts */
    struct http_request **waiting;
    size_t waiting_count;
    struct body body;
    int status;
    struct error problem; /* unless the status is 200 */
    instant asked_at;
    instant fresh_until;
    size_t holders;
    instant due; /* while somebody holds it: when it is made again */
    char version[KEPT_VERSION_SIZE];
    /* Of a tile: */
    char *plugin; /* NULL: it is none */
    size_t database;
    bool is_public;
    bool moved;   /* a view of its plugin changed while it is being made */
    char *wanted; /* the version that was asked for; NULL: none */
    instant same_until;
    instant cached_until;
    instant again_from; /* not before that, also when a view of its plugin changed */
};

void kept_forget_parts(struct kept *kept);
void kept_destroy(struct kept *kept);
/* With the body, or the problem. */
void kept_answer(const struct kept *kept, struct http_request *request);
void kept_wait(struct kept *kept, struct http_request *request);
void kept_answer_all(struct kept *kept); /* that wait */
/* What each database said goes into the page; false: the page is that error. */
bool kept_take_parts(struct kept *kept, struct error *err);
/* Whether it need not be asked for again. `version`: of a tile, the one that is asked for; NULL: any. */
bool kept_is_fresh(const struct kept *kept, const char *version);
/* It was made just now, and is good for so long; sets when it is made again. `cost`: of a tile. */
void kept_plan(struct kept *kept, duration fresh, const struct page_cost *cost);

#endif
