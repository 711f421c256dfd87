-- SPDX-License-Identifier: PostgreSQL
-- Views that roles keep are compared with their definitions once a day (docs/adr/0041-views-of-roles.md).

ALTER TABLE chime.role_view_refresh ADD COLUMN compared_at timestamptz;
COMMENT ON COLUMN chime.role_view_refresh.compared_at IS 'the last refresh that computed everything';
