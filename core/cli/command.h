/* SPDX-License-Identifier: PostgreSQL */
/* The command line: one table of commands, each a constant entry in a file of its own (core/cli/NAME.c).
 *
 * Does: find the command, read its options and the global ones (in any order, before or after the command), print help
 *   made from the table, turn failures into the exit status that pgchime(1) lists.
 * A name may have two words ("plugins new"), typed one after the other. A command's own option wins over a global one
 *   of the same name. What an argument or value is called decides how it is completed (candidates.h): JOB, VIEW,
 *   PLUGIN, FILE, "a|b".
 * Does not: know what a command does.
 * Data goes to standard output, everything else to standard error. */
#ifndef CHIME_CLI_COMMAND_H
#define CHIME_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "cli/output_print.h"

#define COMMAND_OPTIONS_MAX 12
#define COMMAND_DATABASES_MAX 32
#define COMMANDS_MAX 64

/* The others are error kinds. */
enum exit_status { EXIT_OK = 0, EXIT_DIFFERS = 7, EXIT_WARNINGS = 8, EXIT_TIMEOUT = 124, EXIT_INTERRUPTED = 130 };

struct command_option {
    const char *name;     /* without the dashes; NULL ends the list */
    const char *argument; /* what its value is called; NULL: it has none */
    const char *help;
};

struct invocation;

struct command {
    const char *name;
    const char *arguments; /* as shown in usage: "JOB", "[JOB]", "" */
    int least;             /* arguments needed */
    int most;              /* arguments allowed */
    const char *summary;
    const char *details; /* more for `help COMMAND`; NULL */
    struct command_option options[COMMAND_OPTIONS_MAX + 1];
    bool internal; /* not listed */
    bool raw;      /* its arguments are not looked at for options */
    bool draws;    /* also knows -o tree and -o dot */
    int (*run)(const struct invocation *invocation);
};

/* A command with what was given to it. */
struct invocation {
    const struct command *command;
    const struct command *const *commands; /* all there are, ended by NULL */
    const char *program;                   /* path of this pgchime, for children */
    const char *config;                    /* path of the configuration */
    const char *database;                  /* NULL: all; of several, the last */
    const char *databases[COMMAND_DATABASES_MAX];
    size_t database_count;
    struct output_style style;
    bool quiet;
    int verbose;
    int argument_count;
    char *const *arguments;
    const char *values[COMMAND_OPTIONS_MAX]; /* by place in command->options; "" for a flag, NULL not given */
};

extern const struct command *const commands[]; /* ended by NULL */

/* The whole program after main: the exit status. `program` is what runs as plugin host: main gives itself, but a test
 * that calls this is no pgchime, and would run all its tests again as the host of each plugin. */
int command_line(const char *program, int argc, char *const *argv);

/* Value of an option of the command by its name; NULL not given, "" for a flag. */
const char *invocation_option(const struct invocation *invocation, const char *name);
bool invocation_has(const struct invocation *invocation, const char *name);
/* A duration such as "60s" in an option; untouched when it is not given. */
bool invocation_duration(const struct invocation *invocation, const char *name, duration *length,
                         struct error *err) CHIME_MUST_CHECK;
/* A time in an option, as INSTANT_TEXT_SIZE of `text`, to which *value points then; likewise. */
bool invocation_instant(const struct invocation *invocation, const char *name, char *text, const char **value,
                        struct error *err) CHIME_MUST_CHECK;

const struct command *command_find(const struct command *const *all, const char *name); /* NULL */
/* The command that begins the words, and how many of them name it; NULL when none does. */
const struct command *command_of_words(const struct command *const *all, size_t count, char *const *words,
                                       size_t *used);
/* "did you mean" for a command's name; NULL when none is near. */
const char *command_nearest(const struct command *const *all, const char *name);
void help_all(const struct command *const *all);  /* on standard output */
void help_command(const struct command *command); /* likewise */

/* The options that every command has, as help shows them; ended by one without a name. */
extern const struct command_option global_options[];

/* Prints "pgchime: message" and the hint on standard error, escaped; returns the exit status of its kind. */
int fail(const struct error *err);
/* A remark on standard error, not an error; nothing with -q. */
void remark(const struct invocation *invocation, const char *format, ...) CHIME_PRINTF(2, 3);
/* True when all of standard output was written; else says so and returns false. */
bool output_complete(void);

#endif
