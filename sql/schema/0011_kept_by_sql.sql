-- SPDX-License-Identifier: PostgreSQL
-- Views that are kept by SQL (chime.keep_view) are declared in the ledger: no file has them.

ALTER TABLE chime.plugin ADD COLUMN by_sql boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN chime.plugin.by_sql IS 'made by chime.keep_view: a reload finds no file of it, and leaves it alone';

-- The job of such a view is made by SQL, and refreshes.
ALTER TABLE chime.job DROP CONSTRAINT job_work;
ALTER TABLE chime.job ADD CONSTRAINT job_work
    CHECK (CASE WHEN origin = 'sql' THEN command = '' OR views = '{}' ELSE (command = '') <> (views = '{}') END);
