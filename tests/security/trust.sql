-- SPDX-License-Identifier: PostgreSQL
-- As mallory, who owns sources and may CREATE in their schema: code that runs as whoever plans or reads a definition
-- over them.
CREATE FUNCTION public.took(integer) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF current_user = 'pgchime' THEN
        PERFORM nextval('public.loot'); -- stays when the transaction does not
    END IF;
    RETURN $1;
END $$;
CREATE FUNCTION public.one() RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.took(1); END $$;
CREATE FUNCTION public.truth(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.took(1) = 1; END $$;

CREATE TABLE public.orders (id integer PRIMARY KEY, region text, amount numeric, parts integer);
INSERT INTO public.orders VALUES (1, 'north', 10, 2), (2, 'south', 9, 3);

-- Names and types that fit better than PostgreSQL's own.
CREATE FUNCTION public.share(numeric, integer) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.took(1) * $1; END $$;
CREATE OPERATOR public./ (LEFTARG = numeric, RIGHTARG = integer, FUNCTION = public.share);
CREATE FUNCTION public.add_up(bigint, text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.took(1) + $1; END $$;
CREATE AGGREGATE public.count(text) (SFUNC = public.add_up, STYPE = bigint, INITCOND = '0');
CREATE TYPE public.mood AS ENUM ('calm', 'wild');
CREATE FUNCTION public.words(public.mood) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.took(1)::text; END $$;
CREATE CAST (public.mood AS text) WITH FUNCTION public.words(public.mood) AS IMPLICIT;
CREATE DOMAIN public.code AS integer CHECK (public.truth(VALUE));
CREATE TABLE public.moody (id integer PRIMARY KEY, mood public.mood, code public.code);
INSERT INTO public.moody VALUES (1, 'wild', 1);
CREATE DOMAIN public.temper AS public.mood;
CREATE DOMAIN public.tempers AS public.temper[];
CREATE TYPE public.swing AS (before public.mood, after public.mood);
CREATE DOMAIN public.swings AS public.swing[];
CREATE TABLE public.moods (id integer PRIMARY KEY, list public.mood[], temper public.temper, tempers public.tempers, swing public.swing,
                           swings public.swings);
INSERT INTO public.moods VALUES (1, '{wild}', 'wild', '{wild}', '(wild,calm)', '{"(wild,calm)"}');

-- A view where a table should be.
CREATE VIEW public.deliveries AS SELECT id, region FROM public.orders WHERE public.truth(id);
CREATE VIEW public.barred WITH (security_barrier) AS SELECT id, region FROM public.orders WHERE public.truth(id);
CREATE VIEW public.innocent AS SELECT id, region FROM public.orders; -- until it is replaced

-- Expressions of tables, which the planner evaluates.
CREATE TABLE public.indexed (id integer PRIMARY KEY, region text);
CREATE INDEX ON public.indexed ((id + public.one()));
CREATE TABLE public.partly (id integer PRIMARY KEY, region text);
CREATE INDEX ON public.partly (region) WHERE id > public.one();
CREATE TABLE public.parent (id integer, region text);
CREATE TABLE public.child (CHECK (id > public.one())) INHERITS (public.parent);
CREATE TABLE public.parts (id integer, region text) PARTITION BY RANGE ((id + public.one()));
CREATE TABLE public.part PARTITION OF public.parts FOR VALUES FROM (0) TO (100);
CREATE TABLE public.counted (id integer, region text);
CREATE STATISTICS public.counts ON (id + public.one()), region FROM public.counted;
CREATE TABLE public.distant_parent (id integer, region text);
CREATE FOREIGN TABLE public.distant () INHERITS (public.distant_parent) SERVER nowhere;

-- What runs for writers, or for readers whose policies hold.
CREATE TABLE public.armed (id integer PRIMARY KEY, region text DEFAULT public.one()::text, twice integer GENERATED ALWAYS AS (id + public.one()) STORED);
INSERT INTO public.armed (id) VALUES (1), (2);
CREATE FUNCTION public.pull() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.took(1); RETURN NEW; END $$;
CREATE TRIGGER pull BEFORE INSERT OR UPDATE OR DELETE ON public.armed FOR EACH ROW EXECUTE FUNCTION public.pull();
CREATE RULE also AS ON INSERT TO public.armed DO ALSO SELECT public.one();
CREATE TABLE public.secret (id integer PRIMARY KEY, region text);
INSERT INTO public.secret VALUES (1, 'north');
ALTER TABLE public.secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY peek ON public.secret USING (public.one() = 1 AND public.truth(id));

-- For later.
CREATE TABLE public.plain (id integer PRIMARY KEY, region text);
INSERT INTO public.plain VALUES (1, 'north'), (2, 'south');
CREATE TABLE public.named (id integer PRIMARY KEY, region text);
CREATE TABLE public.watched (id integer PRIMARY KEY, region text);
INSERT INTO public.watched VALUES (1, 'north');
-- Names that a text finds, and what else could have them later.
CREATE DOMAIN public.short AS varchar;
CREATE FUNCTION public.size_of(public.short) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.took(1); END $$;
CREATE FUNCTION public.size_of(date) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.took(1); END $$;
CREATE FUNCTION public.joined(varchar, varchar) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.took(1); END $$;
CREATE TYPE public.kind AS ENUM ('calm', 'wild');
CREATE TYPE public.pair AS (id integer);
CREATE TABLE public.noted (id integer PRIMARY KEY, word varchar, day date);
INSERT INTO public.noted VALUES (1, 'x', '2026-03-02');
CREATE TYPE public.tint AS ENUM ('calm', 'wild');
CREATE TABLE public.toned (id integer PRIMARY KEY, tone public.tint);
INSERT INTO public.toned VALUES (1, 'calm');
CREATE SCHEMA own;
CREATE SCHEMA own_next;
CREATE FUNCTION own_next.size_of(varchar) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.took(1); END $$;
GRANT USAGE ON SCHEMA own, own_next TO PUBLIC;
GRANT SELECT, TRIGGER ON ALL TABLES IN SCHEMA public TO pgchime;
SELECT 'laid';
