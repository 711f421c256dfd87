/* SPDX-License-Identifier: PostgreSQL */
/* What keeps a database's jobs from running as they should though it answers: rows of message and way out. */
#ifndef CHIME_CLI_PROBLEMS_H
#define CHIME_CLI_PROBLEMS_H

#include "ledger/ledger.h"

/* Who leads and who follows. $1: the database's name in the configuration. */
#define LEADER_PROBLEMS_SQL                                                                                            \
    "(SELECT chime.copy_of() || ': its jobs are held', format('" LEDGER_COPY_HINT                                      \
    "', $1::text) WHERE chime.copy_of() IS NOT NULL"                                                                   \
    " UNION ALL"                                                                                                       \
    " SELECT 'nobody leads this database: no job runs', 'start the daemon: pgchime serve'"                             \
    "  WHERE NOT chime.led() AND chime.copy_of() IS NULL"                                                              \
    " UNION ALL"                                                                                                       \
    " SELECT format('%s leads, but has not been heard of for %s', s.instance, date_trunc('second', s.heartbeat_age))," \
    "        'the server ends its session after 15 s of silence, and a follower takes over'"                           \
    "   FROM chime.leader_status s WHERE s.alive AND s.heartbeat_age > interval '5 s'"                                 \
    " UNION ALL"                                                                                                       \
    " SELECT chime.commits_wait(),"                                                                                    \
    "        'attach that standby, or change synchronous_standby_names: nothing runs until then, and nothing is lost'" \
    "  WHERE chime.commits_wait() IS NOT NULL"                                                                         \
    " UNION ALL"                                                                                                       \
    " SELECT format('%s cannot write to the ledger: %s', l.instance, h.words),"                                        \
    "        'runs go on, and nothing new starts until that '"                                                         \
    "        || CASE WHEN h.pid IS NULL THEN 'is committed or rolled back: COMMIT PREPARED, ROLLBACK PREPARED'"        \
    "                ELSE 'session has ended its transaction' END"                                                     \
    "   FROM chime.leader l CROSS JOIN LATERAL chime.lock_holders(l.pid) h"                                            \
    "  WHERE h.surely AND chime.backend_alive(l.pid, l.backend_start)"                                                 \
    " UNION ALL"                                                                                                       \
    " SELECT format('%s follows with another configuration than %s, who leads', f.name, s.instance),"                  \
    "        'a takeover would change what runs: bring both configurations to the same, then pgchime reload on each'"  \
    "   FROM chime.leader_status s CROSS JOIN LATERAL unnest(s.differing) AS f (name) WHERE s.alive)"

/* Jobs of which nothing is due until where their clock was. */
#define CURSOR_PROBLEMS_SQL                                                                                         \
    "(SELECT format('%s are decided up to a time to come, %s up to %s: the clock was ahead, and nothing of them is" \
    " due until then', CASE count(*) WHEN 1 THEN '1 job' ELSE count(*) || ' jobs' END,"                             \
    "               (array_agg(j.name ORDER BY s.last_slot DESC, j.name))[1],"                                      \
    "               to_char(max(s.last_slot) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"')) AS message,"        \
    "        'to begin from now: SELECT chime.begin_anew(job_id) FROM chime.job_status WHERE last_slot > now()'"    \
    "        AS way_out"                                                                                            \
    "   FROM chime.job j JOIN chime.job_state s ON s.job_id = j.job_id"                                             \
    "  WHERE j.active AND j.schedule <> '' AND s.last_slot > clock_timestamp() + interval '1 minute'"               \
    " HAVING count(*) > 0)"

/* Events that are not heard. */
#define WATCH_PROBLEMS_SQL                                                                                    \
    "(SELECT format('events are not heard since %s: %s',"                                                     \
    "               to_char(w.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"'), w.reason) AS message," \
    "        'jobs that wait for events run every 10 s until a session of its own can be had' AS way_out"     \
    "   FROM chime.listener w WHERE w.state = 'degraded' AND chime.led())"

/* Plugins that could not be installed, or whose views could not be filled; a third column names them. */
#define PLUGIN_PROBLEMS_SQL                                                                    \
    "(SELECT format('plugin %s failed: %s', name, reason) AS message, way_out, name AS plugin" \
    "   FROM chime.plugin_status WHERE state = 'failed' ORDER BY name)"

/* Jobs whose last run failed, that suspended themselves, or that the leader cannot run. Ten of each are named. */
#define JOB_PROBLEMS_SQL                                                                                           \
    "(SELECT format('job %s fails: %s', f.name, f.words) AS message,"                                              \
    "        CASE WHEN f.refreshes THEN format('pgchime why %s says when it is tried again', f.name)"              \
    "             ELSE format('pgchime runs %s --state failed,timed_out,lost lists its failures', f.name) END AS " \
    "way_out"                                                                                                      \
    "   FROM (SELECT j.name, j.views <> '{}' AS refreshes, chime.failure_words(j.job_id) AS words"                 \
    "           FROM chime.job j JOIN chime.job_state s USING (job_id)"                                            \
    "          WHERE j.active AND s.consecutive_failures > 0 AND s.suspended_at IS NULL"                           \
    "          ORDER BY s.consecutive_failures DESC, j.name LIMIT 10) f WHERE f.words IS NOT NULL)"                \
    " UNION ALL"                                                                                                   \
    " (SELECT format('%s more jobs fail', count(*) - 10), 'pgchime jobs --failing lists them'"                     \
    "    FROM chime.job j JOIN chime.job_state s USING (job_id)"                                                   \
    "   WHERE j.active AND s.consecutive_failures > 0 AND s.suspended_at IS NULL HAVING count(*) > 10)"            \
    " UNION ALL"                                                                                                   \
    " (SELECT format('job %s suspended itself at %s: %s', j.name,"                                                 \
    "                to_char(s.suspended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"'), s.suspend_reason)," \
    "         format('mend what fails; then pgchime resume %s lets it run again', j.name)"                         \
    "    FROM chime.job j JOIN chime.job_state s USING (job_id)"                                                   \
    "   WHERE j.active AND s.suspended_at IS NOT NULL AND s.suspended_by IS NULL ORDER BY j.name LIMIT 10)"        \
    " UNION ALL"                                                                                                   \
    " (SELECT format('%s more jobs suspended themselves', count(*) - 10), 'pgchime jobs --suspended lists them'"   \
    "    FROM chime.job j JOIN chime.job_state s USING (job_id)"                                                   \
    "   WHERE j.active AND s.suspended_at IS NOT NULL AND s.suspended_by IS NULL HAVING count(*) > 10)"            \
    " UNION ALL"                                                                                                   \
    " (SELECT format('job %s cannot be run: %s', j.name, split_part(j.problem, E'\n', 1)),"                        \
    "         format('mend it by chime.schedule or chime.alter_job; pgchime why %s says it in full', j.name)"      \
    "    FROM chime.job j WHERE j.problem IS NOT NULL AND j.active ORDER BY j.name LIMIT 10)"

/* Roles that may make no more jobs. */
#define QUOTA_PROBLEMS_SQL                                                                                           \
    "(SELECT format('role %s has %s active jobs of %s that it may have, and %s of %s with the others', f.role,"      \
    "               f.jobs, f.max_jobs, f.all_jobs, 10 * f.max_jobs::bigint) AS message,"                            \
    "        'chime.schedule refuses it more: it makes some inactive or unschedules them, or max_jobs of its entry " \
    "in roles is"                                                                                                    \
    " raised' AS way_out FROM chime.full_quotas() f)"

/* Views whose keyed refreshes were wrong: they are full until somebody says otherwise. */
#define WRONG_PROBLEMS_SQL                                                                                     \
    "(SELECT format('view %s.%s is refreshed as a whole: %s', view_schema, relation, found_wrong) AS message," \
    "        format('mend the map or what its plugin trusts; if nothing is wrong with these: pgchime refresh " \
    "--full %s.%s', view_schema, relation) AS way_out"                                                         \
    "   FROM chime.view WHERE found_wrong IS NOT NULL ORDER BY view_schema, relation)"

/* Views that are late. */
#define VIEW_PROBLEMS_SQL                                                                                  \
    "(SELECT format('view %s.%s is %s: ', view_schema, relation, freshness)"                               \
    "        || format(CASE WHEN pending THEN 'it lacks a change, of %s ago at most'"                      \
    "                  ELSE 'it may lack what changed in the last %s' END, date_trunc('second', behind))," \
    "        format('pgchime why JOB says what holds its refresh up; pgchime refresh %s.%s does it now',"  \
    "               view_schema, relation)"                                                                \
    "   FROM chime.view_status WHERE freshness IN ('warn', 'stale') ORDER BY freshness, view_schema, relation)"

/* Views that nothing will fill: their jobs are suspended, or none is active. What could not be filled has failed its plugin. */
#define FILL_PROBLEMS_SQL                                                                                          \
    "(SELECT format('view %s.%s has never been filled: %s', r.view_schema, r.relation,"                            \
    "               coalesce('job ' || min(j.name) || ' is suspended', 'no active job refreshes it')) AS message," \
    "        format('pgchime refresh %s.%s fills it now', r.view_schema, r.relation) AS way_out"                   \
    "   FROM chime.view_refresh r JOIN chime.view v USING (view_schema, relation)"                                 \
    "   JOIN chime.plugin p ON p.name = v.plugin AND p.state = 'installed'"                                        \
    "   LEFT JOIN chime.job j ON j.active AND r.view_schema || '.' || r.relation = ANY (j.views)"                  \
    "   LEFT JOIN chime.job_state s ON s.job_id = j.job_id"                                                        \
    "  WHERE r.refreshed_at IS NULL GROUP BY r.view_schema, r.relation"                                            \
    " HAVING bool_and(s.suspended_at IS NOT NULL) IS NOT FALSE OR count(j.job_id) = 0)"

/* Views whose last verification came to no end. */
#define VERIFICATION_PROBLEMS_SQL                                                                                     \
    "(SELECT format('view %s.%s could not be verified at %s: %s', v.view_schema, v.relation,"                         \
    "               to_char(l.verified_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"'), split_part(l.error, "    \
    "E'\n', 1))"                                                                                                      \
    "        AS message, 'mend that; pgchime run verify-views verifies all views now' AS way_out"                     \
    "   FROM chime.view v CROSS JOIN LATERAL (SELECT n.verified_at, n.error FROM chime.verification n"                \
    "         WHERE n.view_schema = v.view_schema AND n.relation = v.relation ORDER BY n.verified_at DESC LIMIT 1) l" \
    "  WHERE l.error IS NOT NULL ORDER BY v.view_schema, v.relation)"

/* The leader makes the history's partitions a week ahead, as it begins to lead and every hour. */
#define HISTORY_PROBLEMS_SQL                                                                                           \
    "(SELECT format('the history has no partition for %s, and the leader could not make it', string_agg(w.day::text, " \
    "', '))"                                                                                                           \
    "        AS message, 'its log says why, and it tries again every hour; who holds the history: SELECT pid, mode "   \
    "FROM"                                                                                                             \
    " pg_locks WHERE relation = ''chime.run_history''::regclass' AS way_out"                                           \
    "   FROM chime.leader l CROSS JOIN chime.history_work(interval '100 years') w"                                     \
    "  WHERE w.makes AND w.day <= (now() AT TIME ZONE 'UTC')::date + 1 AND l.since < now() - interval '10 minutes'"    \
    "    AND chime.led() HAVING count(*) > 0)"

/* The server writes no log of them, so neither a crash nor a standby keeps their rows. */
#define UNLOGGED_PROBLEMS_SQL                                                                                         \
    "(SELECT 'a crash of the server or a failover empties what is unlogged: ' || string_agg(c.oid::regclass::text, "  \
    "', ' ORDER BY c.relname) AS message,"                                                                            \
    "        string_agg(format('ALTER TABLE %s SET LOGGED', c.oid::regclass), '; ' ORDER BY c.relname) AS way_out"    \
    "   FROM pg_class c WHERE c.relnamespace = 'chime'::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'u'"  \
    " HAVING count(*) > 0)"

#endif
