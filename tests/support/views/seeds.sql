-- SPDX-License-Identifier: PostgreSQL
-- The list of what the seeds name (tests/oracle/seeds.txt) and what of it is not there, for test_seeds.c.
CREATE SCHEMA seeds;
CREATE TABLE seeds.line (n bigint PRIMARY KEY, kind text, name text, detail text, ours text, place text, reason text);
-- What only the test can find: tiles and alerts that plugins declare, notifications that were heard.
CREATE TABLE seeds.tile (title text, query text);
CREATE TABLE seeds.alert (name text, gravity text);
CREATE TABLE seeds.told (channel text, payload text);

CREATE FUNCTION seeds.load(path text) RETURNS bigint LANGUAGE sql AS $$
    WITH made AS (
        INSERT INTO seeds.line
        SELECT l.n, f[1], f[2], f[3], CASE f[4] WHEN '=' THEN f[2] ELSE f[4] END, f[5], f[6]
        FROM regexp_split_to_table(pg_read_file(path), '\n') WITH ORDINALITY AS l (text, n),
             regexp_split_to_array(btrim(l.text), '\s*\|\s*') AS f
        WHERE l.text !~ '^(#|$)' RETURNING 1)
    SELECT count(*) FROM made
$$;

CREATE FUNCTION seeds.family(type oid) RETURNS text STABLE LANGUAGE sql AS $$
    SELECT CASE WHEN t.oid = 'uuid'::regtype THEN 'uuid' WHEN t.oid IN ('json'::regtype, 'jsonb'::regtype) THEN 'json'
                WHEN t.oid = 'name'::regtype THEN 'name'
                ELSE CASE t.typcategory WHEN 'N' THEN 'number' WHEN 'S' THEN 'text' WHEN 'D' THEN 'time' WHEN 'B' THEN 'flag'
                                        WHEN 'A' THEN 'list' WHEN 'T' THEN 'interval' END END
    FROM pg_type t WHERE t.oid = type
$$;

-- Where a line's thing is: a relation, or a function. Stable, so that a join looks it up once for each line.
CREATE FUNCTION seeds.relation(kind text, name text) RETURNS regclass STABLE LANGUAGE sql AS $$
    SELECT to_regclass(format('%I.%I', CASE kind WHEN 'source' THEN 'public' ELSE 'analytics' END, name))
$$;
-- A name of the seeds may have arguments that are no types: any function of that name is it.
CREATE FUNCTION seeds.routine(name text) RETURNS oid STABLE LANGUAGE sql AS $$
    SELECT min(p.oid) FROM pg_proc p
    WHERE p.pronamespace = 'analytics'::regnamespace AND lower(p.proname) = lower(split_part(name, '(', 1))
      AND (name !~ '\(.*(uuid|text|integer|boolean|timestamptz)' OR p.oid = to_regprocedure('analytics.' || name))
$$;

CREATE VIEW seeds.wanted_column AS
SELECT l.*, split_part(c, ' ', 1) AS column_name, split_part(c, ' ', 2) AS family
FROM seeds.line l, regexp_split_to_table(l.detail, ',\s*') AS c
WHERE l.kind IN ('source', 'relation', 'function', 'query') AND l.ours <> '-' AND l.detail <> '';

CREATE VIEW seeds.found_column AS
SELECT l.n, a.attname AS column_name, seeds.family(a.atttypid) AS family
FROM seeds.line l JOIN pg_attribute a ON a.attrelid = seeds.relation(l.kind, l.ours) AND a.attnum > 0 AND NOT a.attisdropped
WHERE l.kind IN ('source', 'relation')
UNION ALL
SELECT l.n, r.name, seeds.family(r.type)
FROM seeds.line l JOIN pg_proc p ON p.oid = seeds.routine(l.ours),
     unnest(p.proargnames, p.proallargtypes, p.proargmodes) AS r (name, type, mode)
WHERE l.kind IN ('function', 'query') AND r.mode IN ('t', 'o');

-- PLUGIN:SETTING, JOB:OPTION or FUNCTION:PARAMETER with a default.
CREATE FUNCTION seeds.setting(name text) RETURNS text STABLE LANGUAGE sql AS $$
    SELECT coalesce((SELECT p.settings ->> s.key FROM chime.plugin p WHERE p.name = s.owner),
                    (SELECT j.options ->> s.key FROM chime.job j WHERE j.name = s.owner),
                    (SELECT (regexp_match(pg_get_function_arguments(p.oid), '\m' || s.key || ' \w+ DEFAULT ([^,]+)'))[1]
                     FROM pg_proc p WHERE p.oid = seeds.routine(s.owner)))
    FROM (SELECT split_part(setting.name, ':', 1), split_part(setting.name, ':', 2)) AS s (owner, key)
$$;

-- Is there a thing of that kind and name?
CREATE FUNCTION seeds.is_there(kind text, name text) RETURNS boolean STABLE LANGUAGE sql AS $$
    SELECT CASE kind
        WHEN 'source' THEN seeds.relation(kind, name) IS NOT NULL
        WHEN 'relation' THEN seeds.relation(kind, name) IS NOT NULL
        WHEN 'index' THEN EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = seeds.relation(kind, name))
        WHEN 'function' THEN seeds.routine(name) IS NOT NULL
        WHEN 'query' THEN seeds.routine(name) IS NOT NULL
        WHEN 'trigger' THEN EXISTS (SELECT FROM pg_trigger t WHERE t.tgname = name)
        WHEN 'job' THEN EXISTS (SELECT FROM chime.job j WHERE j.name = is_there.name AND j.active AND j.origin = 'plugin')
        WHEN 'channel' THEN EXISTS (SELECT FROM chime.plugin_channel c WHERE c.channel = name)
        WHEN 'tile' THEN EXISTS (SELECT FROM seeds.tile t WHERE t.title = name)
        WHEN 'alert' THEN EXISTS (SELECT FROM seeds.alert a WHERE a.name = is_there.name)
        WHEN 'setting' THEN seeds.setting(name) IS NOT NULL
    END
$$;

CREATE FUNCTION seeds.columns_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'CREATE TEMP VIEW seeds_tile AS ' || query;
    RETURN QUERY SELECT attname::text FROM pg_attribute WHERE attrelid = 'pg_temp.seeds_tile'::regclass;
    DROP VIEW pg_temp.seeds_tile;
END $$;

CREATE FUNCTION seeds.faults() RETURNS TABLE (n bigint, fault text) LANGUAGE sql AS $$
    SELECT l.n, concat_ws(' ', l.place, l.kind, l.ours, 'is not there')
    FROM seeds.line l WHERE l.ours <> '-' AND seeds.is_there(l.kind, l.ours) IS NOT TRUE
    UNION ALL
    SELECT l.n, concat_ws(' ', l.place, l.kind, l.name, 'is there, and the list says otherwise')
    FROM seeds.line l WHERE l.ours <> l.name AND seeds.is_there(l.kind, l.name)
    UNION ALL
    SELECT l.n, concat_ws(' ', 'line', l.n, 'has no kind, place or reason')
    FROM seeds.line l
    WHERE seeds.is_there(l.kind, l.name) IS NULL OR l.place IS NULL OR l.place !~ '^00[0-4]:[0-9]+$'
       OR (l.ours <> l.name) <> (coalesce(l.reason, '') <> '')
    UNION ALL
    SELECT w.n, concat_ws(' ', w.place, w.ours, 'has no', w.family, w.column_name)
    FROM seeds.wanted_column w
    WHERE NOT EXISTS (SELECT FROM seeds.found_column f WHERE (f.n, f.column_name, f.family) = (w.n, w.column_name, w.family))
    UNION ALL
    SELECT l.n, concat_ws(' ', l.place, l.ours, 'is no index of', l.detail)
    FROM seeds.line l, regexp_match(l.detail, '^(unique )?(\w+)( \((.*)\))?$') AS d
    WHERE l.kind = 'index' AND NOT EXISTS (
        SELECT FROM pg_index i
        WHERE i.indexrelid = seeds.relation(l.kind, l.ours) AND i.indrelid = seeds.relation(l.kind, d[2])
          AND (d[1] IS NULL OR i.indisunique)
          AND (d[4] IS NULL OR d[4] = (SELECT string_agg(pg_get_indexdef(i.indexrelid, k, true), ', ' ORDER BY k)
                                       FROM generate_series(1, i.indnkeyatts) AS k)))
    UNION ALL
    SELECT l.n, concat_ws(' ', l.place, l.ours, 'is no trigger of', l.detail)
    FROM seeds.line l WHERE l.kind = 'trigger' AND l.ours <> '-'
        AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgname = l.ours AND t.tgrelid = seeds.relation('source', l.detail))
    UNION ALL
    SELECT l.n, concat_ws(' ', l.place, l.ours, 'is not due', l.detail)
    FROM seeds.line l WHERE l.kind = 'job' AND l.ours <> '-'
        AND NOT EXISTS (SELECT FROM chime.job j WHERE j.name = l.ours AND j.schedule = l.detail)
    UNION ALL
    SELECT l.n, concat_ws(' ', l.place, 'tile', l.ours, 'does not show', c)
    FROM seeds.line l, regexp_split_to_table(l.detail, ',\s*') AS c
    WHERE l.kind = 'tile' AND l.ours <> '-'
        AND c NOT IN (SELECT f FROM seeds.tile t, seeds.columns_of(t.query) AS f WHERE t.title = l.ours)
    UNION ALL
    SELECT l.n, concat_ws(' ', l.place, 'alert', l.ours, 'is not', l.detail)
    FROM seeds.line l WHERE l.kind = 'alert' AND l.ours <> '-'
        AND NOT EXISTS (SELECT FROM seeds.alert a WHERE (a.name, a.gravity) = (l.ours, l.detail))
    UNION ALL
    SELECT l.n, concat_ws(' ', l.place, 'setting', l.ours, 'is', seeds.setting(l.ours), 'and not', l.detail)
    FROM seeds.line l WHERE l.kind = 'setting' AND l.ours <> '-' AND seeds.setting(l.ours) IS DISTINCT FROM l.detail
$$;

-- Every payload has every key; each channel was heard.
CREATE FUNCTION seeds.unheard() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', l.place, l.ours, 'was not heard') FROM seeds.line l
    WHERE l.kind = 'channel' AND l.ours <> '-' AND NOT EXISTS (SELECT FROM seeds.told t WHERE t.channel = l.ours)
    UNION ALL
    SELECT DISTINCT concat_ws(' ', l.place, l.ours, 'lacks', k, 'in', t.payload)
    FROM seeds.line l JOIN seeds.told t ON t.channel = l.ours, regexp_split_to_table(l.detail, ' ') AS k
    WHERE l.kind = 'channel' AND NOT t.payload::jsonb ? k
$$;
