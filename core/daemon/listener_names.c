/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/listener_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static int by_name(const void *left, const void *right)
{
    const struct listener_name *a = left;
    const struct listener_name *b = right;
    return strcmp(a->name, b->name);
}

static bool is_watched(const struct scheduled *scheduled)
{
    return !scheduled_retired(scheduled) && scheduled_job(scheduled)->active;
}

bool listener_name_wakes(const struct listener_name *entry)
{
    return entry->target == 0 || scheduled_target_lag(entry->scheduled) > 0;
}

/* How soon a change of its views' sources is to be found; 0: nobody wants to know. */
static duration target_of(const struct scheduled *scheduled)
{
    const struct job_options *options = scheduled_job(scheduled)->options;
    duration lag = scheduled_target_lag(scheduled);
    if (lag > 0 || options->error_after == 0) {
        return lag > 0 ? lag : options->warn_after;
    }
    return options->warn_after > 0 && options->warn_after < options->error_after ? options->warn_after
                                                                                 : options->error_after;
}

bool listener_names_inherit(struct scheduler *scheduler, const struct pg_reply *reply)
{
    bool changed = false;
    for (size_t i = 0; i < listening_lag_count(reply); i++) {
        int64_t job_id;
        duration lag = listening_lag(reply, i, &job_id);
        struct scheduled *it = scheduler_find(scheduler, job_id);
        if (it != NULL) {
            duration before = scheduled_target_lag(it);
            scheduled_inherit_lag(it, lag);
            changed = changed || scheduled_target_lag(it) != before;
        }
    }
    return changed;
}

static void count_names(struct listener_names *list, const struct scheduler *scheduler)
{
    for (size_t i = 0; i < scheduler_count(scheduler); i++) {
        const struct scheduled *scheduled = scheduler_at(scheduler, i);
        const struct job *job = scheduled_job(scheduled);
        if (is_watched(scheduled)) {
            list->channel_count += job->on_count;
            list->view_count += target_of(scheduled) > 0 ? job->view_count : 0;
            list->inherits = list->inherits || job->options->target_lag == TARGET_LAG_DOWNSTREAM;
        }
    }
}

static struct listener_name *add(struct listener_name *place, const char *const *names, size_t count,
                                 struct scheduled *scheduled, duration target)
{
    for (size_t i = 0; i < count; i++) {
        *place++ = (struct listener_name){.name = names[i],
                                          .scheduled = scheduled,
                                          .target = target,
                                          .behind_since = INSTANT_NONE,
                                          .noted_at = INSTANT_NONE};
    }
    return place;
}

static size_t size_of_names(const struct listener_name *entries, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += strlen(entries[i].name) + 1;
    }
    return size;
}

static char *keep_names(char *place, struct listener_name *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(entries[i].name) + 1;
        entries[i].name = memcpy(place, entries[i].name, size);
        place += size;
    }
    return place;
}

static void own_names(struct listener_names *list)
{
    list->names = xmalloc(1 + size_of_names(list->channels, list->channel_count) +
                          size_of_names(list->views, list->view_count));
    char *rest = keep_names(list->names, list->channels, list->channel_count);
    keep_names(rest, list->views, list->view_count);
}

void listener_names_fill(struct listener_names *list, const struct scheduler *scheduler)
{
    *list = (struct listener_names){0};
    count_names(list, scheduler);
    struct listener_name *channel = list->channels = xcalloc(list->channel_count + 1, sizeof(*list->channels));
    struct listener_name *view = list->views = xcalloc(list->view_count + 1, sizeof(*list->views));
    for (size_t i = 0; i < scheduler_count(scheduler); i++) {
        struct scheduled *scheduled = scheduler_at(scheduler, i);
        const struct job *job = scheduled_job(scheduled);
        duration target = target_of(scheduled);
        if (!is_watched(scheduled)) {
            continue;
        }
        channel = add(channel, job->on, job->on_count, scheduled, 0);
        if (target > 0) {
            view = add(view, job->views, job->view_count, scheduled, target);
            list->tightest = list->tightest == 0 || target < list->tightest ? target : list->tightest;
        }
    }
    qsort(list->channels, list->channel_count, sizeof(*list->channels), by_name);
    qsort(list->views, list->view_count, sizeof(*list->views), by_name);
    own_names(list);
}

void listener_names_finish(struct listener_names *list)
{
    free(list->channels);
    free(list->views);
    free(list->names);
    *list = (struct listener_names){0};
}

bool listener_names_empty(const struct listener_names *list)
{
    return list->channel_count + list->view_count == 0 && !list->inherits;
}

/* Each name once, with the tightest of its targets. */
static struct name_list names_of(const struct listener_name *entries, size_t count, duration **targets)
{
    const char **items = xcalloc(count + 1, sizeof(*items));
    duration *tightest = targets != NULL ? xcalloc(count + 1, sizeof(*tightest)) : NULL;
    size_t names = 0;
    for (size_t i = 0; i < count; i++) {
        bool again = names > 0 && strcmp(items[names - 1], entries[i].name) == 0;
        if (!again) {
            items[names++] = entries[i].name;
        }
        if (tightest != NULL && (!again || entries[i].target < tightest[names - 1])) {
            tightest[names - 1] = entries[i].target;
        }
    }
    if (targets != NULL) {
        *targets = tightest;
    }
    return (struct name_list){.items = items, .count = names};
}

struct name_list listener_names_channels(const struct listener_names *list)
{
    return names_of(list->channels, list->channel_count, NULL);
}

struct name_list listener_names_views(const struct listener_names *list, duration **targets)
{
    return names_of(list->views, list->view_count, targets);
}

static bool same_names(struct name_list left, struct name_list right)
{
    bool same = left.count == right.count;
    for (size_t i = 0; same && i < left.count; i++) {
        same = strcmp(left.items[i], right.items[i]) == 0;
    }
    free((void *)left.items);
    free((void *)right.items);
    return same;
}

bool listener_names_same(const struct listener_names *left, const struct listener_names *right)
{
    return left->tightest == right->tightest && left->inherits == right->inherits &&
           same_names(listener_names_channels(left), listener_names_channels(right)) &&
           same_names(listener_names_views(left, NULL), listener_names_views(right, NULL));
}

size_t listener_names_find(const struct listener_name *entries, size_t count, const char *name, size_t *first)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(entries[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *first = low;
    while (low < count && strcmp(entries[low].name, name) == 0) {
        low++;
    }
    return low - *first;
}

static bool was_told(const struct listener_names *before, const struct listener_name *entry)
{
    size_t first;
    size_t count = listener_names_find(before->channels, before->channel_count, entry->name, &first);
    bool told = false;
    for (size_t i = first; i < first + count; i++) {
        told = told || (before->channels[i].scheduled == entry->scheduled && before->channels[i].told);
    }
    return told;
}

/* Views by name, as all entries of one are seen and noted together. */
void listener_names_carry_over(struct listener_names *list, const struct listener_names *before)
{
    for (size_t i = 0; i < list->view_count; i++) {
        struct listener_name *entry = &list->views[i];
        size_t first;
        if (listener_names_find(before->views, before->view_count, entry->name, &first) > 0) {
            entry->behind_since = before->views[first].behind_since;
            entry->noted_at = before->views[first].noted_at;
        }
    }
    for (size_t i = 0; i < list->channel_count; i++) {
        list->channels[i].told = was_told(before, &list->channels[i]);
    }
}

static int name_order(const void *name, const void *item)
{
    return strcmp(name, *(const char *const *)item);
}

bool name_list_have(const struct name_list *names, const char *name)
{
    return names->count > 0 && bsearch(name, names->items, names->count, sizeof(*names->items), name_order) != NULL;
}

struct name_list name_list_without(const struct name_list *names, const struct name_list *others)
{
    struct name_list left = {.items = xcalloc(names->count + 1, sizeof(*names->items))};
    const char **items = (const char **)left.items;
    for (size_t i = 0; i < names->count; i++) {
        if (!name_list_have(others, names->items[i])) {
            items[left.count++] = names->items[i];
        }
    }
    return left;
}

struct name_list name_list_copy(const struct name_list *names)
{
    size_t size = names->count * sizeof(*names->items);
    for (size_t i = 0; i < names->count; i++) {
        size += strlen(names->items[i]) + 1;
    }
    const char **items = xmalloc(size + 1);
    char *place = (char *)(items + names->count);
    for (size_t i = 0; i < names->count; i++) {
        items[i] = strcpy(place, names->items[i]);
        place += strlen(place) + 1;
    }
    return (struct name_list){.items = items, .count = names->count};
}
