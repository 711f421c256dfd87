# shellcheck shell=bash
# event to fresh: from the commit of a write to the commit of the refresh that shows it, under seed 001's loads
#
# script/bench fresh [--seconds N] [--scenarios NAME,...] [--scale N] [--pg VERSION] [--quick]
#   --seconds N           length of each load (60)
#   --scenarios NAME,...  of script/sample-writer (normal,peak,stress,target,capacity: up to 500 queries a second)
#   --scale N             of the sample data (1)
#   --quick               normal and capacity, 10 s each: to see that it works, not to quote
# Views of tier 1 have a target_lag of 250 ms; those of tier 2 have 1 s, as their plugins say or as here. One prober for each
# writes a row and waits for it, one after the other; the load comes beside them.
# Prints one table; a view that differs from its definition at the end is an error.

readonly tier1=(mv_realtime_agent_performance mv_agent_queue_realtime)
readonly tier2=(mv_query_performance_live mv_training_quality_snapshot mv_agent_progress mv_lane_score_distribution)
seconds=60 version=15 scale=1 scenarios=(normal peak stress target capacity)

bench_options()
{
    while [ $# -gt 0 ]; do
        case $1 in
            --quick) scenarios=(normal capacity) seconds=10 ;;
            -h | --help) sed -n '2,13s/^# \{0,1\}//p' "$BENCH_DIRECTORY/fresh.sh"; exit 0 ;;
            --seconds) seconds=$(number "$@"); shift ;;
            --scale) scale=$(number "$@"); shift ;;
            --pg) version=$(number "$@"); shift ;;
            --scenarios) read -ra scenarios <<<"${2//,/ }"; shift ;;
            *) die "unknown option \"$1\"" "script/bench fresh --help" ;;
        esac
        shift
    done
}

number()
{
    [[ ${2:-} =~ ^[1-9][0-9]{0,7}$ ]] || die "$1 needs a number" "script/bench fresh $1 8"
    echo "$2"
}

write_targets()
{
    cat >"$RUN_DIRECTORY/conf.d/targets.conf" <<END
jobs: {
    refresh-agent-progress: { target_lag = "1s"; };
    refresh-lane-distributions: { on = []; target_lag = "1s"; };
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
    wait_for 60 "SELECT to_regclass('chime.watch') IS NOT NULL"
    wait_for 600 "SELECT count(*) > 0 AND bool_and(refreshed_at IS NOT NULL) FROM chime.view_refresh"
    wait_for 60 "SELECT state = 'watching' FROM chime.watch"
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

bench_main()
{
    local scenario
    bench_start 32 "$version"
    cp "$ROOT_DIRECTORY"/build/plugins/{agent_performance,approval_queue,query_performance,training_quality,progress,lane_distribution}.so \
        "$RUN_DIRECTORY/plugins"
    write_configuration 8
    write_targets
    make_views
    for scenario in "${scenarios[@]}"; do
        load "$scenario"
    done
    daemon_stop
    check_views
    say
    table_print
    say
    say "sample data of scale $scale; $seconds s each; probes come on top of the load"
    machine_print
}
