/* SPDX-License-Identifier: PostgreSQL */
/* pgchime-web: a program of its own, so that what reads HTTP has no right but to look. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "web/access.h"
#include "web/web.h"

static const char usage[] =
    "usage: pgchime web [serve|check] [--config FILE]\n"
    "       pgchime web token NAME --role tiles|view|operate\n"
    "\n"
    "serve   the page and the API, until it is ended (without a word: this)\n"
    "check   reads the configuration, and says what is wrong with it\n"
    "token   makes a token: on standard output its line for tokens_file, on standard error the token, this once\n"
    "\n"
    "--config FILE   the configuration (" WEB_DEFAULT_FILE ")\n";

struct words {
    const char *words[2];
    size_t count;
    const char *config;
    const char *role;
};

static int fail(const struct error *err)
{
    fprintf(stderr, "pgchime web: %s\n", err->message);
    if (err->hint[0] != '\0') {
        fprintf(stderr, "HINT:  %s\n", err->hint);
    }
    return (int)err->kind;
}

static int refuse_words(void)
{
    fputs(usage, stderr);
    return (int)ERROR_USAGE;
}

static struct web_config *load(const char *file)
{
    struct report report;
    report_init(&report);
    struct web_config *config = web_config_load(file, &report);
    report_sort(&report);
    for (size_t i = 0; i < report.count; i++) {
        char *line = finding_line(&report.findings[i]);
        fprintf(stderr, "%s\n", line);
        if (report.findings[i].hint != NULL) {
            fprintf(stderr, "HINT:  %s\n", report.findings[i].hint);
        }
        free(line);
    }
    report_finish(&report);
    return config;
}

static int serve_or_check(const char *file, bool serve)
{
    struct error err = {.kind = ERROR_NONE};
    struct web_config *config = load(file);
    if (config == NULL) {
        return (int)ERROR_CONFIG;
    }
    struct access *access = serve ? NULL : access_create(config, &err);
    access_destroy(access);
    bool sound = serve ? web_serve(config, &err) : access != NULL;
    web_config_free(config);
    return sound ? 0 : fail(&err);
}

static int make_token(const char *name, const char *role_name)
{
    enum web_role role;
    char secret[TOKEN_TEXT_SIZE];
    struct error err;
    if (!name_valid(name)) {
        error_set(&err, ERROR_USAGE, "\"%s\" cannot name a token", name);
        error_hint(&err, "a name has 1 to 63 letters, digits, \"_\" and \"-\"");
        return fail(&err);
    }
    if (role_name == NULL || !web_role_find(role_name, &role) || role == WEB_NONE) {
        error_set(&err, ERROR_USAGE, "a token has one of the roles tiles, view and operate");
        error_hint(&err, "write --role view");
        return fail(&err);
    }
    token_make(secret);
    char *line = token_line(name, role, secret);
    printf("%s\n", line);
    free(line);
    fprintf(stderr, "token: %s\nHINT:  add the line to the tokens_file of web.conf; nobody can tell the token again\n",
            secret);
    return fflush(stdout) == 0 ? 0 : (int)ERROR_FAILED;
}

/* False where they are not as `usage` has them. */
static bool read_words(int count, char *const *arguments, struct words *words)
{
    for (int i = 1; i < count; i++) {
        const char *word = arguments[i];
        const char **value = strcmp(word, "--config") == 0 ? &words->config
                             : strcmp(word, "--role") == 0 ? &words->role
                                                           : NULL;
        if (value != NULL && i + 1 < count) {
            *value = arguments[++i];
        } else if (word[0] != '-' && words->count < COUNT_OF(words->words)) {
            words->words[words->count++] = word;
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct words words = {.config = WEB_DEFAULT_FILE};
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("pgchime-web " PGCHIME_VERSION);
        return 0;
    }
    if (!read_words(argc, argv, &words)) {
        return refuse_words();
    }
    const char *command = words.count > 0 ? words.words[0] : "serve";
    if (strcmp(command, "token") == 0 && words.count == 2) {
        return make_token(words.words[1], words.role);
    }
    bool serve = strcmp(command, "serve") == 0;
    if (words.count > 1 || words.role != NULL || (!serve && strcmp(command, "check") != 0)) {
        return refuse_words();
    }
    return serve_or_check(words.config, serve);
}
