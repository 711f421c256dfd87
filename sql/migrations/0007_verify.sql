-- Verify: how a kept relation and its live definition differ. Whoever wants to know whether a view is wrong, and not only behind,
-- refreshes it first in the same REPEATABLE READ transaction, and rolls back.

-- Begins a statement: `kept` and `live`, each read once and without stamps; `missing` and `surplus`, the rows that only one of
-- them has.
CREATE FUNCTION chime.comparison_statement(p_view chime.view) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_kept regclass := format('%I.%I', p_view.view_schema, p_view.relation);
    v_columns name[] := ARRAY(SELECT a.attname FROM pg_attribute a
                              WHERE a.attrelid = v_kept AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (p_view.stamps)
                              ORDER BY a.attnum);
BEGIN
    RETURN format($f$
        WITH kept AS MATERIALIZED (SELECT %1$s FROM %2$I.%3$I),
        live AS MATERIALIZED (SELECT %1$s FROM %2$I.%4$I),
        missing AS (SELECT * FROM live EXCEPT ALL SELECT * FROM kept),
        surplus AS (SELECT * FROM kept EXCEPT ALL SELECT * FROM live)$f$,
        chime.comparable_columns(v_kept, v_columns), p_view.view_schema, p_view.relation, p_view.relation || '__live');
END $$;

CREATE FUNCTION chime.difference(p_view text) RETURNS TABLE (rows bigint, missing bigint, surplus bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' AS $$
BEGIN
    RETURN QUERY EXECUTE chime.comparison_statement(chime.find_view(p_view))
        || ' SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM missing), (SELECT count(*) FROM surplus)';
END $$;
COMMENT ON FUNCTION chime.difference IS
    'how many rows the kept relation has, and how many only the live definition or only the kept relation has; takes as long as the definition';

-- A row that has other values than it should is there twice: as it is kept, then as it should be.
CREATE FUNCTION chime.differences(p_view text, p_limit integer DEFAULT 10) RETURNS TABLE (side text, line jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' AS $$
DECLARE
    v_view chime.view := chime.find_view(p_view);
BEGIN
    RETURN QUERY EXECUTE chime.comparison_statement(v_view) || format(
        $f$ SELECT d.side, d.line FROM (SELECT 'missing' AS side, to_jsonb(chime_row) AS line FROM missing chime_row
                                        UNION ALL SELECT 'surplus', to_jsonb(chime_row) FROM surplus chime_row) AS d
            ORDER BY %s, d.side DESC LIMIT $1$f$,
        (SELECT string_agg(format('d.line ->> %L', k), ', ' ORDER BY n) FROM unnest(v_view.key) WITH ORDINALITY AS u (k, n)))
    USING p_limit;
END $$;
COMMENT ON FUNCTION chime.differences IS
    'rows that only the live definition has (side missing) or only the kept relation (surplus), by the view''s key';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chime FROM PUBLIC;
