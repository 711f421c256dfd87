/* SPDX-License-Identifier: PostgreSQL */
#include "web/basic.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define TEXT_MAX 4096

char *basic_password(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > TEXT_MAX || length % 4 != 0) {
        return NULL;
    }
    char *decoded = xcalloc(1, length + 1);
    int count = EVP_DecodeBlock((unsigned char *)decoded, (const unsigned char *)text, (int)length);
    char *colon = count > 0 ? memchr(decoded, ':', (size_t)count) : NULL;
    char *password = colon != NULL ? xstrdup(colon + 1) : NULL; /* what was padded is NUL */
    free(decoded);
    return password;
}
