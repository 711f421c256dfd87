# shellcheck shell=bash
# Shared by the benchmarks beside it; sourced by script/bench after script/lib.sh. A benchmark defines bench_options
# (reads its arguments) and bench_main (measures and prints).
#
#   number                        the value of an option
#   bench_start                   the run directory, the cluster, a copy of the daemon: a build meanwhile does no harm
#   database_create, query        databases of the cluster, and one query or file of bench/queries
#   write_jobs, write_configuration, daemon_start, daemon_stop, daemon_cpu, daemon_memory
#   server_cpu                    microseconds of CPU of the whole cluster so far
#   record, median, most, spread  figures of passes by name
#   row_ratio, row_limit, row_say, table_print, machine_print
# SPDX-License-Identifier: PostgreSQL

readonly BENCH_DATABASE=bench BENCH_DIRECTORY=$ROOT_DIRECTORY/bench

# number OPTION VALUE: the value of an option that takes a count.
number()
{
    [[ ${2:-} =~ ^[1-9][0-9]{0,7}$ ]] || die "$1 needs a number" "script/bench $name $1 8"
    echo "$2"
}

# --- the cluster ----------------------------------------------------------------------------------------------------
# On memory fsync costs nothing, which would flatter whoever commits most often: another folder is looked for.
leave_memory()
{
    [ -n "${TMPDIR:-}" ] || [ "$(file_system_of /tmp)" != tmpfs ] || export TMPDIR=/var/tmp
}

file_system_of() { df --output=fstype "$1" | tail -1; }

# bench_start CONNECTIONS VERSION [BINARY]
bench_start()
{
    local connections=$1 version=$2 binary=${3:-$ROOT_DIRECTORY/build/pgchime}
    leave_memory
    make_run_directory
    on_exit daemon_kill
    on_exit cluster_stop "$RUN_DIRECTORY/pg" immediate
    mkdir -p "$RUN_DIRECTORY/pg" "$RUN_DIRECTORY/conf.d" "$RUN_DIRECTORY/plugins"
    cp "$binary" "$RUN_DIRECTORY/pgchime"
    : >"$RUN_DIRECTORY/values"
    : >"$RUN_DIRECTORY/table"
    load_before=$(cut -d' ' -f1-3 /proc/loadavg)
    cluster_start "$RUN_DIRECTORY/pg" "$version" fsync=on shared_buffers=256MB max_wal_size=8GB \
        max_connections=$((connections + 30))
}

# query FILE|SQL [-v NAME=VALUE...]: unaligned rows of the benchmark's database.
query()
{
    local what=$1
    shift
    if [ -f "$BENCH_DIRECTORY/queries/$what" ]; then
        cluster_psql "$RUN_DIRECTORY/pg" -qAtX -F ' ' -d "$BENCH_DATABASE" "$@" -f "$BENCH_DIRECTORY/queries/$what"
    else
        cluster_psql "$RUN_DIRECTORY/pg" -qAtX -F ' ' -d "$BENCH_DATABASE" "$@" -c "$what"
    fi
}

# Dropping waits for the sessions of the daemon before: FORCE ends what is left of them.
database_create()
{
    cluster_psql "$RUN_DIRECTORY/pg" -qX -c "SET client_min_messages = warning" \
        -c "DROP DATABASE IF EXISTS $BENCH_DATABASE WITH (FORCE)" -c "CREATE DATABASE $BENCH_DATABASE"
}

# Of the postmaster, its children that have ended, and those that live. Processes come and go while it looks.
server_cpu()
{
    local postmaster
    postmaster=$(cat "$RUN_DIRECTORY/pg/server.pid")
    { cat /proc/[0-9]*/stat 2>/dev/null || true; } | awk -v postmaster="$postmaster" -v tick="$(getconf CLK_TCK)" '
        {
            pid = $1
            sub(/^.*\) /, "")
            if (pid == postmaster)
                sum += $12 + $13 + $14 + $15
            else if ($2 == postmaster)
                sum += $12 + $13
        }
        END { printf "%.0f\n", sum * 1000000 / tick }'
}

wal_position() { query "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"; }

# --- the daemon -----------------------------------------------------------------------------------------------------
# write_configuration SESSIONS
write_configuration()
{
    cat >"$RUN_DIRECTORY/pgchime.conf" <<END
databases: { main: {
    conninfo = "host=$RUN_DIRECTORY/pg port=5432 user=postgres dbname=$BENCH_DATABASE";
    pool_size = $1;
}; };
plugin_dir = "$RUN_DIRECTORY/plugins";
conf_dir = "$RUN_DIRECTORY/conf.d";
END
}

# write_jobs COUNT SCHEDULE COMMAND DELIVERY [OPTIONS]: a schedule "idle" is some minute half a year from now.
write_jobs()
{
    awk -v count="$1" -v schedule="$2" -v command="$3" -v delivery="$4" -v options="${5:-}" -v month="$(date +%-m)" '
    BEGIN {
        print "jobs: {"
        for (i = 0; i < count; i++) {
            at = schedule
            if (schedule == "idle")
                at = sprintf("%d %d %d %d *", i % 60, i / 60 % 24, 1 + i % 28, (month + 5) % 12 + 1)
            printf "j%05d: { schedule = \"%s\"; command = \"%s\"; delivery = \"%s\"; %s };\n", i, at, command, delivery,
                options
        }
        print "};"
    }' >"$RUN_DIRECTORY/conf.d/jobs.conf"
}

daemon_pid=''
daemon_start()
{
    "$RUN_DIRECTORY/pgchime" --config "$RUN_DIRECTORY/pgchime.conf" serve >"$RUN_DIRECTORY/daemon.log" 2>&1 &
    daemon_pid=$!
}

daemon_fail()
{
    tail -20 "$RUN_DIRECTORY/daemon.log" >&2
    die "$1"
}

# The daemon drains, resigns, and ends with 0; anything else is a fault.
daemon_stop()
{
    local pid=$daemon_pid
    kill -TERM "$pid" 2>/dev/null || true
    daemon_pid=''
    wait "$pid" || daemon_fail "the daemon ended with status $?"
    wait_for 30 "SELECT count(*) = 0 FROM pg_stat_activity
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
}

daemon_kill() { [ -z "$daemon_pid" ] || kill -KILL "$daemon_pid" 2>/dev/null || true; }

# wait_for SECONDS SQL: until the query answers true.
wait_for()
{
    local deadline=$((SECONDS + $1))
    while [ "$(query "$2" 2>/dev/null)" != t ]; do
        [ -z "$daemon_pid" ] || kill -0 "$daemon_pid" 2>/dev/null || daemon_fail "the daemon ended by itself"
        [ "$SECONDS" -lt "$deadline" ] || daemon_fail "waited $1 s in vain for: $2"
        sleep 0.1
    done
}

# In microseconds. schedstat counts nanoseconds of the only thread.
daemon_cpu() { awk '{ printf "%.0f\n", $1 / 1000 }' "/proc/$daemon_pid/schedstat"; }

# Private memory in MB.
daemon_memory()
{
    awk '/^Private_(Clean|Dirty):/ { sum += $2 } END { printf "%.1f\n", sum / 1024 }' "/proc/$daemon_pid/smaps_rollup"
}

# prepare_jobs COUNT: has the daemon write its jobs into a fresh database, then takes back whatever ran meanwhile.
prepare_jobs()
{
    database_create
    query schema.sql
    daemon_start
    wait_for 60 "SELECT to_regclass('chime.job_state') IS NOT NULL"
    wait_for 60 "SELECT count(*) = $1 FROM chime.job_state"
    daemon_stop
    query reset.sql
}

# sleep_until EPOCH_SECONDS
sleep_until()
{
    local left
    left=$(awk -v at="$1" -v now="$EPOCHREALTIME" 'BEGIN { printf "%.3f", (at > now ? at - now : 0) }')
    sleep "$left"
}

# --- figures --------------------------------------------------------------------------------------------------------
compute() { awk "BEGIN { printf \"${2:-%.0f}\", ($1) }"; }

record() { printf '%s %s\n' "$1" "$2" >>"$RUN_DIRECTORY/values"; }

values_of() { awk -v name="$1" '$1 == name { print $2 }' "$RUN_DIRECTORY/values"; }

median()
{
    values_of "$1" | sort -g | awk '
        { value[NR] = $1 }
        END { if (NR) print (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'
}

most() { values_of "$1" | sort -g | tail -1; }

# The passes one by one, so that a reader sees how much they differ.
spread() { values_of "$1" | tr '\n' ' '; }

# --- the table ------------------------------------------------------------------------------------------------------
# row_say WHAT OURS PEER VERDICT TARGET
row_say()
{
    printf '%s\t%s\t%s\t%s\t%s\n' "$@" >>"$RUN_DIRECTORY/table"
    printf '  %s: %s (%s)\n' "$1" "$2" "$4" >&2
}

# row_ratio WHAT OURS PEER LEAST [UNIT]: reached when ours is at least LEAST times the peer's.
row_ratio()
{
    local ratio
    ratio=$(compute "$2 / $3" %.2f)
    row_say "$1" "$2${5:+ $5}" "$3${5:+ $5}" "$ratio x, $(verdict "$ratio >= $4")" ">= $4 x"
}

# row_limit WHAT OURS MOST UNIT [PEER]: reached when ours is at most MOST.
row_limit()
{
    row_say "$1" "$2 $4" "${5:--}" "$(verdict "$2 <= $3")" "<= $3 $4"
}

# A figure that there is not is written "-".
verdict()
{
    if [[ " $1 " = *" - "* ]]; then
        echo "no figure"
    elif [ "$(compute "$1" %d)" = 1 ]; then
        echo reached
    else
        echo "not reached"
    fi
}

# table_print [HEADING...]: five, or those of the rows above.
table_print()
{
    [ $# -gt 0 ] || set -- what ours peer 'ratio or verdict' target
    {
        printf '%s\t%s\t%s\t%s\t%s\n' "$@"
        cat "$RUN_DIRECTORY/table"
    } | awk -F '\t' '
        {
            rows = NR
            for (i = 1; i <= 5; i++) {
                cell[NR, i] = $i
                if (length($i) > width[i])
                    width[i] = length($i)
            }
        }
        function line(row,   i, text, n) {
            for (i = 1; i <= 5; i++) {
                text = text "| " cell[row, i] " "
                for (n = length(cell[row, i]); n < width[i]; n++)
                    text = text " "
            }
            print text "|"
        }
        function rule(   i, text, n) {
            for (i = 1; i <= 5; i++) {
                text = text "|-"
                for (n = 0; n < width[i]; n++)
                    text = text "-"
                text = text "-"
            }
            print text "|"
        }
        END {
            line(1)
            rule()
            for (r = 2; r <= rows; r++)
                line(r)
        }'
}

machine_print()
{
    local model disk='another disk than' file_system
    file_system=$(file_system_of "$RUN_DIRECTORY")
    model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
    [ "$(stat -c %d "$RUN_DIRECTORY")" != "$(stat -c %d "$ROOT_DIRECTORY")" ] || disk='the disk of'
    say "machine: $(nproc) x ${model:-$(uname -m)}, Linux $(uname -r)," \
        "load average $load_before before, $(cut -d' ' -f1-3 /proc/loadavg) after"
    say "cluster: in ${RUN_DIRECTORY%/*} on $file_system, $disk the checkout;" \
        "fsync $(query 'SHOW fsync'), synchronous_commit $(query 'SHOW synchronous_commit')"
    [ "$file_system" != tmpfs ] || say "         in memory, where fsync costs nothing: set TMPDIR to a folder on a disk"
    say "versions: $("$RUN_DIRECTORY/pgchime" version) (${PGCHIME_BENCH_COMMIT:-unknown})," \
        "PostgreSQL $(query 'SHOW server_version'), $("$(pgbench_program)" --version)"
}

# Debian's speaks to all versions here; the npm packages have none.
pgbench_program()
{
    local debian=/usr/lib/postgresql/15/bin/pgbench
    if [ -x "$debian" ]; then echo "$debian"; else command -v pgbench; fi
}
