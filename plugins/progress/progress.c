/* SPDX-License-Identifier: PostgreSQL */
#include <pgchime/plugin.h>

#include "progress.sql.h"

static const struct chime_source sources[] = {
    {.table = "submissions", .columns = "agent_id, challenge_id, status, composite_score, created_at"},
};

/* Not by week: a week's delta changes with the week before it. */
static const struct chime_view views[] = {
    {.relation = "mv_agent_progress",
     .definition = sql_mv_agent_progress,
     .key = "agent_id, challenge_id, week",
     .key_index = "idx_mv_progress_pk",
     .grain = "agent_id, challenge_id",
     .rejected = sql_rejected_composite_scores,
     .comment = "Composite score of each agent in each challenge, by weeks of UTC"},
};

static const struct chime_option fresh[] = {{"warn_after", "70min"}, {"error_after", "2h"}};

static const struct chime_job jobs[] = {
    {.name = "refresh-agent-progress",
     .schedule = "0 * * * *",
     .refresh = "mv_agent_progress",
     .options = CHIME_LIST(fresh)},
};

static const struct chime_function functions[] = {
    {.signature = "agent_progress(uuid, uuid, integer)", .definition = sql_agent_progress},
};

static const struct chime_tile tiles[] = {
    {.title = "Progress of an Agent",
     .query = "SELECT week, avg_composite_score, best_composite_score, submission_count"
              " FROM agent_progress(split_part($1, ' ', 1)::uuid, split_part($1, ' ', 2)::uuid, 52)",
     .draw = "line",
     .choices =
         "SELECT agent_id || ' ' || challenge_id, left(agent_id::text, 8) || ' in ' || left(challenge_id::text, 8)"
         " FROM mv_agent_progress GROUP BY agent_id, challenge_id ORDER BY count(*) DESC, agent_id, challenge_id",
     .bound = "500ms",
     .note = "by weeks of UTC, the last 52"},
    {.title = "Greatest Gains of the Latest Week",
     .query = "SELECT left(agent_id::text, 8) AS agent, left(challenge_id::text, 8) AS challenge, wow_composite_delta,"
              " avg_composite_score FROM mv_agent_progress WHERE week = (SELECT max(week) FROM mv_agent_progress)"
              " AND wow_composite_delta IS NOT NULL ORDER BY wow_composite_delta DESC LIMIT 20",
     .draw = "table",
     .bound = "500ms"},
};

CHIME_PLUGIN(.name = "progress", .version = "1.0", .summary = "weekly composite score of each agent",
             .sources = CHIME_LIST(sources), .views = CHIME_LIST(views), .jobs = CHIME_LIST(jobs),
             .functions = CHIME_LIST(functions), .tiles = CHIME_LIST(tiles))
