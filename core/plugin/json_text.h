/* SPDX-License-Identifier: PostgreSQL */
/* Text on its way out: as a JSON string, or fit to be shown. Private to core/plugin. */
#ifndef CHIME_PLUGIN_JSON_TEXT_H
#define CHIME_PLUGIN_JSON_TEXT_H

#include "base/buffer.h"

/* `text` must be UTF-8 without NUL. */
void json_text_append(struct buffer *json, const char *text, size_t length);
/* In place: control characters become spaces, and where the text is not UTF-8 every byte above ASCII becomes '?'. What
 * a plugin put into a message must neither move a terminal's cursor nor forge a line. */
void text_make_printable(char *text);

#endif
