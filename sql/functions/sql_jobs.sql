-- SPDX-License-Identifier: PostgreSQL
-- Jobs that are made by SQL (origin 'sql'), between those who make them and the leader that runs them.
--
-- Who makes or edits one writes chime.job and nothing that a claim needs: a transaction that stays open after its edit
-- holds up no run. A notification on chime_jobs wakes the leader, and chime.changed_jobs tells what changed, by what it
-- has seen before. An edit makes another version, which claims name, so nothing starts by an old one.

CREATE OR REPLACE FUNCTION chime.expire_schedule(p_old chime.job, p_until timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.expired_schedule (job_id, version, since, until, schedule, options)
    SELECT (p_old).job_id, (p_old).version, (p_old).since, p_until, CASE WHEN (p_old).active THEN (p_old).schedule ELSE '' END,
           jsonb_strip_nulls(jsonb_build_object('timezone', (p_old).options -> 'timezone', 'dst_gap', (p_old).options -> 'dst_gap',
                                                'dst_overlap', (p_old).options -> 'dst_overlap'));
END;
COMMENT ON FUNCTION chime.expire_schedule IS 'p_old: the job as it was until then';

CREATE OR REPLACE FUNCTION chime.sql_job_key(p_owner name, p_job_name text, p_job_id bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN p_job_name IS NULL THEN quote_ident(p_owner) || '#' || p_job_id
            WHEN octet_length(p_job_name) > 100 OR p_job_name ~ '[[:cntrl:]]'
            THEN quote_ident(p_owner) || '/' || regexp_replace(chime.sendable(left(p_job_name, 20)), '[[:cntrl:]]', '?', 'g') || '~' || md5(p_job_name)
            ELSE quote_ident(p_owner) || '/' || p_job_name END;
COMMENT ON FUNCTION chime.sql_job_key IS
    'what the daemon calls it: no configured name has a "/" or "#", and two owners never share a key, since an owner with either is quoted';

-- The leader holds all jobs in memory, and reads them as UTF8.
CREATE OR REPLACE FUNCTION chime.job_fault(p_job chime.job) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce(
        CASE WHEN octet_length(p_job.command) > 1048576
             THEN format('its command has %s bytes, more than 1048576', octet_length(p_job.command))
             WHEN octet_length(p_job.options::text) > 65536
             THEN format('its options and settings have %s bytes, more than 65536', octet_length(p_job.options::text))
             WHEN octet_length(p_job.job_name) > 4096 THEN format('its name has %s bytes, more than 4096', octet_length(p_job.job_name))
             WHEN cardinality(p_job.channels) > 100 THEN format('its channels are %s, more than 100', cardinality(p_job.channels))
             WHEN cardinality(p_job.after) > 1000 THEN format('its upstreams are %s, more than 1000', cardinality(p_job.after)) END,
        chime.utf8_fault(concat_ws(' ', p_job.job_name, p_job.owner, p_job.database, p_job.schedule, p_job.command,
                                   array_to_string(p_job.after || p_job.channels, ' '), p_job.options)));
END $$;
COMMENT ON FUNCTION chime.job_fault IS 'why the leader could not read a job made by SQL; NULL: it can';

CREATE OR REPLACE FUNCTION chime.note_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_fault text := chime.job_fault(NEW);
BEGIN
    IF v_fault IS NOT NULL THEN
        RAISE EXCEPTION 'the leader could not read this job: %', v_fault USING ERRCODE = 'program_limit_exceeded',
            HINT = 'what is long can be a function or table of your own, which the command calls or reads';
    END IF;
    NEW.name := chime.sql_job_key(NEW.owner, NEW.job_name, NEW.job_id);
    NEW.changed := pg_current_xact_id();
    NEW.updated_at := clock_timestamp();
    NEW.problem := NULL;
    IF TG_OP = 'UPDATE' THEN
        NEW.version := OLD.version + 1;
        IF (NEW.active AND NOT OLD.active)
           OR (NEW.schedule, NEW.options -> 'timezone', NEW.options -> 'dst_gap', NEW.options -> 'dst_overlap')
              IS DISTINCT FROM (OLD.schedule, OLD.options -> 'timezone', OLD.options -> 'dst_gap', OLD.options -> 'dst_overlap') THEN
            NEW.since := clock_timestamp();
        END IF;
        IF (NEW.owner, NEW.database, NEW.command) IS DISTINCT FROM (OLD.owner, OLD.database, OLD.command)
           AND EXISTS (SELECT FROM chime.job_state s WHERE s.job_id = OLD.job_id AND s.last_start IS NOT NULL) THEN
            INSERT INTO chime.job_past (job_id, version, since, until, owner, database, command)
            SELECT OLD.job_id, OLD.version, coalesce((SELECT p.until FROM chime.job_past p WHERE p.job_id = OLD.job_id
                                                      ORDER BY p.job_id DESC, p.version DESC LIMIT 1), '-infinity'),
                   clock_timestamp(), OLD.owner, OLD.database, OLD.command;
        END IF;
        IF NEW.since <> OLD.since OR (OLD.active AND NOT NEW.active) THEN
            PERFORM chime.expire_schedule(OLD, CASE WHEN NEW.since <> OLD.since THEN NEW.since ELSE NEW.updated_at END);
        END IF;
    END IF;
    PERFORM pg_notify('chime_jobs', '');
    RETURN NEW;
END $$;
COMMENT ON ROUTINE chime.note_job() IS 'a job was made or edited: another version, and the leader is told';
CREATE OR REPLACE TRIGGER note_job_made BEFORE INSERT ON chime.job
    FOR EACH ROW WHEN (NEW.origin = 'sql') EXECUTE FUNCTION chime.note_job();
CREATE OR REPLACE TRIGGER note_job_edited BEFORE UPDATE ON chime.job
    FOR EACH ROW WHEN (NEW.origin = 'sql'
                       AND (NEW.owner, NEW.job_name, NEW.database, NEW.active, NEW.schedule, NEW.command, NEW.after, NEW.channels,
                            NEW.options, NEW.removed_at)
                           IS DISTINCT FROM (OLD.owner, OLD.job_name, OLD.database, OLD.active, OLD.schedule, OLD.command, OLD.after,
                                             OLD.channels, OLD.options, OLD.removed_at))
    EXECUTE FUNCTION chime.note_job();

CREATE OR REPLACE FUNCTION chime.jobs_after(p_name text) RETURNS bigint[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
RETURN ARRAY(SELECT j.job_id FROM chime.job j WHERE j.after @> ARRAY[p_name] AND j.after <> '{}' AND j.removed_at IS NULL);
COMMENT ON FUNCTION chime.jobs_after IS 'jobs that come after the one of that name';

-- Jobs that come after one name it by its key, and keep coming after it. At the end of the statement, which may edit
-- those, too.
CREATE OR REPLACE FUNCTION chime.follow_name() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    UPDATE chime.job j SET after = array_replace(j.after, OLD.name, NEW.name)
     WHERE j.job_id = ANY (chime.jobs_after(OLD.name)) AND j.origin = 'sql';
    RETURN NULL;
END $$;
COMMENT ON ROUTINE chime.follow_name() IS 'a job has another key: jobs that come after it name that one';
CREATE OR REPLACE TRIGGER follow_name AFTER UPDATE ON chime.job
    FOR EACH ROW WHEN (NEW.origin = 'sql' AND NEW.name <> OLD.name AND OLD.removed_at IS NULL) EXECUTE FUNCTION chime.follow_name();

-- The cursor is the leader's from then on.
CREATE OR REPLACE FUNCTION chime.begin_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO chime.job_state (job_id, last_slot) VALUES (NEW.job_id, NEW.since);
    RETURN NULL;
END $$;
COMMENT ON ROUTINE chime.begin_job() IS 'gives a new job its state';
CREATE OR REPLACE TRIGGER begin_job AFTER INSERT ON chime.job
    FOR EACH ROW WHEN (NEW.origin = 'sql') EXECUTE FUNCTION chime.begin_job();

-- The p_limit that follow job p_from of transaction p_changed. Parts of the index and no OR, so that what it costs
-- follows what it gives, however much changed. A row that a dump brought may be of a transaction of another server: it
-- is not one to come.
CREATE OR REPLACE FUNCTION chime.jobs_changed_since(p_seen pg_snapshot, p_changed xid8, p_from bigint, p_limit integer) RETURNS SETOF bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off
BEGIN ATOMIC
    SELECT c.job_id
    FROM ((SELECT j.changed, j.job_id FROM chime.job j
           WHERE j.origin = 'sql' AND j.changed >= pg_snapshot_xmax(p_seen) AND j.changed < pg_snapshot_xmax(pg_current_snapshot())
             AND (j.changed, j.job_id) > (p_changed, p_from)
           ORDER BY j.changed, j.job_id LIMIT p_limit)
          UNION ALL
          SELECT o.changed, o.job_id
          FROM pg_snapshot_xip(p_seen) AS x
          CROSS JOIN LATERAL (SELECT j.changed, j.job_id FROM chime.job j
                              WHERE j.origin = 'sql' AND j.changed >= x AND j.changed <= x -- with = another index has that order, too
                                AND (j.changed, j.job_id) > (p_changed, p_from)
                              ORDER BY j.changed, j.job_id LIMIT p_limit) o) c
    ORDER BY c.changed, c.job_id LIMIT p_limit;
END;
COMMENT ON ROUTINE chime.jobs_changed_since IS 'jobs made by SQL that transactions changed which a snapshot does not see';

-- In parts of p_limit jobs: all that are there, where p_seen is NULL, by number, beginning after job p_from; else those
-- that transactions changed which p_seen does not see, by transaction and number, beginning after job p_from of
-- transaction p_changed. Keep the `seen` of the first part: what changes between two parts, the next look tells. A part
-- ends before that where its commands have 8 MB: it has all of its jobs where `found` of them come. There is always a
-- row, without a job when there is none, since `seen` is what to look from next time. One whose cursor somebody deleted
-- comes without: last_slot is NULL. A job with a fault, which can be here only by other ways than chime.schedule, comes
-- without its texts. STABLE: a part is by the caller's snapshot.
CREATE OR REPLACE FUNCTION chime.changed_jobs(p_token uuid, p_seen pg_snapshot, p_from bigint DEFAULT 0, p_limit integer DEFAULT NULL,
                                   p_changed xid8 DEFAULT '0')
RETURNS TABLE (seen pg_snapshot, job_id bigint, version integer, name text, owner name, database name, active boolean, removed boolean,
               schedule text, command text, after text[], channels text[], options jsonb, since timestamptz, last_slot timestamptz,
               last_outcome chime.run_state, last_duration_us bigint, outcome_at timestamptz, last_end timestamptz,
               cursor_skipped boolean, consecutive_failures integer, suspended boolean, missed_at timestamptz, missed_after boolean,
               has_problem boolean, fault text, found integer, changed xid8, views text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_seen pg_snapshot;
    v_jobs bigint[];
BEGIN
    PERFORM chime.require_leader(p_token);
    IF p_seen IS NULL THEN
        SELECT pg_current_snapshot(),
               ARRAY(SELECT j.job_id FROM chime.job j
                     WHERE j.origin = 'sql' AND j.removed_at IS NULL AND j.job_id > p_from ORDER BY j.job_id LIMIT p_limit)
          INTO v_seen, v_jobs;
    ELSE
        SELECT pg_current_snapshot(), ARRAY(SELECT chime.jobs_changed_since(p_seen, p_changed, p_from, p_limit)) INTO v_seen, v_jobs;
    END IF;
    RETURN QUERY
    SELECT v_seen, j.job_id, j.version, CASE WHEN j.fault IS NULL THEN j.name ELSE '#' || j.job_id END,
           CASE WHEN j.fault IS NULL THEN j.owner ELSE current_user END, CASE WHEN j.fault IS NULL THEN j.database END, j.active,
           j.removed_at IS NOT NULL, CASE WHEN j.fault IS NULL THEN j.schedule ELSE '' END,
           CASE WHEN j.fault IS NULL THEN j.command ELSE '' END, CASE WHEN j.fault IS NULL THEN j.after ELSE '{}' END,
           CASE WHEN j.fault IS NULL THEN j.channels ELSE '{}' END, CASE WHEN j.fault IS NULL THEN j.options ELSE '{}' END, j.since,
           s.last_slot, s.last_outcome, s.last_duration_us, s.outcome_at, s.last_end, coalesce(s.cursor_skipped, false),
           coalesce(s.consecutive_failures, 0),
           s.suspended_at IS NOT NULL
           OR EXISTS (SELECT FROM chime.request q WHERE q.job_id = j.job_id AND q.verb = 'suspend'), s.missed_at, coalesce(s.missed_after, false), j.problem IS NOT NULL,
           j.fault, cardinality(v_jobs), j.changed, j.views
    FROM (SELECT o.*, sum(octet_length(o.command)) OVER (ORDER BY k.place) - octet_length(o.command) AS before, k.place,
                 -- Of options that take no more than that, compressed or not, none have 64 KB.
                 CASE WHEN getdatabaseencoding() <> 'UTF8' OR octet_length(o.command) > 1048576 OR pg_column_size(o.options) > 500
                           OR octet_length(o.job_name) > 4096 OR cardinality(o.channels) > 100 OR cardinality(o.after) > 1000
                      THEN chime.job_fault(o) END AS fault
          FROM chime.job o JOIN unnest(v_jobs) WITH ORDINALITY AS k (job_id, place) ON k.job_id = o.job_id
          WHERE o.job_id = ANY (v_jobs)) j
    LEFT JOIN chime.job_state s ON s.job_id = j.job_id AND s.job_id = ANY (v_jobs)
    WHERE j.before < 8388608 ORDER BY j.place;
    IF NOT FOUND THEN
        seen := v_seen;
        RETURN NEXT;
    END IF;
END $$;
COMMENT ON FUNCTION chime.changed_jobs IS 'jobs made by SQL, as they are now, and what a schedule needs to start from';

-- Of what people have under their hands nothing is waited for: an edit that is not committed yet makes another version,
-- which is told then.
CREATE OR REPLACE FUNCTION chime.note_job_error(p_token uuid, p_job bigint, p_version integer, p_problem text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    PERFORM FROM chime.job j WHERE j.job_id = p_job AND j.version = p_version AND j.problem IS DISTINCT FROM p_problem
        FOR NO KEY UPDATE SKIP LOCKED;
    IF FOUND THEN
        UPDATE chime.job j SET problem = p_problem WHERE j.job_id = p_job;
    END IF;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION chime.note_job_error IS 'p_problem NULL: there is none any more; no row is changed of another version, or where it is known';

-- By key, so that each page costs the same however many there are. `cursor`: from there on slots are not on record (for
-- a delay, from the end of the last run).
CREATE OR REPLACE FUNCTION chime.expired_schedules(p_token uuid, p_job bigint, p_version integer, p_of bigint[] DEFAULT NULL)
RETURNS TABLE (job_id bigint, version integer, name text, schedule text, options jsonb, "cursor" timestamptz, last_end timestamptz,
               until timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    RETURN QUERY
    SELECT e.job_id, e.version, k.name, e.schedule, e.options, greatest(k.last_slot, e.since), k.last_end, e.until
    FROM ((SELECT x.* FROM chime.expired_schedule x WHERE p_of IS NULL AND (x.job_id, x.version) > (p_job, p_version)
           ORDER BY x.job_id, x.version LIMIT 1000)
          UNION ALL
          (SELECT x.* FROM unnest(p_of) AS o
           CROSS JOIN LATERAL (SELECT s.* FROM chime.expired_schedule s
                               WHERE s.job_id = o AND (s.job_id, s.version) > (p_job, p_version)
                               ORDER BY s.job_id, s.version LIMIT 1000) x
           ORDER BY x.job_id, x.version LIMIT 1000)) e
    CROSS JOIN LATERAL (SELECT j.name, s.last_slot, s.last_end FROM chime.job j LEFT JOIN chime.job_state s ON s.job_id = j.job_id
                        WHERE j.job_id = e.job_id OFFSET 0) k
    ORDER BY e.job_id, e.version;
END $$;
COMMENT ON FUNCTION chime.expired_schedules IS
    'of these jobs, or of all, the 1,000 that follow the given key, by job and in the order in which they expired';

-- p_slots of each, from p_first to p_last, were due and did not run; 0: none. p_until: no slot up to then is due any
-- more; NULL: that is known. p_at: when that was decided. What was missed is later than any outcome that the job has:
-- those that come after it have no success to go by.
-- One by one: each statement looks a key up, whatever the tables were like when it was planned.
CREATE OR REPLACE FUNCTION chime.end_schedules(p_token uuid, p_job bigint[], p_version integer[], p_until timestamptz[], p_first timestamptz[],
                                    p_last timestamptz[], p_slots bigint[], p_at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE v_epoch bigint := chime.require_leader(p_token);
BEGIN
    INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch)
    SELECT w.job_id, w.first_slot, w.last_slot, w.slots, 'the job was edited, switched off or removed before this leader heard of it', v_epoch
    FROM unnest(p_job, p_first, p_last, p_slots) AS w (job_id, first_slot, last_slot, slots) WHERE w.slots > 0;
    FOR i IN 1 .. cardinality(p_job) LOOP
        UPDATE chime.job_state s SET last_slot = p_until[i], cursor_skipped = false
         WHERE s.job_id = p_job[i] AND s.last_slot < p_until[i];
        UPDATE chime.job_state s
           SET missed_at = greatest(s.missed_at, p_at, s.outcome_at + interval '1 microsecond'),
               (recent, recent_older) = (SELECT o.recent, o.recent_older FROM chime.add_outcomes(s.recent, s.recent_older, 'missed', p_slots[i]) AS o)
         WHERE s.job_id = p_job[i] AND p_slots[i] > 0;
        DELETE FROM chime.expired_schedule e WHERE e.job_id = p_job[i] AND e.version = p_version[i];
    END LOOP;
    PERFORM chime.add_totals(p_token, ARRAY[date_trunc('minute', p_at, 'UTC')], '{schedule}', '{missed}', ARRAY[m.slots], '{0}', '{0}', '{0}', ARRAY[z.none], ARRAY[z.none])
       FROM (SELECT sum(w.slots)::bigint AS slots FROM unnest(p_slots) AS w (slots)) m, (SELECT array_fill(0, ARRAY[12])::text AS none) z
      WHERE m.slots > 0;
END $$;
COMMENT ON FUNCTION chime.end_schedules IS 'expired schedules that were looked at, with what was due by them';

-- The database's zone is part of the schedule of each job that names none: where it is another one than the last
-- leader's, what was due by that until p_now expired. One by one, and only then: another zone is rare.
CREATE OR REPLACE FUNCTION chime.follow_zone(p_token uuid, p_timezone text, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_last text;
    v_job chime.job;
BEGIN
    PERFORM chime.require_leader(p_token);
    SELECT l.timezone INTO v_last FROM chime.leader l;
    UPDATE chime.leader l SET timezone = p_timezone WHERE v_last IS DISTINCT FROM p_timezone;
    FOR v_job IN SELECT * FROM chime.job j
                 WHERE j.origin = 'sql' AND j.removed_at IS NULL AND v_last <> p_timezone
                   AND j.active AND j.schedule <> '' AND j.options ->> 'timezone' IS NULL
    LOOP
        v_job.options := v_job.options || jsonb_build_object('timezone', v_last);
        PERFORM chime.expire_schedule(v_job, p_now);
        UPDATE chime.job j SET since = p_now, version = j.version + 1, changed = pg_current_xact_id() WHERE j.job_id = v_job.job_id;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.follow_zone IS 'p_timezone: of this database, by the leader''s configuration';

-- A job that is new, woke up or has another schedule starts anew: nothing was due before. What was, by its old
-- schedule, the leader has put on record.
CREATE OR REPLACE FUNCTION chime.restart_jobs(p_token uuid, p_job bigint[], p_at timestamptz[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    FOR i IN 1 .. cardinality(p_job) LOOP
        INSERT INTO chime.job_state AS s (job_id, last_slot) SELECT j.job_id, p_at[i] FROM chime.job j WHERE j.job_id = p_job[i]
        ON CONFLICT (job_id) DO UPDATE
           SET last_slot = p_at[i], cursor_skipped = false,
               ahead = CASE WHEN s.last_slot > p_at[i] THEN s.ahead + chime.ran_ahead(s.job_id, p_at[i]) ELSE s.ahead END
         WHERE s.last_slot <> p_at[i];
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.restart_jobs IS 'no slot of them up to then is due any more; a cursor goes back only from the future, and one that somebody deleted is there again';

CREATE OR REPLACE FUNCTION chime.note_next_slots(p_token uuid, p_job bigint[], p_slots text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM chime.commit_locally();
    PERFORM chime.require_leader(p_token);
    DELETE FROM chime.next_slots n
     WHERE n.job_id = ANY (ARRAY(SELECT w.job_id FROM unnest(p_job, p_slots) AS w (job_id, slots) WHERE w.slots IS NULL));
    INSERT INTO chime.next_slots AS n (job_id, slots)
    SELECT w.job_id, w.slots::timestamptz[] FROM unnest(p_job, p_slots) AS w (job_id, slots)
    WHERE w.slots IS NOT NULL AND w.job_id IN (SELECT j.job_id FROM chime.job j WHERE j.job_id = ANY (p_job))
    ORDER BY w.job_id
    ON CONFLICT (job_id) DO UPDATE SET slots = excluded.slots, written_at = excluded.written_at WHERE n.slots <> excluded.slots;
END $$;
COMMENT ON FUNCTION chime.note_next_slots IS 'p_slots: one array each, as text, in order; NULL: no slot of the job is known. Each job at most once in a call';

-- Nobody's transaction is waited for: a job that somebody edits just now is another version, and looked at as such.
CREATE OR REPLACE FUNCTION chime.job_done(p_token uuid, p_job bigint[], p_version integer[]) RETURNS SETOF bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE v_done bigint[];
BEGIN
    PERFORM chime.require_leader(p_token);
    v_done := ARRAY(
        SELECT j.job_id FROM chime.job j JOIN unnest(p_job, p_version) AS w (job_id, version) ON j.job_id = w.job_id AND j.version = w.version
        WHERE j.job_id = ANY (p_job) AND j.origin NOT IN ('plugin', 'config') AND j.active -- = 'sql' is what an index of other use has
          AND j.job_id NOT IN (SELECT r.job_id FROM chime.run r WHERE r.job_id = ANY (p_job))
        FOR NO KEY UPDATE OF j SKIP LOCKED);
    UPDATE chime.job j SET active = false WHERE j.job_id = ANY (v_done);
    RETURN QUERY SELECT unnest(v_done);
END $$;
COMMENT ON FUNCTION chime.job_done IS 'jobs for one slot (@at) that was decided and has run are active no more; those that it switched off';
