/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/plugin_template.h"

#define LONGEST_NAME 55 /* "refresh-NAME" is a job's name, "NAME__live" a relation's */

static const struct output_column columns[] = {
    {"FILE", "file", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"PURPOSE", "purpose", OUTPUT_TEXT, OUTPUT_ALWAYS},
};
enum { COLUMN_FILE, COLUMN_PURPOSE };

/* A name of relations and of C. */
static bool check_name(const char *name, struct error *err)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789");
    bool starts_well = name[0] < '0' || name[0] > '9';
    if (length > 0 && length <= LONGEST_NAME && name[length] == '\0' && starts_well) {
        return true;
    }
    error_set(err, ERROR_USAGE, "\"%.100s\" cannot be the name of a plugin with a view of that name", name);
    return error_hint(err, "write 1 to %d of a-z, 0-9 and _, not starting with a digit", LONGEST_NAME);
}

static bool write_all(int descriptor, const struct buffer *text)
{
    size_t done = 0;
    while (done < text->length) {
        ssize_t written = write(descriptor, text->data + done, text->length - done);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* Only ever a file that was not there. */
static bool write_file(const char *path, const struct buffer *text, bool program, struct error *err)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, program ? 0777 : 0666);
    if (descriptor < 0 && errno == EEXIST) {
        error_set(err, ERROR_REFUSED, "\"%s\" is there already, and nothing is ever overwritten", path);
        return error_hint(err, "choose another folder: --directory DIR");
    }
    if (descriptor < 0) {
        return error_set(err, ERROR_FAILED, "cannot make \"%s\": %s", path, strerror(errno));
    }
    bool written = write_all(descriptor, text);
    int number = errno;
    if (close(descriptor) != 0 && written) {
        number = errno;
        written = false;
    }
    return written || error_set(err, ERROR_FAILED, "cannot write \"%s\": %s", path, strerror(number));
}

static bool make_folder(const char *folder, struct error *err)
{
    if (mkdir(folder, 0777) == 0) {
        return true;
    }
    if (errno == EEXIST) {
        error_set(err, ERROR_REFUSED, "\"%s\" is there already, and nothing is ever overwritten", folder);
        return error_hint(err, "choose another folder: --directory DIR");
    }
    error_set(err, ERROR_FAILED, "cannot make the folder \"%s\": %s", folder, strerror(errno));
    return error_hint(err, "the folder that it is to be in has to be there, and yours to write to");
}

static bool write_one(const struct plugin_file *file, const char *folder, const char *name, struct output_list *list,
                      struct error *err)
{
    struct buffer path = {0};
    struct buffer text = {0};
    buffer_printf(&path, "%s%s", folder != NULL ? folder : "", folder != NULL ? "/" : "");
    plugin_template_fill(&path, file->name, name);
    plugin_template_fill(&text, file->text, name);
    bool written = write_file(buffer_text(&path), &text, file->program, err);
    output_add_row(list);
    output_set(list, COLUMN_FILE, buffer_text(&path));
    output_set(list, COLUMN_PURPOSE, file->purpose);
    buffer_finish(&path);
    buffer_finish(&text);
    return written;
}

static bool write_template(const char *folder, const char *name, struct output_list *list, struct error *err)
{
    bool written = true;
    for (size_t i = 0; i < plugin_template_count && written; i++) {
        written = write_one(&plugin_template[i], folder, name, list, err);
    }
    return written;
}

/* Whether a build would find the header. */
static bool is_header_found(void)
{
    char *const words[] = {(char *)"pkg-config", (char *)"--exists", (char *)"pgchime", NULL};
    pid_t child;
    int status = -1;
    return posix_spawnp(&child, words[0], NULL, NULL, words, environ) == 0 && waitpid(child, &status, 0) == child &&
           status == 0;
}

static void remark_next_step(const struct invocation *invocation, const char *folder)
{
    if (!is_header_found()) {
        remark(invocation, "pkg-config does not find pgchime: in its own folder, cmake --install build --prefix DIR; "
                           "then here, export PKG_CONFIG_PATH=DIR/lib/pkgconfig");
    }
    remark(invocation, "build it: cmake -S %s -B %s/build && cmake --build %s/build", folder, folder, folder);
}

/* One file, here or in a folder that is there. */
static int new_view(const struct invocation *invocation, const char *name)
{
    struct error err;
    if (!check_name(name, &err)) {
        return fail(&err);
    }
    int status = EXIT_OK;
    struct output_list *list = output_create("files", columns, COUNT_OF(columns));
    if (write_one(&view_template, invocation_option(invocation, "directory"), name, list, &err)) {
        output_print(&list, 1, &invocation->style, stdout);
        remark(invocation, "copy it into plugin_dir when it says what you want; pgchime check reads it there");
    } else {
        status = fail(&err);
    }
    output_destroy(list);
    return status;
}

static int plugins_new_run(const struct invocation *invocation)
{
    const char *name = invocation->arguments[0];
    const char *folder = invocation_option(invocation, "directory");
    struct error err;
    if (invocation_has(invocation, "sql")) {
        return new_view(invocation, name);
    }
    folder = folder != NULL ? folder : name;
    if (!check_name(name, &err) || !make_folder(folder, &err)) {
        return fail(&err);
    }
    int status = EXIT_OK;
    struct output_list *list = output_create("files", columns, COUNT_OF(columns));
    if (write_template(folder, name, list, &err)) {
        output_print(&list, 1, &invocation->style, stdout);
        remark_next_step(invocation, folder);
    } else {
        status = fail(&err);
    }
    output_destroy(list);
    return status;
}

const struct command command_plugins_new = {
    .name = "plugins new",
    .arguments = "NAME",
    .least = 1,
    .most = 1,
    .summary = "a new plugin to begin with: a folder in C, or with --sql one file",
    .details =
        "With --sql it is NAME.sql, one SELECT with its options above, which needs no compiler. Without it is a "
        "folder:\n"
        "it builds as it is, against the installed header, and keeps a view of a table \"orders\": put yours in its\n"
        "place. docs/writing-a-plugin.md goes on from there.",
    .options = {{"directory", "DIR", "the folder to make (default: NAME); with --sql one that is there"},
                {"sql", NULL, "NAME.sql alone"}},
    .run = plugins_new_run,
};
