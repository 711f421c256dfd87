/* SPDX-License-Identifier: PostgreSQL */
#include "plugin/shape.h"

#include <string.h>

#include "base/memory.h"

#define TEXT(type, member)                           \
    {                                                \
#member, offsetof(struct type, member), NULL \
    }
#define LIST(type, member, shape)                        \
    {                                                    \
#member, offsetof(struct type, member), &(shape) \
    }
#define SHAPE(type, members)                            \
    {                                                   \
        sizeof(struct type), members, COUNT_OF(members) \
    }

static const struct shape_member source_members[] = {
    TEXT(chime_source, table), TEXT(chime_source, columns), TEXT(chime_source, capture),
    TEXT(chime_source, map),   TEXT(chime_source, views),   TEXT(chime_source, trust),
};
static const struct shape shape_source = SHAPE(chime_source, source_members);

static const struct shape_member index_members[] = {
    TEXT(chime_index, name),
    TEXT(chime_index, columns),
    TEXT(chime_index, where),
};
static const struct shape shape_index = SHAPE(chime_index, index_members);

static const struct shape_member view_members[] = {
    TEXT(chime_view, relation), TEXT(chime_view, definition),
    TEXT(chime_view, key),      TEXT(chime_view, key_index),
    TEXT(chime_view, grain),    TEXT(chime_view, mode),
    TEXT(chime_view, stamps),   TEXT(chime_view, revisit),
    TEXT(chime_view, rejected), LIST(chime_view, indexes, shape_index),
    TEXT(chime_view, comment),  TEXT(chime_view, timezone),
    TEXT(chime_view, frozen),
};
static const struct shape shape_view = SHAPE(chime_view, view_members);

static const struct shape_member plain_view_members[] = {
    TEXT(chime_plain_view, relation),
    TEXT(chime_plain_view, definition),
    TEXT(chime_plain_view, comment),
};
static const struct shape shape_plain_view = SHAPE(chime_plain_view, plain_view_members);

static const struct shape_member option_members[] = {
    TEXT(chime_option, name),
    TEXT(chime_option, value),
};
static const struct shape shape_option = SHAPE(chime_option, option_members);

static const struct shape_member job_members[] = {
    TEXT(chime_job, name),     TEXT(chime_job, schedule),
    TEXT(chime_job, refresh),  TEXT(chime_job, command),
    TEXT(chime_job, after),    TEXT(chime_job, on),
    TEXT(chime_job, debounce), LIST(chime_job, options, shape_option),
};
static const struct shape shape_job = SHAPE(chime_job, job_members);

static const struct shape_member function_members[] = {
    TEXT(chime_function, signature),
    TEXT(chime_function, definition),
};
static const struct shape shape_function = SHAPE(chime_function, function_members);

static const struct shape_member channel_members[] = {
    TEXT(chime_channel, name),
    TEXT(chime_channel, table),
    TEXT(chime_channel, definition),
};
static const struct shape shape_channel = SHAPE(chime_channel, channel_members);

static const struct shape_member tile_members[] = {
    TEXT(chime_tile, title), TEXT(chime_tile, query),    TEXT(chime_tile, draw),
    TEXT(chime_tile, warn),  TEXT(chime_tile, critical), TEXT(chime_tile, choices),
    TEXT(chime_tile, state), TEXT(chime_tile, bound),    TEXT(chime_tile, note),
};
static const struct shape shape_tile = SHAPE(chime_tile, tile_members);

static const struct shape_member alert_members[] = {
    TEXT(chime_alert, name),
    TEXT(chime_alert, condition),
    TEXT(chime_alert, severity),
    TEXT(chime_alert, hold),
};
static const struct shape shape_alert = SHAPE(chime_alert, alert_members);

static const struct shape_member setting_members[] = {
    TEXT(chime_setting, name), TEXT(chime_setting, type), TEXT(chime_setting, value),
    TEXT(chime_setting, low),  TEXT(chime_setting, high), TEXT(chime_setting, summary),
};
static const struct shape shape_setting = SHAPE(chime_setting, setting_members);

static const struct shape_member upgrade_members[] = {
    TEXT(chime_upgrade, from_version),
    TEXT(chime_upgrade, statements),
};
static const struct shape shape_upgrade = SHAPE(chime_upgrade, upgrade_members);

static const struct shape_member plugin_members[] = {
    TEXT(chime_plugin, name),
    TEXT(chime_plugin, version),
    TEXT(chime_plugin, summary),
    LIST(chime_plugin, sources, shape_source),
    LIST(chime_plugin, views, shape_view),
    LIST(chime_plugin, jobs, shape_job),
    LIST(chime_plugin, functions, shape_function),
    LIST(chime_plugin, channels, shape_channel),
    LIST(chime_plugin, tiles, shape_tile),
    LIST(chime_plugin, alerts, shape_alert),
    LIST(chime_plugin, settings, shape_setting),
    LIST(chime_plugin, upgrades, shape_upgrade),
    LIST(chime_plugin, plain_views, shape_plain_view),
};
const struct shape shape_plugin = SHAPE(chime_plugin, plugin_members);

const struct shape_member *shape_find(const struct shape *shape, const char *name)
{
    for (size_t i = 0; i < shape->member_count; i++) {
        if (strcmp(shape->members[i].name, name) == 0) {
            return &shape->members[i];
        }
    }
    return NULL;
}

size_t shape_member_size(const struct shape_member *member)
{
    return member->items == NULL ? sizeof(const char *) : sizeof(struct chime_list);
}
