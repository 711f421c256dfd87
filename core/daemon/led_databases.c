/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/led_databases.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"

/* An entry that has been connected. Of two for one database the one that came first is served, also when both come
 * back. */
struct place {
    const void *entry;
    char *name;
    struct pg_server server;
    bool served;
    const void *behind; /* the entry that is served instead; NULL: none */
};

struct led_databases {
    int led;
    struct place *places;
    size_t count;
};

struct led_databases *led_databases_create(void)
{
    return xcalloc(1, sizeof(struct led_databases));
}

void led_databases_destroy(struct led_databases *led)
{
    for (size_t i = 0; i < led->count; i++) {
        free(led->places[i].name);
    }
    free(led->places);
    free(led);
}

void led_databases_enter(struct led_databases *led)
{
    led->led++;
}

void led_databases_leave(struct led_databases *led)
{
    led->led--;
}

duration led_databases_pause(const struct led_databases *led)
{
    duration share = LEAD_PAUSE_MAX / (duration)(led->count > 0 ? led->count : 1);
    duration pause = led->led * (share < LEAD_PAUSE_EACH ? share : LEAD_PAUSE_EACH);
    return pause < LEAD_PAUSE_MAX ? pause : LEAD_PAUSE_MAX;
}

duration led_databases_check_every(const struct led_databases *led)
{
    duration all = (duration)led->count * LEADER_CHECK_EACH;
    return all > LEADER_CHECK_EVERY ? all : LEADER_CHECK_EVERY;
}

static struct place *find(const struct led_databases *led, const void *entry)
{
    for (size_t i = 0; i < led->count; i++) {
        if (led->places[i].entry == entry) {
            return &led->places[i];
        }
    }
    return NULL;
}

static struct place *find_or_add(struct led_databases *led, const void *entry, const char *name)
{
    struct place *place = find(led, entry);
    if (place == NULL) {
        led->places = xrealloc(led->places, led->count + 1, sizeof(*led->places));
        place = &led->places[led->count++];
        *place = (struct place){.entry = entry, .name = xstrdup(name)};
    }
    return place;
}

/* A server is known by when it was started: a copy of it has the same identifiers. */
static bool same_database(const struct pg_server *left, const struct pg_server *right)
{
    return strcmp(left->started, right->started) == 0 && strcmp(left->database, right->database) == 0;
}

static const struct place *served_instead(const struct led_databases *led, const struct place *place)
{
    for (size_t i = 0; i < led->count; i++) {
        const struct place *other = &led->places[i];
        bool same = other->served ? same_database(&other->server, &place->server) : place->behind == other->entry;
        if (same && strcmp(other->name, place->name) != 0) {
            return other;
        }
    }
    return NULL;
}

bool led_databases_admit(struct led_databases *led, const void *entry, const char *name, const struct pg_server *server,
                         struct error *err)
{
    struct place *place = find_or_add(led, entry, name);
    place->server = *server;
    const struct place *other = served_instead(led, place);
    place->behind = other != NULL ? other->entry : NULL;
    place->served = other == NULL;
    if (other == NULL) {
        return true;
    }
    error_set(err, ERROR_REFUSED, ONE_DATABASE_TWICE, other->name, name);
    return error_hint(err, ONE_DATABASE_HINT);
}

void led_databases_absent(struct led_databases *led, const void *entry)
{
    struct place *place = find(led, entry);
    if (place != NULL) {
        place->served = false;
    }
}

void led_databases_forget(struct led_databases *led, const void *entry)
{
    struct place *place = find(led, entry);
    if (place == NULL) {
        return;
    }
    free(place->name);
    *place = led->places[--led->count];
    for (size_t i = 0; i < led->count; i++) {
        if (led->places[i].behind == entry) {
            led->places[i].behind = NULL;
        }
    }
}
