# shellcheck shell=bash
# many databases under several daemons: until all are led, how they spread, what they cost, lateness, and a daemon killed
#
# script/bench databases [--databases N] [--daemons N] [--jobs N] [--pg VERSION] [--quick]
#   --databases N  each with a ledger of its own and two sessions for runs (100)
#   --daemons N    that serve all of them, started at once (3)
#   --jobs N       of each database, due at each minute (5)
#   --quick        six databases under two daemons: to see that it works, not to quote
# All databases are on one server here. Between two minutes nothing is due. The daemon that leads most is killed with kill -9 after
# the second minute; each job must have run once at each of the three minutes.
# SPDX-License-Identifier: PostgreSQL

databases=100 daemons=3 jobs=5 version=15 pids=()

bench_options()
{
    while [ $# -gt 0 ]; do
        case $1 in
            --quick) databases=6 daemons=2 jobs=2 ;;
            -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$BENCH_DIRECTORY/databases.sh"; exit 0 ;;
            --databases) databases=$(number "$@"); shift ;;
            --daemons) daemons=$(number "$@"); shift ;;
            --jobs) jobs=$(number "$@"); shift ;;
            --pg) version=$(number "$@"); shift ;;
            *) die "unknown option \"$1\"" "script/bench databases --help" ;;
        esac
        shift
    done
    [ "$daemons" -gt 1 ] || die "--daemons needs at least 2" "one is killed, and another takes over"
}

# --- the databases and their daemons --------------------------------------------------------------------------------
make_databases()
{
    local i
    seq -f 'CREATE DATABASE d%03.0f;' "$databases" | cluster_psql "$RUN_DIRECTORY/pg" -qX
    {
        echo 'databases: {'
        for ((i = 1; i <= databases; i++)); do
            printf 'd%03d: { conninfo = "host=%s port=5432 user=postgres dbname=d%03d"; pool_size = 2; };\n' "$i" "$RUN_DIRECTORY/pg" "$i"
        done
        echo '};'
        printf 'plugin_dir = "%s/plugins";\nconf_dir = "%s/conf.d";\n' "$RUN_DIRECTORY" "$RUN_DIRECTORY"
    } >"$RUN_DIRECTORY/databases.conf"
    awk -v databases="$databases" -v jobs="$jobs" 'BEGIN {
        print "jobs: {"
        for (d = 1; d <= databases; d++)
            for (j = 1; j <= jobs; j++)
                printf "d%03d_%d: { database = \"d%03d\"; schedule = \"* * * * *\"; command = \"SELECT 1\"; };\n", d, j, d
        print "};"
    }' >"$RUN_DIRECTORY/conf.d/jobs.conf"
    cp "$RUN_DIRECTORY/databases.conf" "$RUN_DIRECTORY/pgchime.conf"
    "$RUN_DIRECTORY/pgchime" --config "$RUN_DIRECTORY/pgchime.conf" migrate >/dev/null
}

daemons_start()
{
    local i
    for ((i = 1; i <= daemons; i++)); do
        { cat "$RUN_DIRECTORY/databases.conf"; printf 'instance = "n%d";\ncontrol_socket = "%s/n%d.sock";\n' "$i" "$RUN_DIRECTORY" "$i"; } \
            >"$RUN_DIRECTORY/n$i.conf"
        "$RUN_DIRECTORY/pgchime" --config "$RUN_DIRECTORY/n$i.conf" serve >"$RUN_DIRECTORY/n$i.log" 2>&1 &
        pids[i]=$!
    done
    on_exit daemons_kill
}

daemons_kill() { [ ${#pids[@]} -eq 0 ] || kill -KILL "${pids[@]}" 2>/dev/null || true; }

daemons_stop()
{
    local i
    kill -TERM "${pids[@]}"
    for i in "${!pids[@]}"; do
        wait "${pids[i]}" || die "daemon n$i ended with status $?: $(tail -3 "$RUN_DIRECTORY/n$i.log")"
    done
    pids=()
}

# How often daemon N has begun to lead.
led_by() { grep -c ': leading as epoch' "$RUN_DIRECTORY/n$1.log" || true; }

# await_led COUNT: until the living daemons have begun to lead so often. Prints the seconds from START to the last of it, by their logs.
await_led()
{
    local count=$1 start=$2 logs=() i led deadline=$((SECONDS + 120))
    for i in "${!pids[@]}"; do logs+=("$RUN_DIRECTORY/n$i.log"); done
    while led=$(cat "${logs[@]}" | grep -c ': leading as epoch' || true) && [ "$led" -lt "$count" ]; do
        [ "$SECONDS" -lt "$deadline" ] || die "of $count databases $led were led after two minutes"
        sleep 0.2
    done
    compute "$(date -d "$(grep -h ': leading as epoch' "${logs[@]}" | cut -d' ' -f1 | sort | tail -1)" +%s.%N) - $start" %.1f
}

# --- figures --------------------------------------------------------------------------------------------------------
daemons_cpu() { for daemon_pid in "${pids[@]}"; do daemon_cpu; done | awk '{ sum += $1 } END { printf "%.0f\n", sum }'; }

daemons_memory() { for daemon_pid in "${pids[@]}"; do daemon_memory; done | sort -g | tail -1; }

# Of all databases, from the minute on: "p50 p99 most runs" in ms, and how many runs did not succeed or are there twice.
lateness_since()
{
    local i
    for ((i = 1; i <= databases; i++)); do
        printf '\\connect d%03d\n' "$i"
        echo "SELECT round(extract(epoch FROM started_at - slot) * 1000, 1), job_id, extract(epoch FROM slot), state, current_database()
              FROM chime.run_history WHERE kind = 'schedule' AND slot >= to_timestamp($1);"
    done | cluster_psql "$RUN_DIRECTORY/pg" -qAtX -F ' ' | sort -g | awk '
        { late[NR] = $1; bad += $4 != "succeeded" || seen[$2, $3, $5]++ }
        END { if (NR) print late[int((NR + 1) / 2)], late[int(NR * 0.99 + 0.5)], late[NR], NR, bad + 0 }'
}

# Between two minutes, for each database in a minute.
measure_idle()
{
    local minute=$1 cpu server
    sleep_until $((minute + 10))
    cpu=$(daemons_cpu)
    server=$(server_cpu)
    sleep_until $((minute + 50))
    cpu=$(compute "($(daemons_cpu) - $cpu) / 1000 / 40 * 60 / $databases" %.1f)
    server=$(compute "($(server_cpu) - $server) / 1000 / 40 * 60 / $databases" %.1f)
    row_say "CPU a minute for each database, nothing due: all daemons / the server" "$cpu / $server ms" - - -
    row_say "private memory of a daemon" "$(daemons_memory) MB" - - -
    row_say "sessions" "$(query "SELECT count(*) FROM pg_stat_activity
                                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")" - - -
}

# The one that leads most.
kill_a_daemon()
{
    local i most=0 killed start
    for i in "${!pids[@]}"; do
        [ "$(led_by "$i")" -le "$most" ] || { most=$(led_by "$i"); killed=$i; }
    done
    start=$EPOCHREALTIME
    kill -KILL "${pids[killed]}"
    wait "${pids[killed]}" 2>/dev/null || true
    unset "pids[$killed]"
    row_say "kill -9 of the one that leads $most: all are led again after" "$(await_led "$databases" "$start") s" - - -
}

bench_main()
{
    local start i minute p50 p99 last runs bad all=$((3 * databases * jobs))
    bench_start $((databases * (5 + daemons))) "$version"
    cluster_psql "$RUN_DIRECTORY/pg" -qX -c "CREATE DATABASE $BENCH_DATABASE"
    complain "$databases databases are made"
    make_databases
    start=$EPOCHREALTIME
    daemons_start
    row_say "$databases databases, $daemons daemons started at once: all are led after" "$(await_led "$databases" "$start") s" - - -
    row_say "databases that each daemon leads" \
        "$(for i in "${!pids[@]}"; do led_by "$i"; done | sort -g | paste -sd ' ')" - - -
    minute=$((($(date +%s) / 60 + 1) * 60))
    measure_idle "$minute"
    sleep_until $((minute + 70))
    kill_a_daemon
    sleep_until $((minute + 130))
    daemons_stop
    read -r p50 p99 last runs bad <<<"$(lateness_since "$minute")"
    row_say "$((databases * jobs)) jobs at one minute: late p50 / p99 / most" "$p50 / $p99 / $last ms" - - -
    row_say "runs of three minutes; not succeeded, or twice" "$runs; $bad" - "$(verdict "$runs == $all && $bad == 0")" "$all; 0"
    say
    table_print what measured '' verdict expected
    machine_print
}
