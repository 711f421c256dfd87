#!/usr/bin/env bash
# docs/runbook.md: each fault is planted, the commands of its block print what the page shows, and where the page says what mends it, it does.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "${BASH_SOURCE[0]}")/transcript.sh"

self=$ROOT_DIRECTORY/tests/script/test_runbook.sh
if [ "$(id -u)" -eq 0 ]; then # initdb and postgres refuse root
    set_unprivileged
    exec "${unprivileged[@]}" env PGCHIME_SHOW="${PGCHIME_SHOW:-}" bash "$self"
fi
# A disk of our own, which can be full: /mnt, in a mount namespace in which we are the same user as outside.
if [ -z "${PGCHIME_SMALL_DISK:-}" ]; then
    # shellcheck disable=SC2016 # for the shell in there
    exec unshare --user --map-root-user --mount sh -c 'mount -t tmpfs -o size=64m,mode=0700 tmpfs /mnt &&
        exec unshare --user --map-user="$1" --map-group="$2" env PGCHIME_SMALL_DISK=/mnt bash "$3"' sh "$(id -u)" "$(id -g)" "$self"
fi

page=$ROOT_DIRECTORY/docs/runbook.md
make_run_directory
config=$RUN_DIRECTORY/pgchime.conf
jobs=$RUN_DIRECTORY/conf.d/jobs.conf
pgchime() { "$ROOT_DIRECTORY/build/pgchime" "$@" --config "$config"; }

# --- what is there --------------------------------------------------------------------------------------------------------
cluster_start "$RUN_DIRECTORY/pg" fsync=off
on_exit cluster_stop "$RUN_DIRECTORY/pg"
mkdir -m 700 "$PGCHIME_SMALL_DISK/app"
cluster_psql "$RUN_DIRECTORY/pg" -Xq -d postgres -c "CREATE TABLESPACE app LOCATION '$PGCHIME_SMALL_DISK/app'" -c 'CREATE DATABASE app TABLESPACE app'
query 'CREATE TABLE orders (id int, day date); CREATE INDEX ON orders (day); CREATE TABLE totals (at timestamptz, orders bigint)'
mkdir "$RUN_DIRECTORY/conf.d"
write_config() # HOSTS [DATABASES]
{
    cat >"$config" <<END
databases: {
  main: { conninfo = "host=$1 user=pgchime dbname=app"; pool_size = 2; pools: { heavy = 1; }; };
  ${2:-}
};
conf_dir = "conf.d"; instance = "db1"; control_socket = "$RUN_DIRECTORY/control";
END
}
write_config "$RUN_DIRECTORY/pg"
cat >"$jobs" <<'END'
jobs: {
  totals:  { database = "main"; schedule = "0 2 * * *"; command = "INSERT INTO totals SELECT now(), count(*) FROM orders"; };
  report:  { database = "main"; after = "totals"; command = "SELECT send_report()"; max_attempts = 1; };
  vacuum:  { database = "main"; schedule = "0 3 * * *"; command = "VACUUM"; enabled = false; };
  archive: { database = "main"; schedule = "0 4 * * *"; command = "SELECT pg_sleep(600)"; pool = "heavy"; };
  export:  { database = "main"; schedule = "0 5 * * *"; command = "SELECT 1"; pool = "heavy"; };
  load:    { database = "main"; schedule = "0 6 * * *"; max_attempts = 1;
             command = "INSERT INTO loaded SELECT repeat('x', 1000) FROM generate_series(1, 10000)"; };
};
views: { daily_orders: { database = "main"; sql = "SELECT day, count(*) AS orders FROM orders GROUP BY 1"; target_lag = "1s"; warn_after = "1s"; error_after = "2s"; }; };
END
query 'CREATE TABLE loaded (text text)'
"$ROOT_DIRECTORY/build/pgchime" init --sql app | cluster_psql "$RUN_DIRECTORY/pg" -Xq -v ON_ERROR_STOP=1 -d postgres >/dev/null
query 'GRANT INSERT ON totals, loaded TO pgchime'
lead()
{
    "$ROOT_DIRECTORY/build/pgchime" serve --config "$config" 2>"$RUN_DIRECTORY/log" &
    daemon=$!
    await "a leader that has its jobs" "SELECT alive AND (SELECT count(*) >= 7 FROM chime.job) FROM chime.leader_status"
}
stop_daemon() { kill "$daemon" 2>/dev/null || :; }
leave()
{
    kill "$daemon"
    wait "$daemon" || die "the daemon ended with $?" "$(tail -5 "$RUN_DIRECTORY/log")"
}

# --- the faults -----------------------------------------------------------------------------------------------------------
# plant_NAME makes it.
plant_suspended()
{
    pgchime run totals --wait >/dev/null
    await "an end of report" "SELECT EXISTS (SELECT FROM chime.runs WHERE job = 'report' AND finished_at IS NOT NULL)"
    pgchime suspend totals --reason 'until the migration is done' >/dev/null
    await "the suspension" "SELECT suspended_at IS NOT NULL FROM chime.job_status WHERE name = 'totals'"
}
plant_disabled() { await "totals' return" "SELECT suspended_at IS NULL FROM chime.job_status WHERE name = 'totals'"; }
# Due each second, while nobody leads for two.
plant_missed()
{
    local from
    echo 'jobs: { prices: { database = "main"; schedule = "1 seconds"; command = "SELECT 1"; catchup = "none"; }; };' >"$RUN_DIRECTORY/conf.d/prices.conf"
    pgchime reload >/dev/null
    await "a run of prices" "SELECT EXISTS (SELECT FROM chime.runs WHERE job = 'prices')"
    leave
    from=$(query "SELECT clock_timestamp()")
    await "two seconds without a leader" "SELECT clock_timestamp() > '$from'::timestamptz + interval '2 s'"
    lead
    await "a slot that was missed" "SELECT EXISTS (SELECT FROM chime.missed)"
    missed=$(query "SELECT to_char(first_slot AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM chime.missed LIMIT 1")
    rm "$RUN_DIRECTORY/conf.d/prices.conf"
}
plant_failing() { pgchime reload >/dev/null; pgchime run report --wait >/dev/null || :; }
plant_mended() { query "CREATE FUNCTION send_report() RETURNS int LANGUAGE sql AS 'SELECT 1'"; }
plant_hanging()
{
    pgchime run archive >/dev/null
    await "a run of archive" "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active' AND pid <> pg_backend_pid()"
    hanging=$(query "SELECT run_id FROM chime.run")
}
plant_late()
{
    plant_hanging
    pgchime run export >/dev/null
    await "that export waits" "SELECT EXISTS (SELECT FROM chime.request) AND NOT EXISTS (SELECT FROM chime.run r JOIN chime.job USING (job_id) WHERE name = 'export')"
}
# Somebody's transaction holds the table, and a change waits for its view.
plant_stale()
{
    pgchime cancel "$(query "SELECT run_id FROM chime.run")" >/dev/null 2>&1
    await "an end of export" "SELECT NOT EXISTS (SELECT FROM chime.run) AND NOT EXISTS (SELECT FROM chime.request)"
    query "INSERT INTO orders VALUES (1, '2026-11-23'); SELECT 1" >/dev/null
    await "a view with it" "SELECT (SELECT sum(orders) FROM analytics.daily_orders) = (SELECT count(*) FROM orders)"
    mkfifo "$RUN_DIRECTORY/session"
    PGAPPNAME=migration cluster_psql "$RUN_DIRECTORY/pg" -XqAt -d app <"$RUN_DIRECTORY/session" >"$RUN_DIRECTORY/session.log" 2>&1 &
    exec 9>"$RUN_DIRECTORY/session"
    echo "INSERT INTO orders VALUES (2, '2026-11-24'); BEGIN; LOCK TABLE orders;" >&9
    await "a view that is stale, whose refresh waits" "SELECT (SELECT freshness = 'stale' FROM chime.view_status)
        AND EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
    holder=$(query "SELECT pid FROM pg_stat_activity WHERE application_name = 'migration'")
}
plant_fresh() { exec 9>&-; await "a fresh view" "SELECT freshness = 'fresh' FROM chime.view_status"; }
fill_disk() # BYTES LEFT
{
    head -c "$(($(df --output=avail -B1 "$PGCHIME_SMALL_DISK" | tail -1) - $1))" /dev/zero >>"$PGCHIME_SMALL_DISK/ballast" 2>/dev/null || :
}
plant_full()
{
    fill_disk 4194304
    pgchime run load --wait >/dev/null || :
}
# More than the pages that the ledger has can take, all due at once.
plant_ledger()
{
    kill -STOP "$daemon"
    rm -f "$PGCHIME_SMALL_DISK/ballast"
    query "INSERT INTO chime.request (job_id, slot) SELECT job_id, clock_timestamp() + n * interval '1 us' FROM chime.job, generate_series(1, 3000) n WHERE name = 'export'"
    fill_disk 0
    kill -CONT "$daemon"
    await_log "No space left on device (SQLSTATE 53100)"
}
plant_room()
{
    rm -f "$PGCHIME_SMALL_DISK/ballast"
    await "that all is done" "SELECT NOT EXISTS (SELECT FROM chime.request) AND NOT EXISTS (SELECT FROM chime.run) AND alive FROM chime.leader_status"
}
await_log() # WORDS
{
    local tries=600
    until grep -qF "$1" "$RUN_DIRECTORY/log"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || die "the log never says $1" "$(tail -5 "$RUN_DIRECTORY/log")"
        read -r -t 0.1 <> <(:) || :
    done
}
plant_nobody() { leave; }
plant_faulty() { sed -i.good 's/schedule = "0 4/shedule = "0 4/' "$jobs"; }
plant_unreachable()
{
    mv "$jobs.good" "$jobs"
    cluster_stop "$RUN_DIRECTORY/pg"
}
plant_copy()
{
    cluster_start "$RUN_DIRECTORY/pg" fsync=off
    cluster_psql "$RUN_DIRECTORY/pg" -Xq -d postgres -c 'CREATE DATABASE staging TEMPLATE app TABLESPACE pg_default'
    write_config "$RUN_DIRECTORY/pg" "staging: { conninfo = \"host=$RUN_DIRECTORY/pg user=pgchime dbname=staging\"; };"
    lead
}
plant_failover()
{
    leave
    write_config "$RUN_DIRECTORY/pg,$RUN_DIRECTORY/pg2"
    mkdir "$RUN_DIRECTORY/pg2"
    "$(postgres_bin)/pg_basebackup" -h "$RUN_DIRECTORY/pg" -U postgres -D "$RUN_DIRECTORY/pg2/data" -R -X stream -c fast --no-sync \
        -T "$PGCHIME_SMALL_DISK/app=$RUN_DIRECTORY/pg2/app"
    cluster_start "$RUN_DIRECTORY/pg2" fsync=off
    on_exit cluster_stop "$RUN_DIRECTORY/pg2"
    lead
    await "a standby that has it all" "SELECT count(*) = 1 FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()"
    cluster_stop "$RUN_DIRECTORY/pg" immediate
    "$(postgres_bin)/pg_ctl" promote -s -w -D "$RUN_DIRECTORY/pg2/data"
    query() { cluster_psql "$RUN_DIRECTORY/pg2" -XqAt -d app -c "$1" 2>&1; }
    await "a leader there" "SELECT alive FROM chime.leader_status"
}
# After `cancel` its run ends soon, and not at once.
settle() { [ "$fault" != hanging ] || await "an end of what was cancelled" "SELECT NOT EXISTS (SELECT FROM chime.request WHERE verb = 'cancel')"; }
# Where files are with the package.
places() { sed "s,$RUN_DIRECTORY/pg2\?\>,/run/postgresql,g; s,$RUN_DIRECTORY/,/etc/pgchime/,g"; }
# The numbers that this server has.
rewrite() { sed -E "s/cancel [0-9]+/cancel ${hanging:-0}/; s/--at [^ ]+/--at ${missed:-now}/; s/(pid = |backend\()[0-9]+/\1${holder:-0}/" <<<"$1"; }

# --- the page, from its beginning to its end --------------------------------------------------------------------------------
# What `why` says in the page's table are its words.
while IFS= read -r words; do
    grep -rqF -- "$words" "$ROOT_DIRECTORY/core/report" "$ROOT_DIRECTORY/sql/functions" || die "docs/runbook.md: nothing says \"$words\""
done < <(awk '/^\| `NOW` says/ { inside = 1; next } inside && !/^\|/ { exit } inside' "$page" | cut -d'|' -f2 | grep -oE '`[^`]+`' | tr -d '`')
lead
on_exit stop_daemon
checks=0
# shellcheck disable=SC2013 # names of one word
for fault in $(sed -n 's/^<!-- fault: \(.*\) -->$/\1/p' "$page"); do
    "plant_$fault"
    awk -v mark="<!-- fault: $fault -->" '
        /^<!-- fault: / { on = $0 == mark }
        /^```/ { inside = on && $0 == "```console"; next }
        inside { print }' "$page" >"$RUN_DIRECTORY/$fault"
    [ -s "$RUN_DIRECTORY/$fault" ] || die "no block after the mark of $fault"
    transcript_compare "docs/runbook.md, $fault," "$RUN_DIRECTORY/$fault" "$config"
    checks=$((checks + 1))
done
leave
say "runbook: $checks faults passed"
