/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cli/commands.h"
#include "ledger/migrate.h"
#include "pgchime/plugin.h"

static int version_run(const struct invocation *invocation)
{
    static const struct output_column columns[] = {
        {"VERSION", "version", OUTPUT_TEXT, OUTPUT_ALWAYS},
        {"SCHEMA", "schema", OUTPUT_INTEGER, OUTPUT_ALWAYS},
        {"PLUGIN ABI", "plugin_abi", OUTPUT_TEXT, OUTPUT_ALWAYS},
    };
    if (output_is_for_people(&invocation->style)) {
        printf("pgchime %s\n", PGCHIME_VERSION);
        return EXIT_OK;
    }
    struct output_list *list = output_create("versions", columns, COUNT_OF(columns));
    char *abi = xasprintf("%d.%d", CHIME_ABI_MAJOR, CHIME_ABI_MINOR);
    output_add_row(list);
    output_set(list, 0, PGCHIME_VERSION);
    output_set_number(list, 1, migrate_newest());
    output_set(list, 2, abi);
    output_print(&list, 1, &invocation->style, stdout);
    output_destroy(list);
    free(abi);
    return EXIT_OK;
}

const struct command command_version = {
    .name = "version",
    .arguments = "",
    .summary = "the version of this program",
    .run = version_run,
};
