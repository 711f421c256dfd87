/* SPDX-License-Identifier: PostgreSQL */
/* Describes all files of the plugin folder, each in a plugin host of its own, and says what is wrong with one. */
#define _GNU_SOURCE 1

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "plugin/host_process.h"
#include "plugin/json_text.h"
#include "plugin/plugins.h"
#include "plugin/vet.h"

#define AT_A_TIME 4
#define PROBLEM_LIMIT 16384 /* bytes of a problem's JSON: message and hint are short */
#define CONSTANT_HINT \
    "a plugin only returns constant data: take the code out of its constructors and of " CHIME_ENTRY_NAME

/* One plugin file on its way: either its declaration or its error comes out. */
struct candidate {
    char *path; /* FOLDER/NAME.so or .sql */
    const char *file;
    struct host_process host;
    struct declaration *declaration;
    struct error fault;
};

struct candidates {
    struct candidate *items;
    size_t count;
};

/* --- the folder --- */

static void add_candidate(struct candidates *candidates, const char *folder, const char *file)
{
    candidates->items = xrealloc(candidates->items, candidates->count + 1, sizeof(*candidates->items));
    char *path = xasprintf("%s/%s", folder, file);
    candidates->items[candidates->count++] = (struct candidate){.path = path,
                                                                .file = path + strlen(path) - strlen(file)};
}

static int compare_candidates(const void *left, const void *right)
{
    return strcmp(((const struct candidate *)left)->path, ((const struct candidate *)right)->path);
}

/* Takes its own copy of the descriptor, because closedir closes what it was given. */
static bool list_candidates(int descriptor, const char *folder, struct candidates *candidates, struct error *err)
{
    int copy = dup(descriptor);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    if (entries == NULL) {
        error_set(err, ERROR_CONFIG, "cannot list the folder: %s", strerror(errno));
        if (copy >= 0) {
            close(copy);
        }
        return false;
    }
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (vet_is_plugin(entry->d_name)) {
            add_candidate(candidates, folder, entry->d_name);
        }
    }
    closedir(entries);
    if (candidates->count > 0) {
        qsort(candidates->items, candidates->count, sizeof(*candidates->items), compare_candidates);
    }
    return true;
}

/* --- what a host's end means --- */

static bool blame(struct candidate *candidate, const char *hint, const char *what)
{
    const char *said = buffer_text(&candidate->host.said);
    size_t length = candidate->host.said.length;
    while (length > 0 && isspace((unsigned char)said[length - 1])) {
        length--;
    }
    error_set(&candidate->fault, ERROR_CONFIG, "%s%s%.*s", what, length > 0 ? "; it said: " : "", (int)length, said);
    return error_hint(&candidate->fault, "%s", hint);
}

/* The frame's content, or NULL when the bytes are not exactly one frame. */
static const char *frame_content(const struct buffer *frame, size_t *length)
{
    if (frame->length < PLUGIN_FRAME_HEADER) {
        return NULL;
    }
    const unsigned char *bytes = (const unsigned char *)frame->data;
    *length = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | (size_t)bytes[3];
    return *length == frame->length - PLUGIN_FRAME_HEADER ? frame->data + PLUGIN_FRAME_HEADER : NULL;
}

/* The plugin host's own words: {"refused": "...", "hint": "..."}. */
static bool read_problem(struct candidate *candidate, const char *content, size_t length)
{
    json_t *root = length > PROBLEM_LIMIT ? NULL : json_loadb(content, length, JSON_REJECT_DUPLICATES, NULL);
    const char *message = NULL;
    const char *hint = NULL;
    bool understood = json_unpack(root, "{s:s, s:s!}", "refused", &message, "hint", &hint) == 0;
    if (understood) {
        error_set(&candidate->fault, ERROR_CONFIG, "%s", message);
        error_hint(&candidate->fault, "%s", hint);
    }
    json_decref(root);
    return understood;
}

static bool judge_end(struct candidate *candidate, bool keep_text)
{
    const struct host_process *host = &candidate->host;
    char what[160];
    if (WIFSIGNALED(host->status)) {
        int number = WTERMSIG(host->status);
        snprintf(what, sizeof(what), "its plugin host was ended by signal %d (%s), or the file is not whole yet",
                 number, strsignal(number));
        return blame(candidate, CONSTANT_HINT, what);
    }
    int status = WEXITSTATUS(host->status);
    size_t length = 0;
    const char *content = frame_content(&host->frame, &length);
    if (content != NULL && status == PLUGIN_HOST_DESCRIBED) {
        candidate->declaration = declaration_decode(content, length, candidate->path, &candidate->fault);
        if (candidate->declaration != NULL && keep_text) {
            candidate->declaration->text = arena_strndup(candidate->declaration->arena, content, length);
        }
        return candidate->declaration != NULL;
    }
    if (content != NULL && status == PLUGIN_HOST_REFUSED && read_problem(candidate, content, length)) {
        return false;
    }
    snprintf(what, sizeof(what), "its plugin host ended with status %d and %s answer", status,
             host->frame.length == 0 ? "without an" : "a malformed");
    return blame(candidate, CONSTANT_HINT, what);
}

static bool judge(struct candidate *candidate, duration time_allowed, bool keep_text)
{
    if (!host_process_stop(&candidate->host, &candidate->fault)) {
        return error_hint(&candidate->fault, "see what process %d does, if it is still there",
                          (int)candidate->host.pid);
    }
    if (candidate->host.timed_out) {
        char text[DURATION_TEXT_SIZE];
        char what[96];
        snprintf(what, sizeof(what), "it did not describe itself within %s", duration_format(time_allowed, text));
        return blame(candidate, CONSTANT_HINT, what);
    }
    if (candidate->host.frame.length > PLUGIN_FRAME_HEADER + (size_t)PLUGIN_ANSWER_LIMIT) {
        return blame(candidate, CONSTANT_HINT, "its plugin host answered more than 4 MiB");
    }
    return judge_end(candidate, keep_text);
}

/* --- several at a time --- */

struct description {
    int folder;
    bool keep_texts;
    const char *path; /* the folder's */
    const char *program;
    duration time_allowed;
    struct candidates candidates;
    size_t next; /* candidate to start */
    struct candidate *running[AT_A_TIME];
    size_t running_count;
};

/* Each has the name that the other has, too: none is better. They stand beside each other, or with "NAME-x.so" between
 * them. */
static bool refuse_twin(const struct description *description, struct candidate *candidate)
{
    size_t length = vet_name_length(candidate->file);
    for (size_t i = 0; i < description->candidates.count; i++) {
        const struct candidate *other = &description->candidates.items[i];
        if (other != candidate && vet_name_length(other->file) == length &&
            strncmp(other->file, candidate->file, length) == 0) {
            error_set(&candidate->fault, ERROR_CONFIG, "there are both %s and %s, and a plugin is one of them",
                      candidate->file, other->file);
            error_hint(&candidate->fault, "take one of them out of the folder, or rename it");
            return false;
        }
    }
    return true;
}

static bool candidate_start(struct description *description, struct candidate *candidate)
{
    if (!refuse_twin(description, candidate)) {
        return false;
    }
    int file = vet_file(description->folder, description->path, candidate->file, &candidate->fault);
    if (file < 0) {
        return false;
    }
    bool started = host_process_start(&candidate->host, description->program, file, candidate->file,
                                      description->time_allowed, &candidate->fault);
    close(file);
    return started;
}

static void start_candidates(struct description *description)
{
    while (description->running_count < AT_A_TIME && description->next < description->candidates.count) {
        struct candidate *candidate = &description->candidates.items[description->next++];
        if (candidate_start(description, candidate)) {
            description->running[description->running_count++] = candidate;
        }
    }
}

static void wait_for_hosts(const struct description *description)
{
    struct pollfd polls[AT_A_TIME * HOST_PROCESS_POLLS];
    instant now = clock_boot();
    int patience = INT_MAX;
    for (size_t i = 0; i < description->running_count; i++) {
        const struct host_process *host = &description->running[i]->host;
        host_process_polls(host, &polls[i * HOST_PROCESS_POLLS]);
        int of_this = host_process_patience(host, now);
        patience = of_this < patience ? of_this : patience;
    }
    /* An error is an interrupted wait: the next step looks again. */
    (void)poll(polls, (nfds_t)(description->running_count * HOST_PROCESS_POLLS), patience);
}

static void step_hosts(struct description *description)
{
    for (size_t i = 0; i < description->running_count;) {
        struct candidate *candidate = description->running[i];
        if (!host_process_step(&candidate->host, clock_boot())) {
            i++;
            continue;
        }
        (void)judge(candidate, description->time_allowed, description->keep_texts); /* its error is the candidate's */
        host_process_finish(&candidate->host);
        description->running[i] = description->running[--description->running_count];
    }
}

static void describe_all(struct description *description)
{
    start_candidates(description);
    while (description->running_count > 0) {
        wait_for_hosts(description);
        step_hosts(description);
        start_candidates(description);
    }
}

/* --- the result --- */

static void report_fault(struct report *report, const char *file, int line, struct error *fault)
{
    text_make_printable(fault->message);
    text_make_printable(fault->hint);
    report_add(report, file, line, fault->hint[0] == '\0' ? NULL : fault->hint, "%s", fault->message);
}

/* Named once: where it is configured, or before the message. */
static void report_folder(struct report *report, const char *folder, const struct plugin_options *options,
                          struct error *fault)
{
    bool placed = options->file != NULL;
    if (placed) {
        error_prefix(fault, "plugin_dir");
    }
    report_fault(report, placed ? options->file : folder, placed ? options->line : 0, fault);
}

static int compare_declarations(const void *left, const void *right)
{
    const struct declaration *const *a = left;
    const struct declaration *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static void collect(struct candidates *candidates, struct plugin_set *set, struct report *report)
{
    set->plugins = xcalloc(candidates->count, sizeof(struct declaration *));
    for (size_t i = 0; i < candidates->count; i++) {
        struct candidate *candidate = &candidates->items[i];
        if (candidate->declaration != NULL) {
            set->plugins[set->count++] = candidate->declaration;
        } else {
            report_fault(report, candidate->path, 0, &candidate->fault);
        }
        free(candidate->path);
    }
    free(candidates->items);
    /* By name, which files do not sort by: "a-b.so" comes before "a.so". */
    if (set->count > 0) {
        qsort(set->plugins, set->count, sizeof(struct declaration *), compare_declarations);
    }
}

struct plugin_set *plugins_describe(const char *folder, const struct plugin_options *options, struct report *report)
{
    struct plugin_set *set = xcalloc(1, sizeof(*set));
    struct error err = {.kind = ERROR_NONE};
    size_t findings_before = report->count;
    set->stamp = plugins_stamp(folder);
    struct description description = {
        .folder = vet_folder(folder, &err),
        .keep_texts = options->keep_texts,
        .path = folder,
        .program = options->host_program,
        .time_allowed = options->deadline > 0 ? options->deadline : PLUGIN_DEADLINE,
    };
    if (description.folder < 0 || !list_candidates(description.folder, folder, &description.candidates, &err)) {
        report_folder(report, folder, options, &err);
    }
    if (description.program == NULL && description.candidates.count > 0) {
        fatal("plugins_describe: %s has plugins, and no program is named to describe them", folder);
    }
    describe_all(&description);
    collect(&description.candidates, set, report);
    set->refused = report->count - findings_before;
    if (description.folder >= 0) {
        close(description.folder);
    }
    return set;
}

struct plugin_set *plugin_set_share(struct plugin_set *set)
{
    set->sharers++;
    return set;
}

void plugin_set_destroy(struct plugin_set *set)
{
    if (set == NULL || set->sharers-- > 0) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        declaration_destroy(set->plugins[i]);
    }
    free(set->plugins);
    free(set);
}

bool finding_is_of_plugin(const struct finding *finding, const char *name)
{
    const char *slash = finding->file != NULL ? strrchr(finding->file, '/') : NULL;
    const char *file = slash != NULL ? slash + 1 : finding->file;
    size_t length = file != NULL ? vet_name_length(file) : 0;
    return length > 0 && (name == NULL || (strlen(name) == length && memcmp(file, name, length) == 0));
}
