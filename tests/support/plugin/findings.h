/* SPDX-License-Identifier: PostgreSQL */
/* A folder with pgchime.conf and conf.d of a test's own, what reading it gave, and what it reported.
 *
 * One at a time; findings_set_up and findings_tear_down are its fixture. Every failure fails the running test. */
#ifndef CHIME_TESTS_SUPPORT_FINDINGS_H
#define CHIME_TESTS_SUPPORT_FINDINGS_H

#include "base/error.h"
#include "config/config.h"

extern char *folder;
extern struct report report;
extern struct config *config; /* as loaded last; freed with the folder */

void findings_set_up(void);
void findings_tear_down(void);
/* A file of the folder: "pgchime.conf", "conf.d/x.conf". */
void put(const char *name, const char *text);
/* pgchime.conf as it is now. */
const struct config *load(void);
/* All that was reported so far, sorted, as finding_line writes it, each with its hint behind it; '%' in what is
 * expected stands for the folder. `snapshot` is what was made: NULL exactly when there are findings. */
void expect_findings(const void *snapshot, const char *expected);

#endif
