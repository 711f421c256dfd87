/* SPDX-License-Identifier: PostgreSQL */
#include <pgchime/plugin.h>

#include "training_quality.sql.h"

static const struct chime_source sources[] = {
    {.table = "agent_feedback",
     .columns = "id, conversation_id, safe_to_send, labels, annotator, rubric, created_at",
     .views = "mv_training_quality_snapshot, mv_agent_feedback_quality"},
    {.table = "agent_feedback",
     .columns = "safe_to_send, labels, annotator, created_at",
     .views = "mv_annotator_activity"},
    {.table = "AgentFeedback",
     .columns = "safeToSend, labels, annotator, rubric, createdAt",
     .views = "mv_training_quality_snapshot, mv_agent_feedback_quality"},
    {.table = "AgentFeedback", .columns = "safeToSend, labels, annotator, createdAt", .views = "mv_annotator_activity"},
};

static const struct chime_index activity_indexes[] = {
    {.name = "idx_mv_annotator_activity_recent", .columns = "last_annotation_at DESC"},
};

static const struct chime_view views[] = {
    {.relation = "mv_training_quality_snapshot",
     .definition = sql_mv_training_quality_snapshot,
     .key = "source",
     .grain = "source",
     .stamps = "refreshed_at",
     .revisit = sql_revisit_snapshot,
     .rejected = sql_rejected_scores,
     .comment = "Scores, labels and safety of the training annotations of the last 7 days, by source table"},
    {.relation = "mv_annotator_activity",
     .definition = sql_mv_annotator_activity,
     .key = "source, annotator",
     .grain = "source, annotator",
     .stamps = "refreshed_at",
     .revisit = sql_revisit_annotators,
     .indexes = CHIME_LIST(activity_indexes),
     .comment = "Who annotated training data in the last 7 days, and how much"},
    {.relation = "mv_agent_feedback_quality",
     .definition = sql_mv_agent_feedback_quality,
     .key = "source, check_name",
     .stamps = "refreshed_at",
     .comment = "Data quality, audit and retention checks of the feedback tables over the last 24 hours"},
};

static const struct chime_option fresh[] = {{"target_lag", "1s"}, {"warn_after", "1h"}, {"error_after", "2h"}};
static const struct chime_option quarterly[] = {{"warn_after", "20min"}, {"error_after", "30min"}};

static const struct chime_job jobs[] = {
    {.name = "refresh_training_quality",
     .schedule = "*/30 * * * *",
     .refresh = "mv_training_quality_snapshot, mv_annotator_activity",
     .options = CHIME_LIST(fresh)},
    {.name = "refresh-agent-feedback-quality",
     .schedule = "*/15 * * * *",
     .refresh = "mv_agent_feedback_quality",
     .options = CHIME_LIST(quarterly)},
};

static const struct chime_function functions[] = {
    {.signature = "training_data_quality()", .definition = sql_training_data_quality},
    {.signature = "training_quality(text)", .definition = sql_training_quality},
    {.signature = "annotator_activity(text, integer)", .definition = sql_annotator_activity},
    {.signature = "agent_feedback_quality(boolean)", .definition = sql_agent_feedback_quality},
};

static const struct chime_channel channels[] = {
    {.name = "training_feedback_stream", .table = "agent_feedback", .definition = sql_training_feedback_stream},
};

static const struct chime_tile tiles[] = {
    {.title = "Training Data Quality Score",
     .query = "SELECT total_annotations, avg_clarity, avg_accuracy, flagged_unsafe FROM training_data_quality()",
     .draw = "number",
     .bound = "100ms",
     .note = "annotations of the last 7 days"},
    {.title = "Quality by Source",
     .query = "SELECT source, quality_score, unsafe_rate_pct, annotations_24h, active_annotators_24h FROM "
              "training_quality()",
     .draw = "table",
     .bound = "500ms"},
    {.title = "Annotators",
     .query = "SELECT annotator, source, annotations_24h, annotations_7d, flagged_unsafe FROM annotator_activity()",
     .draw = "table",
     .bound = "500ms"},
    {.title = "Data Quality of Annotations",
     .query = "SELECT source, check_name, dimension, failed_count, failed_pct, status FROM agent_feedback_quality()",
     .draw = "table",
     .bound = "500ms"},
};

/* Seed 001, tier 1: instant alert if an unsafe response is detected. */
static const struct chime_alert alerts[] = {
    {.name = "unsafe-response",
     .condition = "SELECT last_unsafe_at > now() - interval '5 minutes', source AS subject,"
                  " format('an answer was found unsafe at %s', last_unsafe_at) AS summary"
                  " FROM mv_training_quality_snapshot",
     .severity = "critical"},
};

CHIME_PLUGIN(.name = "training_quality", .version = "1.0",
             .summary = "quality of training annotations over 7 days, and who makes them",
             .sources = CHIME_LIST(sources), .views = CHIME_LIST(views), .jobs = CHIME_LIST(jobs),
             .functions = CHIME_LIST(functions), .channels = CHIME_LIST(channels), .tiles = CHIME_LIST(tiles),
             .alerts = CHIME_LIST(alerts))
