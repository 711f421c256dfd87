/* SPDX-License-Identifier: PostgreSQL */
/* heartbeat: { url_file = "..."; every = "60s"; }; of a database */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/reader.h"
#include "config/settings.h"

#define EVERY_DEFAULT (60 * USEC_PER_SEC)
#define EVERY_MOST (24 * 60 * USEC_PER_MINUTE)

static const struct setting_key keys[] = {
    {"url", SETTING_STRING}, {"url_file", SETTING_STRING}, {"every", SETTING_STRING}};
static const struct setting_table table = {keys, COUNT_OF(keys)};

static duration read_every(struct reader *reader, const config_setting_t *group, const char *owner)
{
    const char *given = setting_string(reader, group, "every", owner);
    duration every = EVERY_DEFAULT;
    struct error err = {.kind = ERROR_NONE};
    if (given != NULL && !duration_parse(given, &every, &err)) {
        reader_report(reader, config_setting_get_member(group, "every"), err.hint, "\"every\" of %s: %s", owner,
                      err.message);
    } else if (every < USEC_PER_SEC || every > EVERY_MOST) {
        reader_report(reader, config_setting_get_member(group, "every"), NULL,
                      "\"every\" of %s: expected 1s to 24h, found \"%s\"", owner, reader_shown(reader, given));
    }
    return every;
}

void heartbeat_read(struct reader *reader, const config_setting_t *group, struct config_database *database)
{
    if (group == NULL || !config_setting_is_group(group)) {
        return;
    }
    const char *owner = arena_printf(reader->scratch, "heartbeat of database \"%s\"", database->name);
    settings_check(reader, group, &table, owner);
    struct config_heartbeat *heartbeat = arena_alloc(reader->arena, sizeof(*heartbeat));
    *heartbeat = (struct config_heartbeat){.url = setting_line(reader, group, "url", owner),
                                           .url_file = setting_path(reader, group, "url_file", owner),
                                           .every = read_every(reader, group, owner)};
    if (heartbeat->url == NULL && heartbeat->url_file == NULL) {
        reader_report(reader, group, NULL, "%s has no \"url_file\"", owner);
    } else if (heartbeat->url != NULL && heartbeat->url_file != NULL) {
        reader_report(reader, group, "keep url_file where the address is a secret", "%s has both url and url_file",
                      owner);
    } else if (heartbeat->url != NULL && !sink_url_valid(SINK_WEBHOOK, heartbeat->url)) {
        reader_report(reader, config_setting_get_member(group, "url"), NULL,
                      "%s: its url begins with neither https:// nor http://", owner);
    }
    database->heartbeat = heartbeat;
}
