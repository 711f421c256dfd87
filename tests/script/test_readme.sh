#!/usr/bin/env bash
# The README's own text: its configuration passes `check`, its first view is dropped in, and is filled; one statement keeps another.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "${BASH_SOURCE[0]}")/transcript.sh"

if [ "$(id -u)" -eq 0 ]; then # initdb and postgres refuse root
    set_unprivileged
    exec "${unprivileged[@]}" bash "$ROOT_DIRECTORY/tests/script/test_readme.sh"
fi

readme=$ROOT_DIRECTORY/README.md
pgchime=$ROOT_DIRECTORY/build/pgchime
checks=0

expect() # what, is, should be
{
    checks=$((checks + 1))
    [ "$2" = "$3" ] || die "$1: is \"$2\"" "should be \"$3\""
}

# block LANGUAGE FIRST-LINE: the fenced block of README.md that begins with that line.
block()
{
    awk -v language="$1" -v first="$2" '
        inside && /^```/ { if (wanted) exit; inside = 0 }
        inside { if (lines++ == 0 && index($0, first) == 1) wanted = 1; if (wanted) print }
        !inside && $0 == "```" language { inside = 1; lines = 0 }' "$readme"
}

make_run_directory
site=$RUN_DIRECTORY/site
mkdir -p "$site/plugins" "$site/conf.d"
chmod 755 "$site" "$site/plugins"
cluster_start "$RUN_DIRECTORY/pg"
on_exit cluster_stop "$RUN_DIRECTORY/pg"
cluster_psql "$RUN_DIRECTORY/pg" -XqAt -d postgres -c 'CREATE DATABASE app'
query "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY, ordered_at timestamptz NOT NULL, amount numeric NOT NULL,
                            closed boolean NOT NULL DEFAULT false);
       CREATE INDEX ON orders (((ordered_at AT TIME ZONE 'UTC')::date));
       CREATE TABLE totals (day date, amount numeric);
       INSERT INTO orders (ordered_at, amount) SELECT '2026-03-01 00:00Z'::timestamptz + n * interval '1 hour', n FROM generate_series(0, 47) n"

# --- a configuration and a plugin ---------------------------------------------------------------------------------------
block '' 'databases:' |
    sed "s,host=/run/postgresql,host=$RUN_DIRECTORY/pg user=postgres,; s,/path/to/build/plugins,$site/plugins," >"$site/pgchime.conf"
block '' '# conf.d/jobs.conf' >"$site/conf.d/jobs.conf"
expect "jobs in the README's example" "$(grep -c schedule "$site/conf.d/jobs.conf")" 4
"$pgchime" check --config "$site/pgchime.conf" >"$RUN_DIRECTORY/out" 2>&1 || die "$(cat "$RUN_DIRECTORY/out")"
checks=$((checks + 1))

block sql '-- target_lag' >"$site/plugins/daily_orders.sql"
expect "lines of the first view under 10" "$([ "$(wc -l <"$site/plugins/daily_orders.sql")" -lt 10 ] && echo yes)" yes
rm "$site/conf.d/jobs.conf" # its commands name things that are not here
block '' '# conf.d/shop.conf' >"$site/conf.d/shop.conf"

# --- what it looks like: the commands of the first pages, and what they print but for numbers and widths ----------------------
"$pgchime" serve --config "$site/pgchime.conf" 2>"$RUN_DIRECTORY/log" &
daemon=$!
on_exit kill "$daemon"
settle()
{
    await "a fresh view" "SELECT (SELECT sum(orders) FROM analytics.daily_orders) = (SELECT count(*) FROM orders)
        AND EXISTS (SELECT FROM chime.runs WHERE job = 'report' AND state = 'failed')"
}

tries=600
until "$pgchime" run close-orders --wait --config "$site/pgchime.conf" >"$RUN_DIRECTORY/out" 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || die "no run of close-orders" "$(cat "$RUN_DIRECTORY/out")"
done
await "runs of both" "SELECT count(*) = 2 FROM chime.runs r WHERE r.state = 'succeeded' AND r.job IN ('refresh-daily-orders', 'close-orders')"
block console '$ pgchime run totals --wait' >"$RUN_DIRECTORY/shown"
transcript_compare "the README" "$RUN_DIRECTORY/shown" "$site/pgchime.conf"
checks=$((checks + 1))
expect "days of orders" "$(query "SELECT count(*) || ' ' || sum(orders) FROM analytics.daily_orders")" "2 49"
expect "how the view came to be" "$(query "SELECT kind || ' ' || state FROM chime.runs WHERE job = 'refresh-daily-orders'
                                            ORDER BY run_id LIMIT 1")" "install succeeded"
expect "how the view followed" "$(query "SELECT method || ' ' || keys FROM chime.view_status WHERE relation = 'daily_orders'")" "keyed 1"

# --- one statement --------------------------------------------------------------------------------------------------------
expect "one statement keeps a view" "$(query "$(block sql 'SELECT chime.keep_view')")" "2 rows; keyed by day"
query "INSERT INTO orders (ordered_at, amount) VALUES ('2026-03-02 23:30Z', 1)" >/dev/null
await "its rows follow" "SELECT (SELECT sum(orders) FROM analytics.orders_per_day) = (SELECT count(*) FROM orders)"
say "readme: $checks checks passed"
