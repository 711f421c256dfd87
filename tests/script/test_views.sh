#!/usr/bin/env bash
# The plugins' SQL, run in psql as it is, against the oracle: over the sample data and hand-made edges; the oracle
# against mutations; the read API. Without the daemon: a stand-in for schema chime, a private cluster.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL

if [ "$(id -u)" -eq 0 ]; then # initdb and postgres refuse root
    set_unprivileged
    exec "${unprivileged[@]}" bash "$ROOT_DIRECTORY/tests/script/test_views.sh"
fi

as_of='2026-03-10 12:00:00.000001'
plugins=(lane_distribution weakness progress time_to_first_win telemetry)
relations=(mv_lane_score_distribution mv_weakness_patterns mv_agent_progress mv_time_to_first_win
    chat_telemetry_domain_summary chat_telemetry_model_summary)
checks=0

query() # database, SQL
{
    PGOPTIONS="-c search_path=analytics,public -c timezone=UTC" cluster_psql "$RUN_DIRECTORY/pg" -XqAt -d "$1" -c "$2"
}

expect() # what, is, should be
{
    checks=$((checks + 1))
    [ "$2" = "$3" ] || die "$1: is \"$2\"" "should be \"$3\""
}

# make_database NAME: with the stand-in. The zone is not UTC, so that nothing may depend on it.
make_database()
{
    query postgres "CREATE DATABASE $1" && query postgres "ALTER DATABASE $1 SET timezone = 'Pacific/Auckland'"
    query "$1" "CREATE SCHEMA chime; CREATE SCHEMA analytics;
        CREATE FUNCTION chime.as_of() RETURNS timestamptz LANGUAGE sql STABLE RETURN timestamptz '$as_of UTC';
        $(sed -n '/^CREATE OR REPLACE FUNCTION chime.one_of/,/^END/p' "$ROOT_DIRECTORY/sql/functions/plugins.sql")
        CREATE TABLE chime.plugin (name text, settings jsonb);
        CREATE TABLE chime.view (view_schema name, relation name, plugin text);
        CREATE TABLE chime.view_refresh (view_schema name, relation name, refreshed_at timestamptz, rows bigint);
        INSERT INTO chime.view_refresh SELECT 'analytics', r, '$as_of UTC'
        FROM unnest(ARRAY['chat_telemetry_rollups', 'chat_telemetry_domain_rollups']) AS r"
}

# load_views NAME: runs the plugins' files; sets `rejected` to their figures, in the order of the relations.
load_views()
{
    local files=() plugin file
    for plugin in "${plugins[@]}"; do
        for file in "$ROOT_DIRECTORY/plugins/$plugin/"*.sql; do files+=(-f "$file"); done
    done
    mapfile -t rejected < <(PGOPTIONS='-c search_path=analytics,public' \
        cluster_psql "$RUN_DIRECTORY/pg" -XqAt -d "$1" -v channels=1 "${files[@]}")
    expect "the number of figures of rejected values in $1" "${#rejected[@]}" 9
}

compare() # database, options...
{
    local database=$1
    shift
    PATH="$(dirname "$(postgres_psql)"):$PATH" "$ROOT_DIRECTORY/tests/oracle/compare" "$@" \
        "host=$RUN_DIRECTORY/pg user=postgres dbname=$database" analytics
}

expect_equal() # database: relations and rejected figures
{
    local figures=() i
    for i in "${!relations[@]}"; do
        figures+=(--rejected "${relations[i]}=${rejected[i]}")
    done
    compare "$1" "${figures[@]}" || die "$1: the oracle found differences"
    checks=$((checks + 1))
    recount "$1" rollups
}

recount() # database, module of the oracle
{
    PATH="$(dirname "$(postgres_psql)"):$PATH" "$ROOT_DIRECTORY/tests/oracle/recount" "$2" \
        "host=$RUN_DIRECTORY/pg user=postgres dbname=$1" analytics "$as_of" || die "$1: $2: the oracle found differences"
    checks=$((checks + 1))
}

# --- the oracle agrees ----------------------------------------------------------------------------------------------
make_sample() # database, scale
{
    make_database "$1"
    cluster_psql "$RUN_DIRECTORY/pg" -Xq -o /dev/null -d "$1" -v scale="$2" -v as_of="$as_of+00" \
        -f "$ROOT_DIRECTORY/sql/sample/0_schema.sql" -f "$ROOT_DIRECTORY/sql/sample/1_data.sql"
    load_views "$1"
    expect_equal "$1"
}

test_sample()
{
    make_sample sample 1
    make_sample small 0.1
    expect "the sample's size" "$(query sample "SELECT count(*) FROM submissions")/$(query sample \
        "SELECT count(*) FROM chat_telemetry")" 20000/20000
    expect "challenges and agents of the sample" "$(query sample \
        "SELECT count(DISTINCT challenge_id) || '/' || count(DISTINCT agent_id) FROM submissions")" 50/200
}

test_edges()
{
    local kind
    for kind in none one malformed many; do
        make_database "$kind"
        cluster_psql "$RUN_DIRECTORY/pg" -Xq -d "$kind" -v "$kind=1" -f "$ROOT_DIRECTORY/tests/oracle/edges.sql"
        load_views "$kind"
        expect_equal "$kind"
    done
    expect "rows of an empty source" "$(query none "SELECT count(*) FROM mv_lane_score_distribution")" 0
    expect "rows of malformed scores" "$(query malformed "SELECT count(*) FROM mv_lane_score_distribution")" 0
    expect "a single submission's spread" "$(query one "SELECT stddev_score IS NULL FROM mv_lane_score_distribution")" t
    expect "attempts at one instant have no slope" "$(query many "SELECT count(*) > 0 AND count(score_trend_slope) = 0
        FROM mv_weakness_patterns WHERE agent_id = u(2)")" t
    expect "challenges with five winners" "$(query many "SELECT string_agg(challenge_id::text, ' ') = u(2)::text
        FROM mv_time_to_first_win")" t
    expect "tied models" "$(query many "SELECT most_used_model FROM chat_telemetry_domain_summary WHERE domain = 'tied'")" Q
}

test_others() # those whose relations tests/integration/test_views_*.c looks into
{
    local plugin database relation column
    for plugin in action_analytics:actions training_quality:training; do
        make_database "${plugin#*:}"
        cluster_psql "$RUN_DIRECTORY/pg" -Xq -d "${plugin#*:}" -f "$ROOT_DIRECTORY/tests/support/views/tables_${plugin#*:}.sql"
        PGOPTIONS='-c search_path=analytics,public' cluster_psql "$RUN_DIRECTORY/pg" -XqAt -o /dev/null -d "${plugin#*:}" \
            -v channels=1 -f "$ROOT_DIRECTORY/plugins/${plugin%:*}/${plugin%:*}.sql"
        recount "${plugin#*:}" "${plugin#*:}"
    done
    for plugin in actions:action_metrics_hourly:total_duration_ms actions:trigger_performance_summary:success_rate \
        actions:recent_failures:trigger_id actions:action_type_distribution:percentage \
        training:mv_training_quality_snapshot:quality_score training:mv_annotator_activity:annotations_1h \
        many:chat_telemetry_rollups:cost_count many:chat_telemetry_domain_rollups:total_cost_usd \
        many:chat_telemetry_model_rollups:success_count; do
        IFS=: read -r database relation column <<<"$plugin"
        recount_sees "$database" "$relation" "$column"
    done
}

# The oracle can disagree here too: a figure that is one too large is found.
recount_sees() # database, relation, column
{
    local module=$1 status=0
    [ "$1" != many ] || module=rollups
    query postgres "CREATE DATABASE mutant TEMPLATE $1"
    query mutant "UPDATE $2 SET $3 = $3 + 1 WHERE ctid = (SELECT min(ctid) FROM $2)"
    PATH="$(dirname "$(postgres_psql)"):$PATH" "$ROOT_DIRECTORY/tests/oracle/recount" "$module" \
        "host=$RUN_DIRECTORY/pg user=postgres dbname=mutant" analytics "$as_of" "$2" >/dev/null || status=$?
    expect "recount's verdict on $2.$3 plus one" "$status" 1
    query postgres "DROP DATABASE mutant"
}

# --- the oracle can disagree ----------------------------------------------------------------------------------------
test_mutations()
{
    local mutation statement found=0
    local mutations=(
        "mv_lane_score_distribution|UPDATE @ SET p25 = p25 + 0.001 WHERE ctid = (SELECT min(ctid) FROM @)"
        "mv_lane_score_distribution|UPDATE @ SET last_submission_at = last_submission_at + interval '1 microsecond' WHERE ctid = (SELECT min(ctid) FROM @)"
        "mv_lane_score_distribution|DELETE FROM @ WHERE ctid = (SELECT max(ctid) FROM @)"
        "mv_weakness_patterns|UPDATE @ SET performance_category = 'average' WHERE ctid = (SELECT min(ctid) FROM @ WHERE performance_category <> 'average')"
        "mv_weakness_patterns|UPDATE @ SET score_trend_slope = score_trend_slope + 0.00000001 WHERE ctid = (SELECT min(ctid) FROM @)"
        "mv_agent_progress|UPDATE @ SET week = week + interval '3640 days' WHERE ctid = (SELECT min(ctid) FROM @)"
        "mv_agent_progress|UPDATE @ SET wow_composite_delta = NULL WHERE ctid = (SELECT min(ctid) FROM @ WHERE wow_composite_delta IS NOT NULL)"
        "mv_time_to_first_win|UPDATE @ SET avg_days_to_first_win = avg_days_to_first_win - 0.1 WHERE ctid = (SELECT min(ctid) FROM @)"
        "chat_telemetry_domain_summary|UPDATE @ SET requests_last_24h = requests_last_24h + 1 WHERE ctid = (SELECT min(ctid) FROM @)"
        "chat_telemetry_domain_summary|INSERT INTO @ (domain, total_requests_all_time) VALUES ('nowhere', 1)"
        "chat_telemetry_model_summary|UPDATE @ SET total_cost = total_cost + 0.0000001 WHERE ctid = (SELECT min(ctid) FROM @)"
        "public.submissions|DELETE FROM @ WHERE id = (SELECT min(id::text)::uuid FROM @ WHERE status = 'scored' AND final_lane_scores ? 'accuracy')"
        "public.submissions|UPDATE @ SET final_lane_scores = final_lane_scores || '{\"new\": 1}' WHERE id = (SELECT min(id::text)::uuid FROM @ WHERE status = 'scored' AND jsonb_typeof(final_lane_scores) = 'object')"
        "public.bout_results|UPDATE @ SET winner_agent_id = NULL WHERE bout_id IN (SELECT bout_id FROM @ ORDER BY 1 LIMIT 500)"
    )
    for mutation in "${mutations[@]}"; do
        statement=${mutation#*|}
        statement=${statement//@/${mutation%%|*}}
        query postgres "CREATE DATABASE mutant TEMPLATE small"
        expect "rows touched by: $statement" "$(query mutant "WITH x AS ($statement RETURNING 1) SELECT count(*) > 0 FROM x")" t
        if compare mutant >"$RUN_DIRECTORY/mutant.out"; then
            die "the oracle did not see: $statement"
        fi
        grep -q 'differences' "$RUN_DIRECTORY/mutant.out" || die "the oracle broke off on: $statement"
        query postgres "DROP DATABASE mutant"
        found=$((found + 1))
    done
    expect "mutations seen" "$found" "${#mutations[@]}"
    compare small >/dev/null || die "the template was changed"
}

# --- the read API ---------------------------------------------------------------------------------------------------
test_read_api()
{
    local busiest
    busiest=$(query sample "SELECT format('%L, %L', agent_id, challenge_id) FROM mv_agent_progress
        GROUP BY agent_id, challenge_id ORDER BY count(*) DESC, 1 LIMIT 1")
    expect "few samples are held back" "$(query one "SELECT count(*) FROM lane_distributions(u(1))")" 0
    expect "unless asked for" "$(query one "SELECT lane_key FROM lane_distributions(u(1), 1)")" a
    expect "no number of samples is the default" "$(query one "SELECT count(*) FROM lane_distributions(u(1), NULL)")" 0
    expect "the latest weeks, ascending" "$(query sample "SELECT array_agg(week) = (SELECT array_agg(week ORDER BY week)
        FROM (SELECT week FROM mv_agent_progress WHERE (agent_id, challenge_id) = ($busiest)
              ORDER BY week DESC LIMIT 5) latest) FROM agent_progress($busiest, 5)")" t
    expect "twelve weeks by default" "$(query sample "SELECT count(*) FROM agent_progress($busiest)")" 12
    expect "no limit is still a limit, a negative one is none" "$(query sample "SELECT
        (SELECT count(*) FROM agent_progress($busiest, NULL)) = (SELECT count(*) FROM mv_agent_progress
         WHERE (agent_id, challenge_id) = ($busiest)), (SELECT count(*) FROM agent_progress($busiest, -1))")" "t|0"
    expect "weak lanes only, weakest first" "$(query sample "SELECT count(*), bool_and(performance_category IN
        ('persistent_weakness', 'below_median')), array_agg(avg_score) = array_agg(avg_score ORDER BY avg_score)
        FROM weakness_patterns((SELECT agent_id FROM mv_weakness_patterns GROUP BY 1 ORDER BY count(*) DESC LIMIT 1))")" "20|t|t"
    expect "one challenge's weak lanes" "$(query sample "SELECT count(DISTINCT challenge_id) <= 1
        FROM weakness_patterns($busiest, max_rows => 5)")" t
    expect "all challenges' wins, or one's" "$(query many "SELECT (SELECT count(*) FROM time_to_first_win()),
        (SELECT agents_with_win FROM time_to_first_win(u(2))), (SELECT count(*) FROM time_to_first_win(u(3)))")" "1|5|0"
    expect "all domains, or one" "$(query many "SELECT (SELECT count(*) FROM telemetry_domains()),
        (SELECT total_requests_all_time FROM telemetry_domains(domain => 'edge'))")" "5|6"
    expect "a model without tokens costs nothing per token" "$(query many "SELECT cost_per_1k_tokens IS NULL
        FROM telemetry_models('free')")" t
    expect "every function is stable, but for the one that refreshes" "$(query many "SELECT
        count(*), string_agg(proname, ' ') FILTER (WHERE provolatile <> 's') FROM pg_proc
        WHERE pronamespace = 'analytics'::regnamespace AND prorettype <> 'trigger'::regtype
        ")" "9|refresh_telemetry_summary_views"
}

# --- the NOTIFY channel ---------------------------------------------------------------------------------------------
test_channel()
{
    local told
    told=$(PGOPTIONS='-c search_path=public' cluster_psql "$RUN_DIRECTORY/pg" -Xq -d many <<'SQL' | grep -c 'notification "submission_scored"'
LISTEN submission_scored;
INSERT INTO submissions (id, agent_id, challenge_id, status) VALUES (u(900), u(1), u(1), 'scored'), (u(901), u(1), u(1), 'pending');
UPDATE submissions SET status = status WHERE id = u(900);
UPDATE submissions SET composite_score = 5 WHERE id = u(900);
UPDATE submissions SET challenge_id = u(2) WHERE id = u(900);
UPDATE submissions SET status = 'scored' WHERE id = u(901);
DELETE FROM submissions WHERE id IN (u(900), u(901));
SQL
    )
    # Inserted as scored 1, unchanged 0, scored again 1, moved 2, scored at last 1, deleted 2.
    expect "notifications" "$told" 7
}

# --- keyed refresh will be able to ----------------------------------------------------------------------------------
test_grains()
{
    local relation grain plan
    while read -r relation grain; do
        plan=$(query small "SET enable_seqscan = off; EXPLAIN (COSTS OFF) SELECT v.* FROM (SELECT DISTINCT $grain
            FROM $relation ORDER BY 1 LIMIT 3) k, LATERAL (SELECT * FROM ${relation}__live v
            WHERE (${grain//, /, }) = (k.${grain//, /, k.}) OFFSET 0) v")
        checks=$((checks + 1))
        ! grep -q 'Seq Scan on \(submissions\|chat_telemetry\|bout_results\)' <<<"$plan" || {
            complain "$plan"
            die "$relation: one group of its grain ($grain) reads all of a source"
        }
        expect "$relation by its grain" "$(query small "
            WITH parts AS (SELECT v.* FROM (SELECT DISTINCT $grain FROM $relation) k,
                LATERAL (SELECT * FROM ${relation}__live v WHERE (${grain//, /, }) = (k.${grain//, /, k.}) OFFSET 0) v)
            SELECT (SELECT count(*) FROM (TABLE parts EXCEPT ALL TABLE $relation) d)
                 + (SELECT count(*) FROM (TABLE $relation EXCEPT ALL TABLE parts) d)")" 0
    done <<'GRAINS'
mv_lane_score_distribution challenge_id
mv_weakness_patterns challenge_id
mv_agent_progress agent_id, challenge_id
mv_time_to_first_win challenge_id
chat_telemetry_domain_summary domain
chat_telemetry_model_summary model
GRAINS
}

make_run_directory
on_exit cluster_stop "$RUN_DIRECTORY/pg" immediate
cluster_start "$RUN_DIRECTORY/pg" fsync=off shared_buffers=64MB
test_sample
test_edges
test_others
test_mutations
test_read_api
test_channel
test_grains
say "views: $checks checks passed"
