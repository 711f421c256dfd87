#!/usr/bin/env bash
# docs/tutorial.md: what it has people type does what it says, and prints what it shows but for numbers.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "${BASH_SOURCE[0]}")/transcript.sh"

if [ "$(id -u)" -eq 0 ]; then # initdb and postgres refuse root
    set_unprivileged
    exec "${unprivileged[@]}" env PGCHIME_SHOW="${PGCHIME_SHOW:-}" bash "$ROOT_DIRECTORY/tests/script/test_tutorial.sh"
fi

page=$ROOT_DIRECTORY/docs/tutorial.md
pgchime=$ROOT_DIRECTORY/build/pgchime
checks=0

# block LANGUAGE N: the n-th fenced block of that language.
block()
{
    awk -v language="$1" -v wanted="$2" '
        inside && /^```/ { inside = 0; next }
        inside { if (n == wanted) print; next }
        /^```/ { inside = 1; if ($0 == "```" language) n++; else inside = 2 }
        inside == 2 { while ((getline line) > 0 && line !~ /^```/) continue; inside = 0 }' "$page"
}

make_run_directory
site=$RUN_DIRECTORY/site
mkdir -p "$site/plugins" "$site/conf.d"
chmod 755 "$site" "$site/plugins" "$site/conf.d"
cluster_start "$RUN_DIRECTORY/pg"
on_exit cluster_stop "$RUN_DIRECTORY/pg"
cluster_psql "$RUN_DIRECTORY/pg" -XqAt -d postgres -c 'CREATE DATABASE app'
cd "$site"
block '' 1 | sed "s,host=/run/postgresql,host=$RUN_DIRECTORY/pg user=postgres," >pgchime.conf
block sql 1 >table.sql
block sql 2 >daily_orders.sql
cluster_psql "$RUN_DIRECTORY/pg" -Xq -v ON_ERROR_STOP=1 -d app -f table.sql
cluster_psql "$RUN_DIRECTORY/pg" -Xq -v ON_ERROR_STOP=1 -d app -f daily_orders.sql >/dev/null # psql runs it as it is

settle() { :; }
compare() # N
{
    block console "$1" >"$RUN_DIRECTORY/shown"
    [ -s "$RUN_DIRECTORY/shown" ] || die "docs/tutorial.md has no console block $1"
    transcript_compare "docs/tutorial.md, block $1" "$RUN_DIRECTORY/shown" "$site/pgchime.conf"
    checks=$((checks + 1))
}

"$pgchime" serve --config "$site/pgchime.conf" 2>"$RUN_DIRECTORY/log" &
on_exit kill "$!"
await "a leader" "SELECT EXISTS (SELECT FROM chime.leader WHERE instance IS NOT NULL)"
compare 1
compare 2
cp daily_orders.sql plugins/
"$pgchime" reload --config "$site/pgchime.conf" >/dev/null
same="(SELECT sum(orders) FROM analytics.daily_orders) = (SELECT count(*) FROM orders)"
await "the view" "SELECT to_regclass('analytics.daily_orders') IS NOT NULL"
await "its rows" "SELECT $same"
compare 3
settle()
{
    await "a fresh view" "SELECT $same"
    await "alerts" "SELECT (SELECT count(*) FROM chime.alert WHERE rule = 'large-day' AND state = 'firing')
                           = (SELECT count(*) FROM analytics.daily_orders WHERE amount > 40000 AND EXISTS (SELECT FROM chime.alert_rule WHERE name = 'large-day'))"
}
compare 4
block '' 2 >conf.d/orders.conf
compare 5
echo "$checks passed, 0 failed"
