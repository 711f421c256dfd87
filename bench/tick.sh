# shellcheck shell=bash
# what a tick of the scheduler costs, by how many jobs there are
#
# script/bench tick
# Needs no database. The look at every job is the least that a scheduler without a heap would do each time.
# SPDX-License-Identifier: PostgreSQL

bench_options()
{
    [ $# -eq 0 ] || [ "$1" = --help ] || [ "$1" = -h ] || die "unknown option \"$1\"" "script/bench tick --help"
    [ $# -eq 0 ] || { sed -n '2,5s/^# \{0,1\}//p' "$BENCH_DIRECTORY/tick.sh"; exit 0; }
}

bench_main()
{
    "$ROOT_DIRECTORY/build/bench/tick"
}
