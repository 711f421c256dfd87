/* SPDX-License-Identifier: PostgreSQL */
#include "web/kept.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

#define LONGEST_PAUSE (30 * USEC_PER_SEC)
#define PAUSE_FOR_COST 10 /* as many times as long as it took */
#define PAUSE_AFTER_FAILURE (2 * USEC_PER_SEC)
/* Of tiles: what is asked for as one version, or followed; what is asked for as none; between two that follow each
 * other closely; after a failure. */
#define SAME_FOR (10 * USEC_PER_SEC)
#define CACHED_FOR (5 * USEC_PER_SEC)
#define PAUSE_OF_MOVES (250 * USEC_PER_MSEC)
#define PAUSE_OF_PLUGINS (5 * USEC_PER_SEC)

void kept_forget_parts(struct kept *kept)
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

void kept_destroy(struct kept *kept)
{
    kept_forget_parts(kept);
    if (kept->page != NULL) {
        page_destroy(kept->page);
    }
    body_finish(&kept->body);
    free(kept->waiting);
    free(kept->plugin);
    free(kept->wanted);
    free(kept->name);
    free(kept);
}

/* --- answering ---------------------------------------------------------------------------------------------------- */

void kept_answer(const struct kept *kept, struct http_request *request)
{
    if (kept->status == 200) {
        body_answer(&kept->body, request);
    } else {
        http_reply_problem(request, kept->status, kept->problem.message,
                           kept->problem.hint[0] != '\0' ? kept->problem.hint : NULL, NULL);
    }
}

void kept_answer_all(struct kept *kept)
{
    struct http_request **waiting = kept->waiting;
    size_t count = kept->waiting_count;
    kept->waiting = NULL;
    kept->waiting_count = 0;
    for (size_t i = 0; i < count; i++) {
        kept_answer(kept, waiting[i]);
    }
    free(waiting);
}

bool kept_take_parts(struct kept *kept, struct error *err)
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

/* --- how long it is good ------------------------------------------------------------------------------------------ */

/* What a plugin asks for may be dear: it is left alone for longer, also where somebody asks, and for long where it took
 * too long. */
static duration pause_of_plugins(const struct kept *kept, const struct page_cost *cost, duration least)
{
    if (kept->status != 200) {
        return strcmp(kept->problem.sqlstate, "57014") == 0 ? LONGEST_PAUSE : PAUSE_OF_PLUGINS;
    }
    return cost->took_us * PAUSE_FOR_COST > least ? cost->took_us * PAUSE_FOR_COST : least;
}

static duration least_of(duration one, duration other)
{
    return one < other ? one : other;
}

static void plan_tile(struct kept *kept, duration pause, const struct page_cost *cost)
{
    instant now = clock_boot();
    kept->again_from = now + pause_of_plugins(kept, cost, PAUSE_OF_MOVES);
    kept->due = now + least_of(pause < SAME_FOR ? SAME_FOR : pause, LONGEST_PAUSE);
    kept->due = kept->moved || kept->due < kept->again_from ? kept->again_from : kept->due;
    kept->moved = false;
    kept->fresh_until = now + pause_of_plugins(kept, cost, USEC_PER_SEC);
    kept->same_until = now + SAME_FOR;
    kept->cached_until = kept->holders > 0 ? kept->due : now + CACHED_FOR;
}

void kept_plan(struct kept *kept, duration fresh, const struct page_cost *cost)
{
    duration pause = PAUSE_FOR_COST * (clock_boot() - kept->asked_at);
    pause = kept->status != 200 ? PAUSE_AFTER_FAILURE : pause < fresh ? fresh : pause;
    if (kept->plugin != NULL) {
        plan_tile(kept, pause, cost);
    } else {
        kept->due = clock_boot() + least_of(pause, LONGEST_PAUSE);
        kept->fresh_until = kept->holders > 0 ? kept->due : clock_boot() + fresh;
    }
}

void kept_wait(struct kept *kept, struct http_request *request)
{
    kept->waiting = xrealloc(kept->waiting, kept->waiting_count + 1, sizeof(struct http_request *));
    kept->waiting[kept->waiting_count++] = request;
}

bool kept_is_fresh(const struct kept *kept, const char *version)
{
    instant now = clock_boot();
    if (now < kept->fresh_until || kept->plugin == NULL || kept->status != 200) {
        return now < kept->fresh_until;
    }
    return version == NULL ? now < kept->cached_until
                           : now < kept->same_until && kept->wanted != NULL && strcmp(version, kept->wanted) == 0;
}
