-- SPDX-License-Identifier: PostgreSQL
-- The nightly proof that kept relations hold what their definitions say.

CREATE OR REPLACE FUNCTION chime.record_verification(p_found chime.verification) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM chime.verification v
     WHERE v.view_schema = p_found.view_schema AND v.relation = p_found.relation AND v.verified_at < now() - interval '90 days';
    INSERT INTO chime.verification VALUES (p_found.*);
END $$;
COMMENT ON ROUTINE chime.record_verification IS 'writes down what a verification found';

-- "analytics.v: 1 missing, 1 surplus (lane = style, ...), repaired": the keys of the first lines, each once.
CREATE OR REPLACE FUNCTION chime.verification_words(p_found chime.verification) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN format('%s.%s: ', p_found.view_schema, p_found.relation) || concat_ws(', ',
    format('%s missing, %s surplus', p_found.missing, p_found.surplus) || coalesce(' beside ' || p_found.frozen || ' frozen rows', '') || (
        SELECT ' (' || string_agg(k.words, '; ' ORDER BY k.n) || ')'
        FROM (SELECT w.words, min(l.n) AS n
              FROM jsonb_array_elements(p_found.lines) WITH ORDINALITY AS l (difference, n)
              CROSS JOIN LATERAL (
                  SELECT string_agg(c.name || ' = ' || coalesce(l.difference -> 'line' ->> c.name, 'NULL'), ', ' ORDER BY c.n) AS words
                  FROM chime.view v CROSS JOIN LATERAL unnest(v.key::text[]) WITH ORDINALITY AS c (name, n)
                  WHERE v.view_schema = p_found.view_schema AND v.relation = p_found.relation) AS w
              GROUP BY w.words ORDER BY 2 LIMIT 3) AS k),
    CASE WHEN p_found.repaired THEN 'repaired' WHEN p_found.error IS NULL THEN 'not repaired' END, p_found.error);
COMMENT ON ROUTINE chime.verification_words IS 'what a verification found, in a line';

-- Compares one view as it is after a refresh, in a REPEATABLE READ transaction; a refresh that made it right is as good
-- as any, so it stays, and rows whose time has come freeze once they are compared. Writes down what it found; words
-- when that is not all well. Collisions with other refreshes are the caller's.
CREATE OR REPLACE FUNCTION chime.verify_view(p_view text, p_repair boolean) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off AS $$
DECLARE
    v_view chime.view := chime.find_view(p_view);
    v_found chime.verification;
BEGIN
    PERFORM set_config('chime.as_of', now()::text, true);
    PERFORM chime.refresh(p_view, p_watch => false); -- all of it is compared
    v_found.view_schema := v_view.view_schema;
    v_found.relation := v_view.relation;
    v_found.repaired := false;
    SELECT d.rows, d.missing, d.surplus, d.rounded INTO v_found.rows, v_found.missing, v_found.surplus, v_found.rounded FROM chime.difference(p_view) AS d;
    v_found.frozen := nullif(chime.frozen_rows(v_view), 0);
    v_found.lines := '[]';
    IF v_found.missing + v_found.surplus > 0 THEN
        SELECT jsonb_agg(jsonb_build_object('side', d.side, 'line', d.line) ORDER BY d.n) INTO v_found.lines
          FROM chime.differences(p_view) WITH ORDINALITY AS d (side, line, n);
        IF p_repair THEN
            v_found.error := chime.repair(p_view);
            v_found.repaired := v_found.error IS NULL;
        END IF;
    END IF;
    IF v_found.missing + v_found.surplus = 0 OR v_found.repaired THEN
        PERFORM chime.freeze(v_view);
    END IF;
    v_found.verified_at := clock_timestamp();
    PERFORM chime.record_verification(v_found);
    RETURN CASE WHEN v_found.missing + v_found.surplus > 0 THEN chime.verification_words(v_found) END;
END $$;
COMMENT ON ROUTINE chime.verify_view IS 'refreshes one view, compares it with its definition, writes down what it found; words when that is not all well';

-- A full refresh, and whether it helped: why it did not, or NULL. A definition that gives other rows each time can't be
-- kept.
CREATE OR REPLACE FUNCTION chime.repair(p_view text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.refresh(p_view, true);
    IF EXISTS (SELECT FROM chime.difference(p_view) AS d WHERE d.missing + d.surplus > 0) THEN
        RETURN 'not repaired: it differs also after a full refresh, so its definition does not always give the same rows';
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN serialization_failure OR deadlock_detected THEN RAISE;
    WHEN OTHERS THEN RETURN 'not repaired: ' || SQLERRM;
END $$;
COMMENT ON ROUTINE chime.repair IS 'a full refresh, and whether it helped: why not, or NULL';

CREATE OR REPLACE FUNCTION chime.note_unverified(p_view text, p_error text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_view chime.view := chime.find_view(p_view);
BEGIN
    PERFORM chime.record_verification((v_view.view_schema, v_view.relation, clock_timestamp(), NULL, NULL, NULL, NULL, false, '[]', p_error, NULL));
    RETURN format('%s: not verified: %s', p_view, p_error);
EXCEPTION WHEN undefined_table THEN
    RETURN NULL; -- the view was removed meanwhile
END $$;
COMMENT ON ROUTINE chime.note_unverified IS 'writes down that a view could not be verified, and why';

-- What others read goes first: who reads it reads more.
CREATE OR REPLACE FUNCTION chime.views_to_verify() RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT v.view_schema || '.' || v.relation FROM chime.view v JOIN chime.plugin p ON p.name = v.plugin
             JOIN chime.views_read() AS r ON r.view_schema = v.view_schema AND r.relation = v.relation
             WHERE p.state IN ('installed', 'failed')
             GROUP BY v.view_schema, v.relation ORDER BY count(*), v.view_schema, v.relation);
COMMENT ON ROUTINE chime.views_to_verify IS 'views in the order in which they are verified';

CREATE OR REPLACE FUNCTION chime.report_verification(p_problems text[], p_views integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cardinality(p_problems) > 0 THEN
        RAISE EXCEPTION '% of % views were not as their definitions say, or not to be verified: %', cardinality(p_problems), p_views,
            array_to_string(p_problems[:20], '; ') USING ERRCODE = 'CH007',
            HINT = 'whole rows: SELECT * FROM chime.verification ORDER BY verified_at DESC; by hand: pgchime verify VIEW --repair; '
                   'rows change without a mark when triggers are off (session_replication_role, DISABLE TRIGGER)';
    END IF;
END $$;
COMMENT ON ROUTINE chime.report_verification IS 'raises when verified views differed, with their names';

-- Each view in a transaction of its own, which is why this has no SET clause and qualifies everything. COMMIT stands
-- right before SET TRANSACTION: even an expression would take a snapshot.
CREATE OR REPLACE PROCEDURE chime.verify_views(p_repair boolean DEFAULT true)
LANGUAGE plpgsql AS $$
DECLARE
    v_views pg_catalog.text[] := chime.views_to_verify();
    v_view pg_catalog.text;
    v_problem pg_catalog.text;
    v_problems pg_catalog.text[] := '{}';
    v_failure pg_catalog.text;
    v_again boolean;
    v_held boolean;
BEGIN
    FOREACH v_view IN ARRAY v_views LOOP
        FOR v_attempt IN 1..10 LOOP
            COMMIT;
            SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
            v_failure := NULL;
            v_again := false;
            v_held := false;
            BEGIN
                v_problem := chime.verify_view(v_view, p_repair);
            EXCEPTION
                WHEN serialization_failure OR deadlock_detected THEN -- another refresh of it: it is waited for next time
                    v_failure := SQLERRM;
                    v_again := true;
                WHEN SQLSTATE 'CH010' THEN -- longer than lock_timeout: not wrong for that, and the next night will tell
                    v_failure := SQLERRM;
                    v_held := true;
                WHEN OTHERS THEN
                    v_failure := SQLERRM;
            END;
            EXIT WHEN NOT v_again;
        END LOOP;
        COMMIT;
        IF v_failure IS NOT NULL THEN
            v_problem := chime.note_unverified(v_view, v_failure);
            COMMIT;
        END IF;
        IF v_problem IS NOT NULL AND NOT v_held THEN
            v_problems := pg_catalog.array_append(v_problems, v_problem);
        END IF;
    END LOOP;
    PERFORM chime.report_verification(v_problems, pg_catalog.cardinality(v_views));
END $$;
COMMENT ON PROCEDURE chime.verify_views IS
    'refreshes and compares every installed view, one transaction each; raises CH007 at its end when one differed, whether it was repaired or not';
