/* SPDX-License-Identifier: PostgreSQL */
/* Known keys and their types, as tables: one place that says "unknown key" and "expected ..., found ...".
 * Members whose name begins with '*' are duplicates that were reported (outline.h): every function passes them by. */
#ifndef CHIME_CONFIG_SETTINGS_H
#define CHIME_CONFIG_SETTINGS_H

#include "config/reader.h"

enum setting_type {
    SETTING_STRING,
    SETTING_INTEGER,
    SETTING_BOOLEAN,
    SETTING_SWITCH, /* true, false or "auto" */
    SETTING_NAMES,  /* a string, or a list of strings */
    SETTING_COUNT_OR_NAMES, /* an integer, or a list of strings */
    SETTING_GROUP,
    SETTING_LIST, /* ( ... ) of anything */
};

struct setting_key {
    const char *name;
    enum setting_type type;
};

struct setting_table {
    const struct setting_key *keys;
    size_t count;
};

/* NULL when the table has no such key. */
const struct setting_key *setting_find_key(const struct setting_table *table, const char *name);
/* Reports a value of another type. `owner` is whose key it is: "job \"nightly\"". */
bool setting_accept(struct reader *reader, const config_setting_t *setting, const struct setting_key *key,
                    const char *owner);
void setting_refuse_unknown(struct reader *reader, const config_setting_t *setting, const struct setting_table *table,
                            const char *owner);
/* All members of a group against the table. */
void settings_check(struct reader *reader, const config_setting_t *group, const struct setting_table *table,
                    const char *owner);
bool setting_is_duplicate(const config_setting_t *setting);
/* Number of members or elements as size_t; 0 for a scalar. */
size_t setting_count(const config_setting_t *setting);
const config_setting_t *setting_at(const config_setting_t *setting, size_t index);

/* NULL when it is absent or not a string (which settings_check reports), or blank or broken, which is reported here. */
const char *setting_string(struct reader *reader, const config_setting_t *group, const char *name, const char *owner);
/* What is one line, and stays one in a header of a mail or a configuration of curl. */
bool setting_is_one_line(struct reader *reader, const config_setting_t *setting, const char *text, const char *owner);
const char *setting_line(struct reader *reader, const config_setting_t *group, const char *key, const char *owner);
/* Absolute; a relative one is taken from the folder of pgchime.conf. */
const char *setting_path(struct reader *reader, const config_setting_t *group, const char *key, const char *owner);
/* Bounds of a number, and what it is where it is absent or no integer (which settings_check reports). One out of bounds
 * is reported here. */
struct whole {
    int low;
    int high;
    int standard;
};
int setting_whole(struct reader *reader, const config_setting_t *group, const char *name, const char *owner,
                  struct whole bounds);
/* The value of a scalar as the text that options_set reads, in the arena; NULL for groups and lists. */
const char *setting_scalar_text(const config_setting_t *setting, struct arena *arena);
/* "a string", "an integer", ... */
const char *setting_type_found(const config_setting_t *setting);

#endif
