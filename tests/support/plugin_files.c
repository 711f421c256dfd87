#include "support/plugin_files.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/files.h"

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
