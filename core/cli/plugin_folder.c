/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "plugin/set_text.h"

/* The daemon's child at a reload: it may wait for plugins, which the daemon may not. */
static int plugin_folder_run(const struct invocation *invocation)
{
    struct plugin_options options = {.host_program = invocation->program, .keep_texts = true};
    struct report report;
    report_init(&report);
    struct plugin_set *set = plugins_describe(invocation->arguments[0], &options, &report);
    char *text = plugin_set_encode(set, &report);
    fputs(text, stdout);
    free(text);
    plugin_set_destroy(set);
    report_finish(&report);
    return output_complete() ? EXIT_OK : (int)ERROR_FAILED;
}

const struct command command_plugin_folder = {
    .name = PLUGIN_SET_COMMAND,
    .arguments = "FOLDER",
    .least = 1,
    .most = 1,
    .summary = "internal: describes the plugins of a folder",
    .internal = true,
    .raw = true,
    .run = plugin_folder_run,
};
