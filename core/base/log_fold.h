/* SPDX-License-Identifier: PostgreSQL */
/* Warnings that come again and again: the first of a key in full, the next ones counted, at most one line a minute and
 * key.
 *
 * Does: cut a line to what one reads; keep at most LOG_FOLD_KEYS keys, and count what comes by further ones; forget a
 *   key that was quiet for a minute.
 * Does not: keep what it left out: whoever wants all of it looks where it is on record. */
#ifndef CHIME_BASE_LOG_FOLD_H
#define CHIME_BASE_LOG_FOLD_H

#include <stdint.h>

#include "base/error.h"

#define LOG_FOLD_KEYS 1000
#define LOG_FOLD_LENGTH 500 /* bytes of a line */

struct log_fold;

struct log_fold *log_fold_create(void);
void log_fold_destroy(struct log_fold *fold); /* NULL allowed; what was counted is told */
void log_fold_warning(struct log_fold *fold, int64_t key, const char *format, ...) CHIME_PRINTF(3, 4);
/* From time to time: tells what was counted, of each key whose minute is over. */
void log_fold_tell(struct log_fold *fold);

#endif
