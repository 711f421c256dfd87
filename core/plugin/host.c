/* SPDX-License-Identifier: PostgreSQL */
/* The plugin host: the process in which a plugin's file is loaded (dlopen) or read, and described on standard
 * output. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "plugin/confine.h"
#include "plugin/json_text.h"
#include "plugin/plugins.h"
#include "plugin/vet.h"
#include "plugin/view_text.h"

/* The only file that includes dlfcn.h. From dlopen on, foreign code has run in this process: nothing here is trusted
 * by the daemon, and the process ends without running the plugin's destructors. */

/* dlerror starts with the path, which says nothing to the user here. */
static const char *loader_message(const char *path)
{
    const char *message = dlerror();
    if (message == NULL) {
        return "no reason given";
    }
    size_t length = strlen(path);
    return strncmp(message, path, length) == 0 && strncmp(message + length, ": ", 2) == 0 ? message + length + 2
                                                                                          : message;
}

static void *load(int fd, struct error *err)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        error_set(err, ERROR_CONFIG, "cannot be loaded: %s", loader_message(path));
        error_hint(err, "it must be a shared object for this machine with every symbol it uses; see ldd -r FILE");
    }
    return handle;
}

static const struct chime_plugin *describe(void *handle, bool *described, struct error *err)
{
    void *symbol = dlsym(handle, CHIME_ENTRY_NAME);
    chime_describe_function *function = NULL;
    _Static_assert(sizeof(function) == sizeof(symbol), "POSIX has dlsym return functions, too");
    memcpy(&function, &symbol, sizeof(function)); /* ISO C has no cast for it */
    if (function == NULL) {
        error_set(err, ERROR_CONFIG, "has no function %s", CHIME_ENTRY_NAME);
        error_hint(err, "write CHIME_PLUGIN(...) once in the plugin; nm -D FILE must list the function");
        return NULL;
    }
    *described = true;
    return function();
}

static char *declare_library(int fd, const char *expected_name, struct error *err)
{
    void *handle = load(fd, err);
    if (handle == NULL) {
        return NULL;
    }
    bool described = false;
    const struct chime_plugin *plugin = describe(handle, &described, err);
    return described ? declaration_encode(plugin, expected_name, err) : NULL;
}

/* One byte more than may be, so that a larger file is told from one that fits. */
static bool read_text(int fd, struct buffer *bytes, struct error *err)
{
    char some[16384];
    ssize_t got = 1;
    while (got > 0 && bytes->length <= VIEW_TEXT_LIMIT) {
        got = read(fd, some, sizeof(some));
        if (got < 0 && errno != EINTR) {
            return error_set(err, ERROR_CONFIG, "cannot be read: %s", strerror(errno));
        }
        buffer_append(bytes, some, got > 0 ? (size_t)got : 0);
    }
    return true;
}

static char *declare_text(int fd, const char *name, struct error *err)
{
    struct arena *arena = arena_create();
    struct buffer bytes = {0};
    struct view_text text;
    char *answer = NULL;
    if (read_text(fd, &bytes, err) && view_text_read(arena, buffer_text(&bytes), bytes.length, &text, err)) {
        answer = declaration_encode(view_text_plugin(arena, name, &text), name, err);
    }
    buffer_finish(&bytes);
    arena_destroy(arena);
    return answer;
}

static char *declare(int fd, const char *file, struct error *err)
{
    if (!confine(err)) {
        return NULL;
    }
    size_t length = vet_name_length(file);
    char *name = xstrndup(file, length);
    bool is_text = strcmp(file + length, PLUGIN_SQL_SUFFIX) == 0;
    char *answer = is_text ? declare_text(fd, name, err) : declare_library(fd, name, err);
    free(name);
    return answer;
}

static void append_text(struct buffer *json, char *text)
{
    text_make_printable(text); /* it may quote the plugin, and JSON must be UTF-8 */
    json_text_append(json, text, strlen(text));
}

static char *problem_json(struct error *err)
{
    struct buffer json = {0};
    buffer_puts(&json, "{\"refused\":");
    append_text(&json, err->message);
    buffer_puts(&json, ",\"hint\":");
    append_text(&json, err->hint);
    buffer_putc(&json, '}');
    return buffer_take(&json);
}

static bool write_all(int out, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(out, bytes, length);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        }
    }
    return true;
}

static bool write_frame(int out, const char *json)
{
    size_t length = strlen(json);
    const unsigned char header[PLUGIN_FRAME_HEADER] = {(unsigned char)(length >> 24), (unsigned char)(length >> 16),
                                                       (unsigned char)(length >> 8), (unsigned char)length};
    return write_all(out, (const char *)header, sizeof(header)) && write_all(out, json, length);
}

int plugin_host_main(int fd, int out, const char *file)
{
    struct error err = {.kind = ERROR_NONE};
    char *answer = declare(fd, file, &err);
    int status = answer != NULL ? PLUGIN_HOST_DESCRIBED : PLUGIN_HOST_REFUSED;
    if (answer == NULL) {
        answer = problem_json(&err);
    }
    if (!write_frame(out, answer)) {
        fprintf(stderr, "cannot answer on descriptor %d: %s\n", out, strerror(errno));
        status = PLUGIN_HOST_UNHEARD;
    }
    free(answer);
    _exit(status); /* not exit: the plugin's destructors shall not run */
}
