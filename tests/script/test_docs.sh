#!/usr/bin/env bash
# test_docs.sh [--write] [PAGE...]: the pages. Their fenced blocks run in order, as written, and print what the pages show;
# tests/docs/pages.py says how. Every block is run, or says why not; every link and anchor leads somewhere; the index names all.
#   --write     puts into the pages what was printed, where it differs
# PGCHIME_SHOW=1 prints what each page leaves.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL

if [ "$(id -u)" -eq 0 ]; then # initdb and postgres refuse root
    make_run_directory
    set_unprivileged
    status=0
    "${unprivileged[@]}" env AWAIT_TRIES="${AWAIT_TRIES:-600}" PGCHIME_SHOW="${PGCHIME_SHOW:-}" PGCHIME_WRITTEN="$RUN_DIRECTORY" bash "${BASH_SOURCE[0]}" "$@" || status=$?
    [ -z "$(ls "$RUN_DIRECTORY")" ] || cp -r "$RUN_DIRECTORY"/. "$ROOT_DIRECTORY" # what --write wrote
    exit "$status"
fi
pages_py() { /usr/bin/python3 -B "$ROOT_DIRECTORY/tests/docs/pages.py" "$@"; }

writing=''
if [ "${1:-}" = --write ]; then
    writing=yes
    shift
fi
failed=0
passed=0
result() # STATUS
{
    if [ "$1" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# --- what needs no server ----------------------------------------------------------------------------------------------------
mapfile -t all < <(pages_py pages)
[ ${#all[@]} -ge 80 ] || die "only ${#all[@]} pages were found"
for page in "${all[@]}"; do
    status=0
    pages_py blocks "$page" || status=1
    result "$status"
done
broken=$(pages_py links)
status=0
if echo "$broken" | grep FAILED; then status=1; fi
result "$status"
[ "$(sed -n 's/^\([0-9]*\) links$/\1/p' <<<"$broken")" -ge 400 ] || die "only these links were found: $broken"

# Commands as help lists them; docs/commands.md says where those are whose output no page shows.
mapfile -t commands < <("$ROOT_DIRECTORY/build/pgchime" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\( [a-z_]*\)\?\) .*/\1/p' | sed 's/ *$//' | sort -u)
[ ${#commands[@]} -ge 30 ] || die "help lists ${#commands[@]} commands"
missing=$(pages_py commands "${commands[@]}" | grep -vE "pgchime ($(sed -n 's/^<!-- elsewhere: \(.*\) -->$/\1/p' "$ROOT_DIRECTORY/docs/commands.md"))\$" || :)
echo -n "$missing"
status=0
[ -z "$missing" ] || status=1
result "$status"

# --- one server for all pages --------------------------------------------------------------------------------------------------
if [ $# -gt 0 ]; then all=("$@"); fi
make_run_directory
cron=()
if [ -f "$(dirname "$(postgres_bin)")/lib/pg_cron.so" ]; then
    cron=(shared_preload_libraries=pg_cron cron.host="$RUN_DIRECTORY/pg")
fi
cluster_start "$RUN_DIRECTORY/pg" fsync=off "${cron[@]}"
on_exit cluster_stop "$RUN_DIRECTORY/pg" immediate
cluster_psql "$RUN_DIRECTORY/pg" -Xq -d postgres -c 'CREATE ROLE shop LOGIN' -c 'CREATE ROLE dba LOGIN CREATEROLE CREATEDB'

# Each page by a shell of its own, in a folder of its own.
prelude() # PAGE
{
    local name=${1%.md}
    name=${name#docs/}
    name=${name//\//-}
    cat <<END
. '$ROOT_DIRECTORY/script/lib.sh'
page='$1' folder='$RUN_DIRECTORY/$name' RUN_DIRECTORY='$RUN_DIRECTORY' with_cron='${cron[*]}'
. '$ROOT_DIRECTORY/tests/docs/lib.sh'
if [ -f '$ROOT_DIRECTORY/tests/docs/$name.sh' ]; then . '$ROOT_DIRECTORY/tests/docs/$name.sh'; fi
trap page_end EXIT
page_begin
END
}

for page in "${all[@]}"; do
    mkdir -p "$RUN_DIRECTORY/out"
    pages_py script "$page" "$RUN_DIRECTORY/out" >"$RUN_DIRECTORY/blocks"
    if [ -s "$RUN_DIRECTORY/blocks" ]; then
        { prelude "$page"; cat "$RUN_DIRECTORY/blocks"; echo 'finished=yes'; } >"$RUN_DIRECTORY/script"
        status=0
        bash "$RUN_DIRECTORY/script" || status=$?
        if [ "$status" -eq 77 ]; then
            echo "$page: skipped, something that it needs is not installed"
            continue
        fi
        result "$status"
        [ -z "${PGCHIME_SHOW:-}" ] || head -50 "$RUN_DIRECTORY/out"/*
        if [ "$status" -eq 0 ] && [ -n "$writing" ]; then
            pages_py write "$page" "$RUN_DIRECTORY/out" "${PGCHIME_WRITTEN:-$ROOT_DIRECTORY}"
        elif [ "$status" -eq 0 ]; then
            pages_py compare "$page" "$RUN_DIRECTORY/out" || status=1
            result "$status"
        fi
    fi
    rm -rf "$RUN_DIRECTORY/out"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
