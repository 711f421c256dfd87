/* SPDX-License-Identifier: PostgreSQL */
#include "support/plugin/plugin_files.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/process/files.h"

static void copy(const char *source, const char *folder, const char *name)
{
    char *from = files_path("%s/%s.so", source, name);
    char *to = files_path("%s/%s.so", folder, name);
    files_copy(from, to);
    free(from);
    free(to);
}

void plugin_put(const char *folder, const char *name)
{
    copy(PGCHIME_BUILD_DIR "/plugins", folder, name);
}

void plugin_put_fixture(const char *folder, const char *name)
{
    copy(PGCHIME_BUILD_DIR "/tests/fixtures/plugins", folder, name);
}

void plugin_take(const char *folder, const char *name)
{
    char *path = files_path("%s/%s.so", folder, name);
    ck_assert_int_eq(unlink(path), 0);
    free(path);
}

void plugin_mode(const char *configuration, const char *folder, const char *plugin, const char *view, const char *mode)
{
    char *parts = files_path("%s/conf.d", folder);
    char *part = files_path("%s/%s.conf", parts, plugin);
    char *text = files_read(configuration);
    char *all = files_path("%s%s", text, strstr(text, "conf_dir") != NULL ? "" : "conf_dir = \"conf.d\";\n");
    char *modes = files_path("plugin: { name = \"%s\"; modes: { %s = \"%s\"; }; };", plugin, view, mode);

    if (access(parts, F_OK) != 0)
        files_make_folder(parts);
    files_write(configuration, all);
    files_write(part, modes);
    free(parts);
    free(part);
    free(text);
    free(all);
    free(modes);
}
