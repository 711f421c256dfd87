/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include "config/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/trust.h"
#include "config/config.h"

#define SUFFIX ".conf"
#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

static const char *kind_of_file(mode_t mode)
{
    if (S_ISDIR(mode)) {
        return "a folder";
    }
    if (S_ISFIFO(mode)) {
        return "a pipe";
    }
    return S_ISSOCK(mode) ? "a socket" : "a device";
}

static bool vet(int descriptor, const char *file, struct stat *status, struct report *report)
{
    if (fstat(descriptor, status) != 0) {
        report_add(report, file, 0, NULL, "cannot look at the file: %s", strerror(errno));
        return false;
    }
    if (!S_ISREG(status->st_mode)) {
        report_add(report, file, 0, "put a regular file there, or give it a name that does not end in " SUFFIX,
                   "not a regular file but %s", kind_of_file(status->st_mode));
        return false;
    }
    if (status->st_size > CONFIG_FILE_LIMIT) {
        report_add(report, file, 0, "split it into several files of conf_dir", "larger than %u MiB",
                   CONFIG_FILE_LIMIT >> 20);
        return false;
    }
    return true;
}

static void report_open_failure(const char *file, const char *missing_hint, struct report *report)
{
    const char *hint = NULL;
    if (errno == ENOENT) {
        hint = missing_hint;
    } else if (errno == EACCES) {
        hint = "let the user that pgchime runs as read it, and enter every folder above it";
    }
    report_add(report, file, 0, hint, "cannot open the file: %s", strerror(errno));
}

/* Reads to the end or to one byte past the limit: a file may grow while it is read. */
static bool read_whole(int descriptor, const char *file, size_t expected, struct source_text *text,
                       struct report *report)
{
    size_t capacity = expected + 1;
    text->text = xmalloc(capacity + 1);
    text->length = 0;
    for (;;) {
        ssize_t got = read(descriptor, text->text + text->length, capacity - text->length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            report_add(report, file, 0, NULL, "cannot read the file: %s", strerror(errno));
            return false;
        }
        if (got == 0) {
            text->text[text->length] = '\0';
            return true;
        }
        text->length += (size_t)got;
        if (text->length == capacity) {
            report_add(report, file, 0, "load it again", "the file grew while it was read");
            return false;
        }
    }
}

static int line_of(const char *text, size_t offset)
{
    int line = 1;
    for (size_t i = 0; i < offset; i++) {
        line += text[i] == '\n' ? 1 : 0;
    }
    return line;
}

static bool check_encoding(const char *file, const struct source_text *text, struct report *report)
{
    const char *nul = memchr(text->text, '\0', text->length);
    if (nul != NULL) {
        report_add(report, file, line_of(text->text, (size_t)(nul - text->text)), "write it anew with a text editor",
                   "a NUL byte, which no text holds");
        return false;
    }
    for (size_t at = 0; at < text->length;) {
        size_t step = utf8_length(text->text + at, text->length - at);
        if (step == 0) {
            report_add(report, file, line_of(text->text, at), "save the file as UTF-8", "byte 0x%02x is not UTF-8",
                       (unsigned)(unsigned char)text->text[at]);
            return false;
        }
        at += step;
    }
    return true;
}

/* Editors of other systems put the mark there; blanks keep every offset as it was. */
static void blank_byte_order_mark(struct source_text *text)
{
    if (strncmp(text->text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0) {
        memset(text->text, ' ', strlen(BYTE_ORDER_MARK));
    }
}

int source_open(const char *file, const char *missing_hint, struct report *report)
{
    int descriptor = open(file, O_PATH | O_CLOEXEC);
    if (descriptor < 0) {
        report_open_failure(file, missing_hint, report);
    }
    return descriptor;
}

/* The very file again, whatever lies at its path by now; -1 with a finding. */
static int open_for_reading(int descriptor, const char *file, struct report *report)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
    /* Non-blocking, so that nobody's lease on it is waited for. */
    int readable = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (readable < 0) {
        report_open_failure(file, NULL, report);
    }
    return readable;
}

static bool read_regular(int descriptor, const char *file, size_t expected, struct source_text *text,
                         struct report *report)
{
    int readable = open_for_reading(descriptor, file, report);
    if (readable < 0) {
        return false;
    }
    bool read = read_whole(readable, file, expected, text, report);
    close(readable);
    return read;
}

bool source_read_open(int descriptor, const char *file, struct source_text *text, struct report *report)
{
    struct stat status;
    *text = (struct source_text){0};
    bool done = vet(descriptor, file, &status, report) &&
                read_regular(descriptor, file, (size_t)status.st_size, text, report) &&
                check_encoding(file, text, report);
    if (!done) {
        free(text->text);
        *text = (struct source_text){0};
        return false;
    }
    blank_byte_order_mark(text);
    return true;
}

bool source_read(const char *file, const char *missing_hint, struct source_text *text, struct report *report)
{
    *text = (struct source_text){0};
    int descriptor = source_open(file, missing_hint, report);
    if (descriptor < 0) {
        return false;
    }
    bool done = source_read_open(descriptor, file, text, report);
    close(descriptor);
    return done;
}

/* --- who could have written it ------------------------------------------------------------------------------------ */

static void report_distrust(const char *path, const struct error *err, struct report *report)
{
    report_add(report, path, 0, err->hint, "%s", err->message);
}

void source_judge_folder(const char *folder, struct report *report)
{
    struct error err;
    if (access(folder, F_OK) == 0 && !trust_folder(folder, &err)) {
        report_distrust(folder, &err, report);
    }
}

/* A link leads to a folder of its own. */
static void judge_target(const char *file, struct report *report)
{
    char *target = realpath(file, NULL);
    if (target != NULL) {
        *strrchr(target, '/') = '\0';
        source_judge_folder(target[0] != '\0' ? target : "/", report);
    }
    free(target);
}

/* One that is not there, or no file, is another finding. */
void source_judge(const char *file, struct report *report)
{
    struct stat status;
    struct stat link;
    struct error err;
    if (lstat(file, &link) != 0 || stat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
        return;
    }
    if (!trust_file(&status, file, file, &err)) {
        report_distrust(file, &err, report);
    }
    if (S_ISLNK(link.st_mode)) {
        judge_target(file, report);
    }
}

static bool is_configuration(const char *name)
{
    size_t length = strlen(name);
    size_t suffix = strlen(SUFFIX);
    return name[0] != '.' && length > suffix && strcmp(name + length - suffix, SUFFIX) == 0;
}

/* A name that would forge lines of a report is shown with '?' instead. */
static bool check_name(const char *folder, const char *name, struct report *report)
{
    char *shown = xstrdup(name);
    bool clean = utf8_valid(name, strlen(name));
    for (char *at = shown; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7F) {
            clean = clean && (unsigned char)*at >= 0x80;
            *at = '?';
        }
    }
    if (!clean) {
        report_add(report, folder, 0, "rename it", "a file name with control characters or broken UTF-8: \"%s\"",
                   shown);
    }
    free(shown);
    return clean;
}

static int compare_files(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

bool source_list_read(const char *folder, struct source_list *list, struct report *report)
{
    *list = (struct source_list){0};
    DIR *stream = opendir(folder);
    if (stream == NULL) {
        return false;
    }
    size_t capacity = 0;
    for (const struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        if (!is_configuration(entry->d_name) || !check_name(folder, entry->d_name, report)) {
            continue;
        }
        if (list->count == capacity) {
            capacity = capacity == 0 ? 16 : capacity * 2;
            list->files = xrealloc(list->files, capacity, sizeof(*list->files));
        }
        list->files[list->count++] = xasprintf("%s/%s", folder, entry->d_name);
    }
    closedir(stream);
    if (list->count > 1) {
        qsort(list->files, list->count, sizeof(*list->files), compare_files);
    }
    return true;
}

void source_list_finish(struct source_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->files[i]);
    }
    free(list->files);
    *list = (struct source_list){0};
}
