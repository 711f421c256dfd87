# shellcheck shell=bash
# how many C files the life of a slot crosses: which functions one more slot of a job calls
#
# script/bench files [--slots N] [--list] [--pg VERSION]
#   --slots N    seconds, with a slot in each (20)
#   --list       names the files, not only their number
# Two passes of the coverage build serve one transactional job for as long. In the first it is not due, in the second it
# is due each second. A function belongs to the life of a slot that was called at least once more for 9 of 10 slots.
# SPDX-License-Identifier: PostgreSQL

slots=20 list='' version=15

bench_options()
{
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$BENCH_DIRECTORY/files.sh"; exit 0 ;;
            --list) list=yes ;;
            --slots) slots=${2:-}; shift ;;
            --pg) version=${2:-}; shift ;;
            *) die "unknown option \"$1\"" "script/bench files --help" ;;
        esac
        shift
    done
    [[ $slots =~ ^[1-9][0-9]{0,3}$ ]] || die "--slots needs a number" "script/bench files --slots 20"
    [ -n "${PGCHIME_BENCH_COMMIT:-}" ] || "$ROOT_DIRECTORY/script/build" coverage >/dev/null ||
        die "the build failed" "script/build coverage"
}

# pass NAME SCHEDULE: leaves in RUN_DIRECTORY/NAME what was called how often.
pass()
{
    database_create
    write_jobs 1 "$2" "SELECT 1" transactional
    export GCOV_PREFIX=$RUN_DIRECTORY/$1.migrate
    "$RUN_DIRECTORY/pgchime" --config "$RUN_DIRECTORY/pgchime.conf" migrate >/dev/null
    export GCOV_PREFIX=$RUN_DIRECTORY/$1
    "$RUN_DIRECTORY/pgchime" --config "$RUN_DIRECTORY/pgchime.conf" serve --for "${slots}s" >"$RUN_DIRECTORY/daemon.log" 2>&1 ||
        daemon_fail "the daemon failed"
    unset GCOV_PREFIX
}

# called NAME: "FILE FUNCTION COUNT" of each
called()
{
    local data notes
    while IFS= read -r data; do
        notes=${data#"$RUN_DIRECTORY/$1"}
        ln -sf "${notes%.gcda}.gcno" "${data%.gcda}.gcno"
        gcov --json-format --stdout "$data" 2>/dev/null
    done < <(find "$RUN_DIRECTORY/$1" -name '*.gcda') |
        jq -r '.files[] | select(.file | test("/core/.*[.]c$")) | .file as $file | .functions[]
            | [($file | sub(".*/core/"; "core/")), .name, .execution_count] | @tsv' | sort
}

bench_main()
{
    have jq || die "jq is missing" "apt-get install jq"
    bench_start 8 "$version" "$ROOT_DIRECTORY/build/coverage/pgchime"
    write_configuration 4
    pass idle idle
    pass due "1 seconds"
    local runs
    runs=$(query "SELECT count(*) FROM chime.run_history WHERE state = 'succeeded'")
    [ "$runs" -ge $((slots * 9 / 10)) ] || die "only $runs of $slots slots ran"
    called idle >"$RUN_DIRECTORY/idle.called"
    called due >"$RUN_DIRECTORY/due.called"
    awk -F '\t' -v least=$((slots * 9 / 10)) '
        FNR == NR { before[$1, $2] = $3; next }
        $3 - before[$1, $2] >= least { files[$1] = files[$1] " " $2 }
        END { for (file in files) print file ":" files[file] }' \
        "$RUN_DIRECTORY/idle.called" "$RUN_DIRECTORY/due.called" | sort >"$RUN_DIRECTORY/crossed"
    [ -z "$list" ] || cat "$RUN_DIRECTORY/crossed"
    say "$(wc -l <"$RUN_DIRECTORY/crossed") C files, $(grep -vc '^core/base/' "$RUN_DIRECTORY/crossed") without core/base," \
        "of $(find "$ROOT_DIRECTORY/core" -name '*.c' | wc -l); $runs slots"
}
