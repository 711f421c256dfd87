/* SPDX-License-Identifier: PostgreSQL */
#include <pgchime/plugin.h>

#include "time_to_first_win.sql.h"

static const struct chime_source sources[] = {
    {.table = "submissions", .columns = "agent_id, challenge_id, bout_id, status, created_at"},
    {.table = "bout_results", .columns = "bout_id, winner_agent_id"},
};

static const struct chime_view views[] = {
    {.relation = "mv_time_to_first_win",
     .definition = sql_mv_time_to_first_win,
     .key = "challenge_id",
     .key_index = "idx_mv_ttfw_pk",
     .grain = "challenge_id",
     .rejected = sql_rejected_submissions,
     .comment = "Days from an agent's first submission to its first win, averaged over each challenge"},
};

static const struct chime_option fresh[] = {{"warn_after", "5h"}, {"error_after", "8h"}};

static const struct chime_job jobs[] = {
    {.name = "refresh-time-to-first-win",
     .schedule = "0 */4 * * *",
     .refresh = "mv_time_to_first_win",
     .options = CHIME_LIST(fresh)},
};

static const struct chime_function functions[] = {
    {.signature = "time_to_first_win(uuid)", .definition = sql_time_to_first_win},
};

static const struct chime_tile tiles[] = {
    {.title = "Days to the First Win",
     .query = "SELECT left(challenge_id::text, 8) AS challenge, avg_days_to_first_win, agents_with_win"
              " FROM time_to_first_win() ORDER BY avg_days_to_first_win DESC NULLS LAST, challenge_id LIMIT 30",
     .draw = "bars",
     .bound = "500ms",
     .note = "on average of a challenge's agents; the longest first"},
};

CHIME_PLUGIN(.name = "time_to_first_win", .version = "1.0", .summary = "days to the first win in each challenge",
             .sources = CHIME_LIST(sources), .views = CHIME_LIST(views), .jobs = CHIME_LIST(jobs),
             .functions = CHIME_LIST(functions), .tiles = CHIME_LIST(tiles))
