-- SPDX-License-Identifier: PostgreSQL
-- Views that roles keep (docs/adr/0041-views-of-roles.md). Apart from chime.view: whatever reads that may plan and run
-- a definition as the ledger's owner, and nothing that is said here may be.

CREATE TABLE chime.role_view (
    view_id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner       name NOT NULL,
    owner_oid   oid NOT NULL,
    place       text NOT NULL,
    view_schema name NOT NULL,
    relation    name NOT NULL,
    job_id      bigint REFERENCES chime.job ON DELETE SET NULL,
    definition  text NOT NULL,
    search_path text NOT NULL,
    timezone    text NOT NULL,
    mode        text NOT NULL,
    target_lag  interval,
    comment     text,
    key         name[] NOT NULL DEFAULT '{}',
    grain       name[] NOT NULL DEFAULT '{}',
    full_reason text DEFAULT 'it is being made',
    sources     jsonb NOT NULL DEFAULT '[]',
    asked       text,
    made_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (view_schema, relation)
);
COMMENT ON TABLE chime.role_view IS 'views that roles keep by chime.keep_view: each is planned and run in sessions of its owner alone, and no other role reads this';
COMMENT ON COLUMN chime.role_view.owner_oid IS 'whose it is, while place is here: a role that is renamed keeps it, and one that gets the name of a dropped role does not';
COMMENT ON COLUMN chime.role_view.place IS 'the ledger in which the OID is true; a dump brings both to where they are not, and then the name counts';
COMMENT ON COLUMN chime.role_view.job_id IS 'the owner''s job that refreshes it';
COMMENT ON COLUMN chime.role_view.full_reason IS 'why it is refreshed as a whole; NULL: by its groups';
COMMENT ON COLUMN chime.role_view.sources IS
    'tables that a keyed one follows: [{"schema", "table", "captured": columns of a mark, "map": the query from marks to groups, NULL where they are the same}]';
COMMENT ON COLUMN chime.role_view.asked IS 'what the definition meant, and what its sources looked like, when it was last proven';

CREATE TABLE chime.role_view_refresh (
    view_id      integer NOT NULL REFERENCES chime.role_view ON DELETE CASCADE,
    refreshed_at timestamptz,
    changed_at   timestamptz,
    method       text,
    reason       text,
    duration_us  bigint,
    keys         bigint,
    rows         bigint,
    inserted     bigint,
    updated      bigint,
    deleted      bigint,
    refreshes    bigint NOT NULL DEFAULT 0,
    fingerprint  text,
    full_us      bigint,
    floor_us     double precision,
    key_us       double precision,
    PRIMARY KEY (view_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE chime.role_view_refresh IS 'the last refresh of each view of a role, as its owner''s session tells; its row is the lock of refreshes';
COMMENT ON COLUMN chime.role_view_refresh.refreshed_at IS 'start of the transaction that looked for changes last: the rows are as of then';
COMMENT ON COLUMN chime.role_view_refresh.fingerprint IS 'of what captures changes, when marks were taken last; NULL: the next refresh does everything';
COMMENT ON COLUMN chime.role_view_refresh.full_us IS 'microseconds that everything took the last time';
COMMENT ON COLUMN chime.role_view_refresh.floor_us IS 'microseconds of a keyed refresh without its groups, as it is learned';
COMMENT ON COLUMN chime.role_view_refresh.key_us IS 'microseconds that each group adds, as it is learned';

ALTER TABLE chime.role_view ENABLE ROW LEVEL SECURITY;
ALTER TABLE chime.role_view_refresh ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON chime.role_view FOR SELECT
    USING (EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = current_user AND r.rolname = owner AND r.oid = owner_oid));
CREATE POLICY own ON chime.role_view_refresh FOR SELECT USING (EXISTS (SELECT FROM chime.role_view v WHERE v.view_id = role_view_refresh.view_id));
CREATE POLICY backup ON chime.role_view FOR SELECT TO pg_read_all_data USING (true);
CREATE POLICY backup ON chime.role_view_refresh FOR SELECT TO pg_read_all_data USING (true);
