-- SPDX-License-Identifier: PostgreSQL
-- Sources whose changes are captured, the parts of their logs, and what is known of how changes lead to groups.

CREATE TABLE chime.source (
    source_id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_schema name NOT NULL,
    source_table  name NOT NULL,
    captured      name[] NOT NULL CHECK (cardinality(captured) > 0),
    declared      name[] NOT NULL,
    head          integer NOT NULL DEFAULT 1,
    version       integer NOT NULL DEFAULT 1,
    room_until    timestamptz NOT NULL DEFAULT '-infinity',
    shape         text,
    UNIQUE (source_schema, source_table)
);
COMMENT ON TABLE chime.source IS 'tables whose changes are captured; chime.change_<source_id> is the log';
COMMENT ON COLUMN chime.source.captured IS 'columns of a mark';
COMMENT ON COLUMN chime.source.declared IS 'an UPDATE that changes none of these leaves no mark';
COMMENT ON COLUMN chime.source.head IS 'the part that writers append to';
COMMENT ON COLUMN chime.source.version IS 'of captured and declared; triggers made for an older one do not count';
COMMENT ON COLUMN chime.source.room_until IS 'until then writers need not look at the size of the head; the leader sees to it';
COMMENT ON COLUMN chime.source.shape IS
    'columns and types for which log and triggers were made last; NULL: not all that is read arrives in marks';

CREATE TABLE chime.view_source (
    view_schema name NOT NULL,
    relation    name NOT NULL,
    source_id   integer NOT NULL REFERENCES chime.source,
    declared    name[] NOT NULL,
    captured    name[] NOT NULL,
    map_query   text,
    trusted     boolean NOT NULL DEFAULT false,
    passed_part integer NOT NULL DEFAULT 0,
    PRIMARY KEY (view_schema, relation, source_id),
    FOREIGN KEY (view_schema, relation) REFERENCES chime.view ON DELETE CASCADE
);
COMMENT ON COLUMN chime.view_source.map_query IS
    'from `marks` (the captured columns) to the columns of the view''s grain; NULL where the captured columns hold them';
COMMENT ON COLUMN chime.view_source.trusted IS 'captured and map_query are as declared, and believed; else they are proven';
COMMENT ON COLUMN chime.view_source.passed_part IS 'parts up to this one that grew past the limit are behind the view';
COMMENT ON TABLE chime.view_source IS 'which captured tables a view reads, and how their changes lead to its groups';

CREATE TABLE chime.change_part (
    source_id  integer NOT NULL REFERENCES chime.source ON DELETE CASCADE,
    part       integer NOT NULL,
    writers    text[],
    drained    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (source_id, part)
);
COMMENT ON COLUMN chime.change_part.writers IS
    'virtual transactions that held a lock on the source when the part was left, and hold it still: these may write to it';
COMMENT ON COLUMN chime.change_part.drained IS 'all of them have ended: every mark of the part is committed, or never will be';
COMMENT ON TABLE chime.change_part IS 'parts of the logs of changes: a log is dropped by the part, once every view has passed it';

CREATE TYPE chime.capture_event AS (event text, referencing text);

-- What the plans of one group prove of a table (proof.sql).
CREATE TYPE chime.key_proof AS (relation oid, captured name[], map text, unproven boolean);
COMMENT ON TYPE chime.key_proof IS 'what leads from a change of a table to the groups that it concerns, and whether that is all';

CREATE TYPE chime.group_scan AS (
    alias text, relation oid, path integer[], branches integer[], nulled boolean, conditions text[],
    keys jsonb, links jsonb, proven boolean, grain jsonb, joins text[], captured name[]);
COMMENT ON TYPE chime.group_scan IS 'one scan of a table in the plan of one group, and what restricts it';
