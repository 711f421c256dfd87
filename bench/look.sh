# shellcheck shell=bash
# what it costs to look: status, next, a page of jobs and a job's runs at 50,000 jobs and 10 million runs
#
# script/bench look [--jobs N] [--runs N] [--passes N] [--pg VERSION] [--quick]
#   --jobs N     active jobs, made by SQL: a tenth each of four schedules, the others of many (50,000)
#   --runs N     of each job, in the history; one in 5,000 failed (200)
#   --passes N   of each command, of which the median counts (5)
#   --quick      500 jobs, 20 runs each: to see that it works, not to quote
# No daemon runs meanwhile, so status says that nobody leads. Times are those of a whole command, begin to end.
# SPDX-License-Identifier: PostgreSQL

readonly most_look=100 # ms
jobs=50000 runs=200 passes=5 version=15

bench_options()
{
    while [ $# -gt 0 ]; do
        case $1 in
            --quick) jobs=500 runs=20 passes=3 ;;
            -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$BENCH_DIRECTORY/look.sh"; exit 0 ;;
            --jobs) jobs=$(number "$@"); shift ;;
            --runs) runs=$(number "$@"); shift ;;
            --passes) passes=$(number "$@"); shift ;;
            --pg) version=$(number "$@"); shift ;;
            *) die "unknown option \"$1\"" "script/bench look --help" ;;
        esac
        shift
    done
}

# time_command NAME ARGUMENT...: its median in ms; a failure other than "nobody leads" is one.
time_command()
{
    local name=$1 pass start status
    shift
    for ((pass = 0; pass < passes; pass++)); do
        start=${EPOCHREALTIME/./}
        status=0
        "$RUN_DIRECTORY/pgchime" --config "$RUN_DIRECTORY/pgchime.conf" "$@" \
            >"$RUN_DIRECTORY/look.out" 2>"$RUN_DIRECTORY/look.log" || status=$?
        record "$name" "$(compute "(${EPOCHREALTIME/./} - $start) / 1000")"
        [ "$status" = 0 ] || [ "$status" = 8 ] || die "$* failed: $(tail -1 "$RUN_DIRECTORY/look.log")"
    done
    [ -s "$RUN_DIRECTORY/look.out" ] || die "$* says nothing"
}

bench_main()
{
    bench_start 8 "$version"
    write_configuration 4
    database_create
    "$RUN_DIRECTORY/pgchime" --config "$RUN_DIRECTORY/pgchime.conf" migrate >/dev/null
    complain "$jobs jobs, $runs runs of each"
    query look_jobs.sql -v jobs="$jobs" -v runs="$runs"
    query look_runs.sql -v runs="$runs"
    time_command status status
    time_command next next
    time_command page jobs --limit 100
    time_command failing jobs --failing --limit 100
    time_command runs runs j00002
    time_command all jobs -o json
    row_limit "status" "$(median status)" "$most_look" ms
    row_limit "next" "$(median next)" "$most_look" ms
    row_limit "jobs --limit 100" "$(median page)" "$most_look" ms
    row_limit "jobs --failing --limit 100" "$(median failing)" "$most_look" ms
    row_limit "runs JOB" "$(median runs)" "$most_look" ms
    row_say "jobs -o json, all of them" "$(median all) ms" - - -
    say
    table_print
    say
    say "$(query "SELECT count(*) FROM chime.job") jobs with" \
        "$(query "SELECT count(DISTINCT schedule) FROM chime.job") schedules," \
        "$(query "SELECT count(*) FROM chime.run_history") runs; medians of $passes"
    machine_print
}
