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

static const struct chime_tile tiles[] = {
    {.title = "Weaknesses of an Agent",
     .query = "SELECT lane_key, avg_score, challenge_p25, attempt_count, round(score_trend_slope * 86400, 3) AS "
              "trend_per_day,"
              " performance_category, challenge_id FROM weakness_patterns($1::uuid)",
     .draw = "table",
     .choices = "SELECT agent_id, agent_id FROM mv_weakness_patterns GROUP BY agent_id ORDER BY"
                " count(*) FILTER (WHERE performance_category = 'persistent_weakness') DESC, agent_id",
     .bound = "500ms",
     .note = "lanes in which it is below its challenge's median, the weakest first"},
    {.title = "Categories",
     .query = "SELECT replace(performance_category, '_', ' ') AS category, count(*) AS lanes FROM mv_weakness_patterns"
              " GROUP BY performance_category ORDER BY lanes DESC",
     .draw = "bars",
     .bound = "500ms",
     .note = "lanes of all agents in all challenges"},
};

CHIME_PLUGIN(.name = "weakness", .version = "1.0", .summary = "repeated weaknesses and strengths of each agent",
             .sources = CHIME_LIST(sources), .views = CHIME_LIST(views), .jobs = CHIME_LIST(jobs),
             .functions = CHIME_LIST(functions), .tiles = CHIME_LIST(tiles))
