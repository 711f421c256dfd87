-- SPDX-License-Identifier: PostgreSQL
-- What keeps plugin retention from a table: what we are not sure of is left, and told. Runs in psql after
-- retention.sql.

-- A step of the clock makes rows old that are not. The log says when the last run was, by the order of its entries:
-- their instants are those of a clock that may have been wrong. Where the clock is far beyond that, a person confirms
-- it, by `pgchime retention confirm`. Runs that nobody confirmed say nothing of the clock, and neither do those before
-- it was installed.
-- chime:begin retention_clock
CREATE OR REPLACE FUNCTION retention_clock()
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_plugin chime.plugin;
    v_last timestamptz;
BEGIN
    SELECT * INTO STRICT v_plugin FROM chime.plugin p WHERE p.name = 'retention';
    IF to_regclass(format('%I.retention_log', v_plugin.view_schema)) IS NOT NULL THEN
        EXECUTE format('SELECT l.at FROM %I.retention_log l WHERE l.clock_is_right ORDER BY l.entry DESC LIMIT 1', v_plugin.view_schema) INTO v_last;
    END IF;
    v_last := coalesce(v_last, v_plugin.changed_at);
    RETURN CASE WHEN now() > v_last + interval '8 days' THEN
        format('the clock says %s, and the last run was at %s: where the clock is right, run pgchime retention confirm',
               to_char(now(), 'YYYY-MM-DD HH24:MI:SS'), to_char(v_last, 'YYYY-MM-DD HH24:MI:SS')) END;
END $$
-- chime:end
;
COMMENT ON FUNCTION retention_clock IS 'why the clock is not to be trusted; NULL: it is';

-- A person's word that the clock is right; gives the instant.
-- chime:begin retention_confirm
CREATE OR REPLACE FUNCTION retention_confirm()
RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_schema name;
    v_at timestamptz;
BEGIN
    SELECT p.view_schema INTO STRICT v_schema FROM chime.plugin p WHERE p.name = 'retention';
    EXECUTE format('INSERT INTO %I.retention_log (enforced, source, action, object, note, clock_is_right) '
                   'VALUES (false, '''', ''confirm'', ''clock'', $1, true) RETURNING at', v_schema)
       INTO v_at USING format('%s says that the clock is right', session_user);
    RETURN v_at;
END $$
-- chime:end
;
COMMENT ON FUNCTION retention_confirm IS 'says that the clock is right, where retention_clock() doubts it';

-- Code of owners whom nobody trusts, which would run as whoever reads rows of a relation, deletes them, or (`put`) puts
-- them there; NULL: none. Tables and enums may be anybody's; a cast of such a type, to text or json, and what a default
-- or generated column calls, may not.
-- chime:begin retention_untrusted
CREATE OR REPLACE FUNCTION retention_untrusted(relation regclass, put boolean)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN (
        WITH objects (class, object) AS (
            SELECT 'pg_class'::regclass::oid, relation::oid
            UNION ALL SELECT DISTINCT 'pg_type'::regclass::oid, a.atttypid FROM pg_attribute a
                      WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
            UNION ALL SELECT 'pg_attrdef'::regclass, d.oid FROM pg_attrdef d WHERE put AND d.adrelid = relation)
        SELECT format('it would run %s as %s, and its owner %s is not trusted (trusted_owners in pgchime.conf)', u.code, current_user, u.owner)
        FROM objects o CROSS JOIN LATERAL chime.untrusted_code(o.class, o.object) AS u ORDER BY u.code LIMIT 1);
END $$
-- chime:end
;

-- The same of what has the name of a part that is to go as a whole, then what else hinders it, which a query says that
-- may read the part.
-- chime:begin retention_part_obstacle
CREATE OR REPLACE FUNCTION retention_part_obstacle(part text, otherwise text)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_schema name;
    v_fault text;
BEGIN
    SELECT p.view_schema INTO STRICT v_schema FROM chime.plugin p WHERE p.name = 'retention';
    EXECUTE format('SELECT %I.retention_untrusted($1, false)', v_schema) INTO v_fault USING to_regclass(part);
    IF v_fault IS NULL THEN
        EXECUTE otherwise INTO v_fault;
    END IF;
    RETURN v_fault;
END $$
-- chime:end
;

-- What happens elsewhere when rows of a relation go (DELETE) or come (INSERT); NULL: nothing. `source` is the name
-- under which the setting `triggers` allows a trigger: TABLE.TRIGGER. Triggers of pgchime itself write down changes,
-- and notify. Who may write a trigger's function has it run as who deletes: it has to be trusted, too.
-- chime:begin retention_side_effects
CREATE OR REPLACE FUNCTION retention_side_effects(relation regclass, source text, event text, triggers text[])
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN nullif(concat_ws('; ',
        (SELECT format('deleting from it would also change %s, by %I', k.conrelid::regclass, k.conname)
         FROM pg_constraint k WHERE event = 'DELETE' AND k.confrelid = relation AND k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd')
         ORDER BY k.conname LIMIT 1),
        (SELECT format('trigger %1$I of %2$s would run at each %3$s: where that is wanted, allow it by triggers = "%4$s.%5$s"',
                       t.tgname, relation, event, source, t.tgname)
         FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
         WHERE t.tgrelid = relation AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
           AND t.tgtype & CASE event WHEN 'DELETE' THEN 8 ELSE 4 END <> 0
           AND p.pronamespace <> 'chime'::regnamespace AND source || '.' || t.tgname <> ALL (triggers)
           AND NOT EXISTS (SELECT FROM chime.plugin_channel c, chime.channel_triggers(c) AS n
                           WHERE n.relation = t.tgrelid AND n.trigger = t.tgname)
         ORDER BY t.tgname LIMIT 1),
        (SELECT format('trigger %I of %s would run %s as %s, and its owner %s is not trusted (trusted_owners in pgchime.conf)',
                       t.tgname, relation, u.code, current_user, u.owner)
         FROM pg_trigger t CROSS JOIN LATERAL chime.untrusted_code('pg_trigger'::regclass, t.oid) AS u
         WHERE t.tgrelid = relation AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
           AND t.tgtype & CASE event WHEN 'DELETE' THEN 8 ELSE 4 END <> 0
         ORDER BY t.tgname LIMIT 1),
        (SELECT format('rule %I of %s would act at each %s', r.rulename, relation, event)
         FROM pg_rewrite r WHERE r.ev_class = relation AND r.ev_type = CASE event WHEN 'DELETE' THEN '4' ELSE '3' END::"char"
           AND r.ev_enabled IN ('O', 'A') ORDER BY r.rulename LIMIT 1)), '');
END $$
-- chime:end
;

-- The columns of a relation beside those of its cold table. `fits`: every value can be kept there as it is; `change`:
-- what makes it so, where that loses nothing of what is there already. `left`: the relation has it no more. A cold
-- table has the types without their lengths and scales, so that no value is ever rounded or cut.
-- chime:begin retention_columns
CREATE OR REPLACE FUNCTION retention_columns(relation regclass, cold regclass)
RETURNS TABLE (name name, type text, cold_type text, fits boolean, change text, is_left boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH wider (narrow, wide) AS (VALUES
             ('smallint', 'integer'), ('smallint', 'bigint'), ('smallint', 'numeric'), ('integer', 'bigint'), ('integer', 'numeric'),
             ('bigint', 'numeric'), ('real', 'double precision'), ('character varying', 'text'), ('text', 'character varying')),
         columns AS (
             SELECT a.attrelid, a.attname, a.attnum, a.atttypid, a.atttypmod, format_type(a.atttypid, -1) AS plain,
                    format_type(a.atttypid, -1)
                         || CASE WHEN a.attcollation <> y.typcollation
                                 THEN (SELECT format(' COLLATE %I.%I', n.nspname, l.collname)
                                       FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
                                       WHERE l.oid = a.attcollation) ELSE '' END AS type
             FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
             WHERE a.attrelid IN (relation, cold) AND a.attnum > 0 AND NOT a.attisdropped)
    SELECT coalesce(s.attname, c.attname), s.type, format_type(c.atttypid, c.atttypmod), f.fits,
           CASE WHEN c.attname IS NULL THEN format('ADD COLUMN %I %s', s.attname, s.type)
                WHEN NOT f.fits AND (c.atttypid = s.atttypid OR (c.plain, s.plain) IN (SELECT w.narrow, w.wide FROM wider w))
                THEN format('ALTER COLUMN %I TYPE %s', s.attname, s.type) END,
           s.attname IS NULL
    FROM (SELECT * FROM columns WHERE attrelid = relation) AS s
    FULL JOIN (SELECT * FROM columns WHERE attrelid = cold) AS c ON c.attname = s.attname
    CROSS JOIN LATERAL (SELECT c.atttypid = s.atttypid AND c.atttypmod IN (-1, s.atttypmod)
                               OR c.atttypmod = -1 AND (s.plain, c.plain) IN (SELECT w.narrow, w.wide FROM wider w)) AS f (fits)
    ORDER BY s.attnum, c.attnum;
END
-- chime:end
;

-- Why the rows of a cold table may not be touched, and why none of `relation` (NULL: of none) may come to them; NULL:
-- they may. Only a table that pgchime made, as it made it, has no rows but those that it put there.
-- chime:begin retention_cold_obstacle
CREATE OR REPLACE FUNCTION retention_cold_obstacle(cold_table text, relation regclass)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_cold regclass := to_regclass(cold_table);
    v_schema name;
    v_faults text;
BEGIN
    IF v_cold IS NULL THEN
        RETURN NULL;
    ELSIF NOT chime.is_ours(v_cold, 'cold ' || cold_table) THEN
        RETURN format('%s is not retention''s own: rename it, or set view_schema of plugin retention to another schema', cold_table);
    ELSIF EXISTS (SELECT FROM pg_inherits i WHERE v_cold IN (i.inhrelid, i.inhparent)) THEN
        RETURN format('%s inherits, is inherited from, or is a partition, as it was not when retention made it', cold_table);
    ELSIF NOT (has_table_privilege(v_cold, 'SELECT') AND has_table_privilege(v_cold, 'INSERT') AND has_table_privilege(v_cold, 'DELETE')) THEN
        RETURN (SELECT format('%1$s belongs to %2$I now; let %2$I run: GRANT SELECT, INSERT, DELETE ON %1$s TO %3$I', cold_table,
                              pg_get_userbyid(c.relowner), current_user) FROM pg_class c WHERE c.oid = v_cold);
    END IF;
    SELECT p.view_schema INTO STRICT v_schema FROM chime.plugin p WHERE p.name = 'retention';
    EXECUTE format('SELECT %I.retention_untrusted($1, true)', v_schema) INTO v_faults USING v_cold;
    IF v_faults IS NOT NULL OR relation IS NULL THEN
        RETURN v_faults;
    END IF;
    EXECUTE format($q$
        SELECT concat_ws('; ',
            (SELECT format('column %%1$I is %%2$s in %%3$s and %%4$s in %%5$s, which would change values', c.name, c.type, $1, c.cold_type, $2)
             FROM %1$I.retention_columns($1, $2) AS c WHERE NOT c.fits AND c.change IS NULL LIMIT 1),
            (SELECT format('%%1$s has a column %%2$I and no %%3$I any more, %%4$s the other way round: if it was renamed, '
                           'ALTER TABLE %%4$s RENAME COLUMN %%3$I TO %%2$I; else ALTER TABLE %%4$s %%5$s', $1, n.name, o.name, $2, n.change)
             FROM %1$I.retention_columns($1, $2) AS n, %1$I.retention_columns($1, $2) AS o
             WHERE n.cold_type IS NULL AND o.is_left LIMIT 1))$q$, v_schema) INTO v_faults USING relation, v_cold;
    RETURN nullif(v_faults, '');
END $$
-- chime:end
;

-- Why these columns of a relation's rows, and no others, cannot be moved to its cold table in batches; NULL: they can.
-- chime:begin retention_obstacle
CREATE OR REPLACE FUNCTION retention_obstacle(relation regclass, source text, cold_table text, triggers text[], columns text)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_schema name;
    v_whole regclass;
    v_faults text[];
BEGIN
    SELECT p.view_schema, to_regclass(format('%I.%I', p.source_schema, source)) INTO STRICT v_schema, v_whole
      FROM chime.plugin p WHERE p.name = 'retention';
    IF relation <> v_whole AND NOT EXISTS (SELECT FROM pg_partition_tree(v_whole) AS t WHERE t.relid = relation) THEN
        RETURN format('it is no partition of %s any more', v_whole);
    END IF;
    EXECUTE format('SELECT ARRAY[%1$I.retention_untrusted($1, false), %1$I.retention_side_effects($1, $2, ''DELETE'', $3), %1$I.retention_cold_obstacle($4, $1), '
                   '%1$I.retention_side_effects(to_regclass($4), ''cold_'' || $2, ''INSERT'', $3)]', v_schema)
       INTO v_faults USING relation, source, triggers, cold_table;
    RETURN (
        SELECT nullif(concat_ws('; ',
            CASE WHEN c.relkind <> 'r' THEN 'it is no ordinary table' END,
            CASE WHEN columns <> (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
                 THEN 'it has other columns than when this run began; the next run moves its rows' END,
            CASE WHEN NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
                 THEN 'it has no primary key' END,
            (SELECT format('%s inherits from it, and its rows would stay', i.inhrelid::regclass)
             FROM pg_inherits i WHERE i.inhparent = c.oid AND c.relkind = 'r' ORDER BY 1 LIMIT 1),
            CASE WHEN NOT has_table_privilege(c.oid, 'SELECT') OR NOT has_table_privilege(c.oid, 'DELETE')
                 THEN format('let its owner run: GRANT SELECT, DELETE ON %s TO %I', c.oid::regclass, current_user) END,
            nullif(array_to_string(v_faults, '; '), '')), '')
        FROM pg_class c WHERE c.oid = relation);
END $$
-- chime:end
;

-- Why no row may be deleted from a cold table; NULL: rows may.
-- chime:begin retention_expiry_obstacle
CREATE OR REPLACE FUNCTION retention_expiry_obstacle(cold_table text, source text, triggers text[])
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_schema name;
    v_fault text;
BEGIN
    SELECT p.view_schema INTO STRICT v_schema FROM chime.plugin p WHERE p.name = 'retention';
    EXECUTE format('SELECT nullif(concat_ws(''; '', %1$I.retention_cold_obstacle($1, NULL), '
                   '%1$I.retention_side_effects(to_regclass($1), ''cold_'' || $2, ''DELETE'', $3)), '''')', v_schema)
       INTO v_fault USING cold_table, source, triggers;
    RETURN v_fault;
END $$
-- chime:end
;

-- What makes a cold table, or gives it what its source has gained since; NULL: nothing to do. No constraint and no
-- privilege comes along, so that whatever the source may become, a row can be kept, and that nobody reads it who could
-- not read the source.
-- chime:begin retention_setup
CREATE OR REPLACE FUNCTION retention_setup(relation regclass, cold_table text, aged_by name)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_schema name;
    v_changes text;
BEGIN
    SELECT p.view_schema INTO STRICT v_schema FROM chime.plugin p WHERE p.name = 'retention';
    EXECUTE format('SELECT ''ALTER TABLE '' || $2 || '' '' || string_agg(c.change, '', '') '
                   'FROM %I.retention_columns($1, to_regclass($2)) AS c', v_schema)
       INTO v_changes USING relation, cold_table;
    RETURN CASE WHEN to_regclass(cold_table) IS NOT NULL THEN v_changes ELSE format(
        'CREATE TABLE %1$s (); %2$s; CREATE INDEX ON %1$s (%3$I); ALTER TABLE %1$s REPLICA IDENTITY FULL; '
        'SELECT chime.keep_private(%1$L), chime.note_made(%1$L, %4$L, %5$L)',
        cold_table, v_changes, aged_by, 'cold ' || cold_table, format('pgchime retention: cold rows of %s', relation)) END;
END $$
-- chime:end
;
