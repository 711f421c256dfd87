/* SPDX-License-Identifier: PostgreSQL */
/* Schedules as the extension pg_cron reads them. It ignores or misreads some texts; this module does the same.
 *
 * Does: tell, of a text that pg_cron keeps, whether its runs ever come, and write what it took the text for as a
 *   schedule of ours:
 *   of six fields it does not look at the sixth; "5;3" in a field is 5; the empty range "sat-sun"
 *   is nothing. In its newest source (1.6) `$` and `N seconds` came; earlier versions refuse both.
 * Does not: know zones. pg_cron matches every minute of the wall: that is dst_gap skip and dst_overlap both. */
#ifndef CHIME_CALENDAR_PG_CRON_H
#define CHIME_CALENDAR_PG_CRON_H

enum pg_cron_reading {
    PG_CRON_REFUSES,
    PG_CRON_NEVER, /* it keeps the text, and nothing is ever due */
    PG_CRON_RUNS,
};

/* *equivalent: what PG_CRON_RUNS means, as schedule_parse takes it; caller frees; else NULL. */
enum pg_cron_reading pg_cron_read(const char *text, char **equivalent);

#endif
