# shellcheck shell=bash
# instructions of refreshes and captured writes beside another build, and what watching adds
#
# script/bench cost --beside PATH [--pg VERSION]
#   --beside PATH    a checkout of another version, built (PATH/build)
# Other work on the machine does not change what is counted: the instructions of one server process (postgres --single under
# valgrind), by sections of statements. The view is mv_lane_score_distribution over 60,000 submissions in 1,500 challenges.
# Watching counts in its own rows only. Takes ten minutes of one core.
# SPDX-License-Identifier: PostgreSQL

readonly rows=60000 challenges=1500 view=mv_lane_score_distribution
beside='' version=15

bench_options()
{
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$BENCH_DIRECTORY/cost.sh"; exit 0 ;;
            --beside) beside=${2:-}; shift ;;
            --pg) version=${2:-}; shift ;;
            *) die "unknown option \"$1\"" "script/bench cost --help" ;;
        esac
        shift
    done
    [ -x "$beside/build/pgchime" ] || die "there is no build in \"$beside\"" "script/bench cost --beside PATH, after script/build there"
}

# --- databases ------------------------------------------------------------------------------------------------------
# prepare_side NAME PATH: that build's daemon installs and fills its plugin; upkeep once more finds triggers as they stay. Then nothing depends
# on the clock any more: the log has room, and a refresh in full is no way out.
prepare_side()
{
    complain "database $1, by $2"
    database_create
    cluster_psql "$RUN_DIRECTORY/pg" -qX -d "$BENCH_DATABASE" -f "$ROOT_DIRECTORY/sql/sample/0_schema.sql"
    query refresh_data.sql -v rows=$rows -v challenges=$challenges -v heavy=0
    cp "$2/build/pgchime" "$RUN_DIRECTORY/pgchime"
    cp "$2/build/plugins/lane_distribution.so" "$RUN_DIRECTORY/plugins"
    daemon_start
    wait_for 300 "SELECT to_regclass('chime.view_refresh') IS NOT NULL"
    wait_for 600 "SELECT count(*) = 1 FROM chime.view_refresh WHERE relation = '$view' AND seen IS NOT NULL"
    wait_for 300 "SELECT count(*) = 0 FROM chime.triggers_wanted()"
    daemon_stop
    query "CALL chime.tend_capture()" >/dev/null
    query "SELECT FROM chime.refresh('$view')"
    query "SELECT chime.give_room(1, 'infinity')" >/dev/null
    query "UPDATE chime.view_refresh SET full_us = 3600000000"
    query "VACUUM ANALYZE"
    cluster_psql "$RUN_DIRECTORY/pg" -qX -c "ALTER DATABASE $BENCH_DATABASE RENAME TO $1"
}

set_share() # DATABASE SHARE
{
    cluster_psql "$RUN_DIRECTORY/pg" -qX -d "$1" \
        -c "CREATE OR REPLACE FUNCTION chime.watch_share() RETURNS double precision LANGUAGE sql IMMUTABLE RETURN $2"
}

# --- sections -------------------------------------------------------------------------------------------------------
# Each ends with a call of this function, at which valgrind writes down what it counted since the one before. No other statement calls it.
readonly mark=pg_my_temp_schema

# section NAME TIMES STATEMENT: in the statement # is 0, 1, 2, ...; NAME "-" is not told.
section()
{
    local i
    for ((i = 0; i < $2; i++)); do echo "${3//\#/$i}"; done
    echo "SELECT $mark()"
    echo "$1 $2" >>"$RUN_DIRECTORY/sections"
}

prepared_statements()
{
    local columns='id, agent_id, challenge_id, status, final_lane_scores, composite_score'
    cat <<END
SET jit = off
PREPARE refresh AS SELECT FROM chime.refresh('$view')
PREPARE put_one (integer) AS INSERT INTO public.submissions ($columns) VALUES (md5('one ' || \$1)::uuid, md5('agent 1')::uuid, md5('challenge ' || \$1)::uuid, 'scored', '{"accuracy": 1, "clarity": 50}', 50)
PREPARE put_many (integer) AS INSERT INTO public.submissions ($columns) SELECT md5(i || 'many ' || \$1)::uuid, md5('agent 1')::uuid, md5('challenge ' || i % 10)::uuid, 'scored', '{"accuracy": 1}', 50 FROM generate_series(1, 100) i
PREPARE change_one (integer) AS UPDATE public.submissions SET final_lane_scores = jsonb_set(final_lane_scores, '{accuracy}', '101.5') WHERE id = md5('submission ' || \$1)::uuid
PREPARE change_many (integer) AS UPDATE public.submissions SET final_lane_scores = jsonb_set(final_lane_scores, '{accuracy}', to_jsonb(200 + \$1)) WHERE id = ANY (ARRAY(SELECT md5('submission ' || i)::uuid FROM generate_series(1000, 1099) i))
PREPARE drop_one (integer) AS DELETE FROM public.submissions WHERE id = md5('submission ' || (\$1 + 5000))::uuid
END
}

# Plans are kept from the sixth execution on.
script_of() # DATABASE
{
    prepared_statements
    section - 7 "EXECUTE put_one (-1 - #)"
    section - 7 "EXECUTE put_many (-1 - #)"
    section - 7 "EXECUTE change_one (2000 + #)"
    section - 7 "EXECUTE change_many (-1 - #)"
    section - 7 "EXECUTE drop_one (-1 - #)"
    section - 7 "EXECUTE refresh"
    section mark 0 ''
    if [ "$1" != watched ]; then
        section insert 100 "EXECUTE put_one (#)"
        section update 100 "EXECUTE change_one (#)"
        section delete 100 "EXECUTE drop_one (#)"
        section inserts 20 "EXECUTE put_many (#)"
        section updates 20 "EXECUTE change_many (#)"
        section - 2 "EXECUTE refresh"
        section nothing 100 "EXECUTE refresh"
        section change.1500 1 "SELECT FROM bench.change(#, 1500)"
        section burst 1 "EXECUTE refresh"
    fi
    section change.1 60 "SELECT FROM bench.change(#, 1)"
    section change.100 5 "SELECT FROM bench.change(10 * #, 100)"
    section - 2 "EXECUTE refresh"
    section both.1 "$([ "$1" = watched ] && echo 240 || echo 60)" "SELECT FROM bench.change(7 * #, 1)"$'\n'"EXECUTE refresh"
    section - 2 "EXECUTE refresh"
    section both.100 "$([ "$1" = watched ] && echo 16 || echo 5)" "SELECT FROM bench.change(10 * #, 100)"$'\n'"EXECUTE refresh"
}

# count DATABASE: records DATABASE.SECTION, the instructions of one time, for each section.
count()
{
    local log=$RUN_DIRECTORY/counted.log name times n=0 total
    complain "counting $1"
    : >"$RUN_DIRECTORY/sections"
    script_of "$1" >"$RUN_DIRECTORY/script"
    valgrind --tool=callgrind --callgrind-out-file="$RUN_DIRECTORY/counted" --dump-before="$mark" \
        "$(postgres_bin "$version")/postgres" --single -D "$RUN_DIRECTORY/pg/data" -c fsync=off -c shared_buffers=256MB "$1" \
        <"$RUN_DIRECTORY/script" >"$RUN_DIRECTORY/counted.out" 2>"$log" || die "valgrind failed: $(tail -3 "$log")"
    ! grep -E 'ERROR|FATAL|PANIC' "$log" >&2 || die "counting $1 failed"
    while read -r name times; do
        n=$((n + 1))
        [ "$name" != - ] || continue
        total=$(awk '/^totals: / { print $2 }' "$RUN_DIRECTORY/counted.$n") || die "valgrind wrote no $RUN_DIRECTORY/counted.$n"
        [ "$name" = mark ] && record "$1.mark" "$total" && continue
        record "$1.$name" "$(compute "($total - $(values_of "$1.mark")) / $times")"
    done <"$RUN_DIRECTORY/sections"
    [ ! -e "$RUN_DIRECTORY/counted.$((n + 2))" ] || die "a statement of a section calls $mark itself" "another function for bench/cost.sh"
    rm -f "$RUN_DIRECTORY"/counted.*[0-9]
}

# --- rows -----------------------------------------------------------------------------------------------------------
# compared WHAT OURS THEIRS MOST
compared()
{
    local ratio
    ratio=$(compute "$2 / $3" %.3f)
    row_say "$1" "$(compute "$2 / 1000" %.1f) k" "$(compute "$3 / 1000" %.1f) k" "$ratio x, $(verdict "$ratio <= $4")" "<= $4 x"
}

beside_theirs() # SECTION WHAT
{
    compared "$2" "$(values_of "ours.$1")" "$(values_of "theirs.$1")" 1.05
}

of_refresh() # DATABASE GROUPS: less what its changes take
{
    compute "$(values_of "$1.both.$2") - $(values_of "$1.change.$2")"
}

bench_main()
{
    local groups
    have valgrind || die "valgrind is not installed" "script/bootstrap"
    bench_start 16 "$version"
    write_configuration 2
    prepare_side theirs "$beside"
    prepare_side ours "$ROOT_DIRECTORY"
    cluster_psql "$RUN_DIRECTORY/pg" -qX -c "CREATE DATABASE watched TEMPLATE ours"
    set_share ours 0
    set_share watched 0.05
    cluster_stop "$RUN_DIRECTORY/pg"
    count theirs
    count ours
    count watched
    beside_theirs insert "an INSERT of one row, captured"
    beside_theirs update "an UPDATE of one row, captured"
    beside_theirs delete "a DELETE of one row, captured"
    beside_theirs inserts "an INSERT of 100 rows of 10 groups, captured"
    beside_theirs updates "an UPDATE of 100 rows of 100 groups, captured"
    beside_theirs nothing "a refresh that finds nothing"
    compared "a refresh of one group" "$(of_refresh ours 1)" "$(of_refresh theirs 1)" 1.05
    compared "a refresh of 100 groups" "$(of_refresh ours 100)" "$(of_refresh theirs 100)" 1.05
    beside_theirs burst "a refresh of 1,500 groups"
    for groups in 1 100; do
        compared "refreshes of $groups, watched; peer: not watched" "$(of_refresh watched "$groups")" "$(of_refresh ours "$groups")" 1.05
    done
    say
    table_print
    say "instructions of a statement; peer: $beside, $(git -C "$beside" describe --always --dirty 2>/dev/null || echo unknown)," \
        "ours: ${PGCHIME_BENCH_COMMIT:-unknown}; $("$(postgres_bin "$version")/postgres" --version)"
}
