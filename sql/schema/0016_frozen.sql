-- SPDX-License-Identifier: PostgreSQL
-- Frozen groups: rows of a view that outlive the rows of its sources (docs/adr/0045-frozen-groups.md).

ALTER TABLE chime.view
    ADD COLUMN frozen text,
    ADD COLUMN frozen_when text,
    ADD COLUMN frozen_by name,
    ADD COLUMN frozen_after interval,
    ADD COLUMN frozen_columns name[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN chime.view.frozen IS 'as it is declared: which of its rows no refresh changes any more; NULL: none';
COMMENT ON COLUMN chime.view.frozen_when IS
    'the same as a condition over columns of the key; chime_frozen_at stands for the instant up to which the view is frozen';
COMMENT ON COLUMN chime.view.frozen_by IS 'the column whose age freezes a row';
COMMENT ON COLUMN chime.view.frozen_after IS 'the age: hours, since a day of the clock and a month are not always as long';
COMMENT ON COLUMN chime.view.frozen_columns IS 'all columns that the condition names';

ALTER TABLE chime.view_refresh
    ADD COLUMN frozen_at timestamptz,
    ADD COLUMN late bigint NOT NULL DEFAULT 0,
    ADD COLUMN late_at timestamptz;
COMMENT ON COLUMN chime.view_refresh.frozen_at IS
    'rows that the condition freezes as of this instant are frozen: a refresh at or after it has computed them. It never goes back; NULL: none is';
COMMENT ON COLUMN chime.view_refresh.late IS 'frozen groups that INSERT or UPDATE of a source would have changed, counted by each keyed refresh that met some';
COMMENT ON COLUMN chime.view_refresh.late_at IS 'when a refresh last met some';

ALTER TABLE chime.verification ADD COLUMN frozen bigint;
COMMENT ON COLUMN chime.verification.frozen IS 'rows that were left out, since they are frozen';

-- Whether a mark is of a DELETE alone: what retention takes is not late.
DO $$
DECLARE v_log text;
BEGIN
    FOR v_log IN SELECT 'chime.change_' || s.source_id FROM chime.source s LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN chime_gone boolean', v_log);
    END LOOP;
END $$;
