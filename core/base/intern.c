/* SPDX-License-Identifier: PostgreSQL */
#include "base/intern.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static char **texts;
static size_t count;

const char *intern(const char *text)
{
    for (size_t i = 0; text != NULL && i < count; i++) {
        if (strcmp(texts[i], text) == 0) {
            return texts[i];
        }
    }
    if (text == NULL) {
        return NULL;
    }
    texts = xrealloc(texts, count + 1, sizeof(*texts));
    texts[count] = xstrdup(text);
    return texts[count++];
}

size_t intern_count(void)
{
    return count;
}

void intern_forget(size_t kept)
{
    while (count > kept) {
        free(texts[--count]);
    }
}
