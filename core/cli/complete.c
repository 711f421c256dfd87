/* SPDX-License-Identifier: PostgreSQL */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/candidates.h"
#include "cli/commands.h"

/* What the words before the one under the cursor amount to. */
struct typed {
    struct invocation invocation; /* command NULL: not typed yet */
    const char *waiting;          /* the label of an option that waits for its value; NULL */
    size_t arguments;
    bool plain; /* after "--": everything is an argument */
};

static const struct command_option *find_option(const struct command_option *options, const char *name, size_t length)
{
    for (size_t i = 0; options[i].name != NULL; i++) {
        if (strlen(options[i].name) == length && strncmp(options[i].name, name, length) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

/* "--name", "--name=..." or a letter; NULL for what is none. */
static const struct command_option *option_of_word(const struct command *command, const char *word)
{
    if (strcmp(word, "-o") == 0) {
        return find_option(global_options, "output", strlen("output"));
    }
    if (strncmp(word, "--", 2) != 0) {
        return NULL;
    }
    size_t length = strcspn(word + 2, "=");
    const struct command_option *own = command != NULL ? find_option(command->options, word + 2, length) : NULL;
    return own != NULL ? own : find_option(global_options, word + 2, length);
}

/* What later candidates depend on. */
static void note_value(struct typed *typed, const struct command_option *option, const char *value)
{
    if (option->argument == NULL) {
        return;
    }
    if (strcmp(option->name, "config") == 0) {
        typed->invocation.config = value;
    } else if (strcmp(option->name, "database") == 0) {
        typed->invocation.database = value;
    }
}

/* Reads one word; how many words it took. bash gives "--output=json" as three. */
static size_t read_word(struct typed *typed, size_t count, char *const *words)
{
    const struct command_option *option = typed->plain ? NULL : option_of_word(typed->invocation.command, words[0]);
    const char *equals = strchr(words[0], '=');
    size_t used = 1;
    if (option != NULL && option->argument != NULL && equals == NULL) {
        used = count > 1 && strcmp(words[1], "=") == 0 ? 3 : 2;
        if (used > count) {
            typed->waiting = option->argument;
            return count;
        }
        note_value(typed, option, words[used - 1]);
    } else if (option != NULL && equals != NULL) {
        note_value(typed, option, equals + 1);
    } else if (!typed->plain && words[0][0] == '-') {
        typed->plain = strcmp(words[0], "--") == 0;
    } else if (typed->invocation.command == NULL) {
        typed->invocation.command = command_of_words(typed->invocation.commands, count, words, &used);
    } else {
        typed->arguments++;
    }
    return used;
}

static void complete_argument(const struct typed *typed, struct candidates *candidates)
{
    const struct command *command = typed->invocation.command;
    if (command == NULL) {
        candidates_add_commands(candidates, typed->invocation.commands, "");
        return;
    }
    if (typed->arguments == 0) {
        char *family = xasprintf("%s ", command->name);
        candidates_add_commands(candidates, typed->invocation.commands, family);
        free(family);
    }
    if (typed->arguments < (size_t)command->most) {
        candidates_add_values(candidates, command->arguments, &typed->invocation);
    }
}

static void complete_word(const struct typed *typed, char *word, struct candidates *candidates)
{
    char *equals = strchr(word, '=');
    const struct command_option *option = equals != NULL ? option_of_word(typed->invocation.command, word) : NULL;
    if (typed->waiting != NULL) {
        candidates->typed = strcmp(word, "=") == 0 ? "" : word;
        candidates_add_values(candidates, typed->waiting, &typed->invocation);
    } else if (!typed->plain && option != NULL && option->argument != NULL) {
        candidates->typed = equals + 1;
        candidates->lead = word;
        candidates->lead_length = (size_t)(equals + 1 - word);
        candidates_add_values(candidates, option->argument, &typed->invocation);
    } else if (!typed->plain && word[0] == '-') {
        candidates_add_options(candidates, typed->invocation.command);
    } else {
        complete_argument(typed, candidates);
    }
}

static void print_candidates(const struct candidates *candidates)
{
    for (size_t i = 0; i < candidates->count; i++) {
        printf("%.*s%s\t%s\n", (int)candidates->lead_length, candidates->lead_length > 0 ? candidates->lead : "",
               candidates->words[i], candidates->helps[i]);
    }
    if (candidates->others != NULL) {
        printf("%s\n", candidates->others);
    }
}

static int complete_run(const struct invocation *invocation)
{
    struct typed typed = {
        .invocation = {.program = invocation->program, .config = invocation->config, .commands = invocation->commands}};
    char *const *words = invocation->arguments;
    size_t count = (size_t)invocation->argument_count;
    if (count > 0 && strcmp(words[0], "--") == 0) {
        words++;
        count--;
    }
    if (count == 0) {
        return EXIT_OK;
    }
    char *word = words[count - 1];
    for (size_t i = 0; i + 1 < count;) {
        i += read_word(&typed, count - 1 - i, words + i);
    }
    struct candidates candidates = {.typed = word};
    complete_word(&typed, word, &candidates);
    print_candidates(&candidates);
    candidates_finish(&candidates);
    return EXIT_OK;
}

/* What the scripts of `pgchime completion` call. */
const struct command command_complete = {
    .name = "complete",
    .arguments = "[--] [WORD]...",
    .most = INT_MAX,
    .summary = "what may stand in place of the last word, each with a tab and what it means",
    .internal = true,
    .raw = true,
    .run = complete_run,
};
