# shellcheck shell=bash
# RELATION__now beside the kept relation and the definition: with 0, 1, 10 and 100 marked groups of 1,000
#
# script/bench now [--groups N] [--rows N] [--passes N] [--pg VERSION] [--quick]
#   --groups N   of the view, each with as many rows of the source (1000)
#   --rows N     of the source in each group (100)
#   --passes N   of each read, of which the median counts (200)
#   --quick      few passes: to see that it works, not to quote
# Times are the client's, of one session that reads all rows, and of one that reads the row of one group. No daemon runs, so
# that what is marked stays so.
# SPDX-License-Identifier: PostgreSQL

groups=1000 rows=100 passes=200 version=15

bench_options()
{
    while [ $# -gt 0 ]; do
        case $1 in
            --quick) passes=10 ;;
            -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$BENCH_DIRECTORY/now.sh"; exit 0 ;;
            --groups) groups=$(number "$@"); shift ;;
            --rows) rows=$(number "$@"); shift ;;
            --passes) passes=$(number "$@"); shift ;;
            --pg) version=$(number "$@"); shift ;;
            *) die "unknown option \"$1\"" "script/bench now --help" ;;
        esac
        shift
    done
}

# time_read NAME QUERY: its median in ms, each pass planned and run.
time_read()
{
    local pass
    { echo '\timing on'; for ((pass = 0; pass < passes; pass++)); do echo "$2 \\g /dev/null"; done; } |
        cluster_psql "$RUN_DIRECTORY/pg" -qAtX -v ON_ERROR_STOP=1 -d "$BENCH_DATABASE" -f - |
        awk -v name="$1" '/^Time: / { print name, $2 }' >>"$RUN_DIRECTORY/values"
    median "$1"
}

bench_main()
{
    local marked relation all one
    bench_start 8 "$version"
    write_configuration 4
    database_create
    "$RUN_DIRECTORY/pgchime" --config "$RUN_DIRECTORY/pgchime.conf" migrate >/dev/null
    complain "$groups groups of $rows rows"
    query now.sql -v groups="$groups" -v rows="$rows" >/dev/null
    for relation in daily_orders daily_orders__live; do
        all=$(time_read "$relation.all" "SELECT * FROM kept.$relation")
        one=$(time_read "$relation.one" "SELECT * FROM kept.$relation WHERE day = 500")
        row_say "$relation" "all $all ms, one group $one ms" - - -
    done
    for marked in 0 1 10 100; do
        query "UPDATE app.orders SET amount = amount + 1 WHERE day <= $marked"
        all=$(time_read "now.$marked.all" "SELECT * FROM kept.daily_orders__now")
        one=$(time_read "now.$marked.one" "SELECT * FROM kept.daily_orders__now WHERE day = 500")
        row_say "daily_orders__now, $marked marked" "all $all ms, one group $one ms" - - -
        [ "$(query "SELECT count(*) FROM (TABLE kept.daily_orders__now EXCEPT ALL TABLE kept.daily_orders__live) AS d")" = 0 ] ||
            die "RELATION__now is not the definition"
    done
    say
    table_print
    say
    say "$(query "SELECT count(*) FROM app.orders") rows of the source; medians of $passes"
    machine_print
}
