# shellcheck shell=bash
# what those who look at the page cost: the server's statements and CPU, the answers' times, the web process
#
# script/bench web [--viewers N] [--peak N] [--seconds N] [--jobs N] [--pg VERSION] [--quick]
#   --viewers N   at once, on five pages in turn, each with its stream, as behind a proxy (100)
#   --peak N      the same once more with so many, 300 at most (200); 0: no peak
#   --seconds N   with nobody, with one viewer, with all of them, and at the peak (60)
#   --jobs N      of which each runs every minute (200)
#   --quick       10 s each: to see that it works, not to quote
# A daemon leads meanwhile. Statements are transactions of the database beyond those with nobody looking.
# SPDX-License-Identifier: PostgreSQL

readonly most_answer=20 # ms
viewers=100 peak=200 seconds=60 jobs=200 version=15

bench_options()
{
    while [ $# -gt 0 ]; do
        case $1 in
            --quick) seconds=10 ;;
            -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$BENCH_DIRECTORY/web.sh"; exit 0 ;;
            --viewers) viewers=$(number "$@"); shift ;;
            --peak) [ "${2:-}" = 0 ] && peak=0 || peak=$(number "$@"); shift ;;
            --seconds) seconds=$(number "$@"); shift ;;
            --jobs) jobs=$(number "$@"); shift ;;
            --pg) version=$(number "$@"); shift ;;
            *) die "unknown option \"$1\"" "script/bench web --help" ;;
        esac
        shift
    done
}

web_stop() { kill "$web_pid" 2>/dev/null || true; }
transactions() { query "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '$BENCH_DATABASE'"; }
web_ticks() { awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "/proc/$web_pid/stat"; }

# measure NAME COUNT: figures of so many viewers; statements and CPU of the server by the second.
measure()
{
    local name=$1 count=$2 before cpu ticks begun
    begun=$(query "SELECT now()")
    before=$(transactions) cpu=$(server_cpu) ticks=$(web_ticks)
    if [ "$count" = 0 ]; then
        sleep "$seconds"
    else
        "$ROOT_DIRECTORY/build/bench/web" "$RUN_DIRECTORY/web.sock" "$token" "$count" "$seconds" >"$RUN_DIRECTORY/$name"
    fi
    record "$name.statements" "$(compute "($(transactions) - $before) / $seconds")"
    record "$name.cpu" "$(compute "($(server_cpu) - $cpu) / 10000 / $seconds")"
    record "$name.delay" "$(query "SELECT coalesce(round(1000 * percentile_cont(0.99) WITHIN GROUP (
        ORDER BY extract(epoch FROM started_at - slot))::numeric, 1), 0)
        FROM chime.run_history WHERE kind = 'schedule' AND slot >= '$begun'")"
    record "$name.web" "$(compute "($(web_ticks) - $ticks) * 100 / $(getconf CLK_TCK) / $seconds")"
}

row_viewers()
{
    local name=$1 what=$2 answers unchanged middle most kilobytes
    read -r answers unchanged middle most kilobytes <"$RUN_DIRECTORY/$name"
    row_say "$what: transactions a second of the database" "$(median "$name.statements")" - - -
    row_say "$what: CPU of the server" "$(median "$name.cpu") % of a core" - - -
    row_say "$what: CPU of the web process" "$(median "$name.web") % of a core" - - -
    row_say "$what: answers" "$answers, $unchanged of them 304, $kilobytes KiB/s, p50 $middle ms" - - -
    row_limit "$what: p99 of an answer" "$most" "$most_answer" ms
    row_say "$what: p99 from slot to start of a run" "$(median "$name.delay") ms" - - -
}

bench_main()
{
    bench_start 16 "$version"
    cp "$ROOT_DIRECTORY/build/pgchime-web" "$RUN_DIRECTORY/pgchime-web"
    write_configuration 4
    write_jobs "$jobs" '* * * * *' 'SELECT 1' at_least_once
    database_create
    daemon_start
    wait_for 60 "SELECT count(*) >= $jobs FROM chime.job_state"
    (umask 077 && "$RUN_DIRECTORY/pgchime-web" token viewer --role view >"$RUN_DIRECTORY/tokens" 2>"$RUN_DIRECTORY/secret")
    token=$(sed -n 's/^token: //p' "$RUN_DIRECTORY/secret")
    cat >"$RUN_DIRECTORY/web.conf" <<END
listen = "unix:$RUN_DIRECTORY/web.sock";
databases: { main: { conninfo = "host=$RUN_DIRECTORY/pg port=5432 user=postgres dbname=$BENCH_DATABASE"; }; };
access: { tokens_file = "$RUN_DIRECTORY/tokens"; };
END
    "$RUN_DIRECTORY/pgchime-web" --config "$RUN_DIRECTORY/web.conf" 2>"$RUN_DIRECTORY/web.log" &
    web_pid=$!
    on_exit web_stop
    until [ -S "$RUN_DIRECTORY/web.sock" ]; do
        kill -0 "$web_pid" || die "the web process ended: $(tail -1 "$RUN_DIRECTORY/web.log")"
        sleep 0.1
    done
    measure nobody 0
    measure one 1
    measure all "$viewers"
    [ "$peak" = 0 ] || measure peak "$peak"
    row_say "nobody: transactions a second of the database" "$(median nobody.statements)" - - -
    row_say "nobody: CPU of the server" "$(median nobody.cpu) % of a core" - - -
    row_say "nobody: p99 from slot to start of a run" "$(median nobody.delay) ms" - - -
    row_viewers one "one viewer"
    row_viewers all "$viewers viewers"
    [ "$peak" = 0 ] || row_viewers peak "$peak viewers"
    row_say "memory of the web process, at most" "$(awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$web_pid/status") MiB" - - -
    say
    table_print
    say
    say "$jobs jobs of every minute, $seconds s each"
    machine_print
    web_stop
    daemon_stop
}
