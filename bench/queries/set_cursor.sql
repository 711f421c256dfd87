-- SPDX-License-Identifier: PostgreSQL
-- Every cursor to the whole second that lies :offset seconds from now, printed as seconds since 1970. Slots beyond it
-- are due.
CREATE TABLE started AS SELECT date_trunc('second', clock_timestamp()) + :offset * interval '1 second' AS cursor;
-- A definition has no slots before its `since`.
UPDATE chime.job SET since = (SELECT cursor FROM started);
UPDATE chime.job_state SET last_slot = (SELECT cursor FROM started);
SELECT extract(epoch FROM cursor)::bigint FROM started;
