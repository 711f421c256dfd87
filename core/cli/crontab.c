/* SPDX-License-Identifier: PostgreSQL */
#include "cli/crontab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/text.h"
#include "loop/child.h"

#define PROGRAM "read-crontab"
#define TIME_ALLOWED (300 * USEC_PER_SEC)
#define ANSWER_LIMIT ((size_t)1 << 28)

/* --- the program -------------------------------------------------------------------------------------------------- */

struct answer {
    struct loop *loop;
    struct buffer text;
    char fault[256]; /* "": none */
};

static void answered(void *data, const struct buffer *output, const char *fault)
{
    struct answer *answer = data;
    buffer_append(&answer->text, buffer_text(output), output->length);
    snprintf(answer->fault, sizeof(answer->fault), "%s", fault != NULL ? fault : "");
    loop_stop(answer->loop);
}

/* In a build it lies beside our own program, in "tools". */
static const char *program_path(char path[4096])
{
    ssize_t length = readlink("/proc/self/exe", path, 4000);
    path[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash != NULL) {
        strcpy(slash + 1, "tools/" PROGRAM);
    }
    return slash != NULL && access(path, X_OK) == 0 ? path : PGCHIME_TOOLS_DIRECTORY "/" PROGRAM;
}

static bool ask(struct answer *answer, const char *text, bool system, const char *user, struct error *err)
{
    char path[4096];
    const char *const arguments[] = {program_path(path),
                                     system         ? "--system"
                                     : user != NULL ? "--user"
                                                    : NULL,
                                     system ? NULL : user, NULL};
    const struct child_order order = {
        .arguments = (char *const *)arguments, .input = text, .limit = ANSWER_LIMIT, .time_allowed = TIME_ALLOWED};
    struct child *child = child_start(answer->loop, &order, answered, answer, err);
    if (child == NULL) {
        return error_hint(err, "apt-get install python3 python3-psycopg2");
    }
    loop_run(answer->loop);
    child_destroy(child);
    return answer->fault[0] == '\0' || error_set(err, ERROR_FAILED, "%s: %s", arguments[0], answer->fault);
}

/* --- its answer --------------------------------------------------------------------------------------------------- */

static bool take_setting(json_t *value, struct crontab_setting *setting)
{
    return json_unpack(value, "{s:i, s:s, s:s}", "line", &setting->line, "name", &setting->name, "value",
                       &setting->value) == 0;
}

/* NULL also for null. */
static const char *text_of(const json_t *value, const char *key)
{
    return json_string_value(json_object_get(value, key));
}

static bool take_entry(const json_t *value, struct crontab_entry *entry)
{
    *entry = (struct crontab_entry){.line = (int)json_integer_value(json_object_get(value, "line")),
                                    .schedule = text_of(value, "schedule"),
                                    .user = text_of(value, "user"),
                                    .command = text_of(value, "command"),
                                    .zone = text_of(value, "timezone"),
                                    .is_psql = json_is_true(json_object_get(value, "is_psql")),
                                    .problem = text_of(value, "problem"),
                                    .sql = text_of(value, "sql"),
                                    .name = text_of(value, "name"),
                                    .host = text_of(value, "host"),
                                    .port = text_of(value, "port"),
                                    .database = text_of(value, "database"),
                                    .role = text_of(value, "role"),
                                    .apart = json_is_true(json_object_get(value, "apart")),
                                    .stops = json_is_true(json_object_get(value, "stops"))};
    bool has_psql = entry->sql != NULL && entry->name != NULL;
    return entry->line > 0 && entry->schedule != NULL && entry->command != NULL && (entry->problem != NULL || has_psql);
}

static bool take_answer(struct crontab *crontab)
{
    json_t *settings = json_object_get(crontab->answer, "settings");
    json_t *entries = json_object_get(crontab->answer, "entries");
    json_t *value;
    size_t i;
    crontab->setting_count = json_array_size(settings);
    crontab->entry_count = json_array_size(entries);
    crontab->settings = xcalloc(crontab->setting_count + 1, sizeof(*crontab->settings));
    crontab->entries = xcalloc(crontab->entry_count + 1, sizeof(*crontab->entries));
    json_array_foreach(settings, i, value)
    {
        if (!take_setting(value, &crontab->settings[i])) {
            return false;
        }
    }
    json_array_foreach(entries, i, value)
    {
        if (!take_entry(value, &crontab->entries[i])) {
            return false;
        }
    }
    return entries != NULL;
}

static bool read_answer(struct crontab *crontab, const char *text, struct error *err)
{
    const char *problem = NULL;
    const char *hint = NULL;
    crontab->answer = json_loads(text, 0, NULL);
    if (json_unpack(crontab->answer, "{s:s, s:s}", "error", &problem, "hint", &hint) == 0) {
        error_set(err, ERROR_FAILED, "%s", problem);
        return error_hint(err, "%s", hint);
    }
    return take_answer(crontab) || error_set(err, ERROR_FAILED, PROGRAM " gave no answer that is understood");
}

bool crontab_read(struct crontab *crontab, const char *text, bool system, const char *user, struct error *err)
{
    struct answer answer = {.loop = loop_create()};
    *crontab = (struct crontab){0};
    bool good = ask(&answer, text, system, user, err) && read_answer(crontab, buffer_text(&answer.text), err);
    buffer_finish(&answer.text);
    loop_destroy(answer.loop);
    return good;
}

void crontab_finish(struct crontab *crontab)
{
    free(crontab->settings);
    free(crontab->entries);
    json_decref(crontab->answer);
}
