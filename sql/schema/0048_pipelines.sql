-- SPDX-License-Identifier: PostgreSQL
-- Pipelines: jobs that go on where they were, and how far each has come (docs/adr/0048-pipelines.md).

CREATE TABLE chime.pipeline (
    job_id      bigint PRIMARY KEY REFERENCES chime.job ON DELETE CASCADE,
    kind        text NOT NULL CHECK (kind IN ('interval', 'sequence', 'chunk')),
    source      text CHECK ((source IS NULL) = (kind <> 'sequence')),
    next_number bigint,
    next_time   timestamptz,
    chunks      bigint NOT NULL DEFAULT 0,
    effects     bigint NOT NULL DEFAULT 0,
    last_effect timestamptz,
    last_rows   bigint
);
COMMENT ON TABLE chime.pipeline IS 'how far each job with a cursor has come: written by the transaction that did the work';
COMMENT ON COLUMN chime.pipeline.source IS 'of a sequence: table.column, as the job has it';
COMMENT ON COLUMN chime.pipeline.next_number IS 'of a sequence: the first number that is not processed; NULL: nothing is';
COMMENT ON COLUMN chime.pipeline.next_time IS 'of intervals: the first instant that is not processed; NULL: nothing is';
COMMENT ON COLUMN chime.pipeline.chunks IS 'of chunks: those since the work was done last';
COMMENT ON COLUMN chime.pipeline.effects IS 'transactions that moved it';
COMMENT ON COLUMN chime.pipeline.last_effect IS 'when one did last; last_rows: how many rows that was';

ALTER TABLE chime.pipeline ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON chime.pipeline FOR SELECT
    USING (EXISTS (SELECT FROM chime.job j WHERE j.job_id = pipeline.job_id AND j.owner = current_user));
CREATE POLICY backup ON chime.pipeline FOR SELECT TO pg_read_all_data USING (true);
