/* SPDX-License-Identifier: PostgreSQL */
/* What keeps a database's jobs from running as they should though it answers: rows of message, way
 * out, the finding's id (finding_kinds.h) and its subject. */
#ifndef CHIME_REPORT_PROBLEMS_H
#define CHIME_REPORT_PROBLEMS_H

#include "ledger/ledger.h"

/* Who leads and who follows. $1: the database's name in the configuration. */
#define LEADER_PROBLEMS_SQL                                                                                            \
    "(SELECT chime.copy_of() || ': its jobs are held' AS message, format('" LEDGER_COPY_HINT                           \
    "', $1::text) AS way_out, 'copy-held' AS id, NULL AS subject WHERE chime.copy_of() IS NOT NULL"                    \
    " UNION ALL"                                                                                                       \
    " SELECT 'nobody leads this database: no job runs', 'start the daemon: pgchime serve', 'nobody-leads', NULL"       \
    "  WHERE NOT chime.led() AND chime.copy_of() IS NULL"                                                              \
    " UNION ALL"                                                                                                       \
    " SELECT format('%s leads, but has not been heard of for %s', s.instance, date_trunc('second', s.heartbeat_age))," \
    "        'the server ends its session after 15 s of silence, and a follower takes over', 'leader-silent',"         \
    "       s.instance"                                                                                                \
    "   FROM chime.leader_status s WHERE s.alive AND s.heartbeat_age > interval '5 s'"                                 \
    " UNION ALL"                                                                                                       \
    " SELECT chime.commits_wait(),"                                                                                    \
    "        'attach that standby, or change synchronous_standby_names: nothing runs until then, and nothing is "      \
    "lost',"                                                                                                           \
    "       'commits-wait', NULL"                                                                                      \
    "  WHERE chime.commits_wait() IS NOT NULL"                                                                         \
    " UNION ALL"                                                                                                       \
    " SELECT format('%s cannot write to the ledger: %s', l.instance, h.words),"                                        \
    "        'runs go on, and nothing new starts until that '"                                                         \
    "        || CASE WHEN h.pid IS NULL THEN 'is committed or rolled back: COMMIT PREPARED, ROLLBACK PREPARED'"        \
    "                ELSE 'session has ended its transaction' END, 'ledger-locked', l.instance"                        \
    "   FROM chime.leader l CROSS JOIN LATERAL chime.lock_holders(l.pid) h"                                            \
    "  WHERE h.surely AND chime.backend_alive(l.pid, l.backend_start))"

/* Jobs of which nothing is due until where their clock was. */
#define CURSOR_PROBLEMS_SQL                                                                                         \
    "(SELECT format('%s are decided up to a time to come, %s up to %s: the clock was ahead, and nothing of them is" \
    " due until then', CASE count(*) WHEN 1 THEN '1 job' ELSE count(*) || ' jobs' END,"                             \
    "               (array_agg(j.name ORDER BY s.last_slot DESC, j.name))[1],"                                      \
    "               to_char(max(s.last_slot) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"')) AS message,"        \
    "        'to begin from now: SELECT chime.begin_anew(job_id) FROM chime.job_status WHERE last_slot > now()'"    \
    "        AS way_out, 'clock-ahead' AS id, NULL AS subject"                                                      \
    "   FROM chime.job j JOIN chime.job_state s ON s.job_id = j.job_id"                                             \
    "  WHERE j.active AND j.schedule <> '' AND s.last_slot > clock_timestamp() + interval '1 minute'"               \
    " HAVING count(*) > 0)"

/* Events that are not heard. */
#define WATCH_PROBLEMS_SQL                                                                                    \
    "(SELECT format('events are not heard since %s: %s',"                                                     \
    "               to_char(w.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"'), w.reason) AS message," \
    "        'jobs that wait for events run every 10 s until a session of its own can be had' AS way_out,"    \
    " 'events-unheard' AS id, NULL AS subject"                                                                \
    "   FROM chime.listener w WHERE w.state = 'degraded' AND chime.led())"

/* Plugins that could not be installed, or whose views could not be filled; subject names them. */
#define PLUGIN_PROBLEMS_SQL                                                                                            \
    "(SELECT format('plugin %s failed: %s', name, reason) AS message, way_out, 'plugin-failed' AS id, name AS subject" \
    "   FROM chime.plugin_status WHERE state = 'failed' ORDER BY name)"

/* Jobs whose last run failed, that suspended themselves, or that the leader cannot run. Ten of each are named. */
#define JOB_PROBLEMS_SQL                                                                                             \
    "(SELECT format('job %s fails: %s', f.name, f.words) AS message,"                                                \
    "        concat(chime.failure_way_out(f.job_id) || '; ', format(CASE WHEN f.refreshes THEN 'pgchime why %1$s "   \
    "says when it is tried again'"                                                                                   \
    "               ELSE 'pgchime runs %1$s --state failed,timed_out,lost lists its failures' END"                   \
    "               || '; once it is mended, pgchime run %1$s tries it now', chime.shell_word(f.name))) AS way_out," \
    "       'job-failed' AS id, f.name AS subject"                                                                   \
    "   FROM (SELECT j.job_id, j.name, j.views <> '{}' AS refreshes, chime.failure_words(j.job_id) AS words"         \
    "           FROM chime.job j JOIN chime.job_state s USING (job_id)"                                              \
    "          WHERE j.active AND s.consecutive_failures > 0 AND s.suspended_at IS NULL"                             \
    "          ORDER BY s.consecutive_failures DESC, j.name LIMIT 10) f WHERE f.words IS NOT NULL)"                  \
    " UNION ALL"                                                                                                     \
    " (SELECT format('%s more jobs fail', count(*) - 10), 'pgchime jobs --failing lists them', 'job-failed', NULL"   \
    "    FROM chime.job j JOIN chime.job_state s USING (job_id)"                                                     \
    "   WHERE j.active AND s.consecutive_failures > 0 AND s.suspended_at IS NULL HAVING count(*) > 10)"              \
    " UNION ALL"                                                                                                     \
    " (SELECT format('job %s suspended itself at %s: %s', j.name,"                                                   \
    "                to_char(s.suspended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"'), s.suspend_reason),"   \
    "         format('mend what fails; then pgchime resume %s lets it run again', chime.shell_word(j.name)),"        \
    "        'job-suspended', j.name"                                                                                \
    "    FROM chime.job j JOIN chime.job_state s USING (job_id)"                                                     \
    "   WHERE j.active AND s.suspended_at IS NOT NULL AND s.suspended_by IS NULL ORDER BY j.name LIMIT 10)"          \
    " UNION ALL"                                                                                                     \
    " (SELECT format('%s more jobs suspended themselves', count(*) - 10), 'pgchime jobs --suspended lists them',"    \
    "        'job-suspended', NULL"                                                                                  \
    "    FROM chime.job j JOIN chime.job_state s USING (job_id)"                                                     \
    "   WHERE j.active AND s.suspended_at IS NOT NULL AND s.suspended_by IS NULL HAVING count(*) > 10)"              \
    " UNION ALL"                                                                                                     \
    " (SELECT format('job %s cannot be run: %s', j.name, split_part(j.problem, E'\n', 1)),"                          \
    "         format('mend it by chime.schedule or chime.alter_job; pgchime why %s says it in full', "               \
    "chime.shell_word(j.name)), 'job-refused', j.name"                                                               \
    "    FROM chime.job j WHERE j.problem IS NOT NULL AND j.active ORDER BY j.name LIMIT 10)"

/* Views whose keyed refreshes were wrong: they are full until somebody says otherwise. */
#define WRONG_PROBLEMS_SQL                                                                                     \
    "(SELECT format('view %s.%s is refreshed as a whole: %s', view_schema, relation, found_wrong) AS message," \
    "        format('mend the map or what its plugin trusts; if nothing is wrong with these: pgchime refresh " \
    "--full %s', chime.shell_word(view_schema || '.' || relation)) AS way_out,"                                \
    "       'view-differs' AS id, view_schema || '.' || relation AS subject"                                   \
    "   FROM chime.view WHERE found_wrong IS NOT NULL ORDER BY view_schema, relation)"

/* Views that are late. */
#define VIEW_PROBLEMS_SQL                                                                                             \
    "(SELECT format('view %s.%s is %s: ', view_schema, relation, freshness)"                                          \
    "        || format(CASE WHEN pending THEN 'it lacks a change, of %s ago at most'"                                 \
    "                  ELSE 'it may lack what changed in the last %s' END, date_trunc('second', behind)) AS message," \
    "        format('pgchime why JOB says what holds its refresh up; pgchime refresh %s does it now',"                \
    "               chime.shell_word(view_schema || '.' || relation)) AS way_out,"                                    \
    "        CASE freshness WHEN 'warn' THEN 'view-late' ELSE 'view-stale' END AS id,"                                \
    "        view_schema || '.' || relation AS subject"                                                               \
    "   FROM chime.view_status WHERE freshness IN ('warn', 'stale') ORDER BY freshness, view_schema, relation)"

/* Rules of alerts that tell the same. */
#define KEPT_PROBLEMS_SQL \
    "(SELECT message, way_out, rule AS id, subject FROM chime.view_problems() ORDER BY rule, subject)"
#define LEDGER_PROBLEMS_SQL \
    "(SELECT message, way_out, rule AS id, subject FROM chime.ledger_problems() ORDER BY rule, subject)"

/* What fires beside what is said of the above, and what cannot fire. */
#define ALERT_PROBLEMS_SQL "(SELECT message, way_out, rule AS id, subject FROM chime.alert_problems())"

#endif
