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
/* The plugin's name: the file's without ".so"; NULL when it is not one. Caller frees. */
char *vet_plugin_name(const char *file);

#endif
