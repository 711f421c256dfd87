/* SPDX-License-Identifier: PostgreSQL */
#include "base/shell.h"

#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

#define PLAIN_FIRST "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+,"

char *shell_word(const char *word)
{
    struct buffer text = {0};
    if (word[0] != '\0' && strspn(word, PLAIN_FIRST "=-") == strlen(word) && strchr("=-", word[0]) == NULL) {
        return xstrdup(word);
    }
    buffer_putc(&text, '\'');
    for (const char *c = word; *c != '\0'; c++) {
        if (*c == '\'') {
            buffer_puts(&text, "'\\'");
        }
        buffer_putc(&text, *c);
    }
    buffer_putc(&text, '\'');
    return buffer_take(&text);
}
