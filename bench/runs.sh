# shellcheck shell=bash
# completed runs a second, lateness, CPU, WAL and memory, beside pgbench on the same cluster
#
# script/bench runs [--seconds N] [--connections N] [--pg VERSION] [--paced-seconds N] [--passes N] [--only PART,...]
#                   [--binary FILE] [--quick | --soak]
#   --seconds N        length of each saturated pass (10)
#   --connections N    sessions of pgbench, and of the daemon, its leader session included (8)
#   --paced-seconds N  length of the paced passes of 5,000 runs a second (60; --soak: 600)
#   --passes N         interleaved passes, of which the median counts (3)
#   --only PART,...    of saturated, insert, paced, cpu, lateness, flood, sinks, backfill, idle
#   --binary FILE      another pgchime than build/pgchime
#   --quick            short passes: to see that it works, not to quote
# Prints one table. A figure that is not reached is no failure; a slot that is unaccounted for is.
# SPDX-License-Identifier: PostgreSQL

readonly parts=(saturated insert paced cpu lateness flood sinks backfill idle)
readonly saturated_jobs=2000 paced_jobs=5000
seconds=10 connections=8 version=15 paced_seconds=60 passes=3 idle_seconds=60 late_seconds=20 cpu_seconds=20 sink_seconds=60
past_slots=0 # of the first job, which a paced pass backfills beside
binary='' only=' saturated insert paced cpu lateness flood sinks backfill idle '

bench_options()
{
    while [ $# -gt 0 ]; do
        case $1 in
            --quick) seconds=2 paced_seconds=10 idle_seconds=20 late_seconds=5 cpu_seconds=6 sink_seconds=15 ;;
            --soak) paced_seconds=600 ;;
            -h | --help) sed -n '2,13s/^# \{0,1\}//p' "$BENCH_DIRECTORY/runs.sh"; exit 0 ;;
            --seconds) seconds=$(number "$@"); shift ;;
            --connections) connections=$(number "$@"); shift ;;
            --paced-seconds) paced_seconds=$(number "$@"); shift ;;
            --passes) passes=$(number "$@"); shift ;;
            --pg) version=$(number "$@"); shift ;;
            --only) choose_parts "${2:-}"; shift ;;
            --binary)
                binary=$(realpath -e "${2:-}") || die "--binary needs a file" "such as build/release/pgchime"
                shift
                ;;
            *) die "unknown option \"$1\"" "script/bench runs --help" ;;
        esac
        shift
    done
    [ "$connections" -ge 2 ] || die "--connections must be at least 2" "one is the leader's"
}

choose_parts()
{
    local part
    only=" ${1//,/ } "
    for part in $only; do
        [[ " ${parts[*]} " = *" $part "* ]] || die "there is no part \"$part\"" "one of: ${parts[*]}"
    done
    [ -n "${only// /}" ] || die "--only needs a part" "one of: ${parts[*]}"
}

# --- passes ---------------------------------------------------------------------------------------------------------
# peer_pass NAME SCRIPT: records NAME.rate, NAME.server (microseconds of the server's CPU for each transaction of the
# script, which may be several statements) and NAME.wal.
peer_pass()
{
    local log=$RUN_DIRECTORY/pgbench.log cpu wal rate count
    database_create
    query schema.sql
    query CHECKPOINT
    wal=$(wal_position)
    cpu=$(server_cpu)
    "$(pgbench_program)" -h "$RUN_DIRECTORY/pg" -p 5432 -U postgres -n -M prepared -c "$connections" -j 1 \
        -T "$seconds" -f "$BENCH_DIRECTORY/queries/$2" "$BENCH_DATABASE" >"$log" 2>&1 ||
        die "pgbench failed: $(tail -3 "$log")"
    cpu=$(($(server_cpu) - cpu))
    wal=$(compute "$(wal_position) - $wal")
    rate=$(awk '/^tps = / { printf "%.0f", $3 }' "$log")
    count=$(awk '/^number of transactions actually processed/ { print $NF + 0 }' "$log")
    record "$1.rate" "$rate"
    record "$1.server" "$(compute "$cpu / $count" %.1f)"
    record "$1.wal" "$(compute "$wal / $count")"
    complain "$1: $rate a second"
}

# Every slot up to the cursors is in the ledger once, no run is left with a session that is gone: else the benchmark
# fails. Prints how many ended otherwise than succeeded.
check_accounting()
{
    local absent live other extra
    read -r absent live other extra <<<"$(query accounting.sql)"
    [ "$absent" = 0 ] || die "$1: $absent slots are in no table of the ledger" "the cursors passed them"
    [ "$live" = 0 ] || die "$1: $live live runs name a session of a daemon that drained and ended"
    [ "$extra" = 0 ] || die "$1: $extra runs are of slots beyond the cursors"
    echo "$other"
}

# An effect belongs to a succeeded run and to no other.
check_effects()
{
    local difference
    difference=$(query "SELECT (SELECT count(*) FROM effect)
                               - (SELECT count(*) FROM chime.run_history WHERE state = 'succeeded')")
    [ "$difference" = 0 ] || die "$1: $difference more rows written than runs succeeded"
}

# saturated_pass NAME COMMAND DELIVERY: all cursors far in the past, so that there is work until the end.
saturated_pass()
{
    local wal cpu daemon runs rate halves backlog other
    write_jobs "$saturated_jobs" "1 seconds" "$2" "$3" 'catchup = "all"; catchup_limit = 1000000;'
    prepare_jobs "$saturated_jobs"
    query set_cursor.sql -v offset=$((-60 * seconds - 120)) >/dev/null
    query CHECKPOINT
    wal=$(wal_position)
    cpu=$(server_cpu)
    daemon_start
    sleep "$seconds"
    cpu=$(($(server_cpu) - cpu))
    daemon=$(daemon_cpu)
    record_sessions
    daemon_stop
    wal=$(compute "$(wal_position) - $wal")
    read -r runs rate halves backlog <<<"$(query throughput.sql)"
    other=$(check_accounting "$1")
    [[ "$2" != INSERT* ]] || check_effects "$1"
    [ "$other" = 0 ] || complain "$1: $other runs ended otherwise than succeeded"
    [ "$backlog" = t ] || complain "$1: the work ran out, so this was not saturated"
    record "$1.rate" "$rate"
    record "$1.halves" "$halves"
    record "$1.server" "$(compute "$cpu / $runs" %.1f)"
    record "$1.daemon" "$(compute "$daemon / $runs" %.1f)"
    record "$1.wal" "$(compute "$wal / $runs")"
    complain "$1: $rate a second"
}

record_sessions()
{
    record sessions "$(query "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgchime%'")"
}

# paced_pass JOBS SECONDS DELIVERY: that many jobs each second, from an empty ledger; the first slot is one second after
# the cursor. Sets the names in paced_figures:
#   due succeeded other behind until      slots; `until`: seconds from the start to the last that did not run
#   p50 p99 most cold warm                lateness in ms; `cold`: the most at the first instant, `warm`: p99 after it
#   slowest middle window_share           runs ended a second; the slowest 10 seconds over the median second
#   server daemon                         microseconds of CPU for each run, from just before the first slot
paced_figures=(due succeeded other behind until p50 p99 most cold warm slowest middle window_share server daemon)
paced_pass()
{
    local cursor last cpu cpu_daemon window=$(($2 < 10 ? $2 : 10))
    write_jobs "$1" "1 seconds" "SELECT 1" "$3"
    prepare_jobs "$1"
    cursor=$(query set_cursor.sql -v offset=3)
    last=$((cursor + $2))
    daemon_start
    if [ "$past_slots" != 0 ]; then
        wait_for 10 "SELECT chime.led()"
        backfill_first_job "$past_slots"
    fi
    sleep_until "$cursor.6"
    cpu=$(server_cpu)
    cpu_daemon=$(daemon_cpu)
    sleep_until "$last.85"
    cpu=$(($(server_cpu) - cpu))
    cpu_daemon=$(($(daemon_cpu) - cpu_daemon))
    record_sessions
    daemon_stop
    read -r due succeeded other behind until p50 p99 most cold warm slowest middle window_share \
        <<<"$(query paced.sql -v last="$last" -v window="$window")"
    check_accounting "paced, $1 jobs, $3" >/dev/null
    server=$(compute "$cpu / ($succeeded + !$succeeded)" %.1f)
    daemon=$(compute "$cpu_daemon / ($succeeded + !$succeeded)" %.1f)
}

# backfill_first_job SLOTS: as many of the past. The command would follow it; it goes on by itself.
backfill_first_job()
{
    local now status=0
    now=$(date +%s)
    "$RUN_DIRECTORY/pgchime" --config "$RUN_DIRECTORY/pgchime.conf" backfill j00000 --timeout 1s \
        --from "$(date -u -d "@$((now - $1 - 60))" +%FT%TZ)" --to "$(date -u -d "@$((now - 60))" +%FT%TZ)" \
        >"$RUN_DIRECTORY/backfill.log" 2>&1 || status=$?
    [ "$status" = 124 ] || die "the backfill ended with status $status: $(cat "$RUN_DIRECTORY/backfill.log")"
}

# --- parts ----------------------------------------------------------------------------------------------------------
part_saturated()
{
    local pass
    for ((pass = 0; pass < passes; pass++)); do
        peer_pass peer peer_ledger.sql
        saturated_pass most_once "SELECT 1" at_most_once
        saturated_pass transactional "SELECT 1" transactional
    done
    row_rate "SELECT 1 saturated, at_most_once, beside insert + select + update" most_once peer 3
    row_rate "SELECT 1 saturated, transactional, beside the same" transactional peer 1.2
    row_halves at_most_once most_once
    row_halves transactional transactional
    row_cpu "saturated, at_most_once" most_once 60
    row_cpu "saturated, transactional" transactional 180
    row_limit "WAL for each run, at_most_once" "$(median most_once.wal)" 900 bytes "$(median peer.wal) bytes"
    row_limit "WAL for each run, transactional" "$(median transactional.wal)" 900 bytes "$(median peer.wal) bytes"
}

# row_rate WHAT NAME PEER LEAST
row_rate() { row_ratio "$1" "$(median "$2.rate")" "$(median "$3.rate")" "$4" "/s"; }

# row_halves DELIVERY NAME
row_halves()
{
    row_say "rate stays under saturation, $1: second half over first" "$(median "$2.halves")" - - stays
}

# row_cpu WHAT NAME MOST
row_cpu()
{
    local server daemon
    server=$(median "$2.server")
    daemon=$(median "$2.daemon")
    row_limit "CPU for each run, $1 (server $server + daemon $daemon)" "$(compute "$server + $daemon" %.1f)" "$3" us \
        "$(median peer.server) us (its server alone)"
}

part_insert()
{
    local pass
    for ((pass = 0; pass < passes; pass++)); do
        peer_pass peer_insert peer_insert.sql
        saturated_pass insert_most_once "INSERT INTO effect (v) VALUES (0)" at_most_once
        saturated_pass insert_transactional "INSERT INTO effect (v) VALUES (0)" transactional
    done
    row_rate "runs that INSERT a row, at_most_once, beside plain INSERT" insert_most_once peer_insert 0.6
    row_rate "runs that INSERT a row, transactional, beside the same" insert_transactional peer_insert 0.45
}

unrun()
{
    [ "$succeeded" != "$due" ] || { echo "never behind"; return 0; }
    echo "$other skipped or missed, $behind behind, the last at $until s"
}

tell_unrun() { [ "$succeeded" = "$due" ] || complain "$1: of $due due $succeeded ran: $(unrun)"; }

part_paced()
{
    local delivery verdict "${paced_figures[@]}"
    for delivery in at_most_once transactional; do
        paced_pass "$paced_jobs" "$paced_seconds" "$delivery"
        verdict=$(unrun)
        row_say "paced from an empty ledger, $delivery: runs succeeded in $paced_seconds s" "$succeeded" "$due due" \
            "$verdict" "never behind"
        row_say "  completed a second: slowest / median" "$slowest / $middle" "$paced_jobs" "-" "-"
        row_limit "  sag: slowest 10 s below the median second" "$(compute "100 * (1 - ${window_share:-0})" %.1f)" 15 %
        row_say "  lateness p50 / p99 / max; p99 after the first instant" "$p50 / $p99 / $most; $warm ms" - - -
    done
}

part_cpu()
{
    local delivery limit "${paced_figures[@]}"
    for delivery in at_most_once transactional; do
        limit=500
        [ "$delivery" = at_most_once ] || limit=700
        paced_pass 500 "$cpu_seconds" "$delivery"
        row_limit "CPU for each run at 500 a second, $delivery (server $server + daemon $daemon)" \
            "$(compute "$server + $daemon" %.1f)" "$limit" us
        tell_unrun "500 a second, $delivery"
    done
}

part_lateness()
{
    local delivery jobs limit "${paced_figures[@]}"
    for delivery in at_most_once transactional; do
        for jobs in 1 100 1000; do
            case $jobs in
                1) limit=3 ;;
                100) limit=15 ;;
                *) limit=60 ;;
            esac
            paced_pass "$jobs" "$late_seconds" "$delivery"
            row_limit "lateness p99, $jobs at once, $delivery (p50 $p50, first instant to $cold, then p99 $warm)" \
                "$p99" "$limit" ms
            tell_unrun "$jobs jobs, $delivery"
        done
    done
}

# flood_pass JOBS MAX_STARTS: that many jobs of role crowd, all due each second, beside ten of role calm. Sets p50, p99 and most, the lateness of
# calm's in ms, and `rate`, the runs of crowd that started a second.
flood_pass()
{
    write_jobs 0 "1 second" "SELECT 1" at_most_once
    database_create
    write_configuration $((connections - 1))
    echo "roles = ( { name = \"crowd\"; max_jobs = 10000; max_starts = $2; } );" >>"$RUN_DIRECTORY/pgchime.conf"
    daemon_start
    wait_for 60 "SELECT to_regclass('chime.job_state') IS NOT NULL AND chime.led()"
    query flood_jobs.sql -v jobs="$1"
    wait_for 120 "SELECT count(*) > 100 FROM chime.runs r JOIN chime.job j USING (job_id) WHERE j.owner = 'calm'"
    sleep "$late_seconds"
    read -r p50 p99 most rate <<<"$(query flood.sql -v seconds="$late_seconds")"
    daemon_stop
    write_configuration $((connections - 1))
}

part_flood()
{
    local jobs starts p50 p99 most rate alone=-
    for starts in 0 100 100000; do
        jobs=$((starts > 0 ? 5000 : 0))
        flood_pass "$jobs" "$((starts + !starts))"
        row_limit "lateness p99 beside $jobs jobs a second of another role, max_starts $starts (p50 $p50, most $most; it started $rate a second)" \
            "$p99" 200 ms "$alone"
        [ "$starts" != 0 ] || alone="$p99 ms (without them)"
    done
}

# A receiver that takes connections and never answers. Sets `port`.
receiver_start()
{
    python3 -c 'import signal, socket
receiver = socket.create_server(("127.0.0.1", 0), backlog=1000)
print(receiver.getsockname()[1], flush=True)
signal.pause()' >"$RUN_DIRECTORY/receiver" &
    on_exit kill $!
    wait_for_file "$RUN_DIRECTORY/receiver"
    port=$(cat "$RUN_DIRECTORY/receiver")
}

wait_for_file() { until [ -s "$1" ]; do sleep 0.1; done; }

# An alert that fires, and four sinks, which is how many are told at once, to which it is told again and again.
write_sinks()
{
    local number
    echo 'alerts: { always: { condition = "SELECT true"; severity = "critical"; }; };'
    [ "$1" = with ] || return 0
    echo 'sinks: {'
    for number in 1 2 3 4; do
        echo "    s$number: { type = \"webhook\"; url = \"http://127.0.0.1:$port/\"; };"
    done
    echo '};'
}

part_sinks()
{
    local pass how port "${paced_figures[@]}"
    receiver_start
    for ((pass = 0; pass < passes; pass++)); do
        for how in without with; do
            write_sinks "$how" >"$RUN_DIRECTORY/conf.d/sinks.conf"
            paced_pass 500 "$sink_seconds" at_most_once
            record "sinks_$how.p99" "$warm"
        done
    done
    rm "$RUN_DIRECTORY/conf.d/sinks.conf"
    row_limit "lateness p99 at 500 a second beside four sinks that never answer, over that without" \
        "$(compute "$(median sinks_with.p99) / $(median sinks_without.p99)" %.2f)" 1.10 x \
        "$(median sinks_without.p99) ms"
}

part_backfill()
{
    local pass how "${paced_figures[@]}"
    for ((pass = 0; pass < passes; pass++)); do
        for how in without with; do
            past_slots=$([ "$how" = with ] && echo 10000 || echo 0)
            paced_pass 500 "$sink_seconds" at_most_once
            record "backfill_$how.p99" "$warm"
            record "backfill_$how.runs" "$(query "SELECT count(*) FROM chime.run_history WHERE kind = 'backfill'")"
            tell_unrun "500 a second $how a backfill"
        done
    done
    past_slots=0
    row_limit "lateness p99 at 500 a second beside a backfill of 10,000 slots ($(median backfill_with.runs) of them ran), over that without" \
        "$(compute "$(median backfill_with.p99) / $(median backfill_without.p99)" %.2f)" 1.10 x \
        "$(median backfill_without.p99) ms"
}

# idle_pass JOBS MEMORY_LIMIT CPU_LIMIT: limits in MB and ms for each minute.
idle_pass()
{
    local cpu memory
    write_jobs "$1" idle "SELECT 1" at_most_once
    database_create
    daemon_start
    wait_for 60 "SELECT to_regclass('chime.job_state') IS NOT NULL"
    wait_for 120 "SELECT count(*) = $1 FROM chime.job_state"
    sleep 3
    cpu=$(daemon_cpu)
    sleep "$idle_seconds"
    cpu=$(($(daemon_cpu) - cpu))
    memory=$(daemon_memory)
    daemon_stop
    row_limit "$1 jobs not due: private memory" "$memory" "$2" MB
    row_limit "$1 jobs not due: CPU a minute" "$(compute "$cpu / 1000 * 60 / $idle_seconds" %.1f)" "$3" ms
}

part_idle()
{
    idle_pass 10000 20 60
    idle_pass 50000 30 50
}

print_passes()
{
    local name
    for name in peer most_once transactional peer_insert insert_most_once insert_transactional; do
        [ -z "$(values_of "$name.rate")" ] || say "passes, $name: $(spread "$name.rate")a second"
    done
}

bench_main()
{
    local part
    bench_start "$connections" "$version" "$binary"
    write_configuration $((connections - 1))
    for part in "${parts[@]}"; do
        [[ "$only" != *" $part "* ]] || "part_$part"
    done
    say
    table_print
    say
    print_passes
    say "sessions: pgbench $connections, the daemon $(most sessions) at most, its leader's included;" \
        "$seconds s a saturated pass, medians of $passes"
    machine_print
}
