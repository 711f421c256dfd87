/* SPDX-License-Identifier: PostgreSQL */
/* A string or a list of strings, each a name: key = "a"; or key = ["a", "b"]; */
#ifndef CHIME_CONFIG_NAME_LIST_H
#define CHIME_CONFIG_NAME_LIST_H

#include "config/reader.h"

struct name_list {
    const char *key;
    bool (*valid)(const char *name);
    const char *what; /* a name has to be: "a channel's name" */
    const char *hint;
};

/* In the arena. Reports what cannot be a name, and what is named twice. `owner` is whose key it is. */
const char *const *name_list_read(struct reader *reader, const config_setting_t *setting, const struct name_list *list,
                                  const char *owner, size_t *count);

#endif
