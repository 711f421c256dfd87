-- SPDX-License-Identifier: PostgreSQL
-- The schedules that a product is to have, the minutes at which they are due, and what their runs write.
CREATE TABLE wanted (name text NOT NULL, schedule text NOT NULL, batch integer NOT NULL);
CREATE TABLE instant (size integer NOT NULL, due timestamptz NOT NULL);
CREATE TABLE effect (batch integer NOT NULL, at timestamptz NOT NULL);
