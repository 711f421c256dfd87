#!/usr/bin/env bash
# The author's path: what is built here is installed below a folder of its own, and every command of
# docs/writing-a-plugin.md is run in order, on a private server, until the view is filled, and gone again.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL

if [ "$(id -u)" -eq 0 ]; then # initdb and postgres refuse root
    set_unprivileged
    exec "${unprivileged[@]}" bash "$ROOT_DIRECTORY/tests/script/test_author.sh"
fi

page=$ROOT_DIRECTORY/docs/writing-a-plugin.md
programs=${PGCHIME_TEST_BUILD:-$ROOT_DIRECTORY/build}
[ -f "$programs/cmake_install.cmake" ] || programs=$ROOT_DIRECTORY/build/asan
passed=0

expect() # what, is, should be
{
    [ "$2" = "$3" ] || die "$1: is \"$2\"" "should be \"$3\""
    passed=$((passed + 1))
}

expect_match() # what, is, pattern
{
    grep -qE "$3" <<<"$2" || die "$1: is \"$2\"" "should match $3"
    passed=$((passed + 1))
}

# block LANGUAGE N: the Nth fenced block of that language.
block()
{
    awk -v fence="\`\`\`$1" -v wanted="$2" '
        inside && $0 == "```" { inside = 0; if (count == wanted) exit; next }
        inside && count == wanted { print }
        !inside && $0 == fence { inside = 1; count++; next }
        !inside && /^```/ { inside = 1; next }' "$page"
}

count_blocks() { grep -c "^\`\`\`$1\$" "$page"; }

query() { cluster_psql "$RUN_DIRECTORY/pg" -XqAt -d app -c "$1"; }

# run N: the Nth block of commands; a folder that it changes to is that of the next ones. Output: $RUN_DIRECTORY/out.
run()
{
    local commands
    commands=$(block sh "$1" | sed "s,/etc/pgchime,$site,g")
    printf 'set -euo pipefail\n%s\npwd >%q\n' "$commands" "$RUN_DIRECTORY/folder" >"$RUN_DIRECTORY/block.sh"
    (cd "$folder" && bash "$RUN_DIRECTORY/block.sh") >"$RUN_DIRECTORY/out" 2>&1 || {
        cat "$RUN_DIRECTORY/out" >&2
        die "block $1 of $page failed" "$commands"
    }
    folder=$(cat "$RUN_DIRECTORY/folder")
    passed=$((passed + 1))
}

# As `cmake --install` does, but for the list of files that it writes to the build folder, which may not be ours.
install_programs()
{
    sed "s,\"$programs/\(\${CMAKE_INSTALL_MANIFEST}\)\",\"$RUN_DIRECTORY/\1\"," "$programs/cmake_install.cmake" \
        >"$RUN_DIRECTORY/install.cmake"
    cmake -D CMAKE_INSTALL_PREFIX="$RUN_DIRECTORY/usr" -P "$RUN_DIRECTORY/install.cmake" >"$RUN_DIRECTORY/out" 2>&1 ||
        die "$(cat "$RUN_DIRECTORY/out")"
    PKG_CONFIG_PATH=$(dirname "$(find "$RUN_DIRECTORY/usr" -name pgchime.pc)")
    PATH=$RUN_DIRECTORY/usr/bin:$(dirname "$(postgres_psql)"):$PATH
    export PATH PKG_CONFIG_PATH
    plugins=$(pkg-config --variable=plugindir pgchime)
    count=$(find "$ROOT_DIRECTORY/plugins" -mindepth 1 -maxdepth 1 -type d | wc -l)
    expect "what is installed" "$(cd "$RUN_DIRECTORY/usr" && find . -name '*.so' | wc -l) $(pkg-config --modversion pgchime)" \
        "$count $(pgchime version | cut -d ' ' -f 2)"
    expect "one conf.d file for each plugin" "$(find "$RUN_DIRECTORY/usr/etc/pgchime/conf.d" -name '*.conf' | wc -l)" "$count"
    rm -f "$plugins"/*.so # the page has a plugin folder of its own
}

make_run_directory
site=$RUN_DIRECTORY/site
folder=$RUN_DIRECTORY/work
mkdir -p "$site/conf.d" "$folder"
install_programs
cluster_start "$RUN_DIRECTORY/pg" 15 fsync=off
on_exit cluster_stop "$RUN_DIRECTORY/pg" immediate
cluster_psql "$RUN_DIRECTORY/pg" -XqAt -d postgres -c 'CREATE DATABASE app'
export PGHOST=$RUN_DIRECTORY/pg PGUSER=postgres PGDATABASE=app PGCHIME_CONFIG=$site/pgchime.conf
block '' 1 | sed "s,host=/run/postgresql,host=$PGHOST user=postgres,; s,/usr/lib/pgchime/plugins,$plugins," >"$site/pgchime.conf"
expect "blocks of commands" "$(count_blocks sh)" 11

run 1 # the table
expect "orders" "$(query 'SELECT count(*) FROM orders')" 72

run 2 # plugins new
expect "the C of the page" "$(block c 1)" "$(cat "$folder/orders_per_day.c")"
expect "the SQL of the page" "$(block sql 1)" "$(cat "$folder/orders_per_day.sql")"
expect "under 40 lines of C" "$([ "$(wc -l <"$folder/orders_per_day.c")" -lt 40 ] && echo yes)" yes
status=0
pgchime plugins new orders_per_day --directory "$folder" 2>"$RUN_DIRECTORY/errors" || status=$?
expect "exit status over a folder that is there" "$status" 6
expect_match "what it says" "$(cat "$RUN_DIRECTORY/errors")" 'nothing is ever overwritten'

run 3 # the SQL in psql
expect_match "the SQL in psql" "$(cat "$RUN_DIRECTORY/out")" '2026-03-02 \|     24'
expect "what it leaves" "$(query "SELECT to_regclass('orders_per_day__live')")" ''

run 4 # CMake
expect_match "ctest" "$(cat "$RUN_DIRECTORY/out")" '100% tests passed, 0 tests failed out of 1'
rm -rf "$folder/build"
CFLAGS='-std=c11 -Wall -Wextra -Wpedantic -Werror' run 5 # sed and cc
expect_match "test.sh" "$(cat "$RUN_DIRECTORY/out")" '^ok: 1 database, 1 plugin, 2 jobs$'
cp "$folder/build/orders_per_day.so" "$RUN_DIRECTORY/plain.so"

# Its test can fail.
cp -r "$folder" "$RUN_DIRECTORY/broken"
sed -i 's/"\* \* \* \* \*"/"every minute"/' "$RUN_DIRECTORY/broken/orders_per_day.c"
(cd "$RUN_DIRECTORY/broken" && ./build.sh)
status=0
"$RUN_DIRECTORY/broken/test.sh" >"$RUN_DIRECTORY/out" 2>&1 || status=$?
expect "exit status of test.sh with a bad schedule" "$status" 3
expect_match "what it says" "$(cat "$RUN_DIRECTORY/out")" 'every minute'

rm -rf "$folder/build"
run 4
run 6 # into the plugin folder
expect_match "check" "$(tail -n 1 "$RUN_DIRECTORY/out")" '^ok: 1 database, 1 plugin, 2 jobs$'
run 7 # serve
run 8 # look
expect "the view" "$(query 'SELECT string_agg(orders::text, $$,$$ ORDER BY day) FROM analytics.orders_per_day')" 24,24,24
expect_match "views" "$(cat "$RUN_DIRECTORY/out")" '^orders_per_day +main +orders_per_day '
expect "what it is refreshed by" "$(query "SELECT grain::text || coalesce(full_reason, ' alone') FROM chime.view")" '{day} alone'
expect_match "runs" "$(cat "$RUN_DIRECTORY/out")" 'refresh-orders-per-day.* succeeded '
expect_match "its comment" "$(query "SELECT obj_description('analytics.orders_per_day'::regclass)")" '^Orders of each day \(UTC\) \(pgchime [0-9a-f]{16}\)$'

# What sed and cc built is as good.
definition="SELECT definition FROM chime.view WHERE relation = 'orders_per_day'"
with_cmake=$(query "$definition")
install -m 755 "$RUN_DIRECTORY/plain.so" "$plugins/orders_per_day.so"
pgchime serve --once 2>"$RUN_DIRECTORY/out" || die "$(cat "$RUN_DIRECTORY/out")"
expect "the SQL that sed embeds" "$(query "$definition")" "$with_cmake"

run 9  # away with it
run 10 # serve
run 11 # purge
expect_match "what purge would do" "$(cat "$RUN_DIRECTORY/out")" 'DROP TABLE analytics.orders_per_day'
expect "what is left" "$(query "SELECT count(*) FROM pg_class WHERE relname LIKE 'orders_per_day%'")" 0
expect "orders, which are not ours" "$(query 'SELECT count(*) FROM orders')" 72
printf '%d passed, 0 failed\n' "$passed"
