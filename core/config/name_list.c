/* SPDX-License-Identifier: PostgreSQL */
#include "config/name_list.h"

#include <stdlib.h>
#include <string.h>

#include "config/settings.h"

/* NULL, reported, when it cannot be one. */
static const char *read_name(struct reader *reader, const config_setting_t *setting, const struct name_list *list,
                             const char *owner)
{
    const char *name = config_setting_get_string(setting);
    if (name == NULL) {
        reader_report(reader, setting, NULL, "\"%s\" of %s: expected a list of strings, found %s in it", list->key,
                      owner, setting_type_found(setting));
        return NULL;
    }
    if (!list->valid(name)) {
        reader_report(reader, setting, list->hint, "\"%s\" of %s: \"%s\" cannot be %s", list->key, owner,
                      reader_shown(reader, name), list->what);
        return NULL;
    }
    return arena_strdup(reader->arena, name);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void refuse_repeated(struct reader *reader, const config_setting_t *setting, const struct name_list *list,
                            const char *owner, const char *const *given, size_t count)
{
    if (count < 2) {
        return;
    }
    const char **names = arena_alloc(reader->scratch, count * sizeof(*names));
    memcpy(names, given, count * sizeof(*names));
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i], names[i - 1]) == 0) {
            reader_report(reader, setting, "name it once", "\"%s\" of %s names \"%s\" twice", list->key, owner,
                          reader_shown(reader, names[i]));
            return;
        }
    }
}

const char *const *name_list_read(struct reader *reader, const config_setting_t *setting, const struct name_list *list,
                                  const char *owner, size_t *count)
{
    bool single = config_setting_type(setting) == CONFIG_TYPE_STRING;
    size_t most = single ? 1 : setting_count(setting);
    const char **names = arena_alloc(reader->arena, (most + 1) * sizeof(*names));
    *count = 0;
    for (size_t i = 0; i < most; i++) {
        const char *name = read_name(reader, single ? setting : setting_at(setting, i), list, owner);
        if (name != NULL) {
            names[(*count)++] = name;
        }
    }
    refuse_repeated(reader, setting, list, owner, names, *count);
    return names;
}
