-- SPDX-License-Identifier: PostgreSQL
-- Rows that plugin retention moved come back, with their exact values or not at all. Runs in psql after retention.sql.

-- Why no row of a cold table may be put back into its source, all parts of which it may come to; NULL: they may.
-- chime:begin retention_return_obstacle
CREATE OR REPLACE FUNCTION retention_return_obstacle(cold_table text, relation regclass, source text, triggers text[])
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_schema name;
    v_fault text;
BEGIN
    SELECT p.view_schema INTO STRICT v_schema FROM chime.plugin p WHERE p.name = 'retention';
    EXECUTE format('SELECT nullif(concat_ws(''; '', %1$I.retention_expiry_obstacle($1, $3, $4), '
                   '(SELECT min(nullif(concat_ws(''; '', %1$I.retention_untrusted(p.relid, true), %1$I.retention_side_effects(p.relid, $3, ''INSERT'', $4)), '''')) '
                   ' FROM (SELECT $2 UNION SELECT t.relid FROM pg_partition_tree($2) AS t) AS p (relid))), '''')', v_schema)
       INTO v_fault USING cold_table, relation, source, triggers;
    RETURN v_fault;
END $$
-- chime:end
;

-- Where rows of a source that are to come back are: its cold table, and partitions that were detached, which come
-- whole. What comes is from `since` on and before `until`, NULL: without that end.
-- chime:begin retention_restorable
CREATE OR REPLACE FUNCTION retention_restorable(p_source text, since timestamptz, until timestamptz)
RETURNS TABLE (object text, rows bigint, oldest timestamptz, newest timestamptz, obstacle text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET row_security = off AS $$
DECLARE
    v_schema name;
    v_enforced boolean;
    v_policy record;
    v_part record;
    v_leaving text;
    v_untrusted text;
BEGIN
    SELECT p.view_schema, p.settings ->> 'enforce' = 'true' INTO STRICT v_schema, v_enforced FROM chime.plugin p WHERE p.name = 'retention';
    EXECUTE format('SELECT * FROM %I.retention_policy() WHERE source = $1', v_schema) INTO v_policy USING p_source;
    IF v_policy.source IS NULL THEN
        RAISE EXCEPTION 'retention keeps no rows of a table "%"', p_source USING ERRCODE = 'undefined_table',
            HINT = 'it is one of the tables in the setting "tables" of plugin retention that are there';
    END IF;
    v_leaving := CASE WHEN v_enforced AND (since IS NULL OR since < v_policy.warm) THEN
        format('rows from before %s would leave again with the next run: write enforce = false, or a longer warm, and run pgchime reload',
               to_char(v_policy.warm, 'YYYY-MM-DD HH24:MI:SS')) END;
    FOR v_part IN EXECUTE format('SELECT * FROM %I.retention_detachments($1, $2) WHERE begins < coalesce($4, ''infinity'') AND ends > coalesce($3, ''-infinity'')',
                                 v_schema) USING v_policy.registry, p_source, since, until
    LOOP
        object := v_part.part;
        EXECUTE format('SELECT coalesce(%1$I.retention_untrusted($1, false), %1$I.retention_untrusted($2, false))', v_schema)
           INTO v_untrusted USING v_part.part, v_policy.relation;
        obstacle := nullif(concat_ws('; ', v_policy.fault, v_untrusted, v_leaving, CASE WHEN NOT v_part.is_owned THEN format(
            '%I does not own it; let its owner run: ALTER TABLE %s ATTACH PARTITION %s %s', current_user, v_policy.relation, object, v_part.bounds) END), '');
        rows := NULL;
        oldest := NULL;
        newest := NULL;
        IF v_untrusted IS NULL THEN
            EXECUTE format('SELECT count(*), min(t.%1$I), max(t.%1$I) FROM %2$s t', v_policy.aged_by, object) INTO rows, oldest, newest;
        END IF;
        RETURN NEXT;
    END LOOP;
    object := v_policy.cold_table;
    IF to_regclass(object) IS NOT NULL THEN
        EXECUTE format('SELECT concat_ws(''; '', $4, %I.retention_return_obstacle($1, $2, $3, $5))', v_schema)
           INTO obstacle USING object, v_policy.relation, p_source, v_policy.fault, v_policy.triggers;
        IF NOT has_table_privilege(v_policy.relation, 'INSERT') THEN
            obstacle := concat_ws('; ', nullif(obstacle, ''),
                                  format('let its owner run: GRANT INSERT ON %s TO %I', v_policy.relation, current_user));
        END IF;
        rows := NULL;
        oldest := NULL;
        newest := NULL;
        IF obstacle = '' THEN
            EXECUTE format('SELECT count(*), min(t.%1$I), max(t.%1$I) FROM ONLY %2$s t WHERE t.%1$I >= coalesce($1, ''-infinity'') '
                           'AND t.%1$I < coalesce($2, ''infinity'')', v_policy.aged_by, object) INTO rows, oldest, newest USING since, until;
        END IF;
        obstacle := nullif(concat_ws('; ', nullif(obstacle, ''), v_leaving), '');
        RETURN NEXT;
    END IF;
END $$
-- chime:end
;
COMMENT ON FUNCTION retention_restorable IS 'what pgchime retention restore would put back, and what hinders it';

-- One turn of it, a transaction for its caller: a partition, or a batch of rows; NULL: nothing is left. A row that
-- would not be what it was ends the turn with an error, and so does one that is there again: nobody but a person can
-- say which one is right.
-- chime:begin retention_restore
CREATE OR REPLACE FUNCTION retention_restore(p_source text, since timestamptz, until timestamptz, OUT object text, OUT rows bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET row_security = off
SET lock_timeout = '1s' AS $$
DECLARE
    v_schema name;
    v_policy record;
    v_part record;
    v_columns record;
    v_lost bigint;
    v_fault text;
BEGIN
    SELECT p.view_schema INTO STRICT v_schema FROM chime.plugin p WHERE p.name = 'retention';
    EXECUTE format('SELECT string_agg(obstacle, ''; '') FROM %I.retention_restorable($1, $2, $3) WHERE rows IS DISTINCT FROM 0', v_schema)
       INTO v_fault USING p_source, since, until;
    IF v_fault IS NOT NULL THEN
        RAISE EXCEPTION USING MESSAGE = v_fault, ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    EXECUTE format('SELECT * FROM %I.retention_policy() WHERE source = $1', v_schema) INTO v_policy USING p_source;
    EXECUTE format('SELECT * FROM %I.retention_detachments($1, $2) WHERE begins < coalesce($4, ''infinity'') AND ends > coalesce($3, ''-infinity'') LIMIT 1',
                   v_schema) INTO v_part USING v_policy.registry, p_source, since, until;
    IF v_part.part IS NOT NULL THEN
        object := v_part.part;
        EXECUTE format('SELECT %I.retention_hold($1, $2)', v_schema)
          USING format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE; LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', v_policy.relation, object),
                format('SELECT coalesce(%1$I.retention_untrusted(%2$L, false), %1$I.retention_untrusted(%3$L, false))', v_schema,
                       v_part.part, v_policy.relation);
        EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s %s', v_policy.relation, object, v_part.bounds);
        EXECUTE format('COMMENT ON TABLE %s IS %L', object,
                       nullif(regexp_replace(obj_description(v_part.part, 'pg_class'), ' ?\(pgchime [0-9a-f]{16}\)$', ''), ''));
        EXECUTE format('DELETE FROM %s WHERE name = $1', v_policy.registry) USING object;
        EXECUTE format('SELECT count(*) FROM %s', object) INTO rows;
        RETURN;
    END IF;
    object := v_policy.cold_table;
    IF to_regclass(object) IS NULL THEN
        object := NULL;
        RETURN;
    END IF;
    EXECUTE format('SELECT %I.retention_hold($1, $2)', v_schema)
      USING format('LOCK TABLE %s, ONLY %s IN ROW EXCLUSIVE MODE', v_policy.relation, object),
            format('SELECT %I.retention_return_obstacle(%L, %L, %L, %L)', v_schema, object, v_policy.relation, p_source, v_policy.triggers);
    EXECUTE format($q$
        SELECT string_agg(format('%%I', c.name), ', ') FILTER (WHERE NOT c.is_left AND c.cold_type IS NOT NULL) AS shared,
               string_agg(format('%%I', c.name), ', ') FILTER (WHERE NOT c.is_left AND c.cold_type IS NOT NULL AND a.attgenerated = '') AS given,
               coalesce(string_agg(format('%%I', c.name), ', ') FILTER (WHERE c.is_left), 'NULL') AS missed
        FROM %I.retention_columns($1, $2) AS c LEFT JOIN pg_attribute a ON a.attrelid = $1 AND a.attname = c.name$q$, v_schema)
       INTO v_columns USING v_policy.relation, to_regclass(object);
    EXECUTE format(
        'WITH gone AS (DELETE FROM ONLY %1$s t WHERE t.ctid = ANY (ARRAY(SELECT t.ctid FROM ONLY %1$s t WHERE %2$s '
        '              ORDER BY t.%3$I LIMIT %4$s)) AND %2$s RETURNING t.*), '
        'put AS (INSERT INTO %5$s (%6$s) OVERRIDING SYSTEM VALUE SELECT %6$s FROM gone RETURNING %7$s), '
        'unlike AS (SELECT to_jsonb(g) FROM (SELECT %7$s FROM gone) AS g EXCEPT ALL SELECT to_jsonb(p) FROM put AS p) '
        'SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM unlike) + (SELECT count(*) FROM gone WHERE num_nonnulls(%8$s) > 0)',
        object, format('t.%1$I >= coalesce($1, ''-infinity'') AND t.%1$I < coalesce($2, ''infinity'')', v_policy.aged_by),
        v_policy.aged_by, v_policy.batch_rows, v_policy.relation, v_columns.given, v_columns.shared, v_columns.missed)
       INTO rows, v_lost USING since, until;
    IF v_lost > 0 THEN
        RAISE EXCEPTION '% of % rows would not be in % as they are in %', v_lost, rows, v_policy.relation, object
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('see which columns differ: SELECT * FROM %I.retention_columns(%L, %L)', v_schema, v_policy.relation, object);
    END IF;
    SET CONSTRAINTS ALL IMMEDIATE;
    IF rows = 0 THEN
        object := NULL;
    END IF;
END $$
-- chime:end
;
COMMENT ON FUNCTION retention_restore IS 'puts back what retention moved, one turn at a time';
