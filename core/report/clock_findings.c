/* SPDX-License-Identifier: PostgreSQL */
#include "report/clock_findings.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/memory.h"
#include "calendar/zone.h"
#include "report/calendars.h"
#include "report/finding_list.h"

#define APART USEC_PER_SEC
#define CHANGES 4 /* two years of summer and winter */
#define ZONES_MOST 500

static const char clock_sql[] = "SELECT clock_timestamp()";
const struct report_statement server_clock_statement = {"server_clock", clock_sql, 0, NULL};

void server_clock_ask(struct question *question)
{
    *question = (struct question){.id = REPORT_SERVER_CLOCK};
}

bool server_clock_take(struct output_list *findings, const struct pg_rows *rows, const char *database, instant asked,
                       instant answered)
{
    instant server;
    if (!instant_parse(pg_rows_value(rows, 0, 0), &server, NULL)) {
        return false;
    }
    duration ahead = server > answered ? server - answered : server - asked;
    if (server >= asked - APART && server <= answered + APART) {
        return false;
    }
    char *words = xasprintf("the server's clock is %.1f s %s this machine's",
                            (double)(ahead < 0 ? -ahead : ahead) / USEC_PER_SEC, ahead < 0 ? "behind" : "ahead of");
    finding_list_add(findings, database, "clock", FINDING_WARN, NULL, words,
                     "jobs go by the server's: let both machines follow the same time servers (timedatectl, chronyc)");
    free(words);
    return true;
}

static void add_offset(json_t *list, const struct zone *zone, instant at)
{
    char text[INSTANT_TEXT_SIZE];
    instant_format(at, text);
    json_array_append_new(list, json_pack("[s, s, I]", zone_name(zone), text, (json_int_t)zone_offset(zone, at)));
}

static void add_zone(json_t *list, const struct zone *zone, instant now)
{
    add_offset(list, zone, now);
    instant change = now;
    for (int i = 0; i < CHANGES && (change = zone_next_change(zone, change)) != INSTANT_NEVER; i++) {
        add_offset(list, zone, change - USEC_PER_SEC);
        add_offset(list, zone, change);
    }
}

char *zone_data_of(const struct pg_rows *calendars, const struct config_database *database, instant now)
{
    json_t *list = json_array();
    json_t *seen = json_object();
    struct zones *zones = zones_create();
    const struct zone *zone;
    for (size_t row = 0; row < calendars->count && json_object_size(seen) < ZONES_MOST; row++) {
        const char *name = calendars_of_row(calendars, row).next.timezone;
        name = name != NULL ? name : database->timezone;
        if (json_object_get(seen, name) == NULL && zones_find(zones, name, &zone, NULL)) {
            json_object_set_new(seen, name, json_true());
            add_zone(list, zone, now);
        }
    }
    char *text = json_dumps(list, JSON_COMPACT);
    zones_destroy(zones);
    json_decref(seen);
    json_decref(list);
    return text;
}
