/* SPDX-License-Identifier: PostgreSQL */
#include "base/text.h"
#include "cli/commands.h"
#include "plugin/plugins.h"

/* What starts it is the daemon, so that a fault here needs no hint. */
static int plugin_host_run(const struct invocation *invocation)
{
    int64_t descriptor;
    struct error err;
    if (invocation->argument_count != 2 || !parse_int64(invocation->arguments[0], 0, 1023, &descriptor)) {
        error_set(&err, ERROR_USAGE, "usage: pgchime " PLUGIN_HOST_COMMAND " DESCRIPTOR FILE, for pgchime's own use");
        return fail(&err);
    }
    return plugin_host_main((int)descriptor, PLUGIN_HOST_OUT, invocation->arguments[1]);
}

const struct command command_plugin_host = {
    .name = PLUGIN_HOST_COMMAND,
    .arguments = "DESCRIPTOR FILE",
    .least = 2,
    .most = 2,
    .summary = "internal: describes one plugin, then ends",
    .internal = true,
    .raw = true,
    .run = plugin_host_run,
};
