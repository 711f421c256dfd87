-- SPDX-License-Identifier: PostgreSQL
-- The peer's table, which stands for the ledger: a row is inserted, looked at and updated. And what a job with an
-- effect writes.
CREATE TABLE peer (id bigserial PRIMARY KEY, v integer);
CREATE TABLE effect (id bigserial PRIMARY KEY, v integer);
