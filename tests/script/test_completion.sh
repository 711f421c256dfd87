#!/usr/bin/env bash
# The scripts of `pgchime completion`, run by the shells they are for, with live names from a private server. bash is
# always there; zsh and fish are tried where they are installed, and what is left out is said.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL

if [ "$(id -u)" -eq 0 ]; then # initdb and postgres refuse root
    set_unprivileged
    exec "${unprivileged[@]}" bash "$ROOT_DIRECTORY/tests/script/test_completion.sh"
fi

programs=${PGCHIME_TEST_BUILD:-$ROOT_DIRECTORY/build}
[ -x "$programs/pgchime" ] || programs=$ROOT_DIRECTORY/build/asan
passed=0

expect() # what, is, should be
{
    [ "$2" = "$3" ] || die "$1: is \"$2\"" "should be \"$3\""
    passed=$((passed + 1))
}

# bash_completes WORD...: what bash would offer for the last word, between spaces.
bash_completes()
{
    bash --norc -c '
        source <(pgchime completion bash)
        [ "$(complete -p pgchime)" = "complete -F _pgchime pgchime" ] || exit 1
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _pgchime 2>/dev/null # compopt is for a shell that somebody types into
        printf "%s " "${COMPREPLY[@]}"' bash pgchime "$@"
}

test_bash()
{
    expect "bash: commands" "$(bash_completes ne)" "next "
    expect "bash: second words" "$(bash_completes plugins '')" "new adopt purge "
    expect "bash: options" "$(bash_completes next --dst-g)" "--dst-gap "
    expect "bash: values" "$(bash_completes next --dst-overlap '')" "first last both "
    expect "bash: a value after =" "$(bash_completes jobs --output = js)" "json "
    expect "bash: jobs of the ledger" "$(bash_completes show '')" 'it\ is\ spaced live-job '
    expect "bash: jobs of another configuration" "$(bash_completes --config "$RUN_DIRECTORY/other.conf" show '')" "offline "
    expect "bash: plugins whose file is gone" "$(bash_completes plugins purge gon)" "gone "
    expect "bash: plugins of the folder" "$(bash_completes plugins purge prog)" "progress "
    expect "bash: files" "$(bash_completes check --config "$RUN_DIRECTORY/oth")" "$RUN_DIRECTORY/other.conf "
    expect "bash: folders" "$(bash_completes plugins new x --directory "$RUN_DIRECTORY/p")" "$RUN_DIRECTORY/pg "
    expect "bash: commands of views, and views" "$(bash_completes views '')" "explain "
    expect "bash: views to explain" "$(bash_completes views explain da)" "daily "
    expect "bash: files to explain" "$(bash_completes views explain "$RUN_DIRECTORY/we")" "$RUN_DIRECTORY/weekly.sql "
    expect "bash: views to refresh" "$(bash_completes refresh '')" "daily "
    expect "bash: options of plugins new" "$(bash_completes plugins new --s)" "--sql "
    expect "bash: tiles" "$(bash_completes tiles '')" "gone/0 "
    expect "bash: metrics and its options" "$(bash_completes metr) $(bash_completes metrics --datab)" "metrics  --database "
    expect "bash: nothing" "$(bash_completes show x '')" " "
}

test_zsh()
{
    pgchime completion zsh >"$RUN_DIRECTORY/_pgchime"
    zsh -n "$RUN_DIRECTORY/_pgchime" || die "zsh does not take its script"
    passed=$((passed + 1))
    cat >"$RUN_DIRECTORY/try.zsh" <<'END'
compdef() { : }
_describe() { print -r -- "${(@Pj: :)4}" }
_files() { print -r -- "files $*" }
source $1
shift
words=("$@")
CURRENT=$#
_pgchime
END
    expect "zsh: jobs" "$(zsh -f "$RUN_DIRECTORY/try.zsh" "$RUN_DIRECTORY/_pgchime" pgchime show '')" "it is spaced: live-job:"
    expect "zsh: values after =" "$(zsh -f "$RUN_DIRECTORY/try.zsh" "$RUN_DIRECTORY/_pgchime" pgchime jobs --output=js)" "--output=json:"
    expect "zsh: folders" "$(zsh -f "$RUN_DIRECTORY/try.zsh" "$RUN_DIRECTORY/_pgchime" pgchime plugins new --directory '')" "files -/"
}

test_fish()
{
    pgchime completion fish >"$RUN_DIRECTORY/pgchime.fish"
    fish -n "$RUN_DIRECTORY/pgchime.fish" || die "fish does not take its script"
    passed=$((passed + 1))
    # shellcheck disable=SC2016 # fish expands it
    expect "fish: jobs" "$(HOME=$RUN_DIRECTORY fish -c 'source $argv[1]; complete -C "pgchime show "' "$RUN_DIRECTORY/pgchime.fish" |
        tr '\n' ' ')" "it is spaced live-job "
    # shellcheck disable=SC2016
    expect "fish: values after =" "$(HOME=$RUN_DIRECTORY fish -c 'source $argv[1]; complete -C "pgchime jobs --output=js"' \
        "$RUN_DIRECTORY/pgchime.fish")" "--output=json"
}

where_installed()
{
    if have "$1"; then "test_$1"; else say "skipped: $1 is not installed, so its completion is not tried"; fi
}

make_run_directory
mkdir "$RUN_DIRECTORY/bin"
ln -s "$programs/pgchime" "$RUN_DIRECTORY/bin/pgchime"
export PATH=$RUN_DIRECTORY/bin:$PATH PGCHIME_CONFIG=$RUN_DIRECTORY/pgchime.conf
cluster_start "$RUN_DIRECTORY/pg" 15 fsync=off
on_exit cluster_stop "$RUN_DIRECTORY/pg" immediate
cat >"$PGCHIME_CONFIG" <<END
databases: { main: { conninfo = "host=$RUN_DIRECTORY/pg user=postgres dbname=postgres"; }; };
plugin_dir = "$programs/plugins";
END
cat >"$RUN_DIRECTORY/other.conf" <<END
databases: { main: { conninfo = "host=$RUN_DIRECTORY/nowhere"; }; };
jobs: { offline: { schedule = "@daily"; command = "SELECT 1"; }; };
END
pgchime migrate >"$RUN_DIRECTORY/out" 2>&1 || die "$(cat "$RUN_DIRECTORY/out")"
cluster_psql "$RUN_DIRECTORY/pg" -Xq -c "INSERT INTO chime.job (name, origin, command) VALUES ('live-job', 'config', 'SELECT 1'),
    ('it is spaced', 'config', 'SELECT 1'), (E'line\nbreak', 'config', 'SELECT 1');
    INSERT INTO chime.plugin (name, version, view_schema, source_schema, state) VALUES ('gone', '1', 'a', 'b', 'removed');
    INSERT INTO chime.view (view_schema, relation, plugin, key, stamps, grain, mode, definition, search_path, refresh_full)
    VALUES ('a', 'daily', 'gone', '{day}', '{}', '{}', 'auto', '', '', '');
    INSERT INTO chime.tile (plugin, tile, title, query, draw, view_schema) VALUES ('gone', 0, 't', 'SELECT 1', 'number', 'a')"
touch "$RUN_DIRECTORY/weekly.sql"
test_bash
where_installed zsh
where_installed fish
printf '%d passed, 0 failed\n' "$passed"
