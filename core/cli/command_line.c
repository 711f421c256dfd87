/* SPDX-License-Identifier: PostgreSQL */
/* Reads the command line by the table of commands: options, arguments, formats; then runs the command. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"
#include "config/config.h"

const struct command *const commands[] = {
    &command_serve,
    &command_check,
    &command_doctor,
    &command_init,
    &command_reload,
    &command_migrate,
    &command_status,
    &command_alerts,
    &command_alerts_rules,
    &command_alerts_silence,
    &command_alerts_unsilence,
    &command_alerts_ack,
    &command_alerts_test,
    &command_jobs,
    &command_show,
    &command_next,
    &command_why,
    &command_runs,
    &command_run,
    &command_cancel,
    &command_suspend,
    &command_resume,
    &command_views,
    &command_views_explain,
    &command_tiles,
    &command_refresh,
    &command_verify,
    &command_backfill,
    &command_adopt_copy,
    &command_import,
    &command_import_crontab,
    &command_graph,
    &command_history,
    &command_plugins,
    &command_plugins_new,
    &command_plugins_adopt,
    &command_plugins_purge,
    &command_retention_confirm,
    &command_retention_restore,
    &command_metrics,
    &command_web,
    &command_completion,
    &command_version,
    &command_plugin_folder,
    &command_plugin_host,
    &command_complete,
    &command_help,
    NULL,
};
_Static_assert(COUNT_OF(commands) - 1 <= COMMANDS_MAX, "command_nearest looks at all of them");

enum global_letter {
    GLOBAL_CONFIG = 256,
    GLOBAL_DATABASE,
    GLOBAL_UTC,
    GLOBAL_NO_HEADER,
    GLOBAL_OF_COMMAND, /* first option of the command */
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, GLOBAL_CONFIG},
    {"database", required_argument, NULL, GLOBAL_DATABASE},
    {"output", required_argument, NULL, 'o'},
    {"utc", no_argument, NULL, GLOBAL_UTC},
    {"no-header", no_argument, NULL, GLOBAL_NO_HEADER},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
};

struct option_table {
    struct option entries[COUNT_OF(long_options) + COMMAND_OPTIONS_MAX + 1];
    const char *names[COUNT_OF(long_options) + COMMAND_OPTIONS_MAX];
    size_t count;
};

/* The command's own come first: of two with one name, getopt_long takes the first. */
static void collect_options(struct option_table *table, const struct command *command)
{
    memset(table, 0, sizeof(*table));
    for (int i = 0; command != NULL && command->options[i].name != NULL; i++) {
        const struct command_option *option = &command->options[i];
        table->entries[table->count++] = (struct option){
            option->name, option->argument != NULL ? required_argument : no_argument, NULL, GLOBAL_OF_COMMAND + i};
    }
    memcpy(table->entries + table->count, long_options, sizeof(long_options));
    table->count += COUNT_OF(long_options);
    for (size_t i = 0; i < table->count; i++) {
        table->names[i] = table->entries[i].name;
    }
}

static bool is_known_value(const struct option_table *table, int value)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->entries[i].val == value) {
            return true;
        }
    }
    return false;
}

static bool hint_help(const struct command *command, struct error *err)
{
    return error_hint(err, "pgchime help%s%s lists the options", command != NULL ? " " : "",
                      command != NULL ? command->name : "");
}

/* After getopt_long said '?': optopt is 0 for an unknown word, a letter, or the value of an option that takes none. */
static bool refuse_option(const struct option_table *table, const struct command *command, const char *word,
                          struct error *err)
{
    if (optopt != 0 && is_known_value(table, optopt)) {
        error_set(err, ERROR_USAGE, "option \"%s\" takes no value", word);
        return hint_help(command, err);
    }
    if (optopt != 0) {
        error_set(err, ERROR_USAGE, "unknown option \"-%c\"", optopt);
        return hint_help(command, err);
    }
    char *name = xstrndup(word + 2, strcspn(word + 2, "="));
    const char *nearest = nearest_word(name, table->names, table->count);
    free(name);
    error_set(err, ERROR_USAGE, "unknown option \"%s\"", word);
    return nearest != NULL ? error_hint(err, "did you mean \"--%s\"?", nearest) : hint_help(command, err);
}

static bool take_database(struct invocation *invocation, const char *name, struct error *err)
{
    if (invocation->database_count == COMMAND_DATABASES_MAX) {
        return error_set(err, ERROR_USAGE, "more than %d times --database", COMMAND_DATABASES_MAX);
    }
    invocation->databases[invocation->database_count++] = name;
    invocation->database = name;
    return true;
}

static bool take_option(struct invocation *invocation, int letter, struct error *err)
{
    switch (letter) {
    case GLOBAL_CONFIG:
        invocation->config = optarg;
        break;
    case GLOBAL_DATABASE:
        return take_database(invocation, optarg, err);
    case GLOBAL_UTC:
        invocation->style.utc = true;
        break;
    case GLOBAL_NO_HEADER:
        invocation->style.no_header = true;
        break;
    case 'o':
        return output_format_parse(optarg, &invocation->style.format, err);
    case 'q':
        invocation->quiet = true;
        break;
    case 'v':
        invocation->verbose++;
        break;
    default:
        invocation->values[letter - GLOBAL_OF_COMMAND] = optarg != NULL ? optarg : "";
    }
    return true;
}

/* Reads options up to the first word ("+") or all of them. A command asked for by an option (--help, --version) goes
 * into *instead. */
static bool read_options(struct invocation *invocation, int argc, char *const *argv, bool all,
                         const struct command **instead, struct error *err)
{
    struct option_table table;
    collect_options(&table, invocation->command);
    opterr = 0;
    optind = 0; /* glibc: forget everything about an earlier call */
    for (;;) {
        int letter = getopt_long(argc, argv, all ? ":o:qvhV" : "+:o:qvhV", table.entries, NULL);
        if (letter == -1) {
            return true;
        }
        if (letter == '?') {
            return refuse_option(&table, invocation->command, argv[optind - 1], err);
        }
        if (letter == ':') {
            error_set(err, ERROR_USAGE, "option \"%s\" needs a value", argv[optind - 1]);
            return hint_help(invocation->command, err);
        }
        if (letter == 'h' || letter == 'V') {
            *instead = letter == 'h' ? &command_help : &command_version;
        } else if (!take_option(invocation, letter, err)) {
            return false;
        }
    }
}

/* A word after "plugins" that is no argument was meant as "plugins new" or the like. */
static bool refuse_second_word(const struct invocation *invocation, struct error *err)
{
    const char *first = invocation->command->name;
    char *both = xasprintf("%s %s", first, invocation->arguments[0]);
    const char *nearest = command_nearest(invocation->commands, both);
    bool family = nearest != NULL && strncmp(nearest, first, strlen(first)) == 0 && nearest[strlen(first)] == ' ';
    if (family) {
        error_set(err, ERROR_USAGE, "there is no command \"%s\"", both);
        error_hint(err, "did you mean \"%s\"?", nearest);
    }
    free(both);
    return family;
}

static bool check_argument_count(const struct invocation *invocation, struct error *err)
{
    const struct command *command = invocation->command;
    if (invocation->argument_count >= command->least && invocation->argument_count <= command->most) {
        return true;
    }
    if (command->most == 0 && refuse_second_word(invocation, err)) {
        return false;
    }
    if (invocation->argument_count > command->most) {
        error_set(err, ERROR_USAGE, "\"%s\" is one argument too many for %s", invocation->arguments[command->most],
                  command->name);
    } else {
        error_set(err, ERROR_USAGE, "%s needs %s", command->name, command->arguments);
    }
    return error_hint(err, "usage: pgchime %s%s%s", command->name, command->arguments[0] != '\0' ? " " : "",
                      command->arguments);
}

static bool check_format(const struct invocation *invocation, struct error *err)
{
    enum output_format format = invocation->style.format;
    if ((format != OUTPUT_TREE && format != OUTPUT_DOT) || invocation->command->draws) {
        return true;
    }
    error_set(err, ERROR_USAGE, "%s knows no -o %s", invocation->command->name, format == OUTPUT_DOT ? "dot" : "tree");
    return error_hint(err, "write -o table, wide, json, ndjson or csv; pgchime graph knows tree and dot");
}

static int run_command(struct invocation *invocation)
{
    invocation->style.colour = output_wants_colour(STDOUT_FILENO);
    invocation->style.terminal = isatty(STDOUT_FILENO) == 1;
    int status = invocation->command->run(invocation);
    return output_complete() || status != EXIT_OK ? status : (int)ERROR_FAILED;
}

/* With the command known: argv[0] is its name. */
static int continue_command(struct invocation *invocation, int argc, char *const *argv)
{
    struct error err;
    const struct command *instead = NULL;
    int first = 1;
    if (!invocation->command->raw) {
        if (!read_options(invocation, argc, argv, true, &instead, &err)) {
            return fail(&err);
        }
        first = optind;
    }
    invocation->argument_count = argc - first;
    invocation->arguments = argv + first;
    if (instead == &command_help) {
        help_command(invocation->command);
        return output_complete() ? EXIT_OK : (int)ERROR_FAILED;
    }
    if (instead != NULL) {
        invocation->command = instead;
    } else if (!check_argument_count(invocation, &err) || !check_format(invocation, &err)) {
        return fail(&err);
    }
    return run_command(invocation);
}

static int refuse_command(const struct command *const *all, const char *name)
{
    struct error err;
    const char *nearest = command_nearest(all, name);
    error_set(&err, ERROR_USAGE, "there is no command \"%s\"", name);
    if (nearest != NULL) {
        error_hint(&err, "did you mean \"%s\"?", nearest);
    } else {
        error_hint(&err, "pgchime help lists them");
    }
    return fail(&err);
}

static const char *default_config(void)
{
    const char *given = getenv("PGCHIME_CONFIG");
    return given != NULL && given[0] != '\0' ? given : CONFIG_DEFAULT_FILE;
}

int command_line(const char *program, int argc, char *const *argv)
{
    struct invocation invocation = {.program = program, .config = default_config(), .commands = commands};
    struct error err;
    const struct command *instead = NULL;
    if (!read_options(&invocation, argc, argv, false, &instead, &err)) {
        return fail(&err);
    }
    if (instead != NULL) {
        invocation.command = instead;
        return run_command(&invocation);
    }
    if (optind >= argc) {
        error_set(&err, ERROR_USAGE, "no command is given");
        error_hint(&err, "pgchime help lists them");
        return fail(&err);
    }
    size_t used;
    int first = optind;
    invocation.command = command_of_words(commands, (size_t)(argc - first), argv + first, &used);
    if (invocation.command == NULL) {
        return refuse_command(commands, argv[first]);
    }
    first += (int)used - 1;
    return continue_command(&invocation, argc - first, argv + first);
}
