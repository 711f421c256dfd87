# shellcheck shell=bash
# event to fresh: from the commit of a write to the commit of the refresh that shows it, under seed 001's loads
#
# script/bench fresh [--seconds N] [--rates N,...] [--rows N] [--pg VERSION] [--quick]
#   --seconds N    length of each load (60)
#   --rates N,...  writes a second beside the probes (1,4,9,100,500: the seed's normal, peak and stress loads by the minute, then
#                  its capacity table's by the second)
#   --rows N       submissions at the start, in 50 challenges (20000)
#   --quick        2 loads of 5 s: to see that it works, not to quote
# mv_lane_score_distribution has a target_lag of 250 ms, mv_weakness_patterns (which reads it) and mv_agent_progress of 1 s.
# Prints one table; ends with a comparison of each view with its definition.

readonly views=(mv_lane_score_distribution mv_weakness_patterns mv_agent_progress)
seconds=60 version=15 rates=(1 4 9 100 500) rows=20000 challenges=50

bench_options()
{
    while [ $# -gt 0 ]; do
        case $1 in
            --quick) rates=(9 500) seconds=5 ;;
            -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$BENCH_DIRECTORY/fresh.sh"; exit 0 ;;
            --seconds) seconds=$(number "$@"); shift ;;
            --rows) rows=$(number "$@"); shift ;;
            --pg) version=$(number "$@"); shift ;;
            --rates) read -ra rates <<<"${2//,/ }"; shift ;;
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
    refresh-lane-distributions: { on = []; target_lag = "250ms"; };
    refresh-weakness-patterns: { target_lag = "1s"; };
    refresh-agent-progress: { target_lag = "1s"; };
};
END
}

# make_views: the data, the views, and the daemon, which watches until the end.
make_views()
{
    database_create
    cluster_psql "$RUN_DIRECTORY/pg" -qX -d "$BENCH_DATABASE" -f "$ROOT_DIRECTORY/sql/sample/0_schema.sql"
    query refresh_data.sql -v rows="$rows" -v challenges=$challenges -v heavy=0
    daemon_start
    wait_for 60 "SELECT to_regclass('chime.watch') IS NOT NULL"
    wait_for 600 "SELECT count(*) >= 3 AND bool_and(seen IS NOT NULL) FROM chime.view_refresh"
    wait_for 60 "SELECT state = 'watching' FROM chime.watch"
    query fresh_probe.sql
}

probe()
{
    query "CALL bench.probe('INSERT INTO public.submissions (id, agent_id, challenge_id, status, final_lane_scores, composite_score)
        VALUES (gen_random_uuid(), md5(''agent '' || floor(200 * random()))::uuid,
                md5(''challenge '' || floor($challenges * random()))::uuid, ''scored'', ''{\"accuracy\": 50}'', 50)',
        '{$1}', $seconds)" >/dev/null
}

# A prober for each view: one that waits for a slow view would hide a quick one.
load() # RATE
{
    local writers probers=() view cpu
    query "TRUNCATE bench.fresh"
    cpu=$(daemon_cpu)
    "$(pgbench_program)" -h "$RUN_DIRECTORY/pg" -p 5432 -U postgres -n -c 4 -j 1 -T "$seconds" --rate="$1" -M prepared \
        -D challenges=$challenges -f "$BENCH_DIRECTORY/queries/fresh_write.sql" "$BENCH_DATABASE" >"$RUN_DIRECTORY/pgbench.log" 2>&1 &
    writers=$!
    for view in "${views[@]}"; do
        probe "$view" &
        probers+=($!)
    done
    wait "$writers" || die "pgbench failed: $(tail -3 "$RUN_DIRECTORY/pgbench.log")"
    for view in "${probers[@]}"; do
        wait "$view" || die "a probe failed: see above"
    done
    load_rows "$1" "$(compute "100 * ($(daemon_cpu) - $cpu) / 1000000 / $seconds" %.1f)"
}

load_rows() # RATE CPU
{
    local view figures target
    for view in "${views[@]}"; do
        target=1000
        [ "$view" != mv_lane_score_distribution ] || target=250
        figures=$(query "SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)) || ' ' ||
                                round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)) || ' ' || count(*)
                           FROM bench.fresh WHERE relation = '$view'")
        read -r half most count <<<"$figures"
        row_limit "$1 writes/s, $view: p99 of $count (p50 $half ms; the daemon took $2 % of a core)" "$most" "$target" ms
    done
}

# A refresh that is quick because it is wrong is none. In the order in which they read each other.
check_views()
{
    local view difference
    for view in "${views[@]}"; do
        query "SELECT FROM chime.refresh('$view')"
    done
    difference=$(query "SELECT sum(d.missing + d.surplus) FROM chime.view v, chime.difference(v.relation) d")
    [ "$difference" = 0 ] || die "views differ from their definitions in $difference rows"
}

bench_main()
{
    local rate
    bench_start 32 "$version"
    cp "$ROOT_DIRECTORY"/build/plugins/{lane_distribution,weakness,progress}.so "$RUN_DIRECTORY/plugins"
    write_configuration 4
    write_targets
    make_views
    for rate in "${rates[@]}"; do
        load "$rate"
    done
    daemon_stop
    check_views
    say
    table_print
    say
    say "$rows submissions in $challenges challenges at the start; $seconds s each; probes come on top: up to 20 writes a second a view"
    machine_print
}
