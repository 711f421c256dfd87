#!/usr/bin/env bash
# docs/upgrading.md, PostgreSQL: a database that pg_upgrade made goes on by itself; one that was dumped and restored on a newer server goes on
# as the page has it. The packages' own tests run its other blocks (packaging/test).
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "${BASH_SOURCE[0]}")/transcript.sh"

if [ "$(id -u)" -eq 0 ]; then # initdb and postgres refuse root
    set_unprivileged
    exec "${unprivileged[@]}" env PGCHIME_SHOW="${PGCHIME_SHOW:-}" bash "$ROOT_DIRECTORY/tests/script/test_upgrading.sh"
fi

page=$ROOT_DIRECTORY/docs/upgrading.md
make_run_directory
config=$RUN_DIRECTORY/pgchime.conf
server=$RUN_DIRECTORY/old
checks=0
query() { cluster_psql "$server" -XqAt -v ON_ERROR_STOP=1 -d app -c "$1" 2>&1; }
pgchime() { "$ROOT_DIRECTORY/build/pgchime" "$@" --config "$config"; }
expect() # WHAT IS SHOULD-BE
{
    checks=$((checks + 1))
    [ "$2" = "$3" ] || die "$1: is \"$2\"" "should be \"$3\""
}
# block LANGUAGE FIRST-LINE: the fenced block that begins so.
block()
{
    awk -v language="$1" -v first="$2" '
        inside && /^```/ { if (wanted) exit; inside = 0 }
        inside { if (lines++ == 0 && index($0, first) == 1) wanted = 1; if (wanted) print }
        !inside && $0 == "```" language { inside = 1; lines = 0 }' "$page"
}

serve_at() # SERVER: from now on
{
    server=$1
    cat >"$config" <<END
databases: { main: { conninfo = "host=$server user=postgres dbname=app"; }; };
jobs: { totals: { schedule = "0 2 29 2 *"; command = "INSERT INTO totals SELECT count(*) FROM orders"; }; };
views: { daily_orders: { sql = "SELECT day, count(*) AS orders FROM orders GROUP BY 1"; target_lag = "1s"; }; };
instance = "db1"; control_socket = "$RUN_DIRECTORY/control";
END
    "$ROOT_DIRECTORY/build/pgchime" serve --config "$config" 2>"$RUN_DIRECTORY/log" &
    daemon=$!
}
stop_daemon() { kill "$daemon" 2>/dev/null || :; }
leave()
{
    kill "$daemon"
    wait "$daemon" || die "the daemon ended with $?" "$(tail -5 "$RUN_DIRECTORY/log")"
}
works() # a job runs, and a view that is keyed follows a write
{
    await "a leader, whose jobs are awake" "SELECT alive AND NOT EXISTS (SELECT FROM chime.job_status WHERE suspended_at IS NOT NULL) FROM chime.leader_status"
    pgchime run totals --wait >"$RUN_DIRECTORY/said" || die "$(cat "$RUN_DIRECTORY/said")"
    # The first refreshes are of everything.
    for day in 1 2 3 4 5 6 7 8; do
        query "INSERT INTO orders SELECT 1, '2026-11-0$day'" >/dev/null
        await "a view that follows" "SELECT (SELECT sum(orders) FROM analytics.daily_orders) = (SELECT count(*) FROM orders)"
        if [ "$(query "SELECT method FROM chime.view_status")" = keyed ]; then break; fi
    done
    expect "how" "$(query "SELECT method FROM chime.view_status")" keyed
}
history() { query "SELECT md5(string_agg(r::text, ',' ORDER BY run_id)) || count(*) FROM chime.runs r WHERE job = 'totals' AND finished_at < '$noted'"; }

# --- an old server ----------------------------------------------------------------------------------------------------------
bin=$(postgres_bin 15)
cluster_start "$RUN_DIRECTORY/old" 15 fsync=off
on_exit cluster_stop "$RUN_DIRECTORY/old"
cluster_psql "$server" -Xq -d postgres -c 'CREATE DATABASE app'
query "CREATE TABLE orders (id int, day date); CREATE INDEX ON orders (day); CREATE TABLE totals (orders bigint);
       INSERT INTO orders SELECT n, '2026-11-01'::date + n % 20 FROM generate_series(1, 1000) n" >/dev/null
serve_at "$server"
on_exit stop_daemon
await "a leader that keeps its view" "SELECT EXISTS (SELECT FROM chime.leader_status WHERE alive) AND EXISTS (SELECT FROM chime.view_refresh WHERE refreshed_at IS NOT NULL)"
works
noted=$(query "SELECT clock_timestamp()")
past=$(history)
leave

# --- a newer one, by dump and restore -------------------------------------------------------------------------------------------
for version in 18 17 16 15; do
    if postgres_bin "$version" >/dev/null 2>&1; then break; fi
done
cluster_start "$RUN_DIRECTORY/new" "$version" fsync=off
on_exit cluster_stop "$RUN_DIRECTORY/new"
block sh 'pg_dumpall' | sed "s,-h old,-h $RUN_DIRECTORY/old,; s,-h new,-h $RUN_DIRECTORY/new,g" >"$RUN_DIRECTORY/dump"
PATH=$bin:$PATH PGUSER=postgres bash -euo pipefail "$RUN_DIRECTORY/dump" >"$RUN_DIRECTORY/said" 2>&1 || die "$(cat "$RUN_DIRECTORY/said")"
serve_at "$RUN_DIRECTORY/new"
await "a daemon that sees a copy" "SELECT chime.copy_of() IS NOT NULL"
block console '$ pgchime status' >"$RUN_DIRECTORY/shown"
settle() { [[ $command != 'pgchime adopt-copy'* ]] || await "a leader of the adopted database" "SELECT alive FROM chime.leader_status"; }
transcript_compare "docs/upgrading.md" "$RUN_DIRECTORY/shown" "$config"
checks=$((checks + 1))
works
expect "the history, on PostgreSQL $version" "$(history)" "$past"
leave
cluster_stop "$RUN_DIRECTORY/new"

# --- another server by pg_upgrade -----------------------------------------------------------------------------------------------
cluster_stop "$RUN_DIRECTORY/old"
mkdir "$RUN_DIRECTORY/upgraded"
"$bin/initdb" -D "$RUN_DIRECTORY/upgraded/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync --no-instructions >/dev/null
(cd "$RUN_DIRECTORY/upgraded" && "$bin/pg_upgrade" -b "$bin" -B "$bin" -d "$RUN_DIRECTORY/old/data" -D data -U postgres -s "$RUN_DIRECTORY/upgraded" \
    -o '-c fsync=off' -O '-c fsync=off') >"$RUN_DIRECTORY/said" 2>&1 || die "pg_upgrade failed: $(tail -20 "$RUN_DIRECTORY/said")"
cluster_start "$RUN_DIRECTORY/upgraded" 15 fsync=off
on_exit cluster_stop "$RUN_DIRECTORY/upgraded"
server=$RUN_DIRECTORY/upgraded
system=$(query "SELECT system FROM chime.leader")
serve_at "$RUN_DIRECTORY/upgraded"
works
[ "$(query "SELECT system FROM chime.leader")" != "$system" ] || die "the server that pg_upgrade made has the old one's identifier"
expect "the history, by pg_upgrade" "$(history)" "$past"
leave
say "$checks passed, 0 failed"
