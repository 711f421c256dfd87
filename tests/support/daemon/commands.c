/* SPDX-License-Identifier: PostgreSQL */
#include "support/daemon/commands.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/daemon.h"
#include "support/process/files.h"

#define WORDS_MAX 18

char *commands_configure(const struct cluster *cluster, const char *role, const char *database, const char *folder,
                         const char *settings)
{
    char *conninfo = cluster_conninfo_as(cluster, role, database);
    char *text = files_path("databases: { main: { conninfo = \"%s\"; }; };\n%s", conninfo, settings);
    char *path = files_path("%s/pgchime.conf", folder);
    files_write(path, text);
    free(conninfo);
    free(text);
    return path;
}

int commands_run(const char *configuration, const char *const *words, char **output, char **errors)
{
    const char *arguments[WORDS_MAX + 3] = {"--config", configuration};
    for (size_t i = 0; words[i] != NULL; i++) {
        ck_assert_uint_lt(i, WORDS_MAX);
        arguments[i + 2] = words[i];
    }
    free(*output);
    free(*errors);
    return daemon_run(arguments, output, errors);
}

void commands_expect(int status, const char *configuration, const char *const *words, char **output, char **errors)
{
    int found = commands_run(configuration, words, output, errors);
    ck_assert_msg(found == status, "status %d instead of %d\n%.2000s\n%.6000s", found, status, *output, *errors);
}

void commands_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part, text);
}
