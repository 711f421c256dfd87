/* SPDX-License-Identifier: PostgreSQL */
/* Checks a plugin's description member by member, and makes a declaration of it.
 *
 * Private to core/plugin. The first rule broken ends the check; its message names the member. */
#ifndef CHIME_PLUGIN_DECLARATION_CHECK_H
#define CHIME_PLUGIN_DECLARATION_CHECK_H

#include <stdbool.h>

#include "plugin/declaration.h"

/* Fills `declaration`, whose arena also holds every text of `plugin`. The lists of `plugin` are whole: decoded, not a
 * plugin's memory. */
bool declaration_check(struct declaration *declaration, const struct chime_plugin *plugin, struct error *err);

/* --- shared by the files of the check --- */

struct check {
    struct arena *arena;
    const struct chime_plugin *plugin;
    struct declaration *declaration;
    struct error *err;
};

#define CHECK_PLACE_SIZE 128
/* `views[3] "mv_orders"`: how messages name an item; `name` may be NULL. Returns `place`. */
const char *check_place(char place[static CHECK_PLACE_SIZE], const char *list, size_t index, const char *name);
/* Sets the error and its hint, "" for a general one; returns false. */
bool check_fail(struct check *check, const char *hint, const char *format, ...) CHIME_PRINTF(3, 4);
/* False when the text is not given. */
bool check_given(struct check *check, const char *place, const char *member, const char *text);

/* What names of a kind look like. */
struct name_rule {
    bool (*valid)(const char *name);
    const char *hint;
};
extern const struct name_rule rule_identifier; /* [a-z_][a-z0-9_]{0,62}: what pgchime itself creates */
extern const struct name_rule rule_relation;   /* the same, up to 56 bytes */
extern const struct name_rule rule_catalog;    /* a name as in the server's catalog: anything, unquoted */
extern const struct name_rule rule_key;        /* name_valid: jobs, alerts, plugins */

bool check_name(struct check *check, const char *place, const char *member, const char *name,
                const struct name_rule *rule);
/* Splits a list at its commas; a text that is not given is an empty list. No name may come twice. */
bool check_names(struct check *check, const char *place, const char *member, const char *text,
                 const struct name_rule *rule, struct names *names);
/* Sorts; returns a name that is there twice, or NULL. */
const char *names_sort(const char **names, size_t count);
/* False when one of the names comes twice in `names`, which is sorted by this. */
bool check_unique(struct check *check, const char *what, const char **names, size_t count);
/* Whether sorted `names` hold `name`. */
bool names_contain(const char *const *names, size_t count, const char *name);
/* One of the words, or the default when not given (a default of NULL: it must be given). */
bool check_word(struct check *check, const char *place, const char *member, const char **text, const char *fallback,
                const char *const *words, size_t count);

bool check_views(struct check *check);
bool check_jobs(struct check *check); /* after check_views */
bool check_settings(struct check *check);

#endif
