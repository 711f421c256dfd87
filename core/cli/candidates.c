/* SPDX-License-Identifier: PostgreSQL */
#include "cli/candidates.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/load.h"
#include "cli/visit.h"
#include "model/run.h"

#define PATIENCE (2 * USEC_PER_SEC) /* somebody has pressed a key and waits */

static bool fits(const struct candidates *candidates, const char *word)
{
    for (const char *c = word; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == '\x7f') {
            return false;
        }
    }
    return word[0] != '\0' && strncmp(word, candidates->typed, strlen(candidates->typed)) == 0;
}

static bool is_there(const struct candidates *candidates, const char *word)
{
    for (size_t i = 0; i < candidates->count; i++) {
        if (strcmp(candidates->words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

void candidates_add(struct candidates *candidates, const char *word, const char *help)
{
    if (!fits(candidates, word) || is_there(candidates, word)) {
        return;
    }
    candidates->words = xrealloc(candidates->words, candidates->count + 1, sizeof(*candidates->words));
    candidates->helps = xrealloc(candidates->helps, candidates->count + 1, sizeof(*candidates->helps));
    candidates->words[candidates->count] = xstrdup(word);
    candidates->helps[candidates->count++] = xstrdup(help);
}

void candidates_finish(struct candidates *candidates)
{
    for (size_t i = 0; i < candidates->count; i++) {
        free(candidates->words[i]);
        free(candidates->helps[i]);
    }
    free(candidates->words);
    free(candidates->helps);
}

/* --- of the program itself ---------------------------------------------------------------------------------------- */

void candidates_add_commands(struct candidates *candidates, const struct command *const *all, const char *family)
{
    for (size_t i = 0; all[i] != NULL; i++) {
        const char *name = all[i]->name;
        bool belongs = strncmp(name, family, strlen(family)) == 0;
        if (!all[i]->internal && belongs && strchr(name + strlen(family), ' ') == NULL) {
            candidates_add(candidates, name + strlen(family), all[i]->summary);
        }
    }
}

static void add_option(struct candidates *candidates, const struct command_option *option)
{
    char *word = xasprintf("--%s", option->name);
    candidates_add(candidates, word, option->help);
    free(word);
}

void candidates_add_options(struct candidates *candidates, const struct command *command)
{
    for (size_t i = 0; command != NULL && command->options[i].name != NULL; i++) {
        add_option(candidates, &command->options[i]);
    }
    for (size_t i = 0; global_options[i].name != NULL; i++) {
        add_option(candidates, &global_options[i]);
    }
}

/* "run|skip" */
static void add_choices(struct candidates *candidates, const char *choices)
{
    while (*choices != '\0') {
        size_t length = strcspn(choices, "|");
        char *word = xstrndup(choices, length);
        candidates_add(candidates, word, "");
        free(word);
        choices += length + (choices[length] == '|' ? 1 : 0);
    }
}

static void add_formats(struct candidates *candidates, const struct command *command)
{
    add_choices(candidates, "table|wide|json|ndjson|csv");
    if (command != NULL && command->draws) {
        add_choices(candidates, "tree|dot");
    }
}

static void add_state(struct candidates *candidates, enum run_state state)
{
    const char *comma = strrchr(candidates->typed, ',');
    int lead = comma != NULL ? (int)(comma + 1 - candidates->typed) : 0;
    char *word = xasprintf("%.*s%s", lead, candidates->typed, run_state_name(state));
    candidates_add(candidates, word, "");
    free(word);
}

/* After those that are there already: "failed,lo". */
static void add_states(struct candidates *candidates)
{
    for (int state = RUN_SUCCEEDED; state < RUN_STATE_COUNT; state++) {
        add_state(candidates, (enum run_state)state);
    }
    add_state(candidates, RUN_RUNNING);
    add_state(candidates, RUN_RETRYING);
}

/* --- of the system ------------------------------------------------------------------------------------------------ */

/* tzdata's own list: "Z NAME ..." a zone, "L TARGET NAME" another name of one. */
static void add_zone_line(struct candidates *candidates, char *line)
{
    char *rest = NULL;
    const char *kind = strtok_r(line, " \n", &rest);
    const char *first = strtok_r(NULL, " \n", &rest);
    const char *second = strtok_r(NULL, " \n", &rest);
    if (kind != NULL && first != NULL && strcmp(kind, "Z") == 0) {
        candidates_add(candidates, first, "");
    } else if (kind != NULL && second != NULL && strcmp(kind, "L") == 0) {
        candidates_add(candidates, second, "");
    }
}

static void add_zones(struct candidates *candidates)
{
    const char *folder = getenv("TZDIR");
    char *path = xasprintf("%s/tzdata.zi", folder != NULL && folder[0] != '\0' ? folder : "/usr/share/zoneinfo");
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    free(path);
    if (file == NULL) {
        return;
    }
    while (getline(&line, &size, file) >= 0) {
        add_zone_line(candidates, line);
    }
    free(line);
    fclose(file);
    candidates_add(candidates, "UTC", "");
}

/* --- of the configuration ----------------------------------------------------------------------------------------- */

static struct config *quiet_config(const struct invocation *invocation)
{
    struct report report;
    report_init(&report);
    struct config *config = config_gather(invocation->config, &report);
    report_finish(&report);
    if (!config->databases_sound) {
        config_free(config);
        return NULL;
    }
    return config;
}

static void add_databases(struct candidates *candidates, const struct invocation *invocation)
{
    struct config *config = quiet_config(invocation);
    for (size_t i = 0; config != NULL && i < config->database_count; i++) {
        candidates_add(candidates, config->databases[i].name, "");
    }
    config_free(config);
}

static void add_configured_plugins(struct candidates *candidates, const struct invocation *invocation)
{
    struct loaded loaded;
    load_all(invocation, &loaded);
    for (size_t i = 0; i < loaded.plugins->count; i++) {
        candidates_add(candidates, loaded.plugins->plugins[i]->name, loaded.plugins->plugins[i]->summary);
    }
    loaded_finish(&loaded);
}

static void add_configured_jobs(struct candidates *candidates, const struct invocation *invocation)
{
    struct loaded loaded;
    load_all(invocation, &loaded);
    for (size_t i = 0; loaded.catalog != NULL && i < loaded.catalog->job_count; i++) {
        const struct job *job = loaded.catalog->jobs[i];
        if (invocation->database == NULL || strcmp(invocation->database, job->database) == 0) {
            candidates_add(candidates, job->name, job->schedule_text);
        }
    }
    loaded_finish(&loaded);
}

/* --- of the databases --------------------------------------------------------------------------------------------- */

/* In the child: names with a NUL after each. */
static void write_names(const struct invocation *invocation, const struct config *config, const char *sql, int to)
{
    for (size_t i = 0; i < config->database_count; i++) {
        struct pg_rows rows;
        struct pg_client *client = NULL;
        if (database_is_wanted(invocation, &config->databases[i])) {
            client = pg_client_open(config->databases[i].conninfo, NULL);
        }
        if (client != NULL && pg_client_query(client, sql, NULL, 0, &rows, NULL)) {
            for (size_t row = 0; row < rows.count; row++) {
                dprintf(to, "%s%c", pg_rows_value(&rows, row, 0), '\0');
            }
            pg_rows_finish(&rows);
        }
        pg_client_close(client);
    }
}

static void read_names(int from, struct buffer *text)
{
    instant deadline = clock_boot() + PATIENCE;
    for (;;) {
        struct pollfd ready = {.fd = from, .events = POLLIN};
        duration left = deadline - clock_boot();
        char bytes[4096];
        if (left <= 0 || poll(&ready, 1, (int)(left / USEC_PER_MSEC) + 1) == 0) {
            return;
        }
        ssize_t count = read(from, bytes, sizeof(bytes));
        if (count == 0 || (count < 0 && errno != EINTR)) {
            return;
        }
        buffer_append(text, bytes, count > 0 ? (size_t)count : 0);
    }
}

/* Without a last one that was cut off. */
static void add_names(struct candidates *candidates, const struct buffer *text)
{
    size_t at = 0;
    while (at < text->length && memchr(text->data + at, '\0', text->length - at) != NULL) {
        candidates_add(candidates, text->data + at, "");
        at += strlen(text->data + at) + 1;
    }
}

/* A child asks, because libpq's own patience is not ours: it is ended when it takes too long. False when it got no
 * answer. */
static bool add_from_databases(struct candidates *candidates, const struct invocation *invocation, const char *sql)
{
    struct config *config = quiet_config(invocation);
    struct buffer text = {0};
    int ends[2];
    if (config == NULL || pipe(ends) != 0) {
        config_free(config);
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        write_names(invocation, config, sql, ends[1]);
        _exit(EXIT_OK);
    }
    close(ends[1]);
    if (child > 0) {
        read_names(ends[0], &text);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    close(ends[0]);
    config_free(config);
    bool answered = text.length > 0;
    if (answered) {
        add_names(candidates, &text);
    }
    buffer_finish(&text);
    return answered;
}

static void add_jobs(struct candidates *candidates, const struct invocation *invocation)
{
    if (!add_from_databases(candidates, invocation, "SELECT DISTINCT name FROM chime.job ORDER BY name")) {
        add_configured_jobs(candidates, invocation);
    }
}

/* Those whose file is gone are wanted most. */
static void add_plugins(struct candidates *candidates, const struct invocation *invocation)
{
    add_from_databases(candidates, invocation, "SELECT name FROM chime.plugin ORDER BY name");
    add_configured_plugins(candidates, invocation);
}

/* By the relation alone where that is enough, unless a schema is being typed. */
static void add_views(struct candidates *candidates, const struct invocation *invocation)
{
    static const char relations[] = "SELECT CASE count(*) OVER (PARTITION BY relation) WHEN 1 THEN relation::text"
                                    " ELSE view_schema || '.' || relation END FROM chime.view ORDER BY 1";
    static const char qualified[] = "SELECT view_schema || '.' || relation FROM chime.view ORDER BY 1";
    add_from_databases(candidates, invocation, strchr(candidates->typed, '.') != NULL ? qualified : relations);
}

void candidates_add_values(struct candidates *candidates, const char *label, const struct invocation *invocation)
{
    char *name = xstrndup(label + (label[0] == '[' ? 1 : 0), strcspn(label + (label[0] == '[' ? 1 : 0), "],"));
    if (strcmp(name, "JOB|VIEW") == 0) {
        add_jobs(candidates, invocation);
        add_views(candidates, invocation);
    } else if (strcmp(name, "VIEW|FILE") == 0) {
        add_views(candidates, invocation);
        candidates->others = ":files";
    } else if (strchr(name, '|') != NULL || islower((unsigned char)name[0])) {
        add_choices(candidates, name);
    } else if (strcmp(name, "JOB") == 0) {
        add_jobs(candidates, invocation);
    } else if (strcmp(name, "PLUGIN") == 0) {
        add_plugins(candidates, invocation);
    } else if (strcmp(name, "VIEW") == 0) {
        add_views(candidates, invocation);
    } else if (strcmp(name, "TILE") == 0) {
        add_from_databases(candidates, invocation,
                           "SELECT plugin || '/' || tile FROM chime.tile ORDER BY plugin, tile");
    } else if (strcmp(name, "DATABASE") == 0) {
        add_databases(candidates, invocation);
    } else if (strcmp(name, "COMMAND") == 0) {
        candidates_add_commands(candidates, invocation->commands, "");
    } else if (strcmp(name, "FORMAT") == 0) {
        add_formats(candidates, invocation->command);
    } else if (strcmp(name, "ZONE") == 0) {
        add_zones(candidates);
    } else if (strncmp(name, "STATE", strlen("STATE")) == 0) {
        add_states(candidates);
    } else if (strcmp(name, "FILE") == 0 || strcmp(name, "DIR") == 0) {
        candidates->others = name[0] == 'F' ? ":files" : ":directories";
    }
    free(name);
}
