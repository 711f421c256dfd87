/* SPDX-License-Identifier: PostgreSQL */
#include "web/tile_moves.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "report/tile_list.h"

#define PAUSE (250 * USEC_PER_MSEC)
#define PAUSE_AFTER_FAILURE (2 * USEC_PER_SEC)
#define PAUSE_FOR_COST 10 /* as many times as long as it took */

/* When views of a plugin changed last, as it was told last. */
struct plugin {
    struct plugin *next;
    char *name;
    char *changed_at;
};

struct tile_moves {
    struct session *session;
    void (*moved)(void *data, const char *plugin);
    void *data;
    struct loop_timer *timer;
    size_t holders;
    bool asking;
    bool known; /* it was told before, since somebody holds it */
    struct question question;
    instant asked_at;
    struct plugin *plugins;
};

static void forget(struct tile_moves *moves)
{
    while (moves->plugins != NULL) {
        struct plugin *next = moves->plugins->next;
        free(moves->plugins->name);
        free(moves->plugins->changed_at);
        free(moves->plugins);
        moves->plugins = next;
    }
    moves->known = false;
}

static struct plugin *find(struct tile_moves *moves, const char *name)
{
    struct plugin *plugin = moves->plugins;
    while (plugin != NULL && strcmp(plugin->name, name) != 0) {
        plugin = plugin->next;
    }
    return plugin;
}

/* Whether it is another than before. */
static bool note(struct tile_moves *moves, const char *name, const char *changed_at)
{
    struct plugin *plugin = find(moves, name);
    if (plugin == NULL) {
        plugin = xcalloc(1, sizeof(*plugin));
        *plugin = (struct plugin){.next = moves->plugins, .name = xstrdup(name), .changed_at = xstrdup(changed_at)};
        moves->plugins = plugin;
        return moves->known;
    }
    if (strcmp(plugin->changed_at, changed_at) == 0) {
        return false;
    }
    free(plugin->changed_at);
    plugin->changed_at = xstrdup(changed_at);
    return true;
}

static void said(void *data, const struct pg_reply *reply, const struct error *err)
{
    struct tile_moves *moves = data;
    duration pause = err == NULL ? PAUSE : PAUSE_AFTER_FAILURE;
    moves->asking = false;
    if (moves->holders == 0) {
        return;
    }
    for (size_t row = 0; err == NULL && row < pg_reply_rows(reply, 0); row++) {
        const char *changed_at = pg_reply_value(reply, 0, row, TILE_MOVE_CHANGED);
        const char *name = pg_reply_value(reply, 0, row, TILE_MOVE_PLUGIN);
        if (note(moves, name, changed_at != NULL ? changed_at : "")) {
            moves->moved(moves->data, name);
        }
    }
    moves->known = moves->known || err == NULL;
    duration cost = PAUSE_FOR_COST * (clock_boot() - moves->asked_at);
    loop_timer_set(moves->timer, cost > pause ? cost : pause);
}

static void ask(void *data)
{
    struct tile_moves *moves = data;
    if (!moves->asking) {
        moves->asking = true;
        moves->asked_at = clock_boot();
        tile_moves_ask(&moves->question);
        session_ask(moves->session, &moves->question, 1, said, moves);
    }
}

void tile_moves_hold(struct tile_moves *moves)
{
    if (moves->holders++ == 0) {
        ask(moves);
    }
}

void tile_moves_release(struct tile_moves *moves)
{
    moves->holders--;
    if (moves->holders == 0) {
        loop_timer_clear(moves->timer);
        forget(moves);
    }
}

struct tile_moves *tile_moves_create(struct loop *loop, struct session *session,
                                     void (*moved)(void *data, const char *plugin), void *data)
{
    struct tile_moves *moves = xcalloc(1, sizeof(*moves));
    *moves = (struct tile_moves){.session = session, .moved = moved, .data = data};
    moves->timer = loop_timer_create(loop, ask, moves);
    return moves;
}

void tile_moves_destroy(struct tile_moves *moves)
{
    if (moves != NULL) {
        loop_timer_destroy(moves->timer);
        forget(moves);
        free(moves);
    }
}
