#!/usr/bin/env bash
# script/demo as people run it, on programs that are built already: its checks are ok, and each of them can fail; nothing
# is left when it ends or is ended. PGCHIME_TEST_BUILD names the folder of the programs, else it is looked for.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL

if [ "$(id -u)" -eq 0 ]; then # as script/test does; the demo itself would also do it
    set_unprivileged
    exec "${unprivileged[@]}" bash "$ROOT_DIRECTORY/tests/script/test_demo.sh"
fi
# shellcheck source=script/demo-lib.sh
. "$ROOT_DIRECTORY/script/demo-lib.sh"

programs=${PGCHIME_TEST_BUILD:-$ROOT_DIRECTORY/build}
[ -x "$programs/pgchime" ] || programs=$ROOT_DIRECTORY/build/asan
passed=0

fail()
{
    [ ! -s "$RUN_DIRECTORY/output" ] || sed 's/^/    /' "$RUN_DIRECTORY/output" >&2
    die "$@"
}

expect() # what, is, should be
{
    [ "$2" = "$3" ] || fail "$1: is \"$2\"" "should be \"$3\""
    passed=$((passed + 1))
}

# demo STATUS OPTION...: runs it to its end; what it prints is in $RUN_DIRECTORY/output.
demo()
{
    local expected=$1 status=0
    shift
    "$ROOT_DIRECTORY/script/demo" --built "$programs" "$@" </dev/null >"$RUN_DIRECTORY/output" 2>&1 || status=$?
    expect "exit status of script/demo $*" "$status" "$expected"
}

count_lines() { grep -cE "$1" "$RUN_DIRECTORY/output" || true; }
# section TITLE: what was printed below that banner.
section() { awk -v title="== $1" '/^== / { inside = $0 == title } inside' "$RUN_DIRECTORY/output"; }
count_in() { section "$1" | grep -cE "$2" || true; } # TITLE REGEX
last_line() { tail -n 1 "$RUN_DIRECTORY/output"; }

# What the demo leaves would be below TMPDIR, which is this test's own folder, and its processes name it.
expect_nothing_left()
{
    expect "folders left" "$(find "$TMPDIR" -mindepth 1 -maxdepth 1)" ''
    expect "processes left" "$(pgrep -fa "$TMPDIR/pgchime" || true)" ''
}

# Each table once where it belongs. A header stands as its column does: " RUN" on the right, above numbers from 1000 on.
expect_tables()
{
    local asked="A last refresh of each view, now that nothing is written any more"
    local behind="Views, and how far they are behind their sources" compared="Every view compared with its definition"
    expect "tables of jobs while watched" "$(count_in "Jobs and runs, for 8 s" '^NAME .* FAILURES$')" 1
    expect "tables of runs while watched" "$(count_in "Jobs and runs, for 8 s" '^ *RUN JOB ')" 1
    expect "tables of jobs at the end" "$(count_in Jobs '^NAME .* FAILURES$')" 1
    expect "tables of runs that were asked for" "$(count_in "$asked" '^ *RUN JOB ')" 10
    expect "runs that were asked for" \
        "$(section "$asked" | awk '$1 ~ /^[0-9]+$/ && / succeeded manual / { print $2 }')" \
        "$(section "$asked" | sed -n 's/^   \$ pgchime run --wait //p')"
    expect "tables of runs at the end" "$(count_in Runs '^ *RUN JOB ')" 1
    expect "runs at the end" "$(count_in Runs '^ *[0-9]+ [a-z_-]+ +demo ')" 25
    expect "tables of views behind their sources" "$(count_in "$behind" '^VIEW .* FRESH ')" 1
    expect "tables of views compared" "$(count_in "$compared" '^VIEW .* MISSING ')" 1
    expect "views in both" "$(count_in "$behind" '^[a-z_]+ +demo ')" "$(count_in "$compared" '^[a-z_]+ +demo ')"
    expect "tables in all" "$(count_lines '^(NAME | *RUN JOB |VIEW )')" 16
}

# --- its checks are ok ----------------------------------------------------------------------------------------------
test_success()
{
    local view
    demo 0 --for 8 --scale 0.2 --keep
    expect "failed checks" "$(count_lines '^FAIL ')" 0
    expect "checks" "$(count_lines '^ok   ')" 45
    for view in "${views[@]}"; do
        expect "$view: checks" "$(count_lines "^ok   $view ")" 3
        expect "$view: first rows" "$(count_lines "^== The first rows of $view\$")" 1
    done
    expect "checks of the order" "$(count_lines '^ok   refresh-weakness-patterns after refresh-lane-distributions: ')" 1
    expect "checks of events" "$(count_lines '^ok   (note-greetings was woken by the notification 1 times$|a row is in )')" 2
    expect "views compared" "$(count_lines '^ok   pgchime verify: [0-9]+ views, status 0$')" 1
    expect_tables
    expect "the summary" "$(count_lines '^demo: all 45 checks are ok$')" 1
    kept=$(sed -n 's/^== Left in \(.*\); to go on there:$/\1/p' "$RUN_DIRECTORY/output")
    expect "what is kept" "$(cd "$kept" && echo ./*)" "./conf.d ./pg ./pgchime.conf ./run.log ./secret ./serve.log ./tokens ./web.conf ./web.log ./writer.log"
    expect "processes left" "$(pgrep -fa "$kept" || true)" ''
}

# --- its checks can fail --------------------------------------------------------------------------------------------
# In the cluster that the demo kept, where no daemon mends anything.
test_checks_can_fail()
{
    local view i status=0
    on_exit cluster_stop "$kept/pg" immediate
    cluster_start "$kept/pg" 15 fsync=off
    export PGHOST=$kept/pg PGPORT=5432 PGUSER=postgres PGDATABASE=demo
    PATH=$(dirname "$(postgres_psql)"):$PATH
    # Backwards: a row that the lane distributions lack changes the definition of the weakness patterns.
    for ((i = ${#views[@]} - 1; i >= 0; i--)); do
        view=${views[i]}
        query "SELECT chime.refresh('analytics.$view', true)" >/dev/null # what moves with time is as of now
        expect "$view: difference" "$(difference_now "$view")" 0/0
        query "DELETE FROM analytics.$view WHERE ctid = (SELECT min(ctid) FROM analytics.$view)"
        expect "$view: difference without a row" "$(difference_now "$view")" 1/0
    done
    PGCHIME_CONFIG=$kept/pgchime.conf "$programs/pgchime" verify >"$RUN_DIRECTORY/output" 2>&1 || status=$?
    expect "status of verify then" "$status" 7
    expect "runs too early" "$(orders | cut -d '|' -f 1,2,4)" "refresh-weakness-patterns|refresh-lane-distributions|0"
    query "UPDATE chime.run_history SET started_at = slot - interval '1 microsecond'
           WHERE (job_id, slot) = (SELECT job_id, max(slot) FROM chime.run_history JOIN chime.job USING (job_id)
                                   WHERE name = 'refresh-weakness-patterns' AND kind = 'schedule' GROUP BY 1)"
    expect "a run that began before its slot" "$(orders | cut -d '|' -f 4)" 1
    cluster_stop "$kept/pg" immediate
    rm -rf "$kept"
}

# Nothing is written, so nothing fresh is in any view; all else is as it should be.
test_without_writer()
{
    demo 1 --for 3 --scale 0.2 --no-writer
    expect "failed checks" "$(count_lines '^FAIL ')" 17
    expect "failed checks of what is fresh" "$(count_lines '^FAIL [a-z_]+ has 0 rows with something written since')" 11
    expect "failed checks of what is written" "$(count_lines '^FAIL ["A-Za-z_]+: 0 rows written since the start$')" 6
    expect "checks that are ok" "$(count_lines '^ok   ')" 28
    expect "the last line" "$(last_line)" "demo: 17 of 45 checks failed"
    expect_nothing_left
}

# --- it ends when told to -------------------------------------------------------------------------------------------
is_watching() { grep -Eq '^[0-9]+ s: ' "$RUN_DIRECTORY/output"; }
is_loading() { grep -q 'sql/sample/1_data.sql' "$RUN_DIRECTORY/output"; }

# end_demo STATUS SIGNAL CONDITION: the signal goes to the script alone, once the condition holds. In a session of its
# own, so that it does not ignore SIGINT as other background commands of a script do.
end_demo()
{
    local pid status=0 deadline=$((SECONDS + 120))
    : >"$RUN_DIRECTORY/output"
    env --default-signal=INT setsid "$ROOT_DIRECTORY/script/demo" --built "$programs" --scale 0.2 \
        </dev/null >"$RUN_DIRECTORY/output" 2>&1 &
    pid=$!
    until "$3"; do
        kill -0 "$pid" 2>/dev/null || fail "the demo ended by itself"
        [ "$SECONDS" -lt "$deadline" ] || fail "waited in vain: $3"
        sleep 0.05
    done
    kill "-$2" "$pid"
    wait "$pid" || status=$?
    expect "exit status after SIG$2" "$status" "$1"
    expect "the last line after SIG$2" "$(last_line)" "demo: ended, nothing is left running"
    expect_nothing_left
}

make_run_directory
export TMPDIR=$RUN_DIRECTORY/tmp
mkdir "$TMPDIR"
kept=''
test_success
test_checks_can_fail
test_without_writer
end_demo 143 TERM is_watching
end_demo 130 INT is_loading
if [ -n "${PGCHIME_TEST_SOAK:-}" ]; then
    end_demo 130 INT is_watching
    end_demo 143 TERM is_loading
fi
printf '%d passed, 0 failed\n' "$passed"
