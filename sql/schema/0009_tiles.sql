-- SPDX-License-Identifier: PostgreSQL
-- Tiles: what plugins declare for the page, each a query that is read while somebody looks.

CREATE TABLE chime.tile (
    plugin            text NOT NULL REFERENCES chime.plugin ON DELETE CASCADE,
    tile              integer NOT NULL CHECK (tile >= 0),
    title             text NOT NULL,
    query             text NOT NULL,
    draw              text NOT NULL CHECK (draw IN ('number', 'table', 'line', 'bars', 'box')),
    warn              text,
    critical          text,
    choices           text,
    state             text,
    bound             interval CHECK (bound > interval '0'),
    note              text,
    view_schema       name NOT NULL,
    columns           json,
    statement         text,
    choices_statement text,
    named             text[],
    vetted            text,
    problem           text,
    slow_us           bigint,
    slow_at           timestamptz,
    PRIMARY KEY (plugin, tile)
);
COMMENT ON TABLE chime.tile IS 'tiles of installed plugins, as these declare them';
COMMENT ON COLUMN chime.tile.tile IS 'its place among the tiles of its plugin, from 0';
COMMENT ON COLUMN chime.tile.choices IS 'a SELECT of value and label; what is chosen is $1 in the query';
COMMENT ON COLUMN chime.tile.state IS 'of a table: the column that says how a row is';
COMMENT ON COLUMN chime.tile.columns IS 'of the query, [{"name", "type"}], as it was vetted';
COMMENT ON COLUMN chime.tile.statement IS 'that gives each row as a JSON array; NULL: it was not vetted';
COMMENT ON COLUMN chime.tile.choices_statement IS 'that gives the choices; NULL: there are none';
COMMENT ON COLUMN chime.tile.named IS 'relations that its queries named when they were vetted';
COMMENT ON COLUMN chime.tile.vetted IS 'what they would run looked like when they were vetted; NULL: they were not';
COMMENT ON COLUMN chime.tile.problem IS 'why it cannot be shown; NULL: it can';
COMMENT ON COLUMN chime.tile.slow_us IS 'how long its last answer over its bound took, where three in a row were';
