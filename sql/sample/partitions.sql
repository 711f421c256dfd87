-- SPDX-License-Identifier: PostgreSQL
-- The agents' event tables by month of their time, as seed 000 asks for once they are large.
--
--   psql -v ON_ERROR_STOP=1 -f 0_schema.sql -f partitions.sql -f 1_data.sql
--
-- Rows that are there come along, in one transaction that holds up writers. Run it before plugins are installed: what
-- reads a table goes on reading the old one, so that its DROP is refused.
BEGIN;

CREATE FUNCTION pg_temp.agent_tables(OUT source name, OUT aged_by name) RETURNS SETOF record
LANGUAGE sql IMMUTABLE AS $$
    VALUES ('agent_queries'::name, 'created_at'::name), ('AgentQuery', 'createdAt'), ('agent_approvals', 'created_at'),
           ('agent_feedback', 'created_at'), ('AgentFeedback', 'createdAt')
$$;

-- Partitions of the months (UTC) around an instant, for each of these tables; those that are there stay as they are.
CREATE FUNCTION public.add_agent_partitions(around timestamptz, months_before integer, months_after integer)
RETURNS void LANGUAGE plpgsql SET timezone = 'UTC' SET client_min_messages = warning AS $$
DECLARE
    source text;
    begins timestamp;
BEGIN
    FOREACH source IN ARRAY ARRAY['agent_queries', 'AgentQuery', 'agent_approvals', 'agent_feedback', 'AgentFeedback'] LOOP
        FOR i IN -months_before .. months_after LOOP
            begins := date_trunc('month', around) + make_interval(months => i);
            EXECUTE format('CREATE TABLE IF NOT EXISTS public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
                           source || to_char(begins, '"_"YYYY_MM'), source, begins, begins + interval '1 month');
        END LOOP;
    END LOOP;
END $$;

-- A partitioned table under the name of a plain one, which is renamed. Its key has the time in it, since a unique index
-- must have the columns of the partition key. Before PostgreSQL 17 it can have no identity column: a sequence is.
CREATE FUNCTION pg_temp.begin_partitions(source name, aged_by name) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    plain name := source || '_plain';
    is_numbered boolean := EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = format('public.%I', source)::regclass
                                   AND a.attname = 'id' AND a.attidentity <> '');
BEGIN
    EXECUTE format('ALTER TABLE public.%1$I DROP CONSTRAINT %2$I', source, source || '_pkey');
    IF is_numbered THEN
        EXECUTE format('ALTER TABLE public.%I ALTER id DROP IDENTITY', source);
    END IF;
    EXECUTE format('ALTER TABLE public.%I RENAME TO %I', source, plain);
    EXECUTE format('CREATE TABLE public.%1$I (LIKE public.%2$I INCLUDING DEFAULTS, PRIMARY KEY (id, %3$I))'
                   ' PARTITION BY RANGE (%3$I)', source, plain, aged_by);
    EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I DEFAULT', source || '_default', source);
    IF is_numbered THEN
        EXECUTE format('CREATE SEQUENCE public.%1$I AS bigint OWNED BY public.%2$I.id;'
                       ' ALTER TABLE public.%2$I ALTER id SET DEFAULT nextval(%3$L)',
                       source || '_id_seq', source, format('public.%I', source || '_id_seq'));
        EXECUTE format('SELECT setval(%L, max(id)) FROM public.%I HAVING max(id) IS NOT NULL',
                       format('public.%I', source || '_id_seq'), plain);
    END IF;
END $$;

-- The rows go over, and the indexes are made under the names that they had.
CREATE FUNCTION pg_temp.end_partitions(source name) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    plain name := source || '_plain';
    indexes text := (SELECT string_agg(replace(pg_get_indexdef(i.indexrelid), format(' ON public.%I ', plain),
                                               format(' ON public.%I ', source)), ';')
                     FROM pg_index i WHERE i.indrelid = format('public.%I', plain)::regclass);
BEGIN
    EXECUTE format('INSERT INTO public.%I SELECT * FROM public.%I', source, plain);
    EXECUTE format('DROP TABLE public.%I', plain);
    EXECUTE indexes;
END $$;

DO $$
BEGIN
    PERFORM pg_temp.begin_partitions(t.source, t.aged_by) FROM pg_temp.agent_tables() t;
    PERFORM public.add_agent_partitions(now(), 4, 1);
    PERFORM pg_temp.end_partitions(t.source) FROM pg_temp.agent_tables() t;
END $$;

COMMIT;
