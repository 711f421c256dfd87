/* SPDX-License-Identifier: PostgreSQL */
#include "cli/plugin_command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

bool plugin_command_load(const struct invocation *invocation, struct loaded *loaded, int *status)
{
    struct config *config = load_sound_config(invocation, status); /* for its findings and --database */
    if (config == NULL) {
        return false;
    }
    config_free(config);
    load_all(invocation, loaded);
    return true;
}

int plugin_command_refuse_catalog(const struct loaded *loaded)
{
    print_findings(&loaded->report);
    return (int)ERROR_CONFIG;
}

const struct catalog_plugin *plugin_command_find(const struct loaded *loaded, const char *name, const char *database)
{
    const struct catalog *catalog = loaded->catalog;
    for (size_t i = 0; i < catalog->plugin_count; i++) {
        const struct catalog_plugin *plugin = &catalog->plugins[i];
        if (strcmp(plugin->declaration->name, name) == 0 &&
            (database == NULL || strcmp(plugin->database, database) == 0)) {
            return plugin;
        }
    }
    return NULL;
}

void plugin_command_hint_name(struct error *err, const char *name, const char *const *names, size_t count)
{
    const char *nearest = nearest_word(name, names, count);
    if (nearest != NULL) {
        error_hint(err, "did you mean \"%s\"?", nearest);
    } else {
        error_hint(err, "pgchime plugins lists them");
    }
}

static bool answer_is_yes(void)
{
    char answer[16];
    if (fgets(answer, sizeof(answer), stdin) == NULL) {
        return false;
    }
    answer[strcspn(answer, "\n")] = '\0';
    return strcmp(answer, "y") == 0 || strcmp(answer, "yes") == 0;
}

bool plugin_command_confirm(const struct invocation *invocation, const char *nothing, const char *question,
                            struct error *err)
{
    if (invocation_has(invocation, "yes")) {
        return true;
    }
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        error_set(err, ERROR_REFUSED, "%s: there is no terminal to ask at", nothing);
        return error_hint(err, "write --yes, or --dry-run to look only");
    }
    fflush(stdout);
    fprintf(stderr, "%s [y/N] ", question);
    return answer_is_yes() || error_set(err, ERROR_REFUSED, "%s", nothing);
}

void plugin_command_remark_cuts(const struct invocation *invocation)
{
    if (invocation->style.format == OUTPUT_TABLE) {
        remark(invocation, "long SQL is cut here; -o wide has all of it");
    }
}
