/* SPDX-License-Identifier: PostgreSQL */
/* What makes a job run where no slot is due, in words for people.
 *
 * Does: name the jobs it comes after, the channels that wake it, and the changes of its sources.
 * Does not: know whether any of these has happened. */
#ifndef CHIME_REPORT_WAKE_WORDS_H
#define CHIME_REPORT_WAKE_WORDS_H

#include "base/buffer.h"
#include "pg/rows.h"

/* Of one job, as the ledger has it: lists in JSON, "[]" for none. */
struct wakers {
    const char *after;
    const char *channels;
    const char *target_lag; /* as configured; NULL: its sources are not watched */
};

/* Columns for the wakers, in their order, of tables j (chime.job) and s (chime.job_status). */
#define WAKERS_COLUMNS "to_json(j.after), to_json(j.channels), s.target_lag"
/* From the row's columns beginning with `first`. */
struct wakers wakers_of_row(const struct pg_rows *rows, size_t row, size_t first);

/* "after a, b; on c, d; when its sources change": what there is of it, nothing when there is none. Where target_lag is
 * "downstream" it is "when views that read it need it". */
void put_wakers(struct buffer *text, const struct wakers *wakers);
/* The same without the jobs it comes after. */
void put_events(struct buffer *text, const struct wakers *wakers);

#endif
