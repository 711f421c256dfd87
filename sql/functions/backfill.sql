-- SPDX-License-Identifier: PostgreSQL
-- Backfill: the groups of a view computed again in bounded batches, each a transaction, from where an earlier try broke
-- off.
--
-- The groups are those that the definition gives and those that are kept, in the order of the grain. They are listed a
-- page at a time, since to list them may take as long as the definition. A group that appears before the last one done
-- is not missed: the change that makes it appear leaves a mark.

CREATE OR REPLACE FUNCTION chime.backfill_page() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 20;
COMMENT ON FUNCTION chime.backfill_page IS 'batches whose groups are listed at a time';

-- --- which groups ----------------------------------------------------------------------------------------------------
CREATE OR REPLACE FUNCTION chime.grain_columns(p_view chime.view) RETURNS TABLE (name name, type text, n bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT g.name, format_type(a.atttypid, a.atttypmod), g.n
    FROM unnest(p_view.grain) WITH ORDINALITY AS g (name, n)
    JOIN pg_attribute a ON a.attrelid = to_regclass(format('%I.%I', p_view.view_schema, p_view.relation)) AND a.attname = g.name;
END;
COMMENT ON ROUTINE chime.grain_columns IS 'the columns of a view''s grain, with their types';

-- The grain's column that tells when; NULL: none does.
CREATE OR REPLACE FUNCTION chime.grain_time(p_view chime.view) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT c.name FROM chime.grain_columns(p_view) AS c WHERE c.type LIKE 'timestamp%with time zone' OR c.type = 'date' ORDER BY c.n LIMIT 1);
COMMENT ON ROUTINE chime.grain_time IS 'the grain''s column that tells when; NULL: none does';

-- Groups whose time is in [from, to). A day belongs where its midnight is in the view's zone, which TimeZone is by now:
-- AT TIME ZONE takes '3' or 'CET' for another zone than TimeZone does.
CREATE OR REPLACE FUNCTION chime.grain_within(p_view chime.view, p_from timestamptz, p_to timestamptz) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT concat_ws(' AND ', 'true', quote_ident(c.name) || ' >= ' || b.low, quote_ident(c.name) || ' < ' || b.high)
    FROM (SELECT true) AS one LEFT JOIN chime.grain_columns(p_view) AS c ON c.name = chime.grain_time(p_view)
    CROSS JOIN LATERAL (
        SELECT CASE c.type WHEN 'date' THEN quote_literal((p_from::timestamp + interval '1 day' - interval '1 microsecond')::date)
                           ELSE quote_literal(p_from) END || '::' || c.type AS low,
               CASE c.type WHEN 'date' THEN quote_literal((p_to::timestamp + interval '1 day' - interval '1 microsecond')::date)
                           ELSE quote_literal(p_to) END || '::' || c.type AS high) b);
COMMENT ON ROUTINE chime.grain_within IS 'the condition of groups whose time is in a range';

-- Those behind a key, in the order "NULL last" of each column.
CREATE OR REPLACE FUNCTION chime.grain_behind(p_view chime.view, p_key jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    WITH k AS (
        SELECT c.n, quote_ident(c.name) AS name, p_key ->> (c.n::integer - 1) IS NULL AS last,
               format('%L::%s', p_key ->> (c.n::integer - 1), c.type) AS value
        FROM chime.grain_columns(p_view) AS c),
    steps AS (
        SELECT k.n, format('(%s(%2$s > %3$s OR %2$s IS NULL))',
                           (SELECT string_agg(CASE WHEN e.last THEN e.name || ' IS NULL' ELSE e.name || ' = ' || e.value END || ' AND ', '' ORDER BY e.n)
                            FROM k e WHERE e.n < k.n), k.name, k.value) AS step
        FROM k WHERE NOT k.last)
    SELECT CASE WHEN p_key IS NULL THEN 'true' ELSE coalesce('(' || string_agg(s.step, ' OR ' ORDER BY s.n) || ')', 'false') END FROM steps s);
COMMENT ON ROUTINE chime.grain_behind IS 'the condition of groups behind a key';

-- A FROM item: the groups there are, those of the definition and those that are kept, but for frozen ones.
CREATE OR REPLACE FUNCTION chime.grain_groups(p_view chime.view, p_within text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('(SELECT %s FROM %I.%I WHERE %s UNION ', g.names, p_view.view_schema, p_view.relation || '__live', c.condition)
               || format('SELECT %s FROM %I.%I WHERE %s)', g.names, p_view.view_schema, p_view.relation, c.condition)
        FROM (SELECT string_agg(quote_ident(u.name), ', ' ORDER BY u.n) AS names FROM unnest(p_view.grain) WITH ORDINALITY AS u (name, n)) AS g,
             (SELECT p_within || CASE WHEN chime.freezes_groups(p_view) THEN ' AND ' || chime.unfrozen(p_view) ELSE '' END AS condition) AS c);
COMMENT ON ROUTINE chime.grain_groups IS 'a FROM item: groups of the definition and groups that are kept, but for frozen ones';

-- Without a range all groups are meant that can be computed. Who names one means its groups. Where the condition says
-- more than how old a group is, some of them may not be frozen.
CREATE OR REPLACE FUNCTION chime.refuse_frozen_range(p_view chime.view, p_from timestamptz, p_to timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC' AS $$
DECLARE v_before timestamptz := chime.frozen_at(p_view.view_schema, p_view.relation) - p_view.frozen_after;
BEGIN
    IF p_view.frozen_by = chime.grain_time(p_view) AND cardinality(p_view.frozen_columns) = 1 AND coalesce(p_from < v_before, true) AND v_before IS NOT NULL THEN
        RAISE EXCEPTION 'groups of %.% before % are frozen: they stay as they are', p_view.view_schema, p_view.relation, v_before USING ERRCODE = 'CH008',
            HINT = format('--from ''%s'' computes those after them', to_char(date_trunc('second', v_before + interval '999999 us'), 'YYYY-MM-DD HH24:MI:SS"Z"'));
    END IF;
END $$;
COMMENT ON FUNCTION chime.refuse_frozen_range IS 'raises when a range that is to be computed again has frozen groups';

-- Only a kept table whose groups an index finds: a batch is to be bounded.
CREATE OR REPLACE FUNCTION chime.refuse_backfill(p_view chime.view, p_from timestamptz, p_to timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text := p_view.view_schema || '.' || p_view.relation;
    v_reason text := CASE
        WHEN cardinality(p_view.grain) = 0 THEN 'it has no grain'
        WHEN cardinality(p_view.grain) > 4 THEN 'its grain has more than 4 columns'
        WHEN EXISTS (SELECT FROM unnest(p_view.grain) AS g WHERE chime.key_equality(chime.kept_of(p_view), g) <> '=')
        THEN 'its grain has a column of a type from elsewhere, which has an order of its own'
        WHEN NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = chime.require_kept(p_view) AND c.relkind = 'r')
        THEN 'it is not kept as a table' END;
BEGIN
    IF v_reason IS NULL THEN
        SELECT format('no index finds one group in %s', string_agg(u, ', ')) INTO v_reason
          FROM chime.unrestricted_scans(p_view.view_schema, p_view.relation, p_view.grain) AS u HAVING count(*) > 0;
    END IF;
    IF v_reason IS NOT NULL THEN
        RAISE EXCEPTION '% cannot be computed in parts: %', v_name, v_reason USING ERRCODE = 'CH008',
            HINT = format('pgchime refresh %s --full does it as a whole', chime.shell_word(v_name));
    ELSIF p_from >= p_to THEN
        RAISE EXCEPTION '--from % is not before --to %', p_from, p_to USING ERRCODE = 'CH008', HINT = '--from is the earlier one, --to is not included';
    ELSIF chime.grain_time(p_view) IS NULL AND (p_from IS NOT NULL OR p_to IS NOT NULL) THEN
        RAISE EXCEPTION 'the grain of % has no column with a time', v_name USING ERRCODE = 'CH008',
            HINT = format('its grain is (%s), and --from and --to need a timestamptz or a date in it; without them all groups are filled',
                          array_to_string(p_view.grain, ', '));
    END IF;
    PERFORM chime.refuse_frozen_range(p_view, p_from, p_to) WHERE p_from IS NOT NULL OR p_to IS NOT NULL;
END $$;
COMMENT ON ROUTINE chime.refuse_backfill IS 'raises when groups of a view cannot be computed by the batch';

-- --- doing it --------------------------------------------------------------------------------------------------------
CREATE OR REPLACE FUNCTION chime.backfill_shape(p_view chime.view) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN md5(concat_ws(' ', p_view.definition, p_view.search_path, p_view.timezone, p_view.key, p_view.grain, p_view.stamps,
                     (SELECT string_agg(c.type, ' ' ORDER BY c.n) FROM chime.grain_columns(p_view) AS c)));
COMMENT ON ROUTINE chime.backfill_shape IS 'what a view looks like: an earlier backfill of another shape is not resumed';

CREATE OR REPLACE FUNCTION chime.count_groups(p_view chime.view, p_from timestamptz, p_to timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$
DECLARE v_count bigint;
BEGIN
    PERFORM set_config('TimeZone', p_view.timezone, true);
    EXECUTE format('SELECT count(*) FROM %s AS g', chime.grain_groups(p_view, chime.grain_within(p_view, p_from, p_to))) INTO v_count;
    RETURN v_count;
END $$;
COMMENT ON ROUTINE chime.count_groups IS 'how many groups a range has';

-- What a start would do: `resumes` tells that an earlier one, of the same groups, is not finished.
CREATE OR REPLACE FUNCTION chime.backfill_outlook(p_view text, p_from timestamptz, p_to timestamptz)
RETURNS TABLE (total bigint, groups bigint, resumes boolean, running integer)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_view chime.view := chime.find_view(p_view);
    v_known chime.backfill;
BEGIN
    PERFORM chime.refuse_untrusted(format('view %s.%s', v_view.view_schema, v_view.relation), 'pg_class'::regclass, chime.live_of(v_view));
    PERFORM chime.refuse_backfill(v_view, p_from, p_to); -- asks the planner
    SELECT * INTO v_known FROM chime.backfill b WHERE b.view_schema = v_view.view_schema AND b.relation = v_view.relation;
    resumes := FOUND AND v_known.finished_at IS NULL AND v_known.shape = chime.backfill_shape(v_view)
               AND (v_known.from_at, v_known.to_at) IS NOT DISTINCT FROM (p_from, p_to);
    running := CASE WHEN v_known.finished_at IS NULL AND chime.backend_alive(v_known.pid, v_known.backend_start) THEN v_known.pid END;
    total := CASE WHEN resumes THEN v_known.total ELSE chime.count_groups(v_view, p_from, p_to) END;
    groups := CASE WHEN resumes THEN v_known.groups ELSE 0 END;
    RETURN NEXT;
END $$;
COMMENT ON ROUTINE chime.backfill_outlook IS 'what a start would do: how many groups, and whether an earlier one is resumed';

-- One of a view at a time. p_job: in whose history it is to be; NULL: of any job that refreshes the view.
CREATE OR REPLACE FUNCTION chime.begin_backfill(p_view text, p_from timestamptz, p_to timestamptz, p_job bigint)
RETURNS TABLE (total bigint, groups bigint, resumes boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_view chime.view := chime.find_view(p_view);
    v_name text := v_view.view_schema || '.' || v_view.relation;
    v_found record;
    v_mine timestamptz := (SELECT a.backend_start FROM pg_stat_activity a WHERE a.pid = pg_backend_pid());
BEGIN
    PERFORM FROM chime.view v WHERE v.view_id = v_view.view_id FOR UPDATE; -- who starts at the same time waits here
    SELECT * INTO v_found FROM chime.backfill_outlook(v_name, p_from, p_to);
    IF v_found.running <> pg_backend_pid() THEN
        RAISE EXCEPTION 'another backfill of % is under way', v_name USING ERRCODE = 'CH008',
            HINT = format('its session has the pid %s; wait for its end, or end it: SELECT pg_terminate_backend(%1$s)', v_found.running);
    END IF;
    IF v_found.resumes THEN
        UPDATE chime.backfill b SET pid = pg_backend_pid(), backend_start = v_mine, starts = b.starts + 1
         WHERE b.view_schema = v_view.view_schema AND b.relation = v_view.relation;
    ELSE
        DELETE FROM chime.backfill b WHERE b.view_schema = v_view.view_schema AND b.relation = v_view.relation;
        INSERT INTO chime.backfill (view_schema, relation, job_id, from_at, to_at, shape, total, pid, backend_start)
        VALUES (v_view.view_schema, v_view.relation,
                coalesce(p_job, (SELECT j.job_id FROM chime.job j WHERE v_name = ANY (j.views)
                                 ORDER BY j.owner = current_user DESC, j.active DESC, cardinality(j.views), j.job_id LIMIT 1)),
                p_from, p_to, chime.backfill_shape(v_view), v_found.total, pg_backend_pid(), v_mine);
    END IF;
    RETURN QUERY SELECT v_found.total, v_found.groups, v_found.resumes;
END $$;
COMMENT ON ROUTINE chime.begin_backfill IS 'begins or resumes a backfill of a view; one at a time';

-- The next page of groups; how many.
CREATE OR REPLACE FUNCTION chime.list_groups(p_view chime.view, p_backfill chime.backfill, p_count bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$
DECLARE
    v_order text := (SELECT string_agg(format('g.%I', g), ', ' ORDER BY n) FROM unnest(p_view.grain) WITH ORDINALITY AS u (g, n));
    v_texts text := (SELECT string_agg(format('g.%I::text', g), ', ' ORDER BY n) FROM unnest(p_view.grain) WITH ORDINALITY AS u (g, n));
    v_listed bigint;
BEGIN
    PERFORM chime.vet_again(p_view);
    PERFORM set_config('TimeZone', p_view.timezone, true);
    EXECUTE format($f$
        WITH listed AS (
            INSERT INTO chime.backfill_group (view_schema, relation, place, key)
            SELECT $1, $2, $3 + row_number() OVER (ORDER BY %1$s), jsonb_build_array(%2$s)
            FROM (SELECT * FROM %3$s AS g ORDER BY %1$s LIMIT $4) AS g RETURNING place, key),
        noted AS (
            UPDATE chime.backfill b SET last_key = l.key FROM (SELECT key FROM listed ORDER BY place DESC LIMIT 1) l
             WHERE b.view_schema = $1 AND b.relation = $2)
        SELECT count(*) FROM listed$f$, v_order, v_texts,
        chime.grain_groups(p_view, chime.grain_within(p_view, p_backfill.from_at, p_backfill.to_at) || ' AND '
                                   || chime.grain_behind(p_view, p_backfill.last_key)))
      INTO v_listed USING p_view.view_schema, p_view.relation, p_backfill.groups, p_count;
    RETURN v_listed;
END $$;
COMMENT ON ROUTINE chime.list_groups IS 'writes the next page of groups down; how many';

-- Groups are listed in order, so those of a batch are all there is between the first and the last one of the grain's
-- first column.
CREATE OR REPLACE FUNCTION chime.batch_span(p_view chime.view, p_place bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    WITH ends AS (
        SELECT quote_ident(c.name) AS name, format('%L::%s', x.first, c.type) AS low, x.first IS NULL AS no_low,
               format('%L::%s', x.last, c.type) AS high, x.last IS NULL AS no_high
        FROM chime.grain_columns(p_view) AS c,
             (SELECT (array_agg(g.key ->> 0 ORDER BY g.place))[1] AS first,
                     (array_agg(g.key ->> 0 ORDER BY g.place DESC))[1] AS last
              FROM chime.backfill_group g
              WHERE g.view_schema = p_view.view_schema AND g.relation = p_view.relation AND g.place <= p_place) AS x
        WHERE c.n = 1)
    SELECT CASE WHEN e.no_low THEN format('v.%s IS NULL', e.name)
                WHEN e.no_high THEN format('(v.%1$s >= %2$s OR v.%1$s IS NULL)', e.name, e.low)
                ELSE format('v.%1$s >= %2$s AND v.%1$s <= %3$s', e.name, e.low, e.high) END
    FROM ends e);
COMMENT ON ROUTINE chime.batch_span IS 'the condition that holds the groups of a batch between its first and its last';

-- The rows of a batch at once, which reads what groups share only once. NULL: the planner would read a whole table for
-- that, as where a definition joins what only equality leads to; then it goes group by group.
CREATE OR REPLACE FUNCTION chime.batch_rows(p_view chime.view, p_arrays text, p_place bigint) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_rows text := format('SELECT %s FROM %I.%I v WHERE %s AND %s AND (%s)',
        chime.column_list(format('%I.%I', p_view.view_schema, p_view.relation)::regclass), p_view.view_schema,
        p_view.relation || '__live', chime.unfrozen(p_view), chime.batch_span(p_view, p_place),
        (SELECT string_agg(format('EXISTS (SELECT FROM groups k WHERE %s)', m), ' OR ')
         FROM chime.grain_matches(chime.kept_of(p_view), p_view.grain, 'k', 'v') AS m));
BEGIN
    RETURN CASE WHEN NOT EXISTS (
        SELECT FROM chime.scanned_whole(format('WITH groups AS MATERIALIZED (SELECT * FROM unnest(%s) AS g (%s)) %s', p_arrays,
            (SELECT string_agg(quote_ident(g), ', ') FROM unnest(p_view.grain) AS g), v_rows)) AS t
        WHERE t <> 'chime.backfill_group') THEN v_rows END;
END $$;
COMMENT ON ROUTINE chime.batch_rows IS 'the rows of a batch as one query; NULL: the planner would read a whole table for it';

-- For the groups listed up to a place. Joined as chime.unrestricted_scans() looked at it: a hash or merge join, which
-- the planner may guess to be a little cheaper, would read a whole table for each group.
CREATE OR REPLACE FUNCTION chime.recompute_groups(p_view chime.view, p_place bigint, OUT inserted bigint, OUT updated bigint, OUT deleted bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off SET max_parallel_workers_per_gather = 0
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$
DECLARE
    v_live bigint; v_held bigint;
    v_arrays text := (
        SELECT string_agg(format('(SELECT array_agg((x.key ->> %s)::%s ORDER BY x.place) FROM chime.backfill_group x'
                                 ' WHERE x.view_schema = %L AND x.relation = %L AND x.place <= %s)',
                                 c.n - 1, c.type, p_view.view_schema, p_view.relation, p_place), ', ' ORDER BY c.n)
        FROM chime.grain_columns(p_view) AS c);
BEGIN
    PERFORM chime.vet_again(p_view);
    PERFORM set_config('TimeZone', p_view.timezone, true);
    EXECUTE chime.refresh_keyed_statement(p_view, v_arrays, chime.batch_rows(p_view, v_arrays, p_place))
      INTO v_live, v_held, inserted, updated, deleted;
    PERFORM chime.require_kept(p_view);
    IF v_live <> v_held - deleted + inserted THEN
        PERFORM chime.refuse_doubles(p_view.view_schema, p_view.relation);
    END IF;
END $$;
COMMENT ON ROUTINE chime.recompute_groups IS 'recomputes the groups listed up to a place';

-- Recomputing takes the view's row first, as every refresh does, and tells it how many rows there are: a keyed refresh
-- counts on from that. No mark is consumed.
CREATE OR REPLACE FUNCTION chime.perform_batch(p_view chime.view, p_backfill chime.backfill, p_batch bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_place bigint;
    v_groups bigint;
    v_done record;
BEGIN
    PERFORM FROM chime.view_refresh r WHERE r.view_schema = p_view.view_schema AND r.relation = p_view.relation FOR UPDATE;
    SELECT max(x.place), count(*) INTO v_place, v_groups
      FROM (SELECT g.place FROM chime.backfill_group g WHERE g.view_schema = p_view.view_schema AND g.relation = p_view.relation
            ORDER BY g.place LIMIT p_batch) x;
    SELECT * INTO v_done FROM chime.recompute_groups(p_view, v_place);
    UPDATE chime.view_refresh r
       SET rows = r.rows + v_done.inserted - v_done.deleted,
           changed_at = CASE WHEN v_done.inserted + v_done.updated + v_done.deleted > 0 THEN now() ELSE r.changed_at END
     WHERE r.view_schema = p_view.view_schema AND r.relation = p_view.relation
       AND v_done.inserted + v_done.updated + v_done.deleted > 0;
    DELETE FROM chime.backfill_group g
     WHERE g.view_schema = p_view.view_schema AND g.relation = p_view.relation AND g.place <= v_place;
    UPDATE chime.backfill b
       SET groups = b.groups + v_groups, total = greatest(b.total, b.groups + v_groups), batches = b.batches + 1, inserted = b.inserted + v_done.inserted,
           updated = b.updated + v_done.updated, deleted = b.deleted + v_done.deleted
     WHERE b.view_schema = p_view.view_schema AND b.relation = p_view.relation;
END $$;
COMMENT ON ROUTINE chime.perform_batch IS 'recomputes a batch of groups';

CREATE OR REPLACE FUNCTION chime.end_backfill(p_backfill chime.backfill) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE chime.backfill b SET finished_at = clock_timestamp(), total = b.groups
     WHERE b.view_schema = p_backfill.view_schema AND b.relation = p_backfill.relation;
    INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, pid, epoch, claimed_at, started_at, finished_at, rows,
                                   message, reason)
    SELECT nextval('chime.run_id'), j.job_id, 'backfill', p_backfill.started_at, 'succeeded', p_backfill.starts, pg_backend_pid(), l.epoch,
           p_backfill.started_at, p_backfill.started_at, clock_timestamp(), p_backfill.inserted + p_backfill.updated + p_backfill.deleted,
           format('%s.%s: %s groups in %s batches, %s inserted, %s updated, %s deleted', p_backfill.view_schema, p_backfill.relation,
                  p_backfill.groups, p_backfill.batches, p_backfill.inserted, p_backfill.updated, p_backfill.deleted),
           format('backfilled by %s%s%s', session_user, ' from ' || p_backfill.from_at, ' to ' || p_backfill.to_at)
    FROM chime.job j, chime.leader l
    WHERE j.job_id = p_backfill.job_id AND coalesce(j.options ->> 'log_runs', 'all') = 'all';
END $$;
COMMENT ON ROUTINE chime.end_backfill IS 'writes the end of a backfill into the history';

-- One transaction: a page of groups listed, or a batch of them done, or the end noted. Called until `finished`.
CREATE OR REPLACE FUNCTION chime.backfill_step(p_view text, p_batch bigint)
RETURNS TABLE (total bigint, groups bigint, batches bigint, inserted bigint, updated bigint, deleted bigint, starts smallint, finished boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC' AS $$
#variable_conflict use_column
DECLARE
    v_view chime.view := chime.find_view(p_view);
    v_own chime.backfill;
BEGIN
    SELECT * INTO v_own FROM chime.backfill b WHERE b.view_schema = v_view.view_schema AND b.relation = v_view.relation
       AND b.pid = pg_backend_pid() AND b.finished_at IS NULL AND b.shape = chime.backfill_shape(v_view);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the view was changed or its backfill was taken over' USING ERRCODE = 'CH008', HINT = 'start it again';
    END IF;
    finished := false;
    IF EXISTS (SELECT FROM chime.backfill_group g WHERE g.view_schema = v_view.view_schema AND g.relation = v_view.relation) THEN
        PERFORM chime.perform_batch(v_view, v_own, p_batch);
    ELSIF chime.list_groups(v_view, v_own, p_batch * chime.backfill_page()) = 0 THEN
        PERFORM chime.end_backfill(v_own);
        finished := true;
    END IF;
    RETURN QUERY SELECT b.total, b.groups, b.batches, b.inserted, b.updated, b.deleted, b.starts, finished
                 FROM chime.backfill b WHERE b.view_schema = v_view.view_schema AND b.relation = v_view.relation;
END $$;
COMMENT ON ROUTINE chime.backfill_step IS 'one transaction of a backfill: a page of groups listed, a batch done, or the end noted';
