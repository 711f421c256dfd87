-- SPDX-License-Identifier: PostgreSQL
-- The peer: a materialized view of the same definition with the same unique index.
SELECT format('CREATE MATERIALIZED VIEW bench.peer AS %s',
              pg_get_viewdef('analytics.mv_lane_score_distribution__live'::regclass)) \gexec
CREATE UNIQUE INDEX ON bench.peer (challenge_id, lane_key);
VACUUM ANALYZE;
