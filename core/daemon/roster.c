#include "daemon/roster.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"

/* An entry that has been connected. Of two for one database the one that came first is served, also when both come back. */
struct place {
    const void *entry;
    char *name;
    struct pg_server server;
    bool served;
    const void *behind; /* the entry that is served instead; NULL: none */
};

struct roster {
    int led;
    struct place *places;
    size_t count;
};

struct roster *roster_create(void)
{
    return xcalloc(1, sizeof(struct roster));
}

void roster_destroy(struct roster *roster)
{
    for (size_t i = 0; i < roster->count; i++) {
        free(roster->places[i].name);
    }
    free(roster->places);
    free(roster);
}

void roster_enter(struct roster *roster)
{
    roster->led++;
}

void roster_leave(struct roster *roster)
{
    roster->led--;
}

duration roster_pause(const struct roster *roster)
{
    duration pause = roster->led * ROSTER_PAUSE_EACH;
    return pause < ROSTER_PAUSE_MAX ? pause : ROSTER_PAUSE_MAX;
}

static struct place *find(const struct roster *roster, const void *entry)
{
    for (size_t i = 0; i < roster->count; i++) {
        if (roster->places[i].entry == entry) {
            return &roster->places[i];
        }
    }
    return NULL;
}

static struct place *find_or_add(struct roster *roster, const void *entry, const char *name)
{
    struct place *place = find(roster, entry);
    if (place == NULL) {
        roster->places = xrealloc(roster->places, roster->count + 1, sizeof *roster->places);
        place = &roster->places[roster->count++];
        *place = (struct place){.entry = entry, .name = xstrdup(name)};
    }
    return place;
}

/* A server is known by when it was started: a copy of it has the same identifiers. */
static bool same_database(const struct pg_server *left, const struct pg_server *right)
{
    return strcmp(left->started, right->started) == 0 && strcmp(left->database, right->database) == 0;
}

static const struct place *served_instead(const struct roster *roster, const struct place *place)
{
    for (size_t i = 0; i < roster->count; i++) {
        const struct place *other = &roster->places[i];
        bool same = other->served ? same_database(&other->server, &place->server) : place->behind == other->entry;
        if (same && strcmp(other->name, place->name) != 0) {
            return other;
        }
    }
    return NULL;
}

bool roster_admit(struct roster *roster, const void *entry, const char *name, const struct pg_server *server,
                  struct error *err)
{
    struct place *place = find_or_add(roster, entry, name);
    place->server = *server;
    const struct place *other = served_instead(roster, place);
    place->behind = other != NULL ? other->entry : NULL;
    place->served = other == NULL;
    if (other == NULL) {
        return true;
    }
    error_set(err, ERROR_REFUSED, ONE_DATABASE_TWICE, other->name, name);
    return error_hint(err, ONE_DATABASE_HINT);
}

void roster_absent(struct roster *roster, const void *entry)
{
    struct place *place = find(roster, entry);
    if (place != NULL) {
        place->served = false;
    }
}

void roster_forget(struct roster *roster, const void *entry)
{
    struct place *place = find(roster, entry);
    if (place == NULL) {
        return;
    }
    free(place->name);
    *place = roster->places[--roster->count];
    for (size_t i = 0; i < roster->count; i++) {
        if (roster->places[i].behind == entry) {
            roster->places[i].behind = NULL;
        }
    }
}
