/* SPDX-License-Identifier: PostgreSQL */
#include <jansson.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "daemon/control.h"

#define PATIENCE (90 * USEC_PER_SEC)

/* What the daemon answered, as daemon/reload.c writes it. */
struct answer {
    json_t *root; /* NULL when it was no such answer */
    int ok;
    json_int_t jobs;
    json_int_t plugins;
    json_int_t added;
    json_int_t changed;
    json_int_t removed;
    json_t *changes; /* in words; NULL: a daemon that says none */
    json_t *findings;
};

static bool read_answer(const char *text, struct answer *answer, struct error *err)
{
    answer->root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (json_unpack(answer->root, "{s:b, s?I, s?I, s?I, s?I, s?I, s?o, s:o}", "ok", &answer->ok, "jobs", &answer->jobs,
                    "plugins", &answer->plugins, "added", &answer->added, "changed", &answer->changed, "removed",
                    &answer->removed, "changes", &answer->changes, "findings", &answer->findings) == 0) {
        return true;
    }
    error_set(err, ERROR_FAILED, "the daemon's answer was cut off");
    return error_hint(err, "its log says what became of the reload");
}

static void collect(const json_t *findings, struct report *report)
{
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *finding = json_array_get(findings, i);
        const char *file = json_string_value(json_object_get(finding, "file"));
        const char *message = json_string_value(json_object_get(finding, "message"));
        const char *hint = json_string_value(json_object_get(finding, "hint"));
        int line = (int)json_integer_value(json_object_get(finding, "line"));
        report_add(report, file, line, hint, "%s", message != NULL ? message : "");
    }
}

static void print_data(const struct invocation *invocation, const struct answer *answer)
{
    static const struct output_column columns[] = {{"RELOADED", "reloaded", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
                                                   {"JOBS", "jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
                                                   {"PLUGINS", "plugins", OUTPUT_INTEGER, OUTPUT_ALWAYS},
                                                   {"ADDED", "added", OUTPUT_INTEGER, OUTPUT_ALWAYS},
                                                   {"CHANGED", "changed", OUTPUT_INTEGER, OUTPUT_ALWAYS},
                                                   {"REMOVED", "removed", OUTPUT_INTEGER, OUTPUT_ALWAYS},
                                                   {NULL, "changes", OUTPUT_DATA, OUTPUT_ALWAYS}};
    struct output_list *list = output_create("reloads", columns, COUNT_OF(columns));
    output_add_row(list);
    output_set_number(list, 0, answer->ok);
    output_set_number(list, 1, answer->jobs);
    output_set_number(list, 2, answer->plugins);
    output_set_number(list, 3, answer->added);
    output_set_number(list, 4, answer->changed);
    output_set_number(list, 5, answer->removed);
    char *changes = json_dumps(answer->changes, JSON_COMPACT);
    output_set(list, 6, changes);
    free(changes);
    output_print(&list, 1, &invocation->style, stdout);
    output_destroy(list);
}

/* Names are the configuration's, or a plugin's: shown as any text that somebody else wrote. */
static void print_changes(const struct answer *answer)
{
    size_t listed = json_array_size(answer->changes);
    size_t all = (size_t)(answer->added + answer->changed + answer->removed);
    for (size_t i = 0; i < listed; i++) {
        struct buffer line = {0};
        output_escape(&line, json_string_value(json_array_get(answer->changes, i)));
        printf("%s\n", buffer_text(&line));
        buffer_finish(&line);
    }
    if (all > listed) {
        printf("and %zu more: %lld added, %lld changed, %lld removed in all\n", all - listed, (long long)answer->added,
               (long long)answer->changed, (long long)answer->removed);
    }
}

static int report_answer(const struct invocation *invocation, const struct answer *answer)
{
    struct report report;
    report_init(&report);
    collect(answer->findings, &report);
    print_findings(&report);
    report_finish(&report);
    if (!output_is_for_people(&invocation->style)) {
        print_data(invocation, answer);
    } else if (answer->ok && !invocation->quiet) {
        printf("reloaded: %lld plugin%s, %lld job%s\n", (long long)answer->plugins, answer->plugins == 1 ? "" : "s",
               (long long)answer->jobs, answer->jobs == 1 ? "" : "s");
        print_changes(answer);
    } else if (!answer->ok) {
        remark(invocation, "nothing was reloaded: what was in force stays");
    }
    return answer->ok ? EXIT_OK : (int)ERROR_CONFIG;
}

/* Without an answer, what is wrong with the file may be why: it may hide where the daemon listens. */
static int report_silence(struct report *report, const struct error *err)
{
    report_sort(report);
    print_findings(report);
    return fail(err);
}

/* A configuration that has errors still has to lead to the daemon, which says so in its answer. */
static int reload_run(const struct invocation *invocation)
{
    struct error err;
    struct answer answer = {0};
    struct report report;
    char *text = NULL;
    report_init(&report);
    char *path = config_find_socket(invocation->config, &report);
    bool answered = control_ask(path, "reload", PATIENCE, &text, &err) && read_answer(text, &answer, &err);
    int status = answered ? report_answer(invocation, &answer) : report_silence(&report, &err);
    report_finish(&report);
    json_decref(answer.root);
    free(text);
    free(path);
    return status;
}

const struct command command_reload = {
    .name = "reload",
    .arguments = "",
    .summary = "has the daemon read configuration and plugins anew; runs under way go on",
    .details = "Prints what the daemon found and what changed: + added, ~ changed, - removed. Exit status 3 when it "
               "refused: then everything stays as it was.\n"
               "It asks on the control_socket of the configuration; SIGHUP does the same without an answer.",
    .run = reload_run,
};
