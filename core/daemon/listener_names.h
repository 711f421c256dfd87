/* SPDX-License-Identifier: PostgreSQL */
/* What the listener of one database watches: for each channel the jobs that it wakes; for each view with a target_lag
 * the job that changes of its sources wake; and the views with only a warn_after or error_after, for which no job is
 * woken, but the time since when they are behind is recorded. */
#ifndef CHIME_DAEMON_LISTENER_NAMES_H
#define CHIME_DAEMON_LISTENER_NAMES_H

#include "ledger/listening.h"
#include "schedule/scheduler.h"

/* One name and one job that goes by it. */
struct listener_name {
    const char *name; /* a channel, or "schema.relation"; the list's */
    struct scheduled *scheduled;
    duration target;      /* of a view: how soon a change is to be found; 0: of a channel */
    instant behind_since; /* of a view: since when every look found it behind; INSTANT_NONE: it is not */
    instant noted_at;     /* when that was written down last; INSTANT_NONE: it was not */
    bool told;            /* of a channel: its job was woken for what may have been missed before it was heard */
};

struct listener_names {
    struct listener_name *channels; /* by name */
    size_t channel_count;
    struct listener_name *views; /* by name */
    size_t view_count;
    char *names;       /* of all entries, one behind the other */
    duration tightest; /* of all targets; 0: there is none */
    bool inherits;     /* a job has the target_lag of those that read its views, which may be none, or become one */
};

/* Whether what happens by that name wakes its job. */
bool listener_name_wakes(const struct listener_name *entry);

/* Tells the jobs which lag they inherit, as the reply to a close look has it; true: one has another now, so the list is
 * to be made anew. */
bool listener_names_inherit(struct scheduler *scheduler, const struct pg_reply *reply);
/* Of the jobs that are configured and active. Names are copied: jobs change and go before the list is made anew. */
void listener_names_fill(struct listener_names *list, const struct scheduler *scheduler);
void listener_names_finish(struct listener_names *list);
/* Since when views are behind and when that was noted, where `before` has them too, whoever their jobs are; which jobs
 * were told of which channel. */
void listener_names_carry_over(struct listener_names *list, const struct listener_names *before);
/* Nobody wants anything watched. */
bool listener_names_empty(const struct listener_names *list);
/* The same names with the same targets; who goes by them may differ. */
bool listener_names_same(const struct listener_names *left, const struct listener_names *right);
/* Each name once; the caller frees `items`. `targets` (NULL: not wanted), the tightest of each, likewise. */
struct name_list listener_names_channels(const struct listener_names *list);
struct name_list listener_names_views(const struct listener_names *list, duration **targets);
/* The entries of a name: the first one's index and how many. */
size_t listener_names_find(const struct listener_name *entries, size_t count, const char *name, size_t *first);
/* Of names in order, each once. Texts of the first are borrowed, of the second its own; the caller frees `items`. */
struct name_list name_list_without(const struct name_list *names, const struct name_list *others);
struct name_list name_list_copy(const struct name_list *names);
bool name_list_have(const struct name_list *names, const char *name);

#endif
