#include <stdio.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "cli/commands.h"

static const struct command_option global_help[] = {
    {"config", "FILE", "the configuration (default: $PGCHIME_CONFIG, else /etc/pgchime/pgchime.conf)"},
    {"database", "NAME", "this database only, by its name in the configuration"},
    {"output", "FORMAT", "-o: table, wide, json, ndjson or csv"},
    {"no-header", NULL, "tables and csv without their first line"},
    {"utc", NULL, "instants in UTC instead of local time (json and csv always are)"},
    {"quiet", NULL, "-q: no remarks"},
    {"verbose", NULL, "-v: say more"},
    {"help", NULL, "-h: this text"},
};

static void print_option(const struct command_option *option)
{
    struct buffer left = {0};
    buffer_printf(&left, "--%s%s%s", option->name, option->argument != NULL ? " " : "",
                  option->argument != NULL ? option->argument : "");
    printf("  %-22s %s\n", buffer_text(&left), option->help);
    buffer_finish(&left);
}

static void print_global_options(void)
{
    printf("\nGlobal options:\n");
    for (size_t i = 0; i < COUNT_OF(global_help); i++) {
        print_option(&global_help[i]);
    }
}

void help_all(void)
{
    printf(
        "pgchime: a job scheduler for PostgreSQL\n\nUsage: pgchime [OPTION]... COMMAND [ARGUMENT]...\n\nCommands:\n");
    for (size_t i = 0; i < command_count; i++) {
        if (!commands[i]->internal) {
            struct buffer left = {0};
            buffer_printf(&left, "%s %s", commands[i]->name, commands[i]->arguments);
            printf("  %-22s %s\n", buffer_text(&left), commands[i]->summary);
            buffer_finish(&left);
        }
    }
    print_global_options();
    printf(
        "\nExit status: 0 ok, 1 failed, 2 usage, 3 configuration, 4 unreachable, 5 not found, 6 refused, 124 timeout.\n"
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
    print_global_options();
}

static int help_run(const struct invocation *invocation)
{
    if (invocation->argument_count == 0) {
        help_all();
        return EXIT_OK;
    }
    const struct command *command = command_find(invocation->arguments[0]);
    if (command != NULL) {
        help_command(command);
        return EXIT_OK;
    }
    struct error err;
    const char *nearest = command_nearest(invocation->arguments[0]);
    error_set(&err, ERROR_USAGE, "there is no command \"%s\"", invocation->arguments[0]);
    if (nearest != NULL) {
        error_hint(&err, "did you mean \"%s\"?", nearest);
    }
    return fail(&err);
}

const struct command command_help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .most = 1,
    .summary = "what there is, or all of one command",
    .run = help_run,
};
