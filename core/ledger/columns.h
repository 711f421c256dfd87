/* SPDX-License-Identifier: PostgreSQL */
/* Array parameters for the ledger's functions: one growing array per column, in PostgreSQL's text form. */
#ifndef CHIME_LEDGER_COLUMNS_H
#define CHIME_LEDGER_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/instant.h"

#define COLUMNS_MAX 12

struct columns {
    struct buffer column[COLUMNS_MAX];
    const char *values[COLUMNS_MAX]; /* after columns_close: what to bind, in order */
};

void columns_init(struct columns *columns);
void columns_finish(struct columns *columns);
void columns_int(struct columns *columns, size_t column, int64_t value);
void columns_bool(struct columns *columns, size_t column, bool value);
void columns_instant(struct columns *columns, size_t column, instant at);    /* INSTANT_NONE is NULL */
void columns_text(struct columns *columns, size_t column, const char *text); /* NULL is NULL */
void columns_close(struct columns *columns);

#endif
