/* SPDX-License-Identifier: PostgreSQL */
/* The files of a new plugin, as `pgchime plugins new` writes them: a complete one that counts orders per day.
 * "@NAME@" stands for the plugin's name, "@JOB@" for it in the name of a job: with "-" for "_". */
#ifndef CHIME_CLI_PLUGIN_TEMPLATE_H
#define CHIME_CLI_PLUGIN_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct plugin_file {
    const char *name; /* in the new folder */
    const char *text;
    bool program; /* to be run */
    const char *purpose;
};

extern const struct plugin_file plugin_template[];
extern const size_t plugin_template_count;

/* NAME.sql of `plugins new --sql`: the same view as one file, which needs no compiler. */
extern const struct plugin_file view_template;

/* Appends the text with the names put in. */
void plugin_template_fill(struct buffer *buffer, const char *text, const char *plugin);

#endif
