/* SPDX-License-Identifier: PostgreSQL */
#include <pgchime/plugin.h>

#include "retention.sql.h"
#include "retention_obstacles.sql.h"
#include "retention_report.sql.h"
#include "retention_restore.sql.h"

/* No sources: an application has some of the event tables, and each run looks for those that are there. */

static const struct chime_function functions[] = {
    {.signature = "retention_policy()", .definition = sql_retention_policy},
    {.signature = "retention_clock()", .definition = sql_retention_clock},
    {.signature = "retention_confirm()", .definition = sql_retention_confirm},
    {.signature = "retention_untrusted(regclass, boolean)", .definition = sql_retention_untrusted},
    {.signature = "retention_part_obstacle(text, text)", .definition = sql_retention_part_obstacle},
    {.signature = "retention_side_effects(regclass, text, text, text[])", .definition = sql_retention_side_effects},
    {.signature = "retention_columns(regclass, regclass)", .definition = sql_retention_columns},
    {.signature = "retention_cold_obstacle(text, regclass)", .definition = sql_retention_cold_obstacle},
    {.signature = "retention_obstacle(regclass, text, text, text[], text)", .definition = sql_retention_obstacle},
    {.signature = "retention_expiry_obstacle(text, text, text[])", .definition = sql_retention_expiry_obstacle},
    {.signature = "retention_setup(regclass, text, name)", .definition = sql_retention_setup},
    {.signature = "retention_hold(text, text)", .definition = sql_retention_hold},
    {.signature = "retention_batches(regclass, text, text, text, integer)", .definition = sql_retention_batches},
    {.signature = "retention_parts(regclass, name, timestamptz, boolean)", .definition = sql_retention_parts},
    {.signature = "retention_detachments(text, text)", .definition = sql_retention_detachments},
    {.signature = "retention_steps()", .definition = sql_retention_steps},
    {.signature = "retention_dry_run()", .definition = sql_retention_dry_run},
    {.signature = "retention_tiers()", .definition = sql_retention_tiers},
    {.signature = "retention_return_obstacle(text, regclass, text, text[])",
     .definition = sql_retention_return_obstacle},
    {.signature = "retention_restorable(text, timestamptz, timestamptz)", .definition = sql_retention_restorable},
    {.signature = "retention_restore(text, timestamptz, timestamptz)", .definition = sql_retention_restore},
    {.signature = "retention_make_log()", .definition = sql_retention_make_log},
};

/* Doing it again does no harm, whatever became of the first time. */
static const struct chime_option options[] = {{"delivery", "at_least_once"}, {"attempt_timeout", "4h"}};

static const struct chime_job jobs[] = {
    {.name = "retention-events",
     .schedule = "30 3 * * *",
     .command = sql_retention_events,
     .options = CHIME_LIST(options)},
};

static const struct chime_setting settings[] = {
    {"enforce", "bool", "false", NULL, NULL,
     "rows are moved and deleted; false: the job only reports what it would do"},
    {"hot", "duration", "7d", "1d", NULL, "younger rows are hot: in their table"},
    {"warm", "duration", "30d", "1d", NULL, "younger ones are warm: in their table still, then they leave it"},
    {"cold", "duration", "90d", "1d", NULL, "younger ones are cold: apart from their table; older ones are gone"},
    {"batch_rows", "int", "5000", "100", "100000", "rows that one transaction looks at, at most"},
    {"tables", "text", "agent_queries, AgentQuery, agent_approvals, agent_feedback, AgentFeedback, action_results",
     NULL, NULL, "the event tables that it applies to; chat_telemetry may be added"},
    {"triggers", "text", "", NULL, NULL,
     "triggers of yours that may run when rows go, as TABLE.TRIGGER; a table with others is left alone"},
};

static const struct chime_tile tiles[] = {
    {.title = "Limits of the Event Tables",
     .query = "SELECT source, date_trunc('hour', hot) AS hot_from_at, date_trunc('hour', warm) AS warm_from_at,"
              " date_trunc('hour', cold) AS cold_from_at, CASE WHEN fault IS NULL THEN 'ok' ELSE 'failed' END AS status"
              " FROM retention_policy() ORDER BY source",
     .draw = "table",
     .bound = "500ms",
     .note = "rows that are older than cold go with the next run that is enforced"},
};

CHIME_PLUGIN(.name = "retention", .version = "1.0", .summary = "hot, warm and cold rows of the event tables",
             .jobs = CHIME_LIST(jobs), .functions = CHIME_LIST(functions), .settings = CHIME_LIST(settings),
             .tiles = CHIME_LIST(tiles))
