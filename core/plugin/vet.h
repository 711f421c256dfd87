/* SPDX-License-Identifier: PostgreSQL */
/* Whether a plugin file may be loaded at all: who could have written it. Private to core/plugin.
 * base/trust.h has the rules. The plugin folder itself may not be a sticky one. */
#ifndef CHIME_PLUGIN_VET_H
#define CHIME_PLUGIN_VET_H

#include <stdbool.h>

#include "base/error.h"

/* A descriptor of the folder, or -1 with the rule that it breaks. */
int vet_folder(const char *folder, struct error *err) CHIME_MUST_CHECK;
/* A descriptor of one file in it, or -1 with the rule that it breaks. `path` is the folder's, for hints. */
int vet_file(int folder, const char *path, const char *file, struct error *err) CHIME_MUST_CHECK;
/* Whether a file of that name is a plugin, good or bad: one that ends in ".so" or ".sql" and begins with no dot. */
bool vet_is_plugin(const char *file);
/* Bytes of the plugin's name: the file's without its suffix. 0: the file has none of them. */
size_t vet_name_length(const char *file);

#endif
