/* SPDX-License-Identifier: PostgreSQL */
#include <pgchime/plugin.h>

#include "weakness.sql.h"

/* The second is lane_distribution's kept relation: its refresh hands on the challenges that it changed. */
static const struct chime_source sources[] = {
    {.table = "submissions", .columns = "agent_id, challenge_id, status, final_lane_scores, created_at"},
    {.table = "mv_lane_score_distribution", .columns = "challenge_id, lane_key, p25, p50, p75"},
};

static const struct chime_index indexes[] = {
    {.name = "idx_mv_weakness_category", .columns = "performance_category, challenge_id"},
};

/* A changed percentile touches every agent of its challenge, hence the grain. */
static const struct chime_view views[] = {
    {.relation = "mv_weakness_patterns",
     .definition = sql_mv_weakness_patterns,
     .key = "agent_id, challenge_id, lane_key",
     .key_index = "idx_mv_weakness_pk",
     .grain = "challenge_id",
     .rejected = sql_rejected_attempts,
     .indexes = CHIME_LIST(indexes),
     .comment = "Lanes in which an agent is weak or strong, by its challenge's quartiles"},
};

static const struct chime_option fresh[] = {{"target_lag", "5s"}, {"warn_after", "1min"}, {"error_after", "1h"}};

static const struct chime_job jobs[] = {
    {.name = "refresh-weakness-patterns",
     .schedule = "*/30 * * * *",
     .refresh = "mv_weakness_patterns",
     .after = "refresh-lane-distributions",
     .on = "submission_scored",
     .debounce = "5s",
     .options = CHIME_LIST(fresh)},
};

static const struct chime_function functions[] = {
    {.signature = "weakness_patterns(uuid, uuid, integer)", .definition = sql_weakness_patterns},
};

CHIME_PLUGIN(.name = "weakness", .version = "1.0", .summary = "repeated weaknesses and strengths of each agent",
             .sources = CHIME_LIST(sources), .views = CHIME_LIST(views), .jobs = CHIME_LIST(jobs),
             .functions = CHIME_LIST(functions))
