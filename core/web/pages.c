/* SPDX-License-Identifier: PostgreSQL */
#include "web/pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "loop/resolve.h"
#include "report/metrics.h"
#include "web/body.h"
#include "web/page.h"
#include "web/session.h"
#include "web/tile_bounds.h"

#define KEPT_MAX 64 /* that nobody holds */
#define HELD_MAX 256
#define LONGEST_PAUSE (30 * USEC_PER_SEC)
#define PAUSE_FOR_COST 10 /* as many times as long as it took */
#define PAUSE_AFTER_FAILURE (2 * USEC_PER_SEC)
#define BETWEEN (100 * USEC_PER_MSEC) /* two that are made by themselves */
#define KEPT_VERSION_SIZE 16
#define SAME_FOR (10 * USEC_PER_SEC)        /* of plugins, of what is asked for as one version */
#define PAUSE_OF_PLUGINS (5 * USEC_PER_SEC) /* after a failure of theirs */

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
    char *wanted; /* of plugins: the version that was asked for; NULL: none */
    instant same_until;
};

struct pages {
    struct loop *loop;
    struct resolver *resolver;
    const struct config *config;
    struct session **sessions; /* by place in the configuration */
    struct session **tile_sessions;
    struct tile_bounds bounds;
    struct kept *kept; /* latest first */
    size_t held;
    struct loop_timer *timer;
    void (*changed)(void *data);
    void *data;
    void (*figures)(void *data, struct metrics *metrics);
    void *figures_data;
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
    free(kept->wanted);
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

int pages_status(const struct error *err)
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

/* Of this process. */
static void add_figures(const struct pages *pages, struct metrics *metrics)
{
    for (size_t i = 0; i < pages->config->database_count; i++) {
        metrics_add_queries(metrics, pages->config->databases[i].name, session_asked(pages->sessions[i]),
                            session_took(pages->sessions[i]));
    }
    if (pages->figures != NULL) {
        pages->figures(pages->figures_data, metrics);
    }
}

static void put_body(struct kept *kept)
{
    struct buffer text = {0};
    if (page_figures(kept->page) != NULL) {
        add_figures(kept->pages, page_figures(kept->page));
    }
    page_put(kept->page, &text);
    body_finish(&kept->body);
    body_make(&kept->body, page_type(kept->page), buffer_text(&text), text.length);
    buffer_finish(&text);
    kept->status = 200;
    if (!page_is_well(kept->page)) {
        kept->status = 503;
        error_set(&kept->problem, ERROR_REFUSED, "not every database is reachable and led");
        error_hint(&kept->problem, "pgchime status says what is wrong");
    }
}

/* --- again -------------------------------------------------------------------------------------------------------- */

static void set_timer(struct pages *pages, duration least)
{
    instant first = INSTANT_NEVER;
    for (const struct kept *kept = pages->kept; kept != NULL; kept = kept->next) {
        if (kept->holders > 0 && kept->page == NULL && kept->due < first) {
            first = kept->due;
        }
    }
    if (first == INSTANT_NEVER) {
        loop_timer_clear(pages->timer);
    } else {
        duration left = first - clock_boot();
        loop_timer_set(pages->timer, left > least ? left : least);
    }
}

static void note_version(struct kept *kept)
{
    char version[KEPT_VERSION_SIZE];
    if (kept->status == 200) {
        snprintf(version, sizeof(version), "%.12s", kept->body.tag);
    } else {
        struct body problem;
        body_make(&problem, "", kept->problem.message, strlen(kept->problem.message));
        snprintf(version, sizeof(version), "!%.12s", problem.tag);
        body_finish(&problem);
    }
    bool same = strcmp(version, kept->version) == 0;
    memcpy(kept->version, version, sizeof(version));
    if (!same && kept->holders > 0 && kept->pages->changed != NULL) {
        kept->pages->changed(kept->pages->data);
    }
}

/* What a plugin asks for may be dear: it is left alone for longer, also where somebody asks, and for long where it took
 * too long. */
static duration pause_of_plugins(const struct kept *kept, const struct page_cost *cost)
{
    if (kept->status != 200) {
        return strcmp(kept->problem.sqlstate, "57014") == 0 ? LONGEST_PAUSE : PAUSE_OF_PLUGINS;
    }
    return cost->took_us * PAUSE_FOR_COST > USEC_PER_SEC ? cost->took_us * PAUSE_FOR_COST : USEC_PER_SEC;
}

static void plan_again(struct kept *kept, duration fresh, const struct page_cost *cost)
{
    instant now = clock_boot();
    duration pause = PAUSE_FOR_COST * (now - kept->asked_at);
    pause = kept->status != 200 ? PAUSE_AFTER_FAILURE : pause < fresh ? fresh : pause;
    if (cost != NULL) {
        fresh = pause_of_plugins(kept, cost);
        pause = pause < SAME_FOR ? SAME_FOR : pause;
    }
    kept->due = now + (pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE);
    kept->fresh_until = kept->holders > 0 && cost == NULL ? kept->due : now + fresh;
    kept->same_until = now + SAME_FOR;
    set_timer(kept->pages, BETWEEN);
}

static void ask(struct kept *kept);

static void note_cost(struct kept *kept, const struct page_cost *cost)
{
    struct pages *pages = kept->pages;
    const struct config_database *database = kept->parts[0].database;
    if (cost->plugin != NULL && tile_bounds_note(&pages->bounds, database->name, cost)) {
        char *took = xasprintf("%lld", (long long)cost->took_us);
        const char *parameters[] = {cost->plugin, cost->tile, took};
        session_tell(pages->tile_sessions[database - pages->config->databases], "SELECT chime.note_tile($1, $2, $3)",
                     parameters, COUNT_OF(parameters));
        free(took);
    }
}

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
        kept->status = pages_status(&kept->problem);
    }
    bool of_plugins = page_is_of_plugins(kept->page);
    const struct page_cost cost = page_took(kept->page);
    note_cost(kept, &cost);
    duration fresh = page_fresh_for(kept->page);
    forget_parts(kept);
    page_destroy(kept->page);
    kept->page = NULL; /* only then is it among those that are planned */
    plan_again(kept, fresh, of_plugins ? &cost : NULL);
    answer_all(kept);
    note_version(kept);
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
    struct session **sessions = page_is_of_plugins(kept->page) ? pages->tile_sessions : pages->sessions;
    size_t first;
    page_databases(kept->page, &first, &kept->part_count);
    kept->parts = xcalloc(kept->part_count, sizeof(*kept->parts));
    kept->missing = kept->part_count;
    for (size_t i = 0; i < kept->part_count; i++) { /* each is answered later */
        struct part *part = &kept->parts[i];
        part->kept = kept;
        part->database = &pages->config->databases[first + i];
        part->count = page_ask(kept->page, part->database, part->questions);
        session_ask(sessions[first + i], part->questions, part->count, said, part);
    }
}

static struct kept *find_kept(const struct pages *pages, const char *name, bool hides)
{
    struct kept *kept = pages->kept;
    while (kept != NULL && (kept->hides != hides || strcmp(kept->name, name) != 0)) {
        kept = kept->next;
    }
    return kept;
}

/* The oldest ones go, unless somebody waits for them or holds them. */
static void drop_old(struct pages *pages)
{
    struct kept **link = &pages->kept;
    for (size_t count = 1; *link != NULL; count++) {
        struct kept *kept = *link;
        if (count > KEPT_MAX && kept->page == NULL && kept->holders == 0) {
            *link = kept->next;
            destroy_kept(kept);
        } else {
            link = &kept->next;
        }
    }
}

static struct kept *keep(struct pages *pages, const char *name, bool hides)
{
    struct kept *kept = xcalloc(1, sizeof(*kept));
    *kept = (struct kept){.pages = pages, .next = pages->kept, .name = xstrdup(name), .hides = hides};
    pages->kept = kept;
    return kept;
}

/* Below /api/v1, or what stands beside it. */
static struct page *read_page(const struct pages *pages, const char *name, struct error *err)
{
    struct http_target target;
    if (!http_target_read(name, &target)) {
        error_set(err, ERROR_USAGE, "the target has no meaning");
        error_hint(err, "parts are not empty, and encoded as percent signs and UTF-8 have it");
        return NULL;
    }
    if (target.part_count > 2 && strcmp(target.parts[0], "api") == 0) {
        target.part_count -= 2;
        memmove(target.parts, target.parts + 2, target.part_count * sizeof(target.parts[0]));
    }
    return page_create(pages->config, &target, err);
}

static void begin(struct kept *kept, struct page *page)
{
    kept->page = page;
    kept->asked_at = clock_boot();
    if (kept->hides) {
        page_hide_commands(page);
    }
    ask(kept);
}

static void wait_for(struct kept *kept, struct http_request *request)
{
    kept->waiting = xrealloc(kept->waiting, kept->waiting_count + 1, sizeof(struct http_request *));
    kept->waiting[kept->waiting_count++] = request;
}

static bool is_fresh(const struct kept *kept, const char *version)
{
    instant now = clock_boot();
    return now < kept->fresh_until || (kept->status == 200 && now < kept->same_until && version != NULL &&
                                       kept->wanted != NULL && strcmp(version, kept->wanted) == 0);
}

static void answer_by_name(struct pages *pages, struct http_request *request, const char *name, const char *version,
                           bool hides)
{
    struct error err;
    struct kept *kept = find_kept(pages, name, hides);
    if (kept != NULL && kept->page != NULL) {
        wait_for(kept, request);
        return;
    }
    if (kept != NULL && is_fresh(kept, version)) {
        answer(kept, request);
        return;
    }
    struct page *page = read_page(pages, name, &err);
    if (page == NULL) {
        http_reply_problem(request, pages_status(&err), err.message, err.hint[0] != '\0' ? err.hint : NULL, NULL);
        return;
    }
    kept = kept != NULL ? kept : keep(pages, name, hides);
    free(kept->wanted);
    kept->wanted = version != NULL ? xstrdup(version) : NULL;
    wait_for(kept, request);
    begin(kept, page);
    drop_old(pages);
}

/* Of a tile the version is no part of the name: a new one takes the place of the old one. */
void pages_answer(struct pages *pages, struct http_request *request, const char *target, bool hides)
{
    const char *found = strstr(target, "/tile/") != NULL ? strstr(target, "version=") : NULL;
    if (found == NULL || (found[-1] != '?' && found[-1] != '&')) {
        answer_by_name(pages, request, target, NULL, hides);
        return;
    }
    size_t length = strcspn(found, "&");
    char *version = xasprintf("%.*s", (int)length, found);
    char *name = xasprintf("%.*s%s", (int)(found - 1 - target), target, found + length);
    answer_by_name(pages, request, name, version, hides);
    free(name);
    free(version);
}

/* --- holding ------------------------------------------------------------------------------------------------------ */

/* The one that is due first. */
static void make_next(void *data)
{
    struct pages *pages = data;
    struct error err;
    struct kept *next = NULL;
    for (struct kept *kept = pages->kept; kept != NULL; kept = kept->next) {
        if (kept->holders > 0 && kept->page == NULL && (next == NULL || kept->due < next->due)) {
            next = kept;
        }
    }
    if (next != NULL && next->due <= clock_boot()) {
        begin(next, read_page(pages, next->name, &err)); /* it was read before */
    }
    set_timer(pages, BETWEEN);
}

struct kept *pages_hold(struct pages *pages, const char *target, bool hides, struct error *err)
{
    struct kept *kept = find_kept(pages, target, hides);
    if (kept == NULL) {
        struct page *page = read_page(pages, target, err);
        if (page == NULL) {
            return NULL;
        }
        page_destroy(page);
        kept = keep(pages, target, hides);
    }
    if (kept->holders == 0 && pages->held == HELD_MAX) {
        error_set(err, ERROR_REFUSED, "%d different pages are followed already", HELD_MAX);
        error_hint(err, "ask for the page from time to time, with the ETag that it had");
        return NULL;
    }
    pages->held += kept->holders == 0 ? 1 : 0;
    kept->holders++;
    set_timer(pages, 0);
    return kept;
}

void pages_release(struct pages *pages, struct kept *kept)
{
    kept->holders--;
    if (kept->holders == 0) {
        pages->held--;
        kept->fresh_until = 0;
        drop_old(pages);
        set_timer(pages, BETWEEN);
    }
}

const char *kept_version(const struct kept *kept)
{
    return kept->version;
}

void pages_on_change(struct pages *pages, void (*changed)(void *data), void *data)
{
    pages->changed = changed;
    pages->data = data;
}

void pages_on_figures(struct pages *pages, void (*figures)(void *data, struct metrics *metrics), void *data)
{
    pages->figures = figures;
    pages->figures_data = data;
}

struct pages *pages_create(struct loop *loop, const struct config *config)
{
    struct pages *pages = xcalloc(1, sizeof(*pages));
    *pages = (struct pages){.loop = loop, .config = config, .resolver = resolver_create(loop)};
    pages->timer = loop_timer_create(loop, make_next, pages);
    pages->sessions = xcalloc(config->database_count, sizeof(struct session *));
    pages->tile_sessions = xcalloc(config->database_count, sizeof(struct session *));
    for (size_t i = 0; i < config->database_count; i++) {
        pages->sessions[i] = session_create(loop, pages->resolver, &config->databases[i], SESSION_LEDGER);
        pages->tile_sessions[i] = session_create(loop, pages->resolver, &config->databases[i], SESSION_TILES);
    }
    return pages;
}

void pages_destroy(struct pages *pages)
{
    if (pages == NULL) {
        return;
    }
    loop_timer_destroy(pages->timer);
    for (size_t i = 0; i < pages->config->database_count; i++) {
        session_destroy(pages->sessions[i]);
        session_destroy(pages->tile_sessions[i]);
    }
    free(pages->sessions);
    free(pages->tile_sessions);
    tile_bounds_finish(&pages->bounds);
    while (pages->kept != NULL) {
        struct kept *next = pages->kept->next;
        destroy_kept(pages->kept);
        pages->kept = next;
    }
    resolver_destroy(pages->resolver);
    free(pages);
}
