/* SPDX-License-Identifier: PostgreSQL */
#include "web/pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "loop/resolve.h"
#include "web/body.h"
#include "web/page.h"
#include "web/session.h"

#define KEPT_MAX 64
#define FRESH_FOR USEC_PER_SEC

struct kept;

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
    struct page *page; /* while it is being made */
    struct part *parts;
    size_t part_count;
    size_t missing; /* parts */
    struct http_request **waiting;
    size_t waiting_count;
    struct body body;
    int status;
    struct error problem; /* unless the status is 200 */
    instant fresh_until;
};

struct pages {
    struct loop *loop;
    struct resolver *resolver;
    const struct config *config;
    struct session **sessions; /* by place in the configuration */
    struct kept *kept;         /* latest first */
};

static void forget_parts(struct kept *kept)
{
    for (size_t i = 0; i < kept->part_count; i++) {
        for (size_t answer = 0; answer < kept->parts[i].count; answer++) {
            pg_rows_finish(&kept->parts[i].answers[answer]);
        }
    }
    free(kept->parts);
    kept->parts = NULL;
    kept->part_count = 0;
}

static void destroy_kept(struct kept *kept)
{
    forget_parts(kept);
    if (kept->page != NULL) {
        page_destroy(kept->page);
    }
    body_finish(&kept->body);
    free(kept->waiting);
    free(kept->name);
    free(kept);
}

/* --- answering ---------------------------------------------------------------------------------------------------- */

static void answer(const struct kept *kept, struct http_request *request)
{
    if (kept->status == 200) {
        body_answer(&kept->body, request);
    } else {
        http_reply_problem(request, kept->status, kept->problem.message,
                           kept->problem.hint[0] != '\0' ? kept->problem.hint : NULL, NULL);
    }
}

static void answer_all(struct kept *kept)
{
    struct http_request **waiting = kept->waiting;
    size_t count = kept->waiting_count;
    kept->waiting = NULL;
    kept->waiting_count = 0;
    for (size_t i = 0; i < count; i++) {
        answer(kept, waiting[i]);
    }
    free(waiting);
}

static int status_of(const struct error *err)
{
    return err->kind == ERROR_NOT_FOUND ? 404 : err->kind == ERROR_USAGE ? 400 : 503;
}

static bool take_parts(struct kept *kept, struct error *err)
{
    for (size_t i = 0; i < kept->part_count; i++) {
        struct part *part = &kept->parts[i];
        *err = part->failure;
        bool taken = part->failed ? page_take_failure(kept->page, part->database, err)
                                  : page_take(kept->page, part->database, part->answers, err);
        if (!taken) {
            return false;
        }
    }
    return true;
}

static void put_body(struct kept *kept)
{
    struct buffer text = {0};
    page_put(kept->page, &text);
    body_finish(&kept->body);
    body_make(&kept->body, "application/json", buffer_text(&text), text.length);
    buffer_finish(&text);
    kept->status = 200;
    if (!page_is_well(kept->page)) {
        kept->status = 503;
        error_set(&kept->problem, ERROR_REFUSED, "not every database is reachable and led");
        error_hint(&kept->problem, "pgchime status says what is wrong");
    }
}

static void ask(struct kept *kept);

static void finish(struct kept *kept)
{
    bool taken = take_parts(kept, &kept->problem);
    if (taken && page_asks_again(kept->page)) {
        forget_parts(kept);
        ask(kept);
        return;
    }
    if (taken) {
        put_body(kept);
    } else {
        kept->status = status_of(&kept->problem);
    }
    forget_parts(kept);
    page_destroy(kept->page);
    kept->page = NULL;
    kept->fresh_until = clock_boot() + FRESH_FOR;
    answer_all(kept);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void said(void *data, const struct pg_reply *reply, const struct error *err)
{
    struct part *part = data;
    for (size_t i = 0; reply != NULL && i < part->count; i++) {
        pg_rows_of_reply(reply, i, &part->answers[i]);
    }
    if (err != NULL) {
        part->failed = true;
        part->failure = *err;
    }
    if (--part->kept->missing == 0) {
        finish(part->kept);
    }
}

static void ask(struct kept *kept)
{
    struct pages *pages = kept->pages;
    size_t first;
    page_databases(kept->page, &first, &kept->part_count);
    kept->parts = xcalloc(kept->part_count, sizeof(*kept->parts));
    kept->missing = kept->part_count;
    for (size_t i = 0; i < kept->part_count; i++) { /* each is answered later */
        struct part *part = &kept->parts[i];
        part->kept = kept;
        part->database = &pages->config->databases[first + i];
        part->count = page_ask(kept->page, part->database, part->questions);
        session_ask(pages->sessions[first + i], part->questions, part->count, said, part);
    }
}

static struct kept *find_kept(const struct pages *pages, const char *name)
{
    struct kept *kept = pages->kept;
    while (kept != NULL && strcmp(kept->name, name) != 0) {
        kept = kept->next;
    }
    return kept;
}

/* The oldest ones go, unless somebody waits for them. */
static void drop_old(struct pages *pages)
{
    struct kept **link = &pages->kept;
    for (size_t count = 1; *link != NULL; count++) {
        struct kept *kept = *link;
        if (count > KEPT_MAX && kept->page == NULL) {
            *link = kept->next;
            destroy_kept(kept);
        } else {
            link = &kept->next;
        }
    }
}

static struct kept *keep(struct pages *pages, const char *name)
{
    struct kept *kept = xcalloc(1, sizeof(*kept));
    *kept = (struct kept){.pages = pages, .next = pages->kept, .name = xstrdup(name)};
    pages->kept = kept;
    drop_old(pages);
    return kept;
}

static void wait_for(struct kept *kept, struct http_request *request)
{
    kept->waiting = xrealloc(kept->waiting, kept->waiting_count + 1, sizeof(struct http_request *));
    kept->waiting[kept->waiting_count++] = request;
}

void pages_answer(struct pages *pages, struct http_request *request, const char *name, struct http_target *target)
{
    struct error err;
    struct kept *kept = find_kept(pages, name);
    if (kept != NULL && (kept->page != NULL || clock_boot() < kept->fresh_until)) {
        http_target_finish(target);
        if (kept->page != NULL) {
            wait_for(kept, request);
        } else {
            answer(kept, request);
        }
        return;
    }
    struct page *page = page_create(pages->config, target, &err);
    if (page == NULL) {
        http_reply_problem(request, status_of(&err), err.message, err.hint[0] != '\0' ? err.hint : NULL, NULL);
        return;
    }
    kept = kept != NULL ? kept : keep(pages, name);
    kept->page = page;
    wait_for(kept, request);
    ask(kept);
}

struct pages *pages_create(struct loop *loop, const struct config *config)
{
    struct pages *pages = xcalloc(1, sizeof(*pages));
    *pages = (struct pages){.loop = loop, .config = config, .resolver = resolver_create(loop)};
    pages->sessions = xcalloc(config->database_count, sizeof(struct session *));
    for (size_t i = 0; i < config->database_count; i++) {
        pages->sessions[i] = session_create(loop, pages->resolver, &config->databases[i]);
    }
    return pages;
}

void pages_destroy(struct pages *pages)
{
    if (pages == NULL) {
        return;
    }
    for (size_t i = 0; i < pages->config->database_count; i++) {
        session_destroy(pages->sessions[i]);
    }
    free(pages->sessions);
    while (pages->kept != NULL) {
        struct kept *next = pages->kept->next;
        destroy_kept(pages->kept);
        pages->kept = next;
    }
    resolver_destroy(pages->resolver);
    free(pages);
}
