/* SPDX-License-Identifier: PostgreSQL */
/* What a plugin left in a database, and how to remove it.
 *
 * Does: list every object that an install made (chime.view, chime.plugin_function, the capture of sources that no other
 *   plugin's view reads, the triggers that call its functions), the plugin's jobs, and what others built on top; drop
 *   what this role owns with all rows about it, in one transaction. What captured changes for triggers of other roles
 *   does nothing from then on.
 * Does not: ask, or decide whether the plugin may go. Nothing is ever dropped by CASCADE. */
#ifndef CHIME_CLI_PURGE_H
#define CHIME_CLI_PURGE_H

#include "cli/visit.h"

enum purge_action {
    PURGE_DROP,
    PURGE_KEEP,  /* made for the plugin, but another role's, or needed by such: for its owner to drop */
    PURGE_BLOCK, /* somebody's object that depends on one to be dropped: has to go first */
};

/* In the order in which they go. */
struct purge_list {
    struct pg_rows rows;
    size_t count;
    size_t drops;
    size_t blocks;
};

bool purge_survey(struct visit *visit, const char *plugin, struct purge_list *list, struct error *err) CHIME_MUST_CHECK;
void purge_list_finish(struct purge_list *list); /* again is allowed */
enum purge_action purge_action(const struct purge_list *list, size_t row);
struct output_list *purge_output(const struct purge_list *list);
/* One transaction. Refused when what there is differs from what `shown` says. */
bool purge_perform(struct visit *visit, const char *plugin, const struct purge_list *shown,
                   struct error *err) CHIME_MUST_CHECK;

#endif
