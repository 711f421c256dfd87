#!/usr/bin/env bash
# docs/runbook.md: each fault is planted, and the commands of its block print what the page shows.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "${BASH_SOURCE[0]}")/transcript.sh"

if [ "$(id -u)" -eq 0 ]; then # initdb and postgres refuse root
    set_unprivileged
    exec "${unprivileged[@]}" bash "$ROOT_DIRECTORY/tests/script/test_runbook.sh"
fi

page=$ROOT_DIRECTORY/docs/runbook.md
make_run_directory
config=$RUN_DIRECTORY/pgchime.conf
pgchime() { "$ROOT_DIRECTORY/build/pgchime" "$@" --config "$config"; }

# --- what is there --------------------------------------------------------------------------------------------------------
cluster_start "$RUN_DIRECTORY/pg" fsync=off
on_exit cluster_stop "$RUN_DIRECTORY/pg"
cluster_psql "$RUN_DIRECTORY/pg" -Xq -d postgres -c 'CREATE DATABASE app'
query 'CREATE TABLE orders (id int); CREATE TABLE totals (at timestamptz, orders bigint)'
mkdir "$RUN_DIRECTORY/conf.d"
write_config() # DATABASES
{
    cat >"$config" <<END
databases: {
  main: { conninfo = "host=$RUN_DIRECTORY/pg user=postgres dbname=app"; pool_size = 2; pools: { heavy = 1; }; };
  $1
};
conf_dir = "conf.d"; instance = "db1"; control_socket = "$RUN_DIRECTORY/control";
END
}
write_config ''
cat >"$RUN_DIRECTORY/conf.d/jobs.conf" <<'END'
jobs: {
  totals:  { database = "main"; schedule = "0 2 * * *"; command = "INSERT INTO totals SELECT now(), count(*) FROM orders"; };
  report:  { database = "main"; after = "totals"; command = "SELECT send_report()"; max_attempts = 1; };
  vacuum:  { database = "main"; schedule = "0 3 * * *"; command = "VACUUM"; enabled = false; };
  archive: { database = "main"; schedule = "0 4 * * *"; command = "SELECT pg_sleep(600)"; pool = "heavy"; };
  export:  { database = "main"; schedule = "0 5 * * *"; command = "SELECT 1"; pool = "heavy"; };
};
END
lead()
{
    "$ROOT_DIRECTORY/build/pgchime" serve --config "$config" 2>"$RUN_DIRECTORY/log" &
    daemon=$!
    on_exit kill "$daemon"
    await "a leader that has its jobs" "SELECT alive AND (SELECT count(*) = 5 FROM chime.job) FROM chime.leader_status"
}
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
plant_failing() { pgchime run report --wait >/dev/null || :; }
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
plant_nobody()
{
    pgchime cancel "$(query "SELECT run_id FROM chime.run")" >/dev/null
    await "an end of export" "SELECT NOT EXISTS (SELECT FROM chime.run) AND NOT EXISTS (SELECT FROM chime.request)"
    leave
}
plant_copy()
{
    cluster_psql "$RUN_DIRECTORY/pg" -Xq -d postgres -c 'CREATE DATABASE staging TEMPLATE app'
    write_config "staging: { conninfo = \"host=$RUN_DIRECTORY/pg user=postgres dbname=staging\"; };"
    lead
}
# After `cancel` its run ends soon, and not at once.
settle() { [ "$fault" != hanging ] || await "an end of what was cancelled" "SELECT NOT EXISTS (SELECT FROM chime.request WHERE verb = 'cancel')"; }
rewrite() { sed -E "s/cancel [0-9]+/cancel ${hanging:-0}/" <<<"$1"; }

# --- the page, from its beginning to its end --------------------------------------------------------------------------------
lead
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
