# shellcheck shell=bash
# each read function beside the same computed off the sources; 100 readers while views are refreshed and peak load is written
#
# script/bench reads [--scale N] [--calls N] [--passes N] [--readers N] [--seconds N] [--pg VERSION] [--quick]
#   --scale N     of the sample data (50: a million submissions, a million telemetry rows; loading takes minutes)
#   --calls N     of each function, by one session (200)
#   --passes N    of each computation off the sources, of which the median counts (3)
#   --readers N   sessions of the second part, each one read a second (100)
#   --seconds N   length of the second part (60)
#   --quick       scale 1, 10 seconds: to see that it works, not to quote
# Readers are analytics_reader. Times are the client's. The reads of the second part come at random instants, and one that
# starts late has waited since it was due. A read that finds nothing, where something was at the start, is an error.
# SPDX-License-Identifier: PostgreSQL

readonly most_alone=10 most_together=100 # ms
readonly administrative="'retention'"   # plugins whose functions are for the operator
scale=50 calls=200 passes=3 readers=100 seconds=60 version=15

bench_options()
{
    while [ $# -gt 0 ]; do
        case $1 in
            --quick) scale=1 seconds=10 ;;
            -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$BENCH_DIRECTORY/reads.sh"; exit 0 ;;
            --scale) scale=$(number "$@"); shift ;;
            --calls) calls=$(number "$@"); shift ;;
            --passes) passes=$(number "$@"); shift ;;
            --readers) readers=$(number "$@"); shift ;;
            --seconds) seconds=$(number "$@"); shift ;;
            --pg) version=$(number "$@"); shift ;;
            *) die "unknown option \"$1\"" "script/bench reads --help" ;;
        esac
        shift
    done
}

# --- the views ------------------------------------------------------------------------------------------------------
make_views()
{
    database_create
    complain "sample data of scale $scale"
    cluster_psql "$RUN_DIRECTORY/pg" -qX -v ON_ERROR_STOP=1 -v scale="$scale" -d "$BENCH_DATABASE" \
        -f "$ROOT_DIRECTORY/sql/sample/0_schema.sql" -f "$ROOT_DIRECTORY/sql/sample/1_data.sql" >/dev/null
    query "VACUUM ANALYZE"
    complain "views"
    daemon_start
    wait_for 120 "SELECT to_regclass('chime.listener') IS NOT NULL"
    wait_for 1800 "SELECT count(*) > 0 AND bool_and(refreshed_at IS NOT NULL) FROM chime.view_refresh"
    wait_for 120 "SELECT bool_and(state = 'installed') FROM chime.plugin"
    query "ANALYZE"
}

# --- the reads ------------------------------------------------------------------------------------------------------
functions() { sed -n 's/^-- read //p' "$BENCH_DIRECTORY/queries/reads.sql"; }

# section KIND NAME: its statement; nothing where there is none.
section()
{
    awk -v mark="-- $1 $2" '/^--/ { inside = ($0 == mark); next } inside && NF' "$BENCH_DIRECTORY/queries/reads.sql"
}

# No function that readers may execute may be missing from the list.
check_list()
{
    local missing
    missing=$(query "SELECT string_agg(p.proname, ' ')
        FROM pg_proc p LEFT JOIN chime.plugin_function f ON chime.routine(f.signature) = p.oid
        WHERE p.pronamespace = 'analytics'::regnamespace AND has_function_privilege('analytics_reader', p.oid, 'EXECUTE')
          AND coalesce(f.plugin, '') NOT IN ($administrative) AND p.proname <> ALL ('{$(functions | paste -sd,)}')")
    [ -z "$missing" ] || die "not timed: $missing" "add them to bench/queries/reads.sql"
}

# What a reader does: one statement, and an error where it finds nothing.
write_scripts()
{
    local name
    mkdir -p "$RUN_DIRECTORY/reads"
    for name in $(functions); do
        write_script "$name" '\aset got_' "$(section read "$name")"
    done
    echo "SELECT 1;" >"$RUN_DIRECTORY/reads/floor.sql"
    write_script kept_relations '\gset got_' "SELECT ($(query "SELECT string_agg(format('EXISTS (SELECT FROM %I)', relation), ' AND ')
        FROM chime.view WHERE to_regclass('analytics.' || relation) IS NOT NULL"))::integer AS seen"
}

write_script() # NAME END STATEMENT
{
    printf '%s\n' '\set n random(0, 19)' '\set got_seen 0' "$3 $2" '\if :got_seen = 0' \
        "DO \$\$ BEGIN RAISE EXCEPTION '$1: nothing there'; END \$\$;" '\endif' >"$RUN_DIRECTORY/reads/$1.sql"
}

# The pair with most weeks.
choose_pair()
{
    read -r agent challenge <<<"$(query "SELECT quote_literal(agent_id), quote_literal(challenge_id) FROM analytics.mv_agent_progress
        GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2 LIMIT 1")"
}

# read_as_reader PREFIX OPTION...: pgbench, with the time of each read in PREFIX.*; sets `nothing` to how many found nothing,
# each of which ends its session.
read_as_reader()
{
    local prefix=$1
    shift
    PGHOST=$RUN_DIRECTORY/pg PGPORT=5432 PGUSER=postgres \
        PGOPTIONS="-c search_path=analytics -c role=analytics_reader" "$(pgbench_program)" -n -l --log-prefix="$prefix" \
        -D agent="$agent" -D challenge="$challenge" "$@" "$BENCH_DATABASE" >"$RUN_DIRECTORY/pgbench.log" 2>&1 ||
        grep -q 'nothing there' "$RUN_DIRECTORY/pgbench.log" ||
        die "reading failed: $(grep -m 3 -i 'error\|abort\|fatal' "$RUN_DIRECTORY/pgbench.log")"
    nothing=$(grep -c 'nothing there' "$RUN_DIRECTORY/pgbench.log" || true)
}

# percentiles FILE...: median and 99th percentile of column 3 in ms, and how many.
percentiles()
{
    awk '{ print $3 }' "$@" | sort -n | awk '
        { value[NR] = $1 }
        function at(share, i) { i = int(share * NR); return value[i < share * NR ? i + 1 : i] / 1000 }
        END { if (NR) printf "%.2f %.2f %d\n", at(0.5), at(0.99), NR }'
}

# Of one script of several, counted from 0.
percentiles_of() # SCRIPT FILE...
{
    local script=$1
    shift
    percentiles <(awk -v script="$script" '$4 == script' "$@")
}

# --- one by one -----------------------------------------------------------------------------------------------------
# By turns with SELECT 1, whose time is that of the machine and the client: on a busy machine both wait for a core.
time_function() # NAME
{
    local prefix=$RUN_DIRECTORY/reads/alone.$1 middle most floor raw
    read_as_reader "$prefix" -t "$((2 * calls))" -f "$RUN_DIRECTORY/reads/$1.sql" -f "$RUN_DIRECTORY/reads/floor.sql"
    [ "$nothing" = 0 ] || die "$1 gives nothing"
    read -r middle most _ <<<"$(percentiles_of 0 "$prefix".[0-9]*)"
    read -r _ floor _ <<<"$(percentiles_of 1 "$prefix".[0-9]*)"
    raw=$(time_raw "$1")
    row_say "$1" "median $middle, p99 $most ms (SELECT 1: p99 $floor)" "$raw$([ "$raw" = - ] || echo ' ms')" \
        "$([ "$raw" = - ] || compute "$raw / $middle" '%.0f x, ')$(verdict "$most < $most_alone")" "p99 < $most_alone ms"
}

time_raw() # NAME: median of the passes in ms
{
    local statement pass
    statement=$(section raw "$1")
    [ -n "$statement" ] || { echo -; return 0; }
    for ((pass = 0; pass < passes; pass++)); do
        printf '%s\n' '\timing on' "$statement \\g /dev/null" | PGOPTIONS="-c search_path=analytics,public" \
            cluster_psql "$RUN_DIRECTORY/pg" -qAtX -d "$BENCH_DATABASE" -v n="$pass" -v agent="$agent" \
            -v challenge="$challenge" -f - | awk -v name="raw.$1" '/^Time: / { print name, $2 }' >>"$RUN_DIRECTORY/values"
    done
    median "raw.$1"
}

# --- all together ---------------------------------------------------------------------------------------------------
start_writer()
{
    PATH=$(dirname "$(pgbench_program)"):$PATH "$ROOT_DIRECTORY/script/sample-writer" --scenario peak --for "$((seconds + 5))s" \
        --scale "$scale" "host=$RUN_DIRECTORY/pg port=5432 user=postgres dbname=$BENCH_DATABASE" \
        >"$RUN_DIRECTORY/writer.log" 2>&1 &
    writer=$!
}

refreshes() { query "SELECT sum(refreshes) FROM chime.view_refresh"; }

read_together()
{
    local names=() scripts=() name i before prefix=$RUN_DIRECTORY/reads/together middle most count writer
    mapfile -t names < <(functions; echo kept_relations)
    for name in "${names[@]}"; do
        scripts+=(-f "$RUN_DIRECTORY/reads/$name.sql")
    done
    complain "$readers readers for $seconds s"
    before=$(refreshes)
    start_writer
    read_as_reader "$prefix" -c "$readers" -j 2 -T "$seconds" -R "$readers" "${scripts[@]}"
    wait "$writer" || die "the writer failed: $(tail -3 "$RUN_DIRECTORY/writer.log")"
    read -r middle most count <<<"$(percentiles "$prefix".[0-9]*)"
    row_limit "$readers readers: p99 of $count reads (median $middle ms)" "$most" "$most_together" ms
    for i in "${!names[@]}"; do
        read -r _ most count <<<"$(percentiles_of "$i" "$prefix".[0-9]*)"
        echo "$most ${names[i]}"
    done | sort -gr >"$RUN_DIRECTORY/slowest"
    read -r most name <"$RUN_DIRECTORY/slowest"
    row_limit "$readers readers: p99 of the slowest, $name" "$most" "$most_together" ms
    row_say "$readers readers: refreshes meanwhile" "$(($(refreshes) - before))" - - -
    row_limit "$readers readers: reads that found nothing" "$nothing" 0 reads
    writer_log=$(tail -1 "$RUN_DIRECTORY/writer.log")
}

# A read that is quick because the view is wrong is none.
check_views()
{
    local view difference
    for view in $(query "SELECT relation FROM chime.view ORDER BY view_id"); do
        difference=$(query "BEGIN; SELECT set_config('chime.as_of', now()::text, true); SELECT FROM chime.refresh('$view');
            SELECT missing + surplus FROM chime.difference('$view'); COMMIT" | tail -1)
        [ "$difference" = 0 ] || die "$view differs from its definition in $difference rows"
    done
}

bench_main()
{
    local name agent challenge writer_log nothing=0
    bench_start "$((readers + 20))" "$version"
    cp "$ROOT_DIRECTORY"/build/plugins/*.so "$RUN_DIRECTORY/plugins"
    write_configuration 4
    make_views
    check_list
    choose_pair
    write_scripts
    for name in $(functions); do
        time_function "$name"
    done
    read_together
    daemon_stop
    check_views
    say
    table_print
    say
    say "sample data of scale $scale: $(query "SELECT (SELECT count(*) FROM submissions) || ' submissions, '
        || (SELECT count(*) FROM chat_telemetry) || ' telemetry rows'"); $calls calls of each function; $writer_log"
    machine_print
    [ "$nothing" = 0 ] || die "$nothing reads found nothing"
}
