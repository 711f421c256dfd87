-- SPDX-License-Identifier: PostgreSQL
-- What chime.tally and chime.minute must say, counted from the history by other means: whatever counted.differs has is
-- wrong. Loaded by tests/support/ledger/totals.c.
CREATE SCHEMA counted;

CREATE VIEW counted.ended AS
SELECT h.job_id, h.kind, h.state, h.finished_at AS at, 1::bigint AS slots,
       CASE WHEN h.started_at IS NOT NULL THEN greatest((extract(epoch FROM h.finished_at - h.started_at) * 1000000)::bigint, 0) END AS took,
       CASE WHEN h.started_at IS NOT NULL AND h.kind = 'schedule' AND h.attempt = 1
            THEN greatest((extract(epoch FROM h.started_at - h.slot) * 1000000)::bigint, 0) END AS late
FROM chime.run_history h
UNION ALL
SELECT m.job_id, 'schedule', 'missed', m.recorded_at, m.slots, NULL, NULL FROM chime.missed m;

-- How many of each bucket; bounds belong to what they bound.
CREATE FUNCTION counted.buckets(p_values bigint[], p_bounds numeric[]) RETURNS bigint[] LANGUAGE sql
RETURN (SELECT array_agg((SELECT count(*) FROM unnest(p_values) AS v WHERE v IS NOT NULL
                          AND (n = 1 OR v > p_bounds[n - 1] * 1000000) AND (n > cardinality(p_bounds) OR v <= p_bounds[n] * 1000000)) ORDER BY n)
        FROM generate_series(1, cardinality(p_bounds) + 1) AS n);

CREATE VIEW counted.tally AS
SELECT e.kind, e.state, sum(e.slots)::bigint AS runs, coalesce(sum(e.took), 0)::bigint AS busy_us, coalesce(sum(e.late), 0)::bigint AS late_us,
       counted.buckets(array_agg(e.took), '{0.001,0.005,0.025,0.1,0.5,1,5,30,120,600,3600}') AS durations,
       counted.buckets(array_agg(e.late), '{0.001,0.005,0.01,0.025,0.05,0.1,0.25,1,5,30,300}') AS delays
FROM counted.ended e GROUP BY e.kind, e.state;

-- A stretch of missed slots is recorded a moment after it was decided, maybe in the next minute.
CREATE VIEW counted.minute AS
SELECT date_trunc('minute', e.at, 'UTC') AS minute, e.state, sum(e.slots)::bigint AS runs, coalesce(sum(e.took), 0)::bigint AS busy_us,
       coalesce(sum(e.late), 0)::bigint AS late_us, coalesce(max(e.late), 0) AS late_max_us
FROM counted.ended e WHERE e.state <> 'missed' GROUP BY 1, 2;

CREATE VIEW counted.differs AS
SELECT format('tally %s %s: %s instead of %s', coalesce(t.kind, c.kind), coalesce(t.state, c.state), t, c) AS words
FROM counted.tally c FULL JOIN chime.tally t ON t.kind = c.kind AND t.state = c.state
WHERE t IS NULL OR c IS NULL OR (t.runs, t.busy_us, t.late_us, t.durations, t.delays) IS DISTINCT FROM (c.runs, c.busy_us, c.late_us, c.durations, c.delays)
UNION ALL
SELECT format('minute %s %s: %s instead of %s', coalesce(m.minute, c.minute), coalesce(m.state, c.state), m, c)
FROM counted.minute c FULL JOIN (SELECT * FROM chime.minute WHERE state <> 'missed' AND runs > 0) m ON m.minute = c.minute AND m.state = c.state
WHERE m IS NULL OR c IS NULL OR (m.runs, m.busy_us, m.late_us, m.late_max_us) IS DISTINCT FROM (c.runs, c.busy_us, c.late_us, c.late_max_us)
UNION ALL
SELECT format('missed by minute: %s instead of %s', m.runs, c.runs)
FROM (SELECT coalesce(sum(runs), 0) AS runs FROM chime.minute WHERE state = 'missed') m,
     (SELECT coalesce(sum(runs), 0) AS runs FROM counted.tally WHERE state = 'missed') c WHERE m.runs <> c.runs;

-- After leaders that went without a word: more than there was is never counted. Where less was, its minute is marked,
-- and what is missing ended in the last seconds of such a leader.
CREATE VIEW counted.amiss AS
SELECT format('tally %s %s counts %s of %s', t.kind, t.state, t.runs, c.runs) AS words
FROM chime.tally t LEFT JOIN counted.tally c ON c.kind = t.kind AND c.state = t.state WHERE t.runs > coalesce(c.runs, 0)
UNION ALL
SELECT format('minute %s %s counts %s of %s', m.minute, m.state, m.runs, c.runs)
FROM chime.minute m LEFT JOIN counted.minute c ON c.minute = m.minute AND c.state = m.state
WHERE m.state <> 'missed' AND m.runs > coalesce(c.runs, 0)
UNION ALL
SELECT format('minute %s %s lacks %s and is not marked', c.minute, c.state, c.runs - coalesce(m.runs, 0))
FROM counted.minute c LEFT JOIN chime.minute m ON m.minute = c.minute AND m.state = c.state
WHERE c.runs > coalesce(m.runs, 0) AND NOT EXISTS (SELECT FROM chime.minute p WHERE p.minute = c.minute AND p.partial)
UNION ALL
SELECT format('%s slots are missing, and %s ended in the last seconds of leaders that went', l.lacking, w.ended)
FROM (SELECT sum(c.runs - coalesce(t.runs, 0)) AS lacking FROM counted.tally c LEFT JOIN chime.tally t ON t.kind = c.kind AND t.state = c.state) l,
     (SELECT coalesce(sum(e.slots), 0) AS ended FROM counted.ended e
      WHERE EXISTS (SELECT FROM chime.leadership s WHERE s.until IS NOT NULL AND NOT s.resigned
                                                     AND e.at BETWEEN s.until - interval '3 s' AND s.until + interval '1 s')) w
WHERE l.lacking > w.ended
UNION ALL
SELECT format('%s gaps, and %s leaders went without a word', t.gaps, l.went)
FROM chime.totals t, (SELECT count(*) AS went FROM chime.leadership s WHERE s.until IS NOT NULL AND NOT s.resigned) l WHERE t.gaps <> l.went;

-- The strip of each job beside its last 32 slots.
CREATE VIEW counted.strips AS
SELECT j.job_id, j.name,
       (SELECT string_agg(((CASE WHEN n < 16 THEN s.recent ELSE s.recent_older END >> (4 * (n % 16))) & 15)::text, '' ORDER BY n)
        FROM generate_series(0, 31) AS n) AS kept,
       rpad(coalesce((SELECT string_agg(chime.outcome_code(o.state)::text, '' ORDER BY o.at DESC, o.slot DESC)
                      FROM (SELECT h.state, h.finished_at AS at, h.slot FROM chime.run_history h WHERE h.job_id = j.job_id
                            ORDER BY h.finished_at DESC, h.slot DESC LIMIT 32) o), ''), 32, '0') AS counted
FROM chime.job j JOIN chime.job_state s USING (job_id) WHERE NOT EXISTS (SELECT FROM chime.missed m WHERE m.job_id = j.job_id);
