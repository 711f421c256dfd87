/* SPDX-License-Identifier: PostgreSQL */
/* Warnings that repeat. The first warning of a key is logged in full. Later ones are counted and logged as one line,
 * at most once a minute for each key.
 *
 * Does: shorten long lines; remember at most LOG_FOLD_KEYS keys, and only count the warnings of further keys; forget a
 *   key that had no warning for a minute.
 * Does not: keep the warnings that it did not log. */
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
