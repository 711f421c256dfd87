-- SPDX-License-Identifier: PostgreSQL
-- Why views are not keyed, and what is printed to make them so (test_keyed_reasons.c). Over keyed_corpus.sql.

CREATE FUNCTION app.drop_indexes() RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_index regclass;
BEGIN
    FOR v_index IN SELECT i.indexrelid FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
                   WHERE t.relnamespace = 'app'::regnamespace AND t.relname IN ('ord', 'itm', 'shp', 'prt') AND NOT i.indisprimary LOOP
        EXECUTE format('DROP INDEX %s', v_index);
    END LOOP;
END $$;

-- Installs one without any index, makes those that its reason prints, and has the leader ask again: why it is not keyed
-- then.
CREATE FUNCTION app.still_full(p_name name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_before text;
    v_index text;
BEGIN
    PERFORM app.drop_indexes(), app.install_corpus(p_name);
    SELECT full_reason INTO v_before FROM chime.view WHERE relation = p_name;
    FOR v_index IN SELECT m[1] FROM regexp_matches(v_before, 'CREATE INDEX ON .+?(?=; CREATE INDEX| makes? it keyed)', 'g') AS m LOOP
        EXECUTE v_index;
    END LOOP;
    PERFORM chime.ask_again('kept', 'app', p_name);
    RETURN (SELECT format('%s: %s, then %s', p_name, v_before, full_reason) FROM chime.view WHERE relation = p_name AND full_reason IS NOT NULL);
END $$;

-- Why a definition over ord, itm and shp is not keyed.
CREATE FUNCTION app.why(p_definition text, p_grain name DEFAULT 'shop') RETURNS text LANGUAGE sql AS $$
    SELECT app.install('asked', p_definition, ARRAY[p_grain], app.declared(c), (SELECT array_agg(n) FROM unnest('{shop,n}'::name[]) AS n WHERE p_grain = 'shop' UNION ALL SELECT ARRAY[p_grain] LIMIT 1))
    FROM (SELECT (NULL::app.corpus).*) AS c
$$;
