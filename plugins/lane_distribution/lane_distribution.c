/* SPDX-License-Identifier: PostgreSQL */
#include <pgchime/plugin.h>

#include "lane_distribution.sql.h"

static const struct chime_source sources[] = {
    {.table = "submissions", .columns = "challenge_id, status, final_lane_scores, created_at"},
};

static const struct chime_view views[] = {
    {.relation = "mv_lane_score_distribution",
     .definition = sql_mv_lane_score_distribution,
     .key = "challenge_id, lane_key",
     .key_index = "idx_mv_lane_dist_pk",
     .grain = "challenge_id",
     .rejected = sql_rejected_lane_scores,
     .comment = "Lane scores of each challenge: count, spread and percentiles over its scored submissions"},
};

static const struct chime_option fresh[] = {{"target_lag", "5s"}, {"warn_after", "1min"}, {"error_after", "20min"}};

static const struct chime_job jobs[] = {
    {.name = "refresh-lane-distributions",
     .schedule = "*/10 * * * *",
     .refresh = "mv_lane_score_distribution",
     .on = "submission_scored",
     .debounce = "5s",
     .options = CHIME_LIST(fresh)},
};

static const struct chime_function functions[] = {
    {.signature = "lane_distributions(uuid, integer)", .definition = sql_lane_distributions},
};

static const struct chime_channel channels[] = {
    {.name = "submission_scored", .table = "submissions", .definition = sql_submission_scored},
};

/* Those of the latest submissions first. */
#define CHALLENGES                                                                                     \
    "SELECT challenge_id, challenge_id FROM mv_lane_score_distribution GROUP BY challenge_id ORDER BY" \
    " max(last_submission_at) DESC, challenge_id"

static const struct chime_tile tiles[] = {
    {.title = "Lane Scores of a Challenge",
     .query = "SELECT lane_key, min_score, p25, p50, p75, max_score FROM lane_distributions($1::uuid)",
     .draw = "box",
     .choices = CHALLENGES,
     .bound = "500ms",
     .note = "half of the scores are within the box; lanes of fewer than 5 samples are left out"},
    {.title = "Percentiles of a Challenge",
     .query = "SELECT lane_key, sample_count, mean_score, stddev_score, p10, p50, p90, last_submission_at"
              " FROM lane_distributions($1::uuid)",
     .draw = "table",
     .choices = CHALLENGES,
     .bound = "500ms"},
};

CHIME_PLUGIN(.name = "lane_distribution", .version = "1.0", .summary = "lane score percentiles of each challenge",
             .sources = CHIME_LIST(sources), .views = CHIME_LIST(views), .jobs = CHIME_LIST(jobs),
             .functions = CHIME_LIST(functions), .channels = CHIME_LIST(channels), .tiles = CHIME_LIST(tiles))
