/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "cli/commands.h"

const struct command_option global_options[] = {
    {"config", "FILE", "the configuration (default: $PGCHIME_CONFIG, else /etc/pgchime/pgchime.conf)"},
    {"database", "DATABASE", "this database only, by its name in the configuration"},
    {"output", "FORMAT", "-o: table, wide, json, ndjson or csv"},
    {"no-header", NULL, "tables and csv without their first line"},
    {"utc", NULL, "instants in UTC instead of local time (json and csv always are)"},
    {"quiet", NULL, "-q: no remarks"},
    {"verbose", NULL, "-v: say more"},
    {"help", NULL, "-h: this text"},
    {.name = NULL},
};

static void print_option(const struct command_option *option)
{
    struct buffer left = {0};
    buffer_printf(&left, "--%s%s%s", option->name, option->argument != NULL ? " " : "",
                  option->argument != NULL ? option->argument : "");
    printf("  %-22s %s\n", buffer_text(&left), option->help);
    buffer_finish(&left);
}

static bool has_option(const struct command *command, const char *name)
{
    for (size_t i = 0; command != NULL && command->options[i].name != NULL; i++) {
        if (strcmp(command->options[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Those that the command does not mean otherwise; NULL: all. */
static void print_global_options(const struct command *command)
{
    printf("\nGlobal options:\n");
    for (size_t i = 0; global_options[i].name != NULL; i++) {
        if (!has_option(command, global_options[i].name)) {
            print_option(&global_options[i]);
        }
    }
}

void help_all(const struct command *const *all)
{
    printf(
        "pgchime: a job scheduler for PostgreSQL\n\nUsage: pgchime [OPTION]... COMMAND [ARGUMENT]...\n\nCommands:\n");
    for (size_t i = 0; all[i] != NULL; i++) {
        if (!all[i]->internal) {
            struct buffer left = {0};
            buffer_printf(&left, "%s %s", all[i]->name, all[i]->arguments);
            printf("  %-22s %s\n", buffer_text(&left), all[i]->summary);
            buffer_finish(&left);
        }
    }
    print_global_options(NULL);
    printf("\nExit status: 0 ok, 1 failed, 2 usage, 3 configuration, 4 unreachable, 5 not found, 6 refused,\n"
           "7 verify found a difference, 8 status or doctor warns, 124 timeout, 130 interrupted.\n"
           "pgchime help COMMAND says more.\n");
}

void help_command(const struct command *command)
{
    printf("Usage: pgchime %s%s%s%s\n\n%s\n", command->name, command->options[0].name != NULL ? " [OPTION]..." : "",
           command->arguments[0] != '\0' ? " " : "", command->arguments, command->summary);
    if (command->details != NULL) {
        printf("\n%s\n", command->details);
    }
    if (command->options[0].name != NULL) {
        printf("\nOptions:\n");
    }
    for (size_t i = 0; command->options[i].name != NULL; i++) {
        print_option(&command->options[i]);
    }
    print_global_options(command);
}

static int refuse_unknown(const struct command *const *all, const char *name)
{
    struct error err;
    const char *nearest = command_nearest(all, name);
    error_set(&err, ERROR_USAGE, "there is no command \"%s\"", name);
    if (nearest != NULL) {
        error_hint(&err, "did you mean \"%s\"?", nearest);
    }
    return fail(&err);
}

static int help_run(const struct invocation *invocation)
{
    if (invocation->argument_count == 0) {
        help_all(invocation->commands);
        return EXIT_OK;
    }
    bool two_words = invocation->argument_count > 1;
    char *name = xasprintf("%s%s%s", invocation->arguments[0], two_words ? " " : "",
                           two_words ? invocation->arguments[1] : "");
    const struct command *command = command_find(invocation->commands, name);
    int status = EXIT_OK;
    if (command != NULL) {
        help_command(command);
    } else {
        status = refuse_unknown(invocation->commands, name);
    }
    free(name);
    return status;
}

const struct command command_help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .most = 2,
    .summary = "what there is, or all of one command",
    .run = help_run,
};
