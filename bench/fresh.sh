# shellcheck shell=bash
# event to fresh: from the commit of a write to the commit of the refresh that shows it, under seed 001's loads
#
# script/bench fresh [--only PART,...] [--seconds N] [--scenarios NAME,...] [--bursts N] [--scale N] [--pg VERSION] [--quick]
#   --only PART,...       views: writes under each load; bursts: 10,000 notifications in 2 s that wake two jobs (both)
#   --seconds N           length of each load (60)
#   --scenarios NAME,...  of script/sample-writer (normal,peak,stress,target,capacity: up to 500 queries a second)
#   --bursts N            how many (20)
#   --scale N             of the sample data (1)
#   --quick               normal and capacity, 10 s each, 3 bursts: to see that it works, not to quote
# Views of tier 1 have a target_lag of 250 ms; those of tier 2 have 1 s, as their plugins say or as here. One prober for each
# writes a row and waits for it, one after the other; the load comes beside them. A burst counts from the commit of its last
# notification and the debounce of 1 s to the start of the run that it wakes, which must be one of each job, in their order.
# Prints one table; a view that differs from its definition at the end is an error.
# SPDX-License-Identifier: PostgreSQL

readonly tier1=(mv_realtime_agent_performance mv_agent_queue_realtime)
readonly tier2=(mv_query_performance_live mv_training_quality_snapshot mv_agent_progress mv_lane_score_distribution)
readonly burst_jobs=(refresh-lane-distributions refresh-weakness-patterns)
seconds=60 version=15 scale=1 scenarios=(normal peak stress target capacity) bursts=20 parts=(views bursts)

bench_options()
{
    while [ $# -gt 0 ]; do
        case $1 in
            --quick) scenarios=(normal capacity) seconds=10 bursts=3 ;;
            -h | --help) sed -n '2,16s/^# \{0,1\}//p' "$BENCH_DIRECTORY/fresh.sh"; exit 0 ;;
            --seconds) seconds=$(number "$@"); shift ;;
            --bursts) bursts=$(number "$@"); shift ;;
            --only) read_parts "${2:-}"; shift ;;
            --scale) scale=$(number "$@"); shift ;;
            --pg) version=$(number "$@"); shift ;;
            --scenarios) read -ra scenarios <<<"${2//,/ }"; shift ;;
            *) die "unknown option \"$1\"" "script/bench fresh --help" ;;
        esac
        shift
    done
}

read_parts() # NAME,...
{
    local part
    read -ra parts <<<"${1//,/ }"
    [ ${#parts[@]} -gt 0 ] || die "--only needs a part" "script/bench fresh --only views,bursts"
    for part in "${parts[@]}"; do
        [[ $part =~ ^(views|bursts)$ ]] || die "there is no part \"$part\"" "script/bench fresh --only views,bursts"
    done
}

measures() { [[ " ${parts[*]} " = *" $1 "* ]]; }

write_targets()
{
    cat >"$RUN_DIRECTORY/conf.d/targets.conf" <<END
jobs: {
    refresh-agent-progress: { target_lag = "1s"; };
    refresh-lane-distributions: { on = []; target_lag = "1s"; };
};
END
}

write_bursts()
{
    cat >"$RUN_DIRECTORY/conf.d/targets.conf" <<END
jobs: {
    ${burst_jobs[0]}: { schedule = "0 0 29 2 *"; on = ["submission_scored"]; debounce = "1s"; };
    ${burst_jobs[1]}: { schedule = "0 0 29 2 *"; on = ["submission_scored"]; debounce = "1s"; };
};
END
}

# The data, the views, and the daemon, which watches until the end.
make_views()
{
    database_create
    cluster_psql "$RUN_DIRECTORY/pg" -qX -v ON_ERROR_STOP=1 -v scale="$scale" -d "$BENCH_DATABASE" \
        -f "$ROOT_DIRECTORY/sql/sample/0_schema.sql" -f "$ROOT_DIRECTORY/sql/sample/1_data.sql" >/dev/null
    query fresh_probe.sql
    daemon_start
    wait_for 60 "SELECT to_regclass('chime.listener') IS NOT NULL"
    wait_for 600 "SELECT count(*) > 0 AND bool_and(refreshed_at IS NOT NULL) FROM chime.view_refresh"
    wait_for 60 "SELECT state = 'watching' FROM chime.listener"
}

check_keyed()
{
    [ "$(query "SELECT count(*) FROM chime.view WHERE full_reason IS NULL AND relation = ANY ('{$(
        IFS=,
        echo "${tier1[*]},${tier2[*]}"
    )}')")" = 6 ] || die "not all of them are refreshed by their groups" "$(query "SELECT relation, full_reason FROM chime.view")"
}

# One existing key again: what a new row costs does not depend on who it is about.
probe_statement() # VIEW
{
    case $1 in
        mv_realtime_agent_performance) echo "INSERT INTO agent_queries SELECT (p).* FROM bench.copy(NULL::agent_queries) AS p" ;;
        mv_agent_queue_realtime) echo "INSERT INTO agent_approvals SELECT (p).* FROM bench.copy(NULL::agent_approvals) AS p" ;;
        mv_query_performance_live) echo 'INSERT INTO "AgentQuery" SELECT (p).* FROM bench.copy(NULL::"AgentQuery") AS p' ;;
        mv_training_quality_snapshot) echo "INSERT INTO agent_feedback SELECT (p).* FROM bench.copy(NULL::agent_feedback) AS p" ;;
        *) echo "INSERT INTO submissions SELECT (p).* FROM bench.copy(NULL::submissions) AS p" ;;
    esac
}

probe() # VIEW
{
    query "CALL bench.probe(\$p\$$(probe_statement "$1")\$p\$, '{$1}', $seconds)" >/dev/null
}

load() # SCENARIO
{
    local writer probers=() view cpu
    query "TRUNCATE bench.fresh"
    cpu=$(daemon_cpu)
    PATH=$(dirname "$(pgbench_program)"):$PATH "$ROOT_DIRECTORY/script/sample-writer" --scenario "$1" --for "${seconds}s" --scale "$scale" \
        "host=$RUN_DIRECTORY/pg port=5432 user=postgres dbname=$BENCH_DATABASE" >"$RUN_DIRECTORY/writer.log" 2>&1 &
    writer=$!
    for view in "${tier1[@]}" "${tier2[@]}"; do
        probe "$view" &
        probers+=($!)
    done
    wait "$writer" || die "the writer failed: $(tail -3 "$RUN_DIRECTORY/writer.log")"
    for view in "${probers[@]}"; do
        wait "$view" || die "a probe failed: see above"
    done
    cpu=$(compute "100 * ($(daemon_cpu) - $cpu) / 1000000 / $seconds" %.1f)
    for view in "${tier1[@]}"; do
        view_row "$1" "$view" 250
    done
    for view in "${tier2[@]}"; do
        view_row "$1" "$view" 1000
    done
    row_say "$1: CPU of the daemon" "$cpu % of a core" - - -
}

view_row() # SCENARIO VIEW MOST
{
    local half most count
    read -r half most count <<<"$(query "SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)),
        round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)), count(*) FROM bench.fresh WHERE relation = '$2'" | tr '|' ' ')"
    row_limit "$1: $2, p99 of $count (p50 $half ms)" "$most" "$3" ms
}

# A refresh that is quick because it is wrong is none.
check_views()
{
    local view difference
    for view in "${tier1[@]}" "${tier2[@]}"; do
        difference=$(query "BEGIN; SELECT set_config('chime.as_of', now()::text, true); SELECT FROM chime.refresh('$view');
            SELECT missing + surplus FROM chime.difference('$view'); COMMIT" | tail -1)
        [ "$difference" = 0 ] || die "$view differs from its definition in $difference rows"
    done
}

# --- bursts -----------------------------------------------------------------------------------------------------------
await_rest() { wait_for 60 "SELECT NOT EXISTS (SELECT FROM chime.run) AND NOT EXISTS (SELECT FROM chime.request)"; }

# Each job has run once when the daemon connected and once for each burst so far.
check_runs() # BURSTS
{
    local job count
    for job in "${burst_jobs[@]}"; do
        count=$(query "SELECT count(*) FROM chime.runs WHERE kind = 'event' AND job = '$job'")
        [ "$count" = $(($1 + 1)) ] || die "$job has run $((count - 1)) times for $1 bursts"
    done
}

check_burst() # NUMBER COMMITTED
{
    local job
    for job in "${burst_jobs[@]}"; do
        wait_for 60 "SELECT max(slot) > '$2' FROM chime.runs WHERE job = '$job' AND state = 'succeeded'"
        record "$job" "$(query "SELECT round(extract(epoch FROM max(started_at) - timestamptz '$2') * 1000 - 1000, 1)
                                FROM chime.runs WHERE job = '$job'")"
    done
    await_rest
    check_runs "$1"
    [ "$(query "SELECT max(w.started_at) >= (SELECT max(finished_at) FROM chime.runs WHERE job = '${burst_jobs[0]}')
                FROM chime.runs w WHERE w.job = '${burst_jobs[1]}'")" = t ] || die "burst $1: ${burst_jobs[1]} did not wait"
}

measure_bursts()
{
    local burst committed took job
    cp "$ROOT_DIRECTORY/build/plugins/weakness.so" "$RUN_DIRECTORY/plugins"
    write_bursts
    make_views
    query burst.sql
    for job in "${burst_jobs[@]}"; do
        wait_for 60 "SELECT count(*) = 1 FROM chime.runs WHERE kind = 'event' AND state = 'succeeded' AND job = '$job'"
    done
    await_rest
    for ((burst = 1; burst <= bursts; burst++)); do
        read -r committed took <<<"$(query "CALL bench.burst('submission_scored', NULL, NULL)")"
        record burst "$took"
        check_burst "$burst" "$committed"
    done
    # A notification heard after the run would make another one, debounce later.
    wait_for 30 "SELECT clock_timestamp() > timestamptz '$committed' + interval '5 s'"
    await_rest
    check_runs "$bursts"
    daemon_stop
    row_limit "$bursts bursts of 10,000: last notification and debounce to the run, worst (median $(median "${burst_jobs[0]}"))" \
        "$(most "${burst_jobs[0]}")" 200 ms
    row_say "the run of the job after it, worst (median $(median "${burst_jobs[1]}"))" "$(most "${burst_jobs[1]}") ms" - - -
    row_say "length of a burst, worst (median $(median burst))" "$(most burst) s" - - "2 s"
    row_say "runs of each job for a burst" 1 - reached 1
}

measure_views()
{
    local scenario
    write_targets
    make_views
    check_keyed
    for scenario in "${scenarios[@]}"; do
        load "$scenario"
    done
    daemon_stop
    check_views
}

bench_main()
{
    bench_start 32 "$version"
    cp "$ROOT_DIRECTORY"/build/plugins/{agent_performance,approval_queue,query_performance,training_quality,progress,lane_distribution}.so \
        "$RUN_DIRECTORY/plugins"
    write_configuration 8
    ! measures views || measure_views
    ! measures bursts || measure_bursts
    say
    table_print
    say
    say "sample data of scale $scale; views: $seconds s each, probes come on top of the load"
    machine_print
}
