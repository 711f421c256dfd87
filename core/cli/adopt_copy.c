/* SPDX-License-Identifier: PostgreSQL */
#include "cli/commands.h"
#include "cli/visit.h"

static const struct output_column columns[] = {
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"LOST", "lost_runs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"WAS", "was", OUTPUT_LONG, OUTPUT_ALWAYS},
};

static bool adopt(struct visit *visit, void *data, struct error *err)
{
    static const char sql[] = "SELECT $1::text, lost_runs, replace(original, 'this is ', '') FROM chime.adopt_copy()";
    return visit_list(visit, data, sql, NULL, 0, err);
}

static int adopt_copy_run(const struct invocation *invocation)
{
    struct output_list *list = output_create("copies", columns, COUNT_OF(columns));
    int status = visit_command(invocation, list, adopt, "no database is a copy of another: there is nothing to adopt");
    output_destroy(list);
    return status;
}

const struct command command_adopt_copy = {
    .name = "adopt-copy",
    .arguments = "",
    .summary = "lets the jobs of a database run that is a copy of another one",
    .details =
        "A daemon holds the jobs of a database that came by a dump or a template from one that has them too. From "
        "now on they\nrun here: what was live in the copy is lost, and slots since it was made are missed. A "
        "database that is no copy is\nleft as it is.",
    .run = adopt_copy_run,
};
