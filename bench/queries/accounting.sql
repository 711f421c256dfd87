-- SPDX-License-Identifier: PostgreSQL
-- Of every slot up to the cursors, against an independent list: how many are in no table of the ledger, how many live
-- runs still name a session (a daemon that drains hands back what it had not started, which the next leader runs), how
-- many ended otherwise than succeeded (missed ones included), how many ran that the cursors do not cover.
SET jit = off;
SET work_mem = '64MB';
CREATE TEMPORARY TABLE decided AS
SELECT s.job_id, slot
FROM chime.job_state s, started b, generate_series(b.cursor + interval '1 second', s.last_slot, '1 second') AS slot;
ANALYZE decided;
ANALYZE chime.run_history;
SELECT (SELECT count(*) FROM decided d
        WHERE NOT EXISTS (SELECT FROM chime.run_history h
                          WHERE h.job_id = d.job_id AND h.kind = 'schedule' AND h.slot = d.slot)
          AND NOT EXISTS (SELECT FROM chime.run r
                          WHERE r.job_id = d.job_id AND r.kind = 'schedule' AND r.slot = d.slot)
          AND NOT EXISTS (SELECT FROM chime.missed m
                          WHERE m.job_id = d.job_id AND d.slot BETWEEN m.first_slot AND m.last_slot)),
       (SELECT count(*) FROM chime.run WHERE pid IS NOT NULL),
       (SELECT count(*) FROM chime.run_history WHERE state <> 'succeeded')
       + (SELECT coalesce(sum(slots), 0) FROM chime.missed),
       (SELECT count(*) FROM chime.run_history h
        WHERE h.kind = 'schedule'
          AND NOT EXISTS (SELECT FROM decided d WHERE d.job_id = h.job_id AND d.slot = h.slot));
