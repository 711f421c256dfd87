/* What the jobs of one database want watched: who is woken by which channel, and by the changes of which view's sources; and
 * the views whose changes wake nobody, but are to be noted when they stay out of the view: with warn_after or error_after. */
#ifndef CHIME_DAEMON_WATCH_LIST_H
#define CHIME_DAEMON_WATCH_LIST_H

#include "ledger/watching.h"
#include "schedule/scheduler.h"

/* One name and one job that goes by it. */
struct watch_entry {
    const char *name; /* a channel, or "schema.relation"; the list's */
    struct scheduled *scheduled;
    duration target;      /* of a view: how soon a change is to be found; 0: of a channel */
    instant behind_since; /* of a view: since when every look found it behind; INSTANT_NONE: it is not */
    instant noted_at;     /* when that was written down last; INSTANT_NONE: it was not */
    bool told;            /* of a channel: its job was woken for what may have been missed before it was heard */
};

struct watch_list {
    struct watch_entry *channels; /* by name */
    size_t channel_count;
    struct watch_entry *views; /* by name */
    size_t view_count;
    char *names;       /* of all entries, one behind the other */
    duration tightest; /* of all targets; 0: there is none */
};

/* Whether what happens by that name wakes its job. */
bool watch_entry_wakes(const struct watch_entry *entry);

/* Of the jobs that are configured and active. Names are copied: jobs change and go before the list is made anew. */
void watch_list_fill(struct watch_list *list, const struct scheduler *scheduler);
void watch_list_finish(struct watch_list *list);
/* Since when views are behind and when that was noted, where `before` has them too, whoever their jobs are; which jobs were told of which channel. */
void watch_list_carry_over(struct watch_list *list, const struct watch_list *before);
/* The same names with the same targets; who goes by them may differ. */
bool watch_list_same(const struct watch_list *left, const struct watch_list *right);
/* Each name once; the caller frees `items`. `targets` (NULL: not wanted), the tightest of each, likewise. */
struct watching_names watch_list_channels(const struct watch_list *list);
struct watching_names watch_list_views(const struct watch_list *list, duration **targets);
/* The entries of a name: the first one's index and how many. */
size_t watch_list_find(const struct watch_entry *entries, size_t count, const char *name, size_t *first);
/* Of names in order, each once. Texts of the first are borrowed, of the second its own; the caller frees `items`. */
struct watching_names watch_names_without(const struct watching_names *names, const struct watching_names *others);
struct watching_names watch_names_copy(const struct watching_names *names);
bool watch_names_have(const struct watching_names *names, const char *name);

#endif
