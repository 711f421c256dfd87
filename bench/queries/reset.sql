-- SPDX-License-Identifier: PostgreSQL
-- An empty ledger whose jobs are known and have never run.
TRUNCATE chime.run, chime.run_history, chime.attempt, chime.missed, effect;
UPDATE chime.job_state SET last_start = NULL, last_end = NULL, last_success = NULL, last_outcome = NULL,
                           last_duration_us = NULL, consecutive_failures = 0;
VACUUM ANALYZE chime.job_state;
CHECKPOINT;
