/* SPDX-License-Identifier: PostgreSQL */
/* Small files that hold what nobody else may read: an address with a key in it, a password. */
#ifndef CHIME_NOTIFY_SECRET_H
#define CHIME_NOTIFY_SECRET_H

#include "base/error.h"

/* Its text without the last line's end; caller frees. NULL when it cannot be read, others may read or write it, or it
 * holds control characters but for ends of lines. No error says what is in it. */
char *secret_read(const char *path, struct error *err);

#endif
