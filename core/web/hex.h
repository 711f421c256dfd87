/* SPDX-License-Identifier: PostgreSQL */
/* Bytes as hexadecimal digits in lower case. */
#ifndef CHIME_WEB_HEX_H
#define CHIME_WEB_HEX_H

#include <stdbool.h>
#include <stddef.h>

void hex_write(const unsigned char *bytes, size_t count, char *text); /* 2 * count characters and NUL */
bool hex_read(const char *text, unsigned char *bytes, size_t count);  /* false unless there are just as many */

#endif
