# shellcheck shell=bash
# What script/demo shows, waits for and checks; sourced by it after lib.sh.
#
#   $run_for      seconds to show jobs and runs for; empty: until Ctrl-C
#   $started_at   the database's clock before the daemon was started, which script/demo sets
#   $programs     the folder of pgchime and plugins/, likewise
# SPDX-License-Identifier: PostgreSQL

views=(mv_lane_score_distribution mv_weakness_patterns mv_agent_progress mv_time_to_first_win
    chat_telemetry_domain_summary chat_telemetry_model_summary mv_realtime_agent_performance mv_agent_queue_realtime
    mv_query_performance_live mv_training_quality_snapshot action_metrics_hourly)
# Tables that the writer's agents write to, with the column that says when.
event_tables=('agent_queries created_at' '"AgentQuery" "createdAt"' 'agent_approvals created_at' 'agent_feedback created_at'
    '"AgentFeedback" "createdAt"' 'action_results executed_at')
run_for=''
started_at=''

# --- words ----------------------------------------------------------------------------------------------------------
bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; fi

# banner TITLE [COMMAND...]: what happens next, and what one would type to do it oneself.
banner()
{
    local title=$1 command
    shift
    printf '\n%s== %s%s\n' "$bold" "$title" "$plain"
    for command in "$@"; do
        printf '   $ %s\n' "$command"
    done
}

# show QUERY: what psql prints, without the empty line at its end.
show()
{
    local table
    table=$(psql -Xq -v ON_ERROR_STOP=1 -P footer=off -P null=- -c "$1")
    say "$table"
}

# Words of an indented query on one line.
tidy() { local words; read -r -d '' -a words <<<"$1" || true; echo "${words[*]}"; }

# Breaks off, with the last words of whatever may know why.
break_off()
{
    local log
    leave_screen
    for log in serve writer; do
        if [ -s "$RUN_DIRECTORY/$log.log" ]; then
            complain "the end of $log.log:"
            tail -n 15 "$RUN_DIRECTORY/$log.log" | sed 's/^/    /' >&2
        fi
    done
    die "$1" "${2:-script/demo --keep leaves all logs}"
}

# --- processes ------------------------------------------------------------------------------------------------------
# interruptible COMMAND...: in a process group of its own, so that a signal to this script ends all of it at once; a
# plain command would have to end first.
child=''
interruptible()
{
    local status=0
    setsid "$@" </dev/null &
    child=$!
    wait "$child" || status=$?
    child=''
    return "$status"
}

stop_child()
{
    [ -n "$child" ] || return 0
    kill -TERM -- "-$child" "$child" 2>/dev/null || true
    wait "$child" || true
}

# start_companion NAME COMMAND...: goes on beside this script and writes to NAME.log.
declare -A companions=()
start_companion()
{
    local name=$1
    shift
    setsid "$@" </dev/null >"$RUN_DIRECTORY/$name.log" 2>&1 &
    companions[$name]=$!
}

# Waits until it is gone; nothing to stop is no fault.
stop_companion()
{
    local pid=${companions[$1]:-} deadline=$((SECONDS + 30))
    [ -n "$pid" ] || return 0
    unset "companions[$1]"
    kill -TERM "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || kill -KILL "$pid" 2>/dev/null || true
        sleep 0.05
    done
}

require_companions()
{
    local name
    for name in "${!companions[@]}"; do
        kill -0 "${companions[$name]}" 2>/dev/null || break_off "\"$name\" has ended by itself"
    done
}

# wait_until SECONDS COMMAND...: until the command succeeds; fails when it does not in time. Tests that share the machine
# with others give it more, as their other deadlines (PGCHIME_TEST_CROWD).
wait_until()
{
    local deadline=$((SECONDS + $1 * ${PGCHIME_TEST_CROWD:-1}))
    shift
    until "$@"; do
        require_companions
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.3 # each look is a psql or forty
    done
}

# --- looking --------------------------------------------------------------------------------------------------------
query() { psql -XqAt -v ON_ERROR_STOP=1 -c "$1"; }

# Schema chime comes with the daemon's first start; until then this is an error, which is a no.
is_installed()
{
    local files=("$programs"/plugins/*.so)
    [ "$(query "SELECT count(*) FILTER (WHERE state = 'installed') = count(*) AND count(*) = ${#files[@]} FROM chime.plugin" \
        2>/dev/null)" = t ]
}

# Its jobs are known a moment after the plugins, and the first runs after that: until then there is nothing to show.
has_begun()
{
    [ "$(query "SELECT EXISTS (SELECT FROM chime.job_status WHERE active) AND EXISTS (SELECT FROM chime.runs)")" = t ]
}

count_written() { query "SELECT count(*) FROM submissions WHERE created_at >= '$started_at'"; }
# count_written_to TABLE COLUMN
count_written_to() { query "SELECT count(*) FROM $1 WHERE $2 >= '$started_at'"; }
has_written() { [ "$(count_written)" -gt 0 ]; }
is_written_no_more()
{
    [ "$(query "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sample-writer'")" = 0 ]
}

# How often schedules refreshed a view since the start; runs that were asked for do not count.
count_refreshes()
{
    query "SELECT count(*) FROM chime.runs r JOIN chime.job j ON j.name = r.job
           WHERE 'analytics.$1' = ANY (j.views) AND r.kind = 'schedule' AND r.state = 'succeeded'
               AND r.finished_at IS NOT NULL AND r.started_at >= '$started_at'"
}


# --- the live view --------------------------------------------------------------------------------------------------
jobs_query="
    SELECT name AS job, schedule, CASE WHEN live THEN 'running' ELSE coalesce(last_outcome::text, '') END AS state,
        to_char(last_start, 'HH24:MI:SS') AS started, round(last_duration_us / 1000.0) AS ms
    FROM chime.job_status WHERE active ORDER BY name"
runs_query="
    SELECT job, to_char(slot, 'HH24:MI:SS') AS slot, state, to_char(started_at, 'HH24:MI:SS.MS') AS started,
        round(extract(epoch FROM finished_at - started_at) * 1000) AS ms, rows
    FROM chime.runs ORDER BY slot DESC, run_id DESC"
summary_query()
{
    echo "
    SELECT format('%s runs succeeded, %s failed; %s submissions, %s queries, %s approvals, %s actions written; %s of '
                  '%s views are fresh',
        (SELECT count(*) FROM chime.run_history WHERE state = 'succeeded'),
        (SELECT count(*) FROM chime.run_history WHERE state IN ('failed', 'timed_out', 'cancelled', 'lost')),
        (SELECT count(*) FROM submissions WHERE created_at >= '$started_at'),
        (SELECT count(*) FROM agent_queries WHERE created_at >= '$started_at'),
        (SELECT count(*) FROM agent_approvals WHERE created_at >= '$started_at'),
        (SELECT count(*) FROM action_results WHERE executed_at >= '$started_at'),
        (SELECT count(*) FROM chime.view_status WHERE freshness = 'fresh'), (SELECT count(*) FROM chime.view_status))"
}

on_screen=''
leave_screen()
{
    [ -z "$on_screen" ] || printf '\e[?25h\e[?1049l'
    on_screen=''
}

# The second screen, so that what was said before is still there afterwards.
enter_screen()
{
    on_exit leave_screen
    on_screen=yes
    exec {screen}>&1
    printf '\e[?1049h\e[?25l\e[H\e[2J'
}

# One page of at most the terminal's size, written over the last one line by line: no flicker.
draw_page()
{
    local rows columns text line state red=$'\e[31m' green=$'\e[32m' cyan=$'\e[36m' page=''
    read -r rows columns < <(stty size <&"$screen" || echo 0 0)
    if [ "$rows" -eq 0 ] || [ "$columns" -eq 0 ]; then rows=24 columns=80; fi
    text="pgchime demo: $1 (Ctrl-C ends it)"$'\n'$(query "$(summary_query)")$'\n\n'
    text+=$(psql -Xq -v ON_ERROR_STOP=1 -P footer=off -P border=0 -c "$jobs_query" -c "$runs_query LIMIT $rows")
    while IFS='' read -r line && [ "$rows" -gt 1 ]; do
        rows=$((rows - 1))
        line=${line:0:columns}
        if [ -n "$bold" ]; then
            line=${line/ succeeded/ ${green}succeeded$plain}
            line=${line/ running/ ${cyan}running$plain}
            for state in failed timed_out cancelled lost; do line=${line/ $state /$red $state $plain}; done
        fi
        page+=$line$'\e[K\n'
    done <<<"$text"
    printf '\e[H%s\e[J' "$page"
}

# Jobs and runs until the time is up; without a time, for ever.
watch_runs()
{
    local since=$SECONDS next=0 passed time
    banner "Jobs and runs${run_for:+, for $run_for s}" "pgchime jobs" "pgchime runs"
    if [ -t 1 ]; then
        enter_screen # which goes on showing them
    else
        pgchime jobs
        pgchime runs
    fi
    while passed=$((SECONDS - since)) && [ "$passed" -lt "${run_for:-$((passed + 1))}" ]; do
        require_companions
        time="$passed s${run_for:+ of $run_for}"
        if [ -n "$on_screen" ]; then
            draw_page "$time"
        elif [ "$passed" -ge "$next" ]; then
            say "$time: $(query "$(summary_query)")"
            next=$((passed + 5))
        fi
        sleep 0.5
    done
    leave_screen
}

# Columns that fit on a page.
first_rows_query()
{
    case $1 in
        mv_lane_score_distribution) echo "
            SELECT left(challenge_id::text, 8) AS challenge, lane_key, sample_count, mean_score,
                p10, p25, p50, p75, p90, last_submission_at::timestamptz(0)
            FROM analytics.$1 ORDER BY last_submission_at DESC LIMIT 5" ;;
        mv_weakness_patterns) echo "
            SELECT left(agent_id::text, 8) AS agent, left(challenge_id::text, 8) AS challenge, lane_key, attempt_count,
                avg_score, challenge_p25, challenge_p50, performance_category
            FROM analytics.$1 ORDER BY attempt_count DESC, agent_id, lane_key LIMIT 5" ;;
        mv_agent_progress) echo "
            SELECT left(agent_id::text, 8) AS agent, left(challenge_id::text, 8) AS challenge, week::date,
                submission_count, avg_composite_score, best_composite_score, wow_composite_delta
            FROM analytics.$1 ORDER BY week DESC, submission_count DESC LIMIT 5" ;;
        mv_time_to_first_win) echo "
            SELECT left(challenge_id::text, 8) AS challenge, agents_with_win, avg_days_to_first_win
            FROM analytics.$1 ORDER BY agents_with_win DESC LIMIT 5" ;;
        chat_telemetry_domain_summary) echo "
            SELECT domain, total_requests_all_time, success_rate_pct, total_cost_usd_all_time, most_used_model,
                requests_last_24h, last_request_at::timestamptz(0)
            FROM analytics.$1 ORDER BY last_request_at DESC LIMIT 5" ;;
        chat_telemetry_model_summary) echo "
            SELECT model, total_uses, success_rate_pct, total_cost, cost_per_1k_tokens, uses_last_24h,
                last_used_at::timestamptz(0)
            FROM analytics.$1 ORDER BY last_used_at DESC LIMIT 5" ;;
        mv_realtime_agent_performance) echo "
            SELECT agent, queries_last_minute, queries_last_5min, queries_last_hour, avg_latency_1min, max_latency_5min,
                health_status
            FROM analytics.$1 ORDER BY queries_last_hour DESC LIMIT 5" ;;
        mv_agent_queue_realtime) echo "
            SELECT pending_count, approved_today, rejected_today, avg_confidence, urgent_pending_count,
                oldest_pending::timestamptz(0)
            FROM analytics.$1" ;;
        mv_query_performance_live) echo "
            SELECT agent, query_count_1h, avg_latency_ms, p95_latency_ms, slow_query_count
            FROM analytics.$1 ORDER BY query_count_1h DESC LIMIT 5" ;;
        mv_training_quality_snapshot) echo "
            SELECT source, total_annotations, flagged_unsafe, quality_score, avg_clarity, avg_accuracy,
                last_annotation_at::timestamptz(0)
            FROM analytics.$1 ORDER BY source" ;;
        action_metrics_hourly) echo "
            SELECT hour, action_type, status, execution_count, avg_duration_ms, p95_duration_ms
            FROM analytics.$1 ORDER BY hour DESC, execution_count DESC LIMIT 5" ;;
    esac
}

# --- checks ---------------------------------------------------------------------------------------------------------
checks=0
failures=0
# check WHAT TEST...: prints and counts a line; the test is a command.
check()
{
    local what=$1 verdict='ok  '
    shift
    checks=$((checks + 1))
    "$@" || { verdict=FAIL failures=$((failures + 1)); }
    say "$verdict $what"
}

# The rows of a view that cannot be what they are without a submission (a request) of since the start. Where a row shows
# no instant, it counts more than there was to count before: at most one attempt of a submission in a lane, one
# submission of itself in its week, one win of an agent. Nobody but the writer writes, and it gives no old row a new
# status or winner.
count_fresh_rows()
{
    local old="submissions s WHERE s.status = 'scored' AND s.created_at < '$started_at'"
    case $1 in
        mv_lane_score_distribution) query "
            SELECT count(*) FROM analytics.$1 WHERE last_submission_at >= '$started_at'" ;;
        mv_weakness_patterns) query "
            SELECT count(*)
            FROM analytics.$1
            LEFT JOIN (SELECT agent_id, challenge_id, count(*) FROM $old GROUP BY 1, 2) o USING (agent_id, challenge_id)
            WHERE attempt_count > coalesce(o.count, 0)" ;;
        mv_agent_progress) query "
            SELECT count(*)
            FROM analytics.$1
            LEFT JOIN (SELECT agent_id, challenge_id, date_trunc('week', created_at AT TIME ZONE 'UTC') AS week,
                           count(*)
                       FROM $old GROUP BY 1, 2, 3) o USING (agent_id, challenge_id, week)
            WHERE submission_count > coalesce(o.count, 0)
                AND week >= date_trunc('week', timestamptz '$started_at' AT TIME ZONE 'UTC')" ;;
        mv_time_to_first_win) query "
            SELECT count(*)
            FROM analytics.$1
            LEFT JOIN (SELECT challenge_id, count(DISTINCT agent_id)
                       FROM $old AND EXISTS (SELECT FROM bout_results b
                                             WHERE b.bout_id = s.bout_id AND b.winner_agent_id = s.agent_id)
                       GROUP BY 1) o USING (challenge_id)
            WHERE agents_with_win > coalesce(o.count, 0)" ;;
        chat_telemetry_domain_summary) query "
            SELECT count(*) FROM analytics.$1 WHERE last_request_at >= '$started_at'" ;;
        chat_telemetry_model_summary) query "
            SELECT count(*) FROM analytics.$1 WHERE last_used_at >= '$started_at'" ;;
        mv_realtime_agent_performance) query "
            SELECT count(*) FROM analytics.$1 p
            WHERE queries_last_hour > (SELECT count(*) FROM agent_queries q WHERE q.agent = p.agent
                AND q.created_at > p.refreshed_at - interval '1 hour' AND q.created_at < '$started_at')" ;;
        mv_agent_queue_realtime) query "
            SELECT count(*) FROM analytics.$1 p
            WHERE pending_count + approved_today + rejected_today > (SELECT count(*) FROM agent_approvals a
                WHERE a.created_at < '$started_at' AND (a.status = 'pending'
                    OR a.updated_at >= greatest('$started_at', date_trunc('day', p.refreshed_at, 'UTC'))
                    OR a.created_at >= date_trunc('day', p.refreshed_at, 'UTC')))" ;;
        mv_query_performance_live) query "
            SELECT count(*) FROM analytics.$1 p
            WHERE query_count_1h > (SELECT count(*) FROM \"AgentQuery\" q WHERE q.agent = p.agent
                AND q.\"createdAt\" > p.refreshed_at - interval '1 hour' AND q.\"createdAt\" < '$started_at')" ;;
        mv_training_quality_snapshot) query "
            SELECT count(*) FROM analytics.$1 WHERE last_annotation_at >= '$started_at'" ;;
        action_metrics_hourly) query "
            SELECT count(*) FROM analytics.$1 WHERE last_execution_at >= '$started_at'" ;;
    esac
}

# Whether the checks of what schedules do can be made; without a writer, nothing fresh is waited for.
is_ready_for_checks()
{
    local view table
    for view in "${views[@]}"; do
        [ "$(count_refreshes "$view")" -ge 2 ] || return 1
        [ -z "$1" ] || [ "$(count_fresh_rows "$view")" -gt 0 ] || return 1
    done
    for table in "${event_tables[@]}"; do
        # shellcheck disable=SC2086 # a name and a column
        [ -z "$1" ] || [ "$(count_written_to $table)" -gt 0 ] || return 1
    done
    [ -z "$(orders | awk -F '|' '$3 < 1')" ]
}

# What schedules alone have brought about.
check_while_written()
{
    local view table count
    banner "Checks: refreshed by schedule, with what was written since the start"
    for view in "${views[@]}"; do
        count=$(count_refreshes "$view")
        check "$view was refreshed $count times by schedule" test "$count" -ge 2
        count=$(count_fresh_rows "$view")
        check "$view has $count rows with something written since the start" test "$count" -gt 0
    done
    for table in "${event_tables[@]}"; do
        # shellcheck disable=SC2086 # a name and a column
        count=$(count_written_to $table)
        check "${table% *}: $count rows written since the start" test "$count" -gt 0
    done
}

# --- events ---------------------------------------------------------------------------------------------------------
greet_query="NOTIFY greeting, 'hello'"
is_greeted() { [ "$(query "SELECT count(*) FROM greetings WHERE words = 'hello'")" -gt 0 ]; }
greeting_query="SELECT to_char(at, 'HH24:MI:SS.MS') AS at, words FROM greetings ORDER BY at"

# One agent after the other that nobody has heard of: from the commit of its first query until the view has it, in ms. The
# median of five.
follow_writes()
{
    psql -XqAt -v ON_ERROR_STOP=1 -c 'CREATE TEMP TABLE followed (ms double precision)' -c "
        DO \$\$
        DECLARE
            v_start timestamptz;
            v_agent text;
        BEGIN
            FOR i IN 1..5 LOOP
                v_agent := 'newcomer ' || i;
                INSERT INTO agent_queries (agent, query, latency_ms) VALUES (v_agent, 'SELECT 1', 12);
                COMMIT;
                v_start := clock_timestamp();
                WHILE NOT EXISTS (SELECT FROM analytics.mv_realtime_agent_performance WHERE agent = v_agent)
                      AND clock_timestamp() < v_start + interval '10 s' LOOP
                    PERFORM pg_sleep(0.005);
                    COMMIT;
                END LOOP;
                INSERT INTO followed VALUES (extract(epoch FROM clock_timestamp() - v_start) * 1000);
            END LOOP;
        END \$\$" -c 'SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)) FROM followed'
}

check_events()
{
    local found
    banner "A notification wakes a job, which finds the payload in \$1" "psql -c \"$greet_query\""
    query "$greet_query"
    wait_until 20 is_greeted || true
    show "$greeting_query"
    found=$(query "SELECT count(*) FROM greetings WHERE words = 'hello'")
    check "note-greetings was woken by the notification $found times" test "$found" -eq 1
    banner "A view with target_lag follows its sources" \
        "psql -c \"INSERT INTO agent_queries (agent, query, latency_ms) VALUES ('newcomer 1', 'SELECT 1', 12)\"" \
        "psql -c \"SELECT * FROM analytics.mv_realtime_agent_performance WHERE agent = 'newcomer 1'\""
    found=$(follow_writes)
    check "a row is in mv_realtime_agent_performance $found ms after it was written, median of five" test "$found" -lt 1000
}

check_verify()
{
    local status=0
    banner "Every view compared with its definition" "pgchime verify"
    pgchime verify || status=$?
    check "pgchime verify: $(query 'SELECT count(*) FROM chime.view') views, status $status" test "$status" -eq 0
}

# Rows that only one of view and definition has: what stays so for some seconds, since a view that reads another one's rows is
# behind them between the two refreshes.
difference()
{
    local deadline=$((SECONDS + 10)) found
    until found=$(difference_now "$1"); [ "$found" = 0/0 ] || [ "$SECONDS" -ge "$deadline" ]; do
        sleep 0.5
    done
    echo "$found"
}

# As of the view's last refresh: its windows move with time. Both are read in one snapshot, so that a refresh meanwhile makes no
# difference.
difference_now()
{
    query "
        BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
        DO \$\$ BEGIN
            PERFORM set_config('chime.as_of', refreshed_at::text, true) FROM chime.view_status
            WHERE (view_schema, relation) = ('analytics', '$1');
        END \$\$;
        SELECT missing || '/' || surplus FROM chime.difference('analytics.$1');
        COMMIT"
}

# Prints, for each job and each job it comes after: the slots at which both ran, and how often it did not wait for a
# run of that slot or an earlier one.
orders()
{
    query "
        WITH runs AS (SELECT * FROM chime.runs WHERE kind = 'schedule' AND started_at IS NOT NULL)
        SELECT j.name, upstream,
            (SELECT count(*) FROM runs r JOIN runs u USING (slot) WHERE r.job = j.name AND u.job = upstream),
            (SELECT count(*) FROM runs r JOIN runs u ON u.slot <= r.slot
             WHERE r.job = j.name AND u.job = upstream AND coalesce(u.finished_at, 'infinity') > r.started_at)
        FROM chime.job j CROSS JOIN unnest(j.after) AS upstream
        WHERE j.active
        ORDER BY 1, 2"
}

check_orders()
{
    local job upstream both early count=0
    while IFS='|' read -r job upstream both early; do
        count=$((count + 1))
        check "$job after $upstream: $both slots in common, started too early $early times" \
            test "$both" -ge 1 -a "$early" -eq 0
    done < <(orders)
    check "jobs that come after another: $count" test "$count" -ge 1
}

check_at_rest()
{
    local view found
    banner "Checks: equal to their definitions, in order, without a failure"
    for view in "${views[@]}"; do
        found=$(difference "$view")
        check "$view against its live definition: ${found%/*} rows missing, ${found#*/} surplus" test "$found" = 0/0
    done
    check_orders
    found=$(query "SELECT count(*) FROM chime.runs WHERE state NOT IN ('succeeded', 'skipped', 'running')")
    check "runs that did not succeed: $found" test "$found" -eq 0
}

told=''
tell_result()
{
    told=yes
    if [ "$failures" -gt 0 ]; then
        printf '\ndemo: %d of %d checks failed\n' "$failures" "$checks"
        exit 1
    fi
    printf '\ndemo: all %d checks are ok\n' "$checks"
}

# However it ended, the last line says so. Registered first, so that all else is cleaned up by then.
tell_end() { [ -n "$told" ] || printf '\ndemo: ended, nothing is left running\n'; }
