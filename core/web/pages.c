/* SPDX-License-Identifier: PostgreSQL */
#include "web/pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "loop/resolve.h"
#include "report/metrics.h"
#include "web/kept.h"
#include "web/session.h"
#include "web/tile_bounds.h"
#include "web/tile_moves.h"

#define KEPT_MAX 64 /* that nobody holds */
#define HELD_MAX 256
#define BETWEEN (100 * USEC_PER_MSEC) /* two that are made by themselves */
#define PUBLIC_CACHE "public, max-age=60, stale-while-revalidate=60"

/* One database, whose tiles are followed. */
struct followed {
    struct pages *pages;
    size_t database;
    struct tile_moves *moves;
};

struct pages {
    struct loop *loop;
    struct resolver *resolver;
    const struct web_config *web;
    const struct config *config;
    struct session **sessions; /* by place in the configuration, as those below */
    struct session **tile_sessions;
    struct followed *followed;
    struct tile_bounds bounds;
    struct kept *kept; /* latest first */
    size_t held;
    struct loop_timer *timer;
    void (*changed)(void *data);
    void *data;
    void (*figures)(void *data, struct metrics *metrics);
    void *figures_data;
};

int pages_status(const struct error *err)
{
    return err->kind == ERROR_NOT_FOUND ? 404 : err->kind == ERROR_USAGE ? 400 : 503;
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
    kept->body.cache = kept->is_public ? PUBLIC_CACHE : NULL;
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
    bool taken = kept_take_parts(kept, &kept->problem);
    if (taken && page_asks_again(kept->page)) {
        kept_forget_parts(kept);
        ask(kept);
        return;
    }
    if (taken) {
        put_body(kept);
    } else {
        kept->status = pages_status(&kept->problem);
    }
    const struct page_cost cost = page_took(kept->page);
    note_cost(kept, &cost);
    duration fresh = page_fresh_for(kept->page);
    kept_forget_parts(kept);
    page_destroy(kept->page);
    kept->page = NULL; /* only then is it among those that are planned */
    kept_plan(kept, fresh, &cost);
    set_timer(kept->pages, BETWEEN);
    kept_answer_all(kept);
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
    struct session **sessions = kept->plugin != NULL ? pages->tile_sessions : pages->sessions;
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
            kept_destroy(kept);
        } else {
            link = &kept->next;
        }
    }
}

static struct kept *keep(struct pages *pages, const char *name, bool hides, const struct page *page)
{
    struct page_tile tile = page_tile_of(page);
    struct kept *kept = xcalloc(1, sizeof(*kept));
    *kept = (struct kept){.pages = pages, .next = pages->kept, .name = xstrdup(name), .hides = hides};
    if (tile.plugin != NULL) {
        kept->plugin = xstrdup(tile.plugin);
        kept->database = (size_t)(tile.database - pages->config->databases);
        kept->is_public = !tile.asked_more &&
                          web_tile_is_public(pages->web, tile.database->name, tile.plugin, tile.number);
    }
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

static void answer_by_name(struct pages *pages, struct http_request *request, const char *name, const char *version,
                           bool hides)
{
    struct error err;
    struct kept *kept = find_kept(pages, name, hides);
    if (kept != NULL && kept->page != NULL) {
        kept_wait(kept, request);
        return;
    }
    if (kept != NULL && kept_is_fresh(kept, version)) {
        kept_answer(kept, request);
        return;
    }
    struct page *page = read_page(pages, name, &err);
    if (page == NULL) {
        http_reply_problem(request, pages_status(&err), err.message, err.hint[0] != '\0' ? err.hint : NULL, NULL);
        return;
    }
    kept = kept != NULL ? kept : keep(pages, name, hides, page);
    free(kept->wanted);
    kept->wanted = version != NULL ? xstrdup(version) : NULL;
    kept_wait(kept, request);
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

/* They are asked one after the other, in a session of their own. */
static void tile_moved(void *data, const char *plugin)
{
    const struct followed *followed = data;
    struct pages *pages = followed->pages;
    struct error err;
    for (struct kept *kept = pages->kept; kept != NULL; kept = kept->next) {
        if (kept->holders == 0 || kept->plugin == NULL || kept->database != followed->database ||
            strcmp(kept->plugin, plugin) != 0) {
            continue;
        }
        if (kept->page != NULL) {
            kept->moved = true;
        } else if (clock_boot() < kept->again_from) {
            kept->due = kept->again_from;
        } else {
            begin(kept, read_page(pages, kept->name, &err));
        }
    }
    set_timer(pages, 0);
}

static void follow(const struct kept *kept, bool begins)
{
    struct tile_moves *moves = kept->plugin != NULL ? kept->pages->followed[kept->database].moves : NULL;
    if (moves != NULL && begins) {
        tile_moves_hold(moves);
    } else if (moves != NULL) {
        tile_moves_release(moves);
    }
}

struct kept *pages_hold(struct pages *pages, const char *target, bool hides, struct error *err)
{
    struct kept *kept = find_kept(pages, target, hides);
    if (kept == NULL) {
        struct page *page = read_page(pages, target, err);
        if (page == NULL) {
            return NULL;
        }
        kept = keep(pages, target, hides, page);
        page_destroy(page);
    }
    if (kept->holders == 0 && pages->held == HELD_MAX) {
        error_set(err, ERROR_REFUSED, "%d different pages are followed already", HELD_MAX);
        error_hint(err, "ask for the page from time to time, with the ETag that it had");
        return NULL;
    }
    if (kept->holders++ == 0) {
        pages->held++;
        follow(kept, true);
    }
    set_timer(pages, 0);
    return kept;
}

void pages_release(struct pages *pages, struct kept *kept)
{
    kept->holders--;
    if (kept->holders == 0) {
        pages->held--;
        follow(kept, false);
        kept->fresh_until = kept->cached_until = 0;
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

struct pages *pages_create(struct loop *loop, const struct web_config *web)
{
    struct pages *pages = xcalloc(1, sizeof(*pages));
    const struct config *config = web->config;
    *pages = (struct pages){.loop = loop, .web = web, .config = config, .resolver = resolver_create(loop)};
    pages->timer = loop_timer_create(loop, make_next, pages);
    pages->sessions = xcalloc(config->database_count, sizeof(struct session *));
    pages->tile_sessions = xcalloc(config->database_count, sizeof(struct session *));
    pages->followed = xcalloc(config->database_count, sizeof(*pages->followed));
    for (size_t i = 0; i < config->database_count; i++) {
        pages->sessions[i] = session_create(loop, pages->resolver, &config->databases[i], SESSION_LEDGER);
        pages->tile_sessions[i] = session_create(loop, pages->resolver, &config->databases[i], SESSION_TILES);
        pages->followed[i] = (struct followed){.pages = pages, .database = i};
        pages->followed[i].moves = tile_moves_create(loop, pages->sessions[i], tile_moved, &pages->followed[i]);
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
        tile_moves_destroy(pages->followed[i].moves);
    }
    free(pages->followed);
    free(pages->sessions);
    free(pages->tile_sessions);
    tile_bounds_finish(&pages->bounds);
    while (pages->kept != NULL) {
        struct kept *next = pages->kept->next;
        kept_destroy(pages->kept);
        pages->kept = next;
    }
    resolver_destroy(pages->resolver);
    free(pages);
}
