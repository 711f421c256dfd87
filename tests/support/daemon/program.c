/* SPDX-License-Identifier: PostgreSQL */
#include "support/daemon/program.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "support/process/process.h"

#define WORDS_MAX 40

char *program_output;
char *program_errors;

static char *read_all(FILE *file)
{
    long length = ftell(file);
    char *text = calloc((size_t)length + 1, 1);
    rewind(file);
    if (text == NULL || fread(text, 1, (size_t)length, file) != (size_t)length) {
        support_fail("cannot read what was printed");
    }
    fclose(file);
    return text;
}

/* Standard output or errors go to a file meanwhile. */
struct diverted {
    int descriptor;
    int saved;
    FILE *file;
};

static struct diverted divert(int descriptor)
{
    struct diverted diverted = {descriptor, dup(descriptor), tmpfile()};
    if (diverted.saved < 0 || diverted.file == NULL || dup2(fileno(diverted.file), descriptor) < 0) {
        support_fail("cannot divert descriptor %d", descriptor);
    }
    return diverted;
}

static char *restore(struct diverted *diverted)
{
    dup2(diverted->saved, diverted->descriptor);
    close(diverted->saved);
    fseek(diverted->file, 0, SEEK_END);
    return read_all(diverted->file);
}

int program_run(const char *const *words)
{
    char *argv[WORDS_MAX + 2] = {strdup("pgchime")};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) {
        if (argc > WORDS_MAX) {
            support_fail("more than %d words", WORDS_MAX);
        }
        argv[argc] = strdup(words[argc - 1]);
    }
    fflush(stdout);
    struct diverted output = divert(STDOUT_FILENO);
    struct diverted errors = divert(STDERR_FILENO);
    int status = command_line(PGCHIME_BINARY, argc, argv);
    fflush(stdout);
    program_forget();
    program_output = restore(&output);
    program_errors = restore(&errors);
    for (int i = 0; i < argc; i++) {
        free(argv[i]);
    }
    return status;
}

void program_forget(void)
{
    free(program_output);
    free(program_errors);
    program_output = program_errors = NULL;
}

void program_said(const char *part)
{
    if (strstr(program_output, part) == NULL) {
        support_fail("no \"%s\" in:\n%s", part, program_output);
    }
}

void program_complained(const char *part)
{
    if (strstr(program_errors, part) == NULL) {
        support_fail("no \"%s\" in:\n%s", part, program_errors);
    }
}

void program_answered(const char *json)
{
    json_error_t problem;
    json_t *wanted = json_loads(json, JSON_REJECT_DUPLICATES, &problem);
    if (wanted == NULL) {
        support_fail("%s in %s", problem.text, json);
    }
    json_t *found = json_loads(program_output, JSON_REJECT_DUPLICATES, NULL);
    if (!json_equal(found, wanted)) {
        support_fail("not %s:\n%s", json, program_output);
    }
    json_decref(found);
    json_decref(wanted);
}
