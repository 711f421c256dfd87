/* SPDX-License-Identifier: PostgreSQL */
#include "web/hex.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

void hex_write(const unsigned char *bytes, size_t count, char *text)
{
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * count] = '\0';
}

bool hex_read(const char *text, unsigned char *bytes, size_t count)
{
    if (strlen(text) != 2 * count || strspn(text, digits) != 2 * count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t high = (size_t)(strchr(digits, text[2 * i]) - digits);
        size_t low = (size_t)(strchr(digits, text[2 * i + 1]) - digits);
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
