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

CHIME_PLUGIN(.name = "progress", .version = "1.0", .summary = "weekly composite score of each agent",
             .sources = CHIME_LIST(sources), .views = CHIME_LIST(views), .jobs = CHIME_LIST(jobs),
             .functions = CHIME_LIST(functions))
