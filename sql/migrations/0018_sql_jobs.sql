-- SPDX-License-Identifier: PostgreSQL
-- Jobs that are made by SQL (origin 'sql'), between those who make them and the leader that runs them.
--
-- Who makes or edits one writes chime.job and nothing that a claim needs: a transaction that stays open after its edit
-- holds up no run. A notification on chime_jobs wakes the leader, and chime.changed_jobs tells what changed, by what it
-- has seen before. An edit makes another version, which claims name, so nothing starts by an old one.

ALTER TABLE chime.job
    ADD COLUMN database   name,
    ADD COLUMN job_name   text,
    ADD COLUMN since      timestamptz NOT NULL DEFAULT clock_timestamp() CHECK (since BETWEEN '0001-01-01Z' AND '9999-12-31Z'),
    ADD COLUMN removed_at timestamptz,
    ADD COLUMN problem    text,
    ADD COLUMN changed    xid8 NOT NULL DEFAULT pg_current_xact_id(),
    DROP CONSTRAINT job_check,
    ADD CONSTRAINT job_work CHECK (CASE WHEN origin = 'sql' THEN views = '{}' ELSE (command = '') <> (views = '{}') END),
    ADD CHECK (removed_at IS NULL OR NOT active),
    DROP CONSTRAINT job_name_owner_key;
UPDATE chime.job j SET since = s.last_slot FROM chime.job_state s WHERE s.job_id = j.job_id; -- their schedules counted before
COMMENT ON COLUMN chime.job.name IS
    'unique while the job is there: as configured; of a job made by SQL OWNER/NAME, or OWNER#ID without a name (chime.sql_job_key)';
COMMENT ON COLUMN chime.job.database IS 'of this server, where a job made by SQL runs; NULL: this one';
COMMENT ON COLUMN chime.job.job_name IS 'of a job made by SQL, as its owner gave it; NULL: it has none';
COMMENT ON COLUMN chime.job.since IS 'from when its present schedule counts';
COMMENT ON COLUMN chime.job.options IS
    'of a job made by SQL, those that were given; "settings" among them are set in the run''s session before its command: {"settings": {"work_mem": "64MB"}}';
COMMENT ON COLUMN chime.job.removed_at IS
    'unscheduled, or no longer configured: the row stays for its history, its name is free. A configured job that comes back is the same one';
COMMENT ON COLUMN chime.job.problem IS 'why the leader cannot run this version; NULL: it can';
COMMENT ON COLUMN chime.job.changed IS 'the transaction that made or edited it last';
-- Lookups by name find live and removed jobs by it. An owner is part of the name that a job made by SQL has.
CREATE UNIQUE INDEX job_name ON chime.job (name, (CASE WHEN removed_at IS NULL THEN 0 ELSE job_id END));
CREATE INDEX job_configured ON chime.job (job_id) WHERE origin <> 'sql' AND removed_at IS NULL;
CREATE INDEX job_job_name ON chime.job (job_name, owner) WHERE origin = 'sql' AND removed_at IS NULL;
CREATE INDEX job_changed ON chime.job (changed, job_id) WHERE origin = 'sql';
CREATE INDEX job_made ON chime.job (job_id) WHERE origin = 'sql' AND removed_at IS NULL;
-- Who comes after a job.
CREATE INDEX job_after ON chime.job USING gin (after) WITH (fastupdate = off) WHERE after <> '{}' AND removed_at IS NULL;
CREATE INDEX job_removed_at ON chime.job (removed_at) WHERE removed_at IS NOT NULL;

-- What earlier runs ran by.
CREATE TABLE chime.job_past (
    job_id   bigint NOT NULL REFERENCES chime.job ON DELETE CASCADE,
    version  integer NOT NULL,
    since    timestamptz NOT NULL,
    until    timestamptz NOT NULL,
    owner    name NOT NULL,
    database name,
    command  text NOT NULL,
    PRIMARY KEY (job_id, version)
);
CREATE INDEX job_past_until ON chime.job_past (until);
COMMENT ON TABLE chime.job_past IS 'of jobs made by SQL that ran: definitions that were edited since; runs claimed from `since` up to `until` ran by it';

-- Schedules that were replaced, switched off or removed, until the leader has put on record what was due by them. One
-- that hears of an edit knows the old schedule itself; one that only begins to lead does not.
CREATE TABLE chime.expired_schedule (
    job_id   bigint NOT NULL REFERENCES chime.job ON DELETE CASCADE,
    version  integer NOT NULL,
    since    timestamptz NOT NULL,
    until    timestamptz NOT NULL,
    schedule text NOT NULL,
    options  jsonb NOT NULL,
    PRIMARY KEY (job_id, version)
);
COMMENT ON TABLE chime.expired_schedule IS
    'schedules that counted from `since` up to `until`, until what was due by them is on record; whoever moves chime.job.since leaves a row';
COMMENT ON COLUMN chime.expired_schedule.version IS 'of the job, the last one that had this schedule';
COMMENT ON COLUMN chime.expired_schedule.schedule IS 'empty: nothing was due, since the job had none or was switched off';

CREATE FUNCTION chime.expire_schedule(p_old chime.job, p_until timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.expired_schedule (job_id, version, since, until, schedule, options)
    SELECT (p_old).job_id, (p_old).version, (p_old).since, p_until, CASE WHEN (p_old).active THEN (p_old).schedule ELSE '' END,
           jsonb_strip_nulls(jsonb_build_object('timezone', (p_old).options -> 'timezone', 'dst_gap', (p_old).options -> 'dst_gap',
                                                'dst_overlap', (p_old).options -> 'dst_overlap'));
END;
COMMENT ON FUNCTION chime.expire_schedule IS 'p_old: the job as it was until then';

CREATE TABLE chime.next_slots (
    job_id     bigint PRIMARY KEY REFERENCES chime.job ON DELETE CASCADE,
    slots      timestamptz[] NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
COMMENT ON TABLE chime.next_slots IS 'when each job made by SQL is due next, as the leader counted it at written_at; slots that have passed since are none';

CREATE FUNCTION chime.sql_job_key(p_owner name, p_job_name text, p_job_id bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN p_job_name IS NULL THEN quote_ident(p_owner) || '#' || p_job_id
            WHEN octet_length(p_job_name) > 100 OR p_job_name ~ '[[:cntrl:]]'
            THEN quote_ident(p_owner) || '/' || regexp_replace(left(p_job_name, 20), '[[:cntrl:]]', '?', 'g') || '~' || md5(p_job_name)
            ELSE quote_ident(p_owner) || '/' || p_job_name END;
COMMENT ON FUNCTION chime.sql_job_key IS
    'what the daemon calls it: no configured name has a "/" or "#", and two owners never share a key, since an owner with either is quoted';

-- The leader holds all jobs in memory, and reads them as UTF8.
CREATE FUNCTION chime.job_fault(p_job chime.job) RETURNS text
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

CREATE FUNCTION chime.note_job() RETURNS trigger
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
CREATE TRIGGER note_job_made BEFORE INSERT ON chime.job
    FOR EACH ROW WHEN (NEW.origin = 'sql') EXECUTE FUNCTION chime.note_job();
CREATE TRIGGER note_job_edited BEFORE UPDATE ON chime.job
    FOR EACH ROW WHEN (NEW.origin = 'sql'
                       AND (NEW.owner, NEW.job_name, NEW.database, NEW.active, NEW.schedule, NEW.command, NEW.after, NEW.channels,
                            NEW.options, NEW.removed_at)
                           IS DISTINCT FROM (OLD.owner, OLD.job_name, OLD.database, OLD.active, OLD.schedule, OLD.command, OLD.after,
                                             OLD.channels, OLD.options, OLD.removed_at))
    EXECUTE FUNCTION chime.note_job();

CREATE FUNCTION chime.jobs_after(p_name text) RETURNS bigint[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
RETURN ARRAY(SELECT j.job_id FROM chime.job j WHERE j.after @> ARRAY[p_name] AND j.after <> '{}' AND j.removed_at IS NULL);
COMMENT ON FUNCTION chime.jobs_after IS 'jobs that come after the one of that name';

-- Jobs that come after one name it by its key, and keep coming after it. At the end of the statement, which may edit
-- those, too.
CREATE FUNCTION chime.follow_name() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    UPDATE chime.job j SET after = array_replace(j.after, OLD.name, NEW.name)
     WHERE j.job_id = ANY (chime.jobs_after(OLD.name)) AND j.origin = 'sql';
    RETURN NULL;
END $$;
CREATE TRIGGER follow_name AFTER UPDATE ON chime.job
    FOR EACH ROW WHEN (NEW.origin = 'sql' AND NEW.name <> OLD.name AND OLD.removed_at IS NULL) EXECUTE FUNCTION chime.follow_name();

-- The cursor is the leader's from then on.
CREATE FUNCTION chime.begin_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO chime.job_state (job_id, last_slot) VALUES (NEW.job_id, NEW.since);
    RETURN NULL;
END $$;
CREATE TRIGGER begin_job AFTER INSERT ON chime.job
    FOR EACH ROW WHEN (NEW.origin = 'sql') EXECUTE FUNCTION chime.begin_job();

-- --- for the leader --------------------------------------------------------------------------------------------------

-- The p_limit that follow job p_from of transaction p_changed. Parts of the index and no OR, so that what it costs
-- follows what it gives, however much changed. A row that a dump brought may be of a transaction of another server: it
-- is not one to come.
CREATE FUNCTION chime.jobs_changed_since(p_seen pg_snapshot, p_changed xid8, p_from bigint, p_limit integer) RETURNS SETOF bigint
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

-- In parts of p_limit jobs: all that are there, where p_seen is NULL, by number, beginning after job p_from; else those
-- that transactions changed which p_seen does not see, by transaction and number, beginning after job p_from of
-- transaction p_changed. Keep the `seen` of the first part: what changes between two parts, the next look tells. A part
-- ends before that where its commands have 8 MB: it has all of its jobs where `found` of them come. There is always a
-- row, without a job when there is none, since `seen` is what to look from next time. One whose cursor somebody deleted
-- comes without: last_slot is NULL. A job with a fault, which can be here only by other ways than chime.schedule, comes
-- without its texts. STABLE: a part is by the caller's snapshot.
CREATE FUNCTION chime.changed_jobs(p_token uuid, p_seen pg_snapshot, p_from bigint DEFAULT 0, p_limit integer DEFAULT NULL,
                                   p_changed xid8 DEFAULT '0')
RETURNS TABLE (seen pg_snapshot, job_id bigint, version integer, name text, owner name, database name, active boolean, removed boolean,
               schedule text, command text, after text[], channels text[], options jsonb, since timestamptz, last_slot timestamptz,
               last_outcome chime.run_state, last_duration_us bigint, outcome_at timestamptz, last_end timestamptz,
               cursor_skipped boolean, consecutive_failures integer, suspended boolean, missed_at timestamptz, missed_after boolean,
               has_problem boolean, fault text, found integer, changed xid8)
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
           j.fault, cardinality(v_jobs), j.changed
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
CREATE FUNCTION chime.note_job_error(p_token uuid, p_job bigint, p_version integer, p_problem text) RETURNS boolean
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

REVOKE ALL ON ALL ROUTINES IN SCHEMA chime FROM PUBLIC;
