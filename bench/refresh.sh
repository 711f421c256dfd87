# shellcheck shell=bash
# keyed refresh beside REFRESH MATERIALIZED VIEW CONCURRENTLY and its floor; what capture costs writers; a look
#
# script/bench refresh [--passes N] [--seconds N] [--clients N,...] [--rows N,...] [--pg VERSION] [--only PART,...]
#                      [--quick | --soak]
#   --passes N       interleaved passes, of which the median counts (5; of the peer at most 3 over 1,000,000 rows)
#   --seconds N      length of each pass of writers (10)
#   --clients N,...  writers (1,16)
#   --rows N,...     submissions, in challenges of 1,000 (100000,1000000,5000000; the last two are also compared)
#   --only PART,...  of refresh, writers, look
#   --quick          100,000 rows, short passes of writers: to see that it works, not to quote
#   --soak           the look under an open transaction: an hour, not ten seconds
# The view is mv_lane_score_distribution of 4 lanes. Its floor is a prepared SELECT of the changed challenges alone from
# the definition. Ours is a session that stays, as the daemon's do, and is warm after the first refresh of each kind.
# Prints one table. A figure that is not reached is no failure; a view that differs from its definition is.
# SPDX-License-Identifier: PostgreSQL

readonly parts=(refresh writers look)
readonly view=mv_lane_score_distribution group_rows=1000
passes=5 seconds=10 version=15 look_seconds=0 only=' refresh writers look '
row_counts=(100000 1000000 5000000) client_counts=(1 16)

bench_options()
{
    while [ $# -gt 0 ]; do
        case $1 in
            --quick) row_counts=(100000) seconds=2 ;;
            --soak) look_seconds=3600 ;;
            -h | --help) sed -n '2,15s/^# \{0,1\}//p' "$BENCH_DIRECTORY/refresh.sh"; exit 0 ;;
            --passes) passes=$(number "$@"); shift ;;
            --seconds) seconds=$(number "$@"); shift ;;
            --pg) version=$(number "$@"); shift ;;
            --clients) mapfile -t client_counts < <(numbers "$@"); shift ;;
            --rows) mapfile -t row_counts < <(numbers "$@"); shift ;;
            --only) choose_parts "${2:-}"; shift ;;
            *) die "unknown option \"$1\"" "script/bench refresh --help" ;;
        esac
        shift
    done
    [ ${#row_counts[@]} -gt 0 ] && [ ${#client_counts[@]} -gt 0 ] || exit 1 # they said why
    [ "$look_seconds" -gt 0 ] || look_seconds=10
}

numbers()
{
    local one
    for one in ${2//,/ }; do
        number "$1" "$one"
    done
}

choose_parts()
{
    local part
    only=" ${1//,/ } "
    for part in $only; do
        [[ " ${parts[*]} " = *" $part "* ]] || die "there is no part \"$part\"" "one of: ${parts[*]}"
    done
    [ -n "${only// /}" ] || die "--only needs a part" "one of: ${parts[*]}"
}

# --- the view -------------------------------------------------------------------------------------------------------
# make_view ROWS HEAVY: the data, then the plugin, whom the daemon installs as anywhere; then the daemon goes.
make_view()
{
    complain "$1 submissions, $(($2 * 10)) % of them in one challenge"
    database_create
    cluster_psql "$RUN_DIRECTORY/pg" -qX -d "$BENCH_DATABASE" -f "$ROOT_DIRECTORY/sql/sample/0_schema.sql"
    query refresh_data.sql -v rows="$1" -v challenges=$(($1 / group_rows)) -v heavy="$2"
    daemon_start
    wait_for 60 "SELECT to_regclass('chime.view_refresh') IS NOT NULL"
    wait_for 600 "SELECT count(*) = 1 FROM chime.view_refresh WHERE relation = '$view' AND seen IS NOT NULL"
    daemon_stop
    [ "$(query "SELECT full_reason IS NULL FROM chime.view WHERE relation = '$view'")" = t ] ||
        die "$view is not refreshed by its groups" "$(query "SELECT full_reason FROM chime.view")"
}

# A refresh that is quick because it is wrong is none.
check_view()
{
    local difference
    query "SELECT FROM chime.refresh('$view')"
    difference=$(query "SELECT missing + surplus FROM chime.difference('$view')")
    [ "$difference" = 0 ] || die "$1: $view differs from its definition in $difference rows"
}

# timed_session: a psql script from the standard input. A statement after "\echo @NAME" is timed, in ms, under that name; one
# that selects '=WORD' has the word kept under NAME.how.
timed_session()
{
    cluster_psql "$RUN_DIRECTORY/pg" -qAtX -F ' ' -d "$BENCH_DATABASE" -f - | awk '
        /^@/ { name = substr($1, 2) }
        /^=/ && name { print name ".how", substr($1, 2) }
        /^Time: / && name { print name, $2; name = "" }' >>"$RUN_DIRECTORY/values"
}

# --- refresh --------------------------------------------------------------------------------------------------------
change_counts() # challenges
{
    local count
    for count in 1 10 100 1000; do
        [ "$count" -gt "$1" ] || echo "$count"
    done
}

# Settings of the floor are those under which ours works.
floor_sql() # NAME FIRST COUNT
{
    cat <<END
SET jit = off; SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan;
SELECT quote_literal(bench.keys($2, $3)) AS keys \\gset
\\echo @$1
EXECUTE floor (:keys) \\g /dev/null
RESET jit; RESET enable_seqscan; RESET plan_cache_mode;
END
}

refresh_sql() # NAME
{
    printf '%s\n' "\\echo @$1" "SELECT '=' || method FROM chime.refresh('$view');"
}

# one_change STATE FIRST COUNT PASS: floor and ours take turns in going first, since the second finds warm pages.
one_change()
{
    echo "SELECT FROM bench.change($2, $3);"
    if [ $(($4 % 2)) = 0 ]; then
        floor_sql "$1.floor.$3" "$2" "$3"
        refresh_sql "$1.ours.$3"
    else
        refresh_sql "$1.ours.$3"
        floor_sql "$1.floor.$3" "$2" "$3"
    fi
}

# Pass -1 warms up: its names are not read.
one_pass() # STATE PASS CHALLENGES FIRST
{
    local count name=$1
    [ "$2" -ge 0 ] || name=$1.warm
    for count in $(change_counts "$3"); do
        one_change "$name" "$4" "$count" "$2"
        [ "$4" != 0 ] || break # the heavy one goes alone
    done
}

# refresh_script STATE ROWS HEAVY: with challenge 0 heavy, that one alone is changed; else others, always different ones.
refresh_script()
{
    local pass first challenges=$(($2 / group_rows)) peers=$passes
    [ "$2" -le 1000000 ] || [ "$passes" -le 3 ] || peers=3
    say '\timing on'
    echo "PREPARE floor (uuid[]) AS SELECT v.* FROM unnest(\$1) AS k (challenge_id) CROSS JOIN LATERAL"
    echo "(SELECT * FROM analytics.${view}__live v WHERE v.challenge_id = k.challenge_id OFFSET 0) v;"
    for ((pass = -1; pass < passes; pass++)); do
        first=$(((pass + 2) * 97))
        [ "$3" = 0 ] || first=0
        one_pass "$1" "$pass" "$challenges" "$first"
        if [ "$pass" -ge 0 ] && [ "$pass" -lt "$peers" ]; then
            printf '%s\n' "\\echo @$1.peer" "REFRESH MATERIALIZED VIEW CONCURRENTLY bench.peer;"
        fi
    done
}

refresh_state() # ROWS HEAVY
{
    local state=refresh.$1.$2 count
    make_view "$1" "$2"
    query refresh_peer.sql
    refresh_script "$state" "$1" "$2" | timed_session
    check_view "$state"
    if [ "$2" != 0 ]; then
        refresh_rows "$state" 1 "$1 rows, changed: the challenge that holds 30 % of them" 0
        return
    fi
    for count in $(change_counts $(($1 / group_rows))); do
        refresh_rows "$state" "$count" "$1 rows, changed: $count of $(($1 / group_rows)) challenges" \
            $(($1 == 1000000 && count == 1 ? 300 : 0))
    done
}

# refresh_rows STATE COUNT WHAT LEAST
refresh_rows()
{
    local ours peer floor how
    ours=$(median "$1.ours.$2")
    peer=$(median "$1.peer")
    floor=$(median "$1.floor.$2")
    how=$(values_of "$1.ours.$2.how" | sort | uniq -c | awk '{ printf "%s%s %d x", separator, $2, $1; separator = ", " }')
    row_times "$3 ($how)" "$ours" "$peer" "$(compute "$peer / $ours" %.1f)" ">=" "$4"
    row_times "  beside its floor" "$ours" "$floor" "$(compute "$ours / $floor" %.2f)" "<=" 2
}

# row_times WHAT OURS PEER RATIO RELATION LIMIT: in ms; without a limit it is only said.
row_times()
{
    if [ "$6" = 0 ]; then
        row_say "$1" "$2 ms" "$3 ms" "$4 x" -
    else
        row_say "$1" "$2 ms" "$3 ms" "$4 x, $(verdict "$4 $5 $6")" "$5 $6 x"
    fi
}

# Groups of the same size in a table five times as large should cost about the same.
growth_rows()
{
    local count ours before
    for count in $(change_counts 1000); do
        before=$(median "refresh.1000000.0.ours.$count")
        ours=$(median "refresh.5000000.0.ours.$count")
        [ -n "$before" ] && [ -n "$ours" ] || return 0
        row_times "5000000 rows beside 1000000, changed: $count challenges" "$ours" "$before" \
            "$(compute "$ours / $before" %.2f)" "<=" 1.5
    done
}

part_refresh()
{
    local rows
    for rows in "${row_counts[@]}"; do
        refresh_state "$rows" 0
        refresh_state "$rows" 3
    done
    growth_rows
}

# --- writers --------------------------------------------------------------------------------------------------------
writer_triggers() # plain, idle, capture, notify
{
    query refresh_untrigger.sql
    case $1 in
        capture)
            install_capture
            query "SELECT FROM chime.refresh('$view')"
            ;;
        idle) query refresh_idle.sql ;;
        notify)
            awk '/^-- chime:end/ { on = 0 } on; /^-- chime:begin submission_scored/ { on = 1 }' \
                "$ROOT_DIRECTORY/plugins/lane_distribution/lane_distribution.sql" |
                cluster_psql "$RUN_DIRECTORY/pg" -qX -d "$BENCH_DATABASE" -f -
            ;;
    esac
}

# As the daemon does, which also keeps the log from filling up. A vacuum may hold the lock that triggers need.
install_capture()
{
    local deadline=$((SECONDS + 60))
    while query "CALL chime.tend_capture()" >/dev/null; [ "$(query "SELECT count(*) FROM chime.triggers_wanted()")" != 0 ]; do
        [ "$SECONDS" -lt "$deadline" ] || die "the triggers could not be made in 60 s"
    done
}

# Capture that stopped would be quick. An UPDATE to the score that was there leaves no mark: one in a hundred.
check_marks() # TRANSACTIONS, each of which wrote twice
{
    local marks
    marks=$(query "SELECT count(*) FROM chime.change_1 c, chime.view_refresh r WHERE c.chime_xid >= pg_snapshot_xmax(r.seen)")
    [ $((100 * marks)) -ge $((195 * $1)) ] || die "$1 transactions left $marks marks" "each writes twice"
}

writer_pass() # KIND CLIENTS
{
    local log=$RUN_DIRECTORY/pgbench.log count
    writer_triggers "$1"
    query CHECKPOINT
    run_writers "$2" "$seconds" -M prepared >"$log" 2>&1 || die "pgbench failed: $(tail -3 "$log")"
    count=$(awk '/^number of transactions actually processed/ { print $NF + 0 }' "$log")
    record "writers.$1.$2" "$(awk '/^tps = / { printf "%.0f", $3 }' "$log")"
    [ "$1" != capture ] || check_marks "$count"
}

run_writers() # CLIENTS SECONDS OPTION...
{
    "$(pgbench_program)" -h "$RUN_DIRECTORY/pg" -p 5432 -U postgres -n -c "$1" -j 1 -T "$2" "${@:3}" \
        -D rows=100000 -D challenges=100 -f "$BENCH_DIRECTORY/queries/refresh_write.sql" "$BENCH_DATABASE"
}

part_writers()
{
    local pass clients turn kinds=(plain idle capture notify)
    make_view 100000 0
    for clients in "${client_counts[@]}"; do
        for ((pass = 0; pass < passes; pass++)); do
            for turn in 0 1 2 3; do
                writer_pass "${kinds[(pass + turn) % 4]}" "$clients"
            done
        done
        writer_rows "$clients"
    done
    writer_triggers capture
    check_view writers
}

writer_rows() # CLIENTS
{
    local plain idle capture notify what="$1 writers, INSERT and UPDATE"
    plain=$(median "writers.plain.$1")
    idle=$(median "writers.idle.$1")
    capture=$(median "writers.capture.$1")
    notify=$(median "writers.notify.$1")
    if [ "$1" = 16 ]; then
        row_ratio "$what, with our capture, beside none" "$capture" "$plain" 0.8 /s
    else
        row_say "$what, with our capture, beside none" "$capture /s" "$plain /s" "$(compute "$capture / $plain" %.2f) x" -
    fi
    row_say "  its floor: triggers with the same transition tables that do nothing" "$idle /s" "$plain /s" \
        "$(compute "$idle / $plain" %.2f) x" -
    row_say "$what, with the seeds' NOTIFY instead" "$notify /s" "$plain /s" "$(compute "$notify / $plain" %.2f) x" -
}

# --- the look -------------------------------------------------------------------------------------------------------
look_sql() # NAME
{
    cat <<END
\\echo @$1.look
EXECUTE look;
END
}

# Three questions: are there unseen marks; the take of a refresh that finds none; that refresh whole, with its commit.
look_passes() # STATE COUNT
{
    local i
    prepare_look
    for ((i = 0; i < $2 + 20; i++)); do
        [ "$i" -ge 20 ] || say '\timing off'
        [ "$i" -lt 20 ] || say '\timing on'
        look_sql "$1"
        printf '%s\n' "\\echo @$1.take" "EXECUTE take;" "\\echo @$1.refresh" "SELECT FROM chime.refresh('$view');"
    done
}

prepare_look()
{
    cat <<END
SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off;
SET max_parallel_workers_per_gather = 0;
SELECT chime.change_check_statement(ARRAY[view_schema || '.$view']) AS look FROM chime.view WHERE relation = '$view' \\gset
PREPARE look AS :look;
PREPARE take AS SELECT k.keys FROM chime.view_refresh r
CROSS JOIN LATERAL chime.keyed_1(r.seen, r.fingerprint, true, r.full_us, r.floor_us, r.key_us, false) k WHERE r.relation = '$view';
PREPARE consume AS SELECT chime.note_refresh(l.*, 'keyed', NULL, 25, l.rows, 0, 0, 0, 0, pg_current_snapshot(), l.fingerprint, 1000, 0, true)
FROM chime.view v, chime.begin_refresh(v) l WHERE v.relation = '$view';
END
}

look_rows() # STATE WHAT
{
    row_limit "$2: a look at the log" "$(microseconds "$1.look")" 1000 us
    [ -z "$(values_of "$1.take")" ] ||
        row_say "$2: the take of a refresh that finds none" "$(microseconds "$1.take") us" - - -
    [ -z "$(values_of "$1.consume")" ] ||
        row_say "  what a refresh reads and writes of itself" "$(microseconds "$1.consume") us" - - -
    [ -z "$(values_of "$1.refresh")" ] ||
        row_say "$2: that refresh, committed" "$(microseconds "$1.refresh") us" - - -
}

microseconds() { compute "1000 * $(median "$1")"; }

# 500 marks a second while a transaction that has an id idles. Twenty times a second the marks are consumed, without what a
# refresh would make of them; then a look, which finds some 25; now and then the log's rotation.
old_transaction()
{
    local writers holder turn turns=$((look_seconds * 20))
    { printf '%s\n' "BEGIN;" "SELECT pg_current_xact_id();" "SELECT pg_sleep(2 * $look_seconds + 600);"; } |
        query_session >/dev/null 2>&1 &
    holder=$!
    wait_for 10 "SELECT count(*) = 1 FROM pg_stat_activity
                 WHERE backend_xid IS NOT NULL AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
    run_writers 4 $((look_seconds * 2 + 600)) -M prepared --rate=250 >"$RUN_DIRECTORY/pgbench.log" 2>&1 &
    writers=$!
    {
        prepare_look
        say '\timing on'
        for ((turn = 0; turn < turns; turn++)); do
            printf '%s\n' "\\echo @look.old.$((4 * turn / turns)).consume" "EXECUTE consume;" "SELECT pg_sleep(0.05);"
            look_sql "look.old.$((4 * turn / turns))"
            [ $((turn % 100)) != 99 ] || echo "CALL chime.tend_capture();"
        done
    } | timed_session
    query "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()" >/dev/null
    wait "$writers" "$holder" || true
}

query_session() { cluster_psql "$RUN_DIRECTORY/pg" -qAtX -d "$BENCH_DATABASE" -f -; }

part_look()
{
    make_view 100000 0
    look_passes look.quiet 200 | timed_session
    look_rows look.quiet "nothing in the log"
    query "INSERT INTO chime.change_1_1 (challenge_id)
           SELECT md5('challenge ' || i % 100)::uuid FROM generate_series(1, 100000) i"
    query "SELECT FROM chime.refresh('$view')"
    query "VACUUM ANALYZE chime.change_1_1"
    look_passes look.full 200 | timed_session
    look_rows look.full "100,000 seen marks in the log"
    old_transaction
    look_rows look.old.0 "500 marks/s under an open transaction, the first quarter of $look_seconds s"
    look_rows look.old.3 "  the last quarter"
    query "SELECT FROM chime.refresh('$view', true)"
    check_view look
}

bench_main()
{
    local part
    bench_start 16 "$version"
    cp "$ROOT_DIRECTORY/build/plugins/lane_distribution.so" "$RUN_DIRECTORY/plugins"
    write_configuration 2
    for part in "${parts[@]}"; do
        [[ "$only" != *" $part "* ]] || "part_$part"
    done
    say
    table_print
    say
    say "medians of $passes passes; refresh: the peer at most 3 over 1,000,000 rows; $seconds s a pass of writers"
    machine_print
}
