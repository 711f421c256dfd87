/* SPDX-License-Identifier: PostgreSQL */
#include "base/log_fold.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

#define TELL_EVERY (60 * USEC_PER_SEC)

struct folded {
    int64_t key;
    instant told_at;
    size_t count; /* since then */
    char *last;   /* of those; NULL: none */
};

struct log_fold {
    struct folded items[LOG_FOLD_KEYS];
    size_t count;
    size_t further; /* lines of keys for which there was no room */
    instant further_told_at;
};

static char *cut(char *text)
{
    size_t length = strlen(text);
    if (length <= LOG_FOLD_LENGTH) {
        return text;
    }
    char *shorter = xasprintf("%.*s...", (int)utf8_cut(text, length, LOG_FOLD_LENGTH), text);
    free(text);
    return shorter;
}

static void note_again(struct folded *item, char *text)
{
    item->count++;
    free(item->last);
    item->last = text;
}

void log_fold_warning(struct log_fold *fold, int64_t key, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = cut(xvasprintf(format, arguments));
    va_end(arguments);
    for (size_t i = 0; i < fold->count; i++) {
        if (fold->items[i].key == key) {
            note_again(&fold->items[i], text);
            return;
        }
    }
    if (fold->count == LOG_FOLD_KEYS) {
        fold->further++;
    } else {
        fold->items[fold->count++] = (struct folded){.key = key, .told_at = clock_boot()};
        log_warning("%s", text);
    }
    free(text);
}

static void tell(struct folded *item)
{
    if (item->count > 0) {
        log_warning("%s (the last of %zu more since)", item->last, item->count);
        free(item->last);
        item->last = NULL;
    }
    item->count = 0;
}

static void tell_further(struct log_fold *fold)
{
    if (fold->further > 0) {
        log_warning("%zu more warnings of other jobs are left out", fold->further);
        fold->further = 0;
    }
}

void log_fold_tell(struct log_fold *fold)
{
    instant now = clock_boot();
    size_t kept = 0;
    for (size_t i = 0; i < fold->count; i++) {
        struct folded *item = &fold->items[i];
        bool over = now - item->told_at >= TELL_EVERY;
        bool quiet = over && item->count == 0;
        if (over) {
            tell(item);
            item->told_at = now;
        }
        if (!quiet) {
            fold->items[kept++] = *item;
        }
    }
    fold->count = kept;
    if (now - fold->further_told_at >= TELL_EVERY) {
        tell_further(fold);
        fold->further_told_at = now;
    }
}

struct log_fold *log_fold_create(void)
{
    return xcalloc(1, sizeof(struct log_fold));
}

void log_fold_destroy(struct log_fold *fold)
{
    if (fold == NULL) {
        return;
    }
    for (size_t i = 0; i < fold->count; i++) {
        tell(&fold->items[i]);
    }
    tell_further(fold);
    free(fold);
}
