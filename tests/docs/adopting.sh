# shellcheck shell=bash
# docs/adopting.md: a database whose scripts made a relation that plugin lane_distribution wants, too.
# SPDX-License-Identifier: PostgreSQL
own_relation()
{
    psql -q -v ON_ERROR_STOP=1 -v scale=0.02 -f "$ROOT_DIRECTORY/sql/sample/0_schema.sql" -f "$ROOT_DIRECTORY/sql/sample/1_data.sql" >/dev/null
    cp "$ROOT_DIRECTORY/build/plugins/lane_distribution.so" plugins/
    init_role
    pgchime migrate >/dev/null
    query 'CREATE MATERIALIZED VIEW analytics.mv_lane_score_distribution AS SELECT challenge_id, count(*) AS submissions FROM submissions GROUP BY 1;
           ALTER MATERIALIZED VIEW analytics.mv_lane_score_distribution OWNER TO pgchime;
           GRANT SELECT ON analytics.mv_lane_score_distribution TO shop' >/dev/null
}

telemetry()
{
    cp "$ROOT_DIRECTORY/build/plugins/telemetry.so" plugins/
    command pgchime serve --once 2>>"$RUN_DIRECTORY/log"
}
