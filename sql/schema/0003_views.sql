-- SPDX-License-Identifier: PostgreSQL
-- Views: what plugins installed.
--
-- A view is two relations: RELATION__live, a plain view of the definition (always true, maybe slow), and RELATION, a
-- table or a materialized view (fast) that equals it after each refresh. A refresh changes only the rows that differ,
-- in one transaction, so readers see the old rows or the new ones and are never blocked.

CREATE TABLE chime.plugin (
    name          text PRIMARY KEY,
    version       text NOT NULL,
    summary       text NOT NULL DEFAULT '',
    view_schema   name NOT NULL,
    source_schema name NOT NULL,
    state         text NOT NULL CHECK (state IN ('installed', 'available', 'dormant', 'failed', 'removed')),
    reason        text,
    settings      jsonb NOT NULL DEFAULT '{}',
    changed_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN chime.plugin.state IS
    'dormant: a source is missing (reason says which); available: the same, and nothing of it is here, nor did conf.d ask for it; removed: its file is gone, its data stays';
COMMENT ON TABLE chime.plugin IS 'plugins as this database knows them: version, state (installed, dormant, failed) and the reason';

CREATE TABLE chime.view (
    view_schema    name NOT NULL,
    relation       name NOT NULL,
    plugin         text NOT NULL REFERENCES chime.plugin,
    key            name[] NOT NULL CHECK (cardinality(key) > 0),
    stamps         name[] NOT NULL,
    grain          name[] NOT NULL,
    mode           text NOT NULL,
    rejected_query text,
    revisit_query  text,
    definition     text NOT NULL,
    search_path    text NOT NULL,
    refresh_full   text NOT NULL,
    view_id        integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    full_reason    text DEFAULT 'its changes are not captured yet',
    below          text[] NOT NULL DEFAULT '{}',
    sources        jsonb,
    asked          text,
    found_wrong    text,
    named          text[] NOT NULL DEFAULT '{}',
    names_code     boolean NOT NULL DEFAULT true,
    vetted         text,
    timezone       text NOT NULL DEFAULT 'UTC',
    grain_derived  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (view_schema, relation)
);
COMMENT ON COLUMN chime.view.refresh_full IS 'generated: the statement that makes the table equal the live definition';
COMMENT ON COLUMN chime.view.full_reason IS 'why it is refreshed as a whole; NULL: chime.keyed_<view_id> refreshes it by its grain';
COMMENT ON COLUMN chime.view.sources IS 'as they are declared for it; NULL: they are what the definition reads';
COMMENT ON COLUMN chime.view.grain_derived IS 'the grain is not declared: chime.choose_grain finds it, each time that the view is asked whether it can be keyed';
COMMENT ON COLUMN chime.view.asked IS
    'what the definition meant, and what its sources looked like, when it was last asked whether it can be keyed; another meaning begins with everything; NULL: never';
COMMENT ON COLUMN chime.view.found_wrong IS 'which group a keyed refresh found to be wrong though nothing had marked it: it is full until it is declared otherwise, or refreshed in full by hand';
COMMENT ON COLUMN chime.view.named IS 'relations that queries beside the definition name';
COMMENT ON COLUMN chime.view.names_code IS 'whether they name functions, operators or types that are neither PostgreSQL''s nor ours';
COMMENT ON COLUMN chime.view.vetted IS
    'what the tables looked like when all that the view reaches was found to be of trusted owners; NULL: it is looked at before each use';
COMMENT ON COLUMN chime.view.timezone IS 'of the session, as its definition sees it, whoever refreshes or compares';
COMMENT ON COLUMN chime.view.below IS 'views of the same plugin that its definition reads: a refresh of it begins with those that a job of its refreshes, too';
COMMENT ON TABLE chime.view IS 'views that plugins keep: definition, key, grain, mode, and why one is not refreshed by its groups';

CREATE TABLE chime.plugin_function (
    plugin      text NOT NULL REFERENCES chime.plugin,
    signature   text NOT NULL,
    definition  text NOT NULL,
    search_path text NOT NULL,
    PRIMARY KEY (plugin, signature)
);
COMMENT ON TABLE chime.plugin_function IS 'functions of the read API; they go before a relation they read is made anew';
COMMENT ON COLUMN chime.plugin_function.signature IS
    'as regprocedure shows it with search_path = pg_catalog, pg_temp; not of that type, since pg_upgrade refuses tables that have it';

-- Apart from chime.view, because it changes with every refresh. One row a view: but an open transaction keeps all
-- versions of it, some thousand an hour; so the newest is found from the end of an index, and no unique index on the
-- names alone compares each new version with all of them.
CREATE TABLE chime.view_refresh (
    view_schema  name NOT NULL,
    relation     name NOT NULL,
    refreshed_at timestamptz,
    changed_at   timestamptz,
    method       text,
    duration_us  bigint,
    rows         bigint,
    inserted     bigint,
    updated      bigint,
    deleted      bigint,
    rejected     bigint,
    refreshes    bigint NOT NULL DEFAULT 0,
    seen         pg_snapshot,
    fingerprint  text,
    reason       text,
    keys         bigint,
    full_us      bigint,
    floor_us     double precision,
    key_us       double precision,
    behind_since timestamptz,
    revisited_at timestamptz,
    start_over   text,
    watch_owed_us double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (view_schema, relation, refreshes),
    FOREIGN KEY (view_schema, relation) REFERENCES chime.view ON DELETE CASCADE
) WITH (fillfactor = 50);
COMMENT ON COLUMN chime.view_refresh.refreshed_at IS 'start of the transaction that refreshed last: the rows are as of then';
COMMENT ON COLUMN chime.view_refresh.rejected IS
    'source values left out as malformed, by the last refresh that did everything; NULL where a view has no such notion';
COMMENT ON COLUMN chime.view_refresh.seen IS 'marks visible in it are consumed; NULL: the next refresh does everything';
COMMENT ON COLUMN chime.view_refresh.fingerprint IS 'of the sources, when they were last looked at';
COMMENT ON COLUMN chime.view_refresh.reason IS 'why the last refresh did everything; NULL: it did not';
COMMENT ON COLUMN chime.view_refresh.keys IS 'how many groups it looked at; NULL: all';
COMMENT ON COLUMN chime.view_refresh.full_us IS 'microseconds that everything took the last time';
COMMENT ON COLUMN chime.view_refresh.floor_us IS 'microseconds of a keyed refresh without its groups, as it is learned';
COMMENT ON COLUMN chime.view_refresh.watch_owed_us IS
    'microseconds that comparing groups took beyond its share of refreshes: none is compared until refreshes made up for them';
COMMENT ON COLUMN chime.view_refresh.key_us IS 'microseconds that each group adds, as it is learned';
COMMENT ON COLUMN chime.view_refresh.revisited_at IS
    'start of the transaction that last recomputed what changes as time passes, too';
COMMENT ON COLUMN chime.view_refresh.start_over IS 'why marks do not tell what changed since the last refresh; NULL: they do, or nothing was refreshed yet';
COMMENT ON COLUMN chime.view_refresh.behind_since IS
    'a change that was committed by then is not in the view yet; NULL: none was noticed';
COMMENT ON TABLE chime.view_refresh IS 'the last refresh of each view, and since when something is pending; its row is the lock of refreshes';

-- A relation is ours by what it is, never by its name: by its OID where the ledger noted it, and elsewhere by the mark
-- that its comment ends with, which a dump keeps and no CREATE TABLE ... LIKE copies. What it was made for is part of
-- that: another relation of ours under its name is not it.
CREATE TABLE chime.made (
    mark    text PRIMARY KEY DEFAULT left(replace(gen_random_uuid()::text, '-', ''), 16),
    object  oid NOT NULL,
    place   text NOT NULL,
    purpose text NOT NULL,
    columns name[] NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON chime.made (object);
COMMENT ON TABLE chime.made IS 'relations that pgchime made in schemas where others make some, too: it replaces and drops no other';
COMMENT ON COLUMN chime.made.mark IS 'the comment of the relation ends with it';
COMMENT ON COLUMN chime.made.place IS 'the ledger in which the OID is true; a dump and a template bring both to where they are not';
COMMENT ON COLUMN chime.made.purpose IS 'what it was made for: ''kept SCHEMA.RELATION'', say, without quotes, which quote_all_identifiers would add';
COMMENT ON COLUMN chime.made.columns IS 'its columns as they were made: others were added';

CREATE TABLE chime.plain_view (
    view_schema name NOT NULL,
    relation    name NOT NULL,
    plugin      text NOT NULL REFERENCES chime.plugin,
    definition  text NOT NULL,
    search_path text NOT NULL,
    comment     text,
    PRIMARY KEY (view_schema, relation)
);
COMMENT ON TABLE chime.plain_view IS 'plain views that plugins made; chime.view has the kept ones';

CREATE TABLE chime.plugin_channel (
    plugin         text NOT NULL REFERENCES chime.plugin,
    channel        text NOT NULL,
    definition     text NOT NULL,
    search_path    text NOT NULL,
    routines       text[] NOT NULL,
    triggers       text[] NOT NULL,
    trigger_tables text[] NOT NULL,
    PRIMARY KEY (plugin, channel)
);
COMMENT ON TABLE chime.plugin_channel IS 'notifications that a configuration asks for, and what was made to send them';
COMMENT ON COLUMN chime.plugin_channel.definition IS 'as installed; empty: no longer wanted, silent, and its triggers are others'' to drop';
COMMENT ON COLUMN chime.plugin_channel.routines IS 'signatures with their schema';
COMMENT ON COLUMN chime.plugin_channel.triggers IS 'names, each on the table of the same place in trigger_tables';

CREATE TABLE chime.replaced (
    name        name PRIMARY KEY,
    view_schema name NOT NULL,
    relation    name NOT NULL,
    replaced_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (view_schema, relation) REFERENCES chime.view ON DELETE CASCADE
);
COMMENT ON TABLE chime.replaced IS
    'relations of schema chime that a view had before: whoever found them by a function''s old body may still read them for a moment';

CREATE TABLE chime.verification (
    view_schema name NOT NULL,
    relation    name NOT NULL,
    verified_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    rows        bigint,
    missing     bigint,
    surplus     bigint,
    rounded     bigint,
    repaired    boolean NOT NULL DEFAULT false,
    lines       jsonb NOT NULL DEFAULT '[]',
    error       text,
    PRIMARY KEY (view_schema, relation, verified_at),
    FOREIGN KEY (view_schema, relation) REFERENCES chime.view ON DELETE CASCADE
);
COMMENT ON TABLE chime.verification IS 'what chime.verify_views found, for 90 days';
COMMENT ON COLUMN chime.verification.missing IS 'rows that only the definition had, once the view was refreshed; NULL: it could not be compared';
COMMENT ON COLUMN chime.verification.surplus IS 'rows that only the kept relation had';
COMMENT ON COLUMN chime.verification.rounded IS 'rows that both had, but for last digits of floats; nothing is wrong with these';
COMMENT ON COLUMN chime.verification.lines IS 'the first ten of both, as chime.differences gives them';
COMMENT ON COLUMN chime.verification.error IS 'why it could not be compared or repaired';

CREATE TABLE chime.trusted_owner (name name PRIMARY KEY);
COMMENT ON TABLE chime.trusted_owner IS 'trusted_owners of the leader''s pgchime.conf';
