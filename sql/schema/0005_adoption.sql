-- SPDX-License-Identifier: PostgreSQL
-- Relations that pgchime took the place of, and backfills under way.

CREATE TABLE chime.adoption (
    view_schema name NOT NULL,
    relation    name NOT NULL,
    plugin      text NOT NULL,
    aside       name NOT NULL,
    indexes     jsonb NOT NULL DEFAULT '{}',
    adopted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (view_schema, relation)
);
COMMENT ON TABLE chime.adoption IS 'relations of others whose names plugins took over; no reference to chime.plugin: it outlives a purge';
COMMENT ON COLUMN chime.adoption.aside IS 'what the old relation is called now, in the same schema';
COMMENT ON COLUMN chime.adoption.indexes IS 'of its indexes that had to give their names up: {"name now": "name before"}';

-- Relations that have names which a plugin wants and that nobody of ours made. p_plugin, here and below: {"name",
-- "version", "summary", "view_schema", "source_schema", "settings", "views": [the arguments of chime.install_view],
-- "plain_views": [...]}.
CREATE TYPE chime.foreign_relation AS (place bigint, relation name, oid oid, declared jsonb, use text);

-- block: has to be done first, by the statement; aside, grant, rebind: what will be done; leave, note: what will not.
CREATE TYPE chime.adoption_line AS (
    place integer, action text, kind text, object text, owner text, rows bigint, statement text, reason text);

CREATE TABLE chime.backfill (
    view_schema   name NOT NULL,
    relation      name NOT NULL,
    job_id        bigint,
    from_at       timestamptz,
    to_at         timestamptz,
    shape         text NOT NULL,
    last_key      jsonb,
    total         bigint NOT NULL,
    groups        bigint NOT NULL DEFAULT 0,
    batches       bigint NOT NULL DEFAULT 0,
    inserted      bigint NOT NULL DEFAULT 0,
    updated       bigint NOT NULL DEFAULT 0,
    deleted       bigint NOT NULL DEFAULT 0,
    starts        smallint NOT NULL DEFAULT 1,
    pid           integer NOT NULL,
    backend_start timestamptz NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at   timestamptz,
    PRIMARY KEY (view_schema, relation),
    FOREIGN KEY (view_schema, relation) REFERENCES chime.view ON DELETE CASCADE
) WITH (fillfactor = 50);
COMMENT ON TABLE chime.backfill IS 'the last backfill of each view, finished or not';
COMMENT ON COLUMN chime.backfill.job_id IS 'in whose history it will be; NULL: no job refreshes the view';
COMMENT ON COLUMN chime.backfill.shape IS 'of definition and grain: a view that was changed meanwhile begins anew';
COMMENT ON COLUMN chime.backfill.last_key IS 'of the last group listed; NULL: none yet';
COMMENT ON COLUMN chime.backfill.total IS 'groups there were when it began, and those that appeared since; once it is finished, those that it did';
COMMENT ON COLUMN chime.backfill.pid IS 'with backend_start, the session that it runs in';

CREATE TABLE chime.backfill_group (
    view_schema name NOT NULL,
    relation    name NOT NULL,
    place       bigint NOT NULL,
    key         jsonb NOT NULL,
    PRIMARY KEY (view_schema, relation, place),
    FOREIGN KEY (view_schema, relation) REFERENCES chime.backfill ON DELETE CASCADE
);
COMMENT ON TABLE chime.backfill_group IS 'groups listed and not yet done: their grain columns as texts, in order';
