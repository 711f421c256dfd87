/* SPDX-License-Identifier: PostgreSQL */
/* The description of a plugin folder as text. A child process makes it and sends it to the daemon, so that the daemon
 * does not wait for plugins.
 *
 * One JSON object: {"stamp": hex, "plugins": [{"file", "declaration"}], "findings": [{"file", "line", "message",
 * "hint"}]}. */
#ifndef CHIME_PLUGIN_SET_TEXT_H
#define CHIME_PLUGIN_SET_TEXT_H

#include <stddef.h>

#include "base/error.h"
#include "plugin/plugins.h"

#define PLUGIN_SET_LIMIT (64u << 20)       /* bytes of such a text */
#define PLUGIN_SET_COMMAND "plugin-folder" /* `pgchime plugin-folder FOLDER` writes it */

/* `set` was described with keep_texts. Caller frees. */
char *plugin_set_encode(const struct plugin_set *set, const struct report *report);
/* Adds the findings to the report. NULL when the text is not whole, or not such a text. */
struct plugin_set *plugin_set_decode(const char *text, size_t length, struct report *report, struct error *err);

#endif
