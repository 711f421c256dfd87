-- SPDX-License-Identifier: PostgreSQL
-- What plugin retention reports: the next run counted, and rows by tier. Runs in psql after retention.sql.

-- The next run, counted: each row that it would take away, by where it is now. What is hindered has no count: nothing
-- goes.
-- chime:begin retention_dry_run
CREATE OR REPLACE FUNCTION retention_dry_run()
RETURNS TABLE (source text, action text, object text, rows bigint, oldest timestamptz, newest timestamptz,
               older_than timestamptz, obstacle text, remark text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET row_security = off AS $$
DECLARE
    v_schema name;
    v_step record;
BEGIN
    SELECT p.view_schema INTO STRICT v_schema FROM chime.plugin p WHERE p.name = 'retention';
    FOR v_step IN EXECUTE format('SELECT * FROM %I.retention_steps()', v_schema) LOOP
        source := v_step.source;
        action := v_step.action;
        object := v_step.object;
        older_than := v_step.older_than;
        obstacle := v_step.obstacle;
        remark := v_step.remark;
        rows := NULL;
        oldest := NULL;
        newest := NULL;
        IF obstacle IS NULL AND v_step.guard IS NOT NULL THEN
            EXECUTE v_step.guard INTO obstacle;
        END IF;
        IF obstacle IS NULL THEN
            EXECUTE v_step.counted INTO rows, oldest, newest;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$
-- chime:end
;
COMMENT ON FUNCTION retention_dry_run IS 'what the job retention-events would take away now, and what hinders it';

-- How much there is of each tier, and where. `due`: older than its tier, and to go with the next run; `not read`: to
-- read it would run code of an owner whom nobody trusts.
-- chime:begin retention_tiers
CREATE OR REPLACE FUNCTION retention_tiers()
RETURNS TABLE (source text, tier text, kept_in text, rows bigint, oldest timestamptz, newest timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET row_security = off AS $$
DECLARE
    v_schema name;
    v_policy record;
    v_place record;
    v_is_read boolean;
BEGIN
    SELECT p.view_schema INTO STRICT v_schema FROM chime.plugin p WHERE p.name = 'retention';
    FOR v_policy IN EXECUTE format(
        'SELECT p.*, CASE c.relkind WHEN ''r'' THEN ''ONLY '' ELSE '''' END || p.relation AS counted '
        'FROM %I.retention_policy() AS p JOIN pg_class c ON c.oid = p.relation WHERE p.fault IS NULL', v_schema) LOOP
        FOR v_place IN EXECUTE format(
            'SELECT $1 AS relation, $2 AS counted, $3 AS tiers UNION ALL '
            'SELECT to_regclass($4), ''ONLY '' || $4, $5 WHERE to_regclass($4) IS NOT NULL AND %1$I.retention_cold_obstacle($4, NULL) IS NULL '
            'UNION ALL (SELECT d.part, d.part::text, $5 FROM %1$I.retention_detachments($6, $7) AS d '
            '           WHERE has_table_privilege(d.part, ''SELECT'') ORDER BY d.ends DESC)', v_schema)
            USING v_policy.relation, v_policy.counted,
                  format('CASE WHEN %s THEN ''due'' WHEN %s THEN ''warm'' ELSE ''hot'' END', format(v_policy.old, v_policy.warm),
                         format(v_policy.old, v_policy.hot)),
                  v_policy.cold_table, format('CASE WHEN %s THEN ''due'' ELSE ''cold'' END', format(v_policy.old, v_policy.cold)),
                  v_policy.registry, v_policy.source
        LOOP
            source := v_policy.source;
            tier := 'not read';
            kept_in := v_place.relation;
            EXECUTE format('SELECT %I.retention_untrusted($1, false) IS NULL', v_schema) INTO v_is_read USING v_place.relation;
            IF v_is_read THEN
                RETURN QUERY EXECUTE format(
                    'SELECT $1, %1$s, $2, count(*), min(t.%2$I), max(t.%2$I) FROM %3$s t GROUP BY 2 ORDER BY 6 DESC',
                    v_place.tiers, v_policy.aged_by, v_place.counted) USING source, kept_in;
            ELSE
                RETURN NEXT;
            END IF;
        END LOOP;
    END LOOP;
END $$
-- chime:end
;
COMMENT ON FUNCTION retention_tiers IS 'rows of each event table by tier, and where they are';
