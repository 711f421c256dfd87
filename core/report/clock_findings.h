/* SPDX-License-Identifier: PostgreSQL */
/* Whether clocks and time zone data of this machine are those of the server.
 *
 * Does: compare the two clocks, and the offsets of zones that jobs have, now and at the next changes.
 * Does not: ask. The zones are those of an answer to calendars_ask. */
#ifndef CHIME_REPORT_CLOCK_FINDINGS_H
#define CHIME_REPORT_CLOCK_FINDINGS_H

#include "config/config.h"
#include "report/output.h"
#include "report/statements.h"

/* `asked`, `answered`: this machine's clock around the question. Whether it appended a finding. */
void server_clock_ask(struct question *question);
bool server_clock_take(struct output_list *findings, const struct pg_rows *rows, const char *database, instant asked,
                       instant answered);

/* JSON, as chime.zone_findings() takes it; caller frees. `calendars`: an answer to calendars_ask. */
char *zone_data_of(const struct pg_rows *calendars, const struct config_database *database, instant now);

#endif
