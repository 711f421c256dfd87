/* SPDX-License-Identifier: PostgreSQL */
#include <pgchime/plugin.h>

#include "approval_queue.sql.h"

static const struct chime_source sources[] = {
    {.table = "agent_approvals",
     .columns = "id, conversation_id, status, priority, confidence_score, approved_by, created_at, updated_at, "
                "reviewed_at"},
};

static const struct chime_view views[] = {
    {.relation = "mv_agent_queue_realtime",
     .definition = sql_mv_agent_queue_realtime,
     .key = "snapshot_time",
     .key_index = "mv_agent_queue_realtime_snapshot_time_idx",
     .grain = "snapshot_time",
     .stamps = "refreshed_at",
     .revisit = sql_the_queue,
     .rejected = sql_rejected_approvals,
     .comment = "Pending approvals, and those decided among today's (UTC)"},
    {.relation = "mv_approval_queue_summary",
     .definition = sql_mv_approval_queue_summary,
     .key = "snapshot_time",
     .key_index = "mv_approval_queue_summary_snapshot_time_idx",
     .grain = "snapshot_time",
     .stamps = "refreshed_at",
     .revisit = sql_the_queue,
     .rejected = sql_rejected_pending,
     .comment = "Ages of the pending approvals in minutes, as of the last refresh"},
    {.relation = "mv_agent_accuracy_rolling",
     .definition = sql_mv_agent_accuracy_rolling,
     .key = "window_start",
     .key_index = "mv_agent_accuracy_rolling_window_start_idx",
     .rejected = sql_rejected_drafts,
     .comment = "Drafts, approvals and review times of each of the last 24 hours (UTC)"},
    {.relation = "mv_agent_approval_quality",
     .definition = sql_mv_agent_approval_quality,
     .key = "check_name",
     .stamps = "refreshed_at",
     .comment = "Data quality, audit and retention checks of agent_approvals over the last 24 hours"},
};

/* Where a dashboard turns when the kept relations are not to be had: the same columns off the source, slower. */
static const struct chime_plain_view plain_views[] = {
    {.relation = "v_agent_queue_realtime",
     .definition = sql_mv_agent_queue_realtime,
     .comment = "As mv_agent_queue_realtime, computed when it is read"},
    {.relation = "v_approval_queue_summary",
     .definition = sql_mv_approval_queue_summary,
     .comment = "As mv_approval_queue_summary, computed when it is read"},
    {.relation = "v_agent_accuracy_rolling",
     .definition = sql_mv_agent_accuracy_rolling,
     .comment = "As mv_agent_accuracy_rolling, computed when it is read"},
};

static const struct chime_option live[] = {{"target_lag", "250ms"}, {"warn_after", "10s"}, {"error_after", "1min"}};
static const struct chime_option quarterly[] = {{"warn_after", "20min"}, {"error_after", "30min"}};

static const struct chime_job jobs[] = {
    {.name = "refresh-agent-queue-realtime",
     .schedule = "*/5 * * * * *",
     .refresh = "mv_agent_queue_realtime, mv_approval_queue_summary",
     .options = CHIME_LIST(live)},
    {.name = "refresh-agent-accuracy-rolling",
     .schedule = "*/15 * * * *",
     .refresh = "mv_agent_accuracy_rolling",
     .options = CHIME_LIST(quarterly)},
    {.name = "refresh-agent-approval-quality",
     .schedule = "*/15 * * * *",
     .refresh = "mv_agent_approval_quality",
     .options = CHIME_LIST(quarterly)},
};

static const struct chime_function functions[] = {
    {.signature = "approval_queue_status()", .definition = sql_approval_queue_status},
    {.signature = "approval_queue_ages()", .definition = sql_approval_queue_ages},
    {.signature = "hourly_approval_rates(integer)", .definition = sql_hourly_approval_rates},
    {.signature = "agent_approval_quality(boolean)", .definition = sql_agent_approval_quality},
};

static const struct chime_channel channels[] = {
    {.name = "approval_queue_stream", .table = "agent_approvals", .definition = sql_approval_queue_stream},
};

static const struct chime_tile tiles[] = {
    {.title = "Current Queue Status",
     .query = "SELECT pending_count, urgent_count, avg_confidence, oldest_age_minutes FROM approval_queue_status()",
     .draw = "number",
     .critical = "> 50",
     .bound = "100ms"},
    {.title = "Hourly Approval Rate Chart",
     .query = "SELECT window_start, approval_rate_pct, total_drafts FROM hourly_approval_rates()",
     .draw = "line",
     .bound = "200ms"},
    {.title = "Approval Queue by Age",
     .query = "SELECT sla_breaches, pending_up_to_1min, pending_up_to_5min, pending_up_to_1h, pending_over_1h"
              " FROM approval_queue_ages()",
     .draw = "number",
     .warn = "> 0",
     .bound = "500ms",
     .note = "drafts that have been pending for more than 5 minutes breach the SLA"},
    {.title = "Moving Approval Rate",
     .query = "SELECT window_start, moving_approval_rate_pct, avg_confidence, avg_review_time_seconds"
              " FROM hourly_approval_rates()",
     .draw = "line",
     .bound = "500ms"},
    {.title = "Data Quality of Approvals",
     .query = "SELECT check_name, dimension, failed_count, failed_pct, status FROM agent_approval_quality()",
     .draw = "table",
     .bound = "500ms"},
};

/* Of the seeds: 000 for the first, 001 for the second. Both count from now: an age must not wait for a refresh. */
static const struct chime_alert alerts[] = {
    {.name = "approval-queue-overdue",
     .condition = "SELECT pending_count > 50 AND oldest_pending < now() - interval '1 hour', pending_count AS value,"
                  " format('%s are pending, the oldest since %s', pending_count, oldest_pending) AS summary"
                  " FROM mv_agent_queue_realtime",
     .severity = "critical"},
    {.name = "approval-queue-sla",
     .condition =
         "SELECT oldest_pending < now() - interval '5 minutes', extract(epoch FROM now() - oldest_pending) AS value,"
         " format('one is pending since %s, and 5 minutes are allowed', oldest_pending) AS summary"
         " FROM mv_agent_queue_realtime",
     .severity = "warning"},
};

CHIME_PLUGIN(.name = "approval_queue", .version = "1.0", .summary = "the approval queue now, and approvals by the hour",
             .sources = CHIME_LIST(sources), .views = CHIME_LIST(views), .plain_views = CHIME_LIST(plain_views),
             .jobs = CHIME_LIST(jobs), .functions = CHIME_LIST(functions), .channels = CHIME_LIST(channels),
             .tiles = CHIME_LIST(tiles), .alerts = CHIME_LIST(alerts))
