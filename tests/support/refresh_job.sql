-- Stands in for chime.refresh_job() where the migrations do not have it: the same rows, without a record of the run.
DO $$
BEGIN
    IF to_regprocedure('chime.refresh_job(text)') IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE $f$
        CREATE FUNCTION chime.refresh_job(p_job text)
        RETURNS TABLE (view text, method text, rows bigint, duration_ms double precision)
        LANGUAGE plpgsql AS $body$
        DECLARE v_started timestamptz;
        BEGIN
            FOR view IN SELECT v.name FROM chime.job j, unnest(j.views) WITH ORDINALITY AS v (name, n)
                        WHERE j.name = p_job ORDER BY v.n LOOP
                v_started := clock_timestamp();
                SELECT r.method, r.rows INTO method, rows FROM chime.refresh(view) r;
                duration_ms := extract(epoch FROM clock_timestamp() - v_started) * 1000;
                RETURN NEXT;
            END LOOP;
        END $body$ $f$;
    REVOKE ALL ON FUNCTION chime.refresh_job(text) FROM PUBLIC;
END $$;
