/* SPDX-License-Identifier: PostgreSQL */
/* What the tests of `pgchime import pg_cron` share: the cluster, output and errors of stage.h, a database "app" with
 * our ledger, and the command. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_IMPORT_STAGE_H
#define CHIME_TESTS_SUPPORT_IMPORT_STAGE_H

#include "support/daemon/commands.h"
#include "support/daemon/stage.h"

extern char *configuration; /* with "app" as "main", by role pgchime */
extern char *from;          /* the database where pg_cron is */

#define ASSERT_RUN(status, ...) \
    commands_expect(status, configuration, (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)
#define IMPORT(status, ...) ASSERT_RUN(status, "import", "pg_cron", "--from", from, __VA_ARGS__)

/* One server for all tests, with a database "model" that has our ledger, and is the current one. */
void import_stage_start(void);
/* The databases of a test are copies of models: this one anew. */
void import_stage_copy(const char *database, const char *model);
/* "app", which is the current one from now on, imports from that database of the cluster. */
void import_stage_aim(const char *database);
/* A role "pgchime" that owns schema chime of the current database, which is that of the configuration. */
void import_stage_migrate(void);
/* Frees what a test has left; the cluster stays. */
void import_stage_forget(void);

#endif
