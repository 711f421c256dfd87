-- SPDX-License-Identifier: PostgreSQL
-- The statements of docs/seeds/keep_view.sql, in a schema of their own beside the plugins'.

CREATE SCHEMA seeds_kept;
CREATE TABLE seeds_kept.told (n integer GENERATED ALWAYS AS IDENTITY, name text, words text);

CREATE FUNCTION seeds_kept.keep(p_text text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_call text;
BEGIN
    FOR v_call IN SELECT m[1] FROM regexp_matches(p_text, 'SELECT (chime\.keep_view\(.*?)\);\n', 'g') AS m LOOP
        EXECUTE format('INSERT INTO seeds_kept.told (name, words) SELECT %L, %s, view_schema => ''by_sql'')', substring(v_call FROM '''(\w+)'''), v_call);
    END LOOP;
END $$;

-- How many rows differ, both refreshed in this transaction; NULL where there are none. A stamp is when a row changed.
CREATE FUNCTION seeds_kept.differing(p_name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_differing bigint;
BEGIN
    PERFORM chime.refresh('analytics.' || p_name, true), chime.refresh('by_sql.' || p_name, true);
    EXECUTE format('SELECT nullif(count(*), 0) * 0 + (SELECT count(*) FROM (SELECT to_jsonb(t) - ''materialized_at'' FROM analytics.%1$I t'
                   ' EXCEPT ALL SELECT to_jsonb(t) - ''materialized_at'' FROM by_sql.%1$I t) d)'
                   ' + (SELECT count(*) FROM (SELECT to_jsonb(t) - ''materialized_at'' FROM by_sql.%1$I t'
                   ' EXCEPT ALL SELECT to_jsonb(t) - ''materialized_at'' FROM analytics.%1$I t) d) FROM by_sql.%1$I', p_name) INTO v_differing;
    RETURN v_differing;
END $$;
