-- SPDX-License-Identifier: PostgreSQL
-- Texts of functions that are generated, with names for what is put in: {{name}}.

-- A value is inserted as it is; names in it are not replaced. NULL is inserted as an empty text.
CREATE OR REPLACE FUNCTION chime.fill_template(p_template text, p_values jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_text text := '';
    v_part text;
    v_is_name boolean := false;
BEGIN
    FOREACH v_part IN ARRAY string_to_array(regexp_replace(p_template, '\{\{|\}\}', E'\x01', 'g'), E'\x01') LOOP
        IF v_is_name AND NOT p_values ? v_part THEN
            RAISE EXCEPTION 'a template has no value for "%"', v_part;
        END IF;
        v_text := v_text || CASE WHEN v_is_name THEN coalesce(p_values ->> v_part, '') ELSE v_part END;
        v_is_name := NOT v_is_name;
    END LOOP;
    RETURN v_text;
END $$;
COMMENT ON FUNCTION chime.fill_template IS 'a text with what each {{name}} in it stands for';
