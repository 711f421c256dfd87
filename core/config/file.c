/* SPDX-License-Identifier: PostgreSQL */
#include "config/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/outline.h"
#include "config/source.h"

static void read_top(struct reader *reader, const struct file_kind *kind, const config_setting_t *setting)
{
    const struct setting_key *key = setting_find_key(&kind->table, config_setting_name(setting));
    if (key == NULL) {
        setting_refuse_unknown(reader, setting, &kind->table, kind->owner);
        reader->config->complete = false;
        return;
    }
    read_function *read = kind->readers[key - kind->table.keys];
    if (!setting_accept(reader, setting, key, kind->owner)) {
        reader->config->complete = false;
    } else if (read != NULL) {
        read(reader, setting);
    }
}

static void report_syntax_error(struct reader *reader, config_t *parsed)
{
    const char *text = config_error_text(parsed);
    int line = config_error_line(parsed);
    const char *hint = "texts are in double quotes, lists are [\"a\", \"b\"], groups are { name = value; }";
    if (text != NULL && strstr(text, "mismatched element type") != NULL) {
        text = "values of different types in one [ ] list";
        hint = "write them all alike, or use ( ) for the list";
    }
    report_add(reader->report, reader->file, reader->line + (line > 0 ? line - 1 : 0), hint, "%s",
               text != NULL ? text : "syntax error");
}

static void read_unit(struct reader *reader, const struct file_kind *kind, const struct outline_unit *unit)
{
    config_t parsed;
    config_init(&parsed);
    reader->line = unit->line;
    if (config_read_string(&parsed, unit->text) == CONFIG_FALSE) {
        reader->config->complete = false;
        report_syntax_error(reader, &parsed);
        config_destroy(&parsed);
        return;
    }
    const config_setting_t *root = config_root_setting(&parsed);
    for (size_t i = 0; i < setting_count(root); i++) {
        const config_setting_t *setting = setting_at(root, i);
        if (setting_is_duplicate(setting)) {
            continue;
        }
        if (unit->in_section) {
            job_read(reader, setting);
        } else {
            read_top(reader, kind, setting);
        }
    }
    config_destroy(&parsed);
}

void file_read(struct reader *reader, const struct file_kind *kind, const char *file, const char *missing_hint)
{
    struct source_text source;
    source_judge(file, reader->report);
    if (!source_read(file, missing_hint, &source, reader->report)) {
        reader->config->complete = false;
        return;
    }
    reader->file = arena_strdup(reader->arena, file);
    reader->scratch = arena_create();
    struct outline outline;
    if (outline_read(reader->scratch, reader->file, source.text, source.length, kind->section, &outline,
                     reader->report)) {
        for (size_t i = 0; i < outline.count; i++) {
            read_unit(reader, kind, &outline.units[i]);
        }
    } else {
        reader->config->complete = false;
    }
    arena_destroy(reader->scratch);
    reader->scratch = NULL;
    free(source.text);
}

const char *file_folder(struct arena *arena, const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *folder = slash == NULL ? "." : slash == file ? "/" : arena_strndup(arena, file, (size_t)(slash - file));
    if (folder[0] == '/') {
        return folder;
    }
    char *current = getcwd(NULL, 0);
    const char *base = current != NULL ? current : "";
    const char *absolute = strcmp(folder, ".") == 0 ? arena_strdup(arena, base)
                                                    : arena_printf(arena, "%s/%s", base, folder);
    free(current);
    return absolute;
}
