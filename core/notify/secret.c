/* SPDX-License-Identifier: PostgreSQL */
#include "notify/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/trust.h"

#define SIZE_LIMIT 65536

static bool judge(int file, const char *path, struct error *err)
{
    struct stat status;
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > SIZE_LIMIT) {
        return error_set(err, ERROR_CONFIG, "%s is no small file", path);
    }
    if ((status.st_mode & S_IROTH) != 0) {
        error_set(err, ERROR_CONFIG, "everybody may read %s", path);
        return error_hint(err, "chmod o= %s", path);
    }
    return trust_file(&status, path, path, err) && trust_place(path, err);
}

static char *read_all(int file)
{
    struct buffer text = {0};
    char bytes[4096];
    ssize_t count;
    while ((count = read(file, bytes, sizeof(bytes))) > 0 && text.length <= SIZE_LIMIT) {
        buffer_append(&text, bytes, (size_t)count);
    }
    while (text.length > 0 && (text.data[text.length - 1] == '\n' || text.data[text.length - 1] == '\r')) {
        text.data[--text.length] = '\0';
    }
    return buffer_take(&text);
}

static bool is_sound(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (((unsigned char)*c < 0x20 && *c != '\n') || *c == 0x7F) {
            return false;
        }
    }
    return text[0] != '\0';
}

char *secret_read(const char *path, struct error *err)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) {
        error_set(err, ERROR_CONFIG, "cannot open %s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = judge(file, path, err) ? read_all(file) : NULL;
    close(file);
    if (text != NULL && !is_sound(text)) {
        error_set(err, ERROR_CONFIG, "%s is empty or has control characters", path);
        free(text);
        return NULL;
    }
    return text;
}
