-- SPDX-License-Identifier: PostgreSQL
-- Hand-made source rows for the oracle: what the sample data holds seldom or never. As of 2026-03-10 12:00 UTC.
-- The tables allow NULL everywhere, as a host's might; identifiers are short numbers.

CREATE TABLE submissions (
    id uuid DEFAULT gen_random_uuid(), agent_id uuid, challenge_id uuid, bout_id uuid, status text,
    final_lane_scores jsonb, composite_score double precision, created_at timestamptz);
CREATE INDEX ON submissions (challenge_id);
CREATE TABLE bout_results (bout_id uuid, winner_agent_id uuid);
CREATE TABLE chat_telemetry (
    id bigint GENERATED ALWAYS AS IDENTITY, domain text, model text, success boolean, cost_usd numeric,
    input_tokens integer, output_tokens integer, duration_ms integer, search_count integer, iteration_count integer,
    created_at timestamptz);

CREATE FUNCTION u(number integer) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN ('00000000-0000-0000-0000-' || lpad(number::text, 12, '0'))::uuid;

\if :{?one}
INSERT INTO submissions (agent_id, challenge_id, status, final_lane_scores, composite_score, created_at)
VALUES (u(1), u(1), 'scored', '{"a": 80.0005}', 80.0005, '2026-03-01 00:00+00');
INSERT INTO chat_telemetry (domain, model, success, created_at) VALUES ('one', 'one', NULL, '2026-03-10 11:00+00');
\elif :{?malformed}
INSERT INTO submissions (agent_id, challenge_id, status, final_lane_scores, composite_score, created_at)
SELECT u(1), u(1), 'scored', lanes::jsonb, composite, '2026-03-01 00:00+00'
FROM (VALUES ('{"a": "1"}', 'NaN'::float8), ('{"a": null, "b": {"c": 1}, "d": []}', 'Infinity'), ('[]', '-Infinity'),
             ('"text"', 1e12), ('null', -1e300), (NULL, NULL), ('{}', NULL), ('{"a": 1e400, "b": -1e12}', NULL),
             ('true', NULL)) AS odd (lanes, composite);
INSERT INTO chat_telemetry (domain, model, cost_usd) VALUES (NULL, NULL, 'NaN'), (NULL, NULL, 1);
\elif :{?many}
-- Challenge 1: figures at rounding ties of either sign, quartiles that equal an average, the limits of a score.
INSERT INTO submissions (agent_id, challenge_id, status, final_lane_scores, composite_score, created_at)
SELECT u(a), u(1), status, lanes::jsonb, composite, at::timestamptz
FROM (VALUES
    (1, 'scored', '{"tie": 0.0005, "minus": -0.0005, "big": 999999999999.9999, "same": 5}', 0.0005, '2026-03-01 00:00+00'),
    (1, 'scored', '{"tie": 0.0015, "minus": -0.0015, "big": -999999999999.9999, "same": 5}', -0.0005, '2026-03-01 00:00:00.000001+00'),
    (2, 'scored', '{"tie": 0.0025, "minus": -0.0025, "small": 1e-400, "same": 5}', 1e-300, '2026-03-02 00:00+00'),
    (2, 'scored', '{"tie": 0.0035, "minus": -0.0035, "small": 0.0000000000000005, "same": 5}', -1e-9, '2026-03-02 00:00+00'),
    (3, 'scored', '{"tie": 1000000000000, "big": 1e12, "same": "5", "": 1}', 99.9995, '2026-03-08 23:59:59.999999+00'),
    (3, 'scored', '{"tie": 3, "  ": 2, "Ä, \"q\"\n": -0}', 33.3335, '2026-03-09 00:00:00+00'),
    (3, 'scored', '{"tie": 3}', 66.6665, '2026-01-01 00:00:00+00'),
    (3, 'scored', '{"tie": 4}', 66.6665, '2025-12-28 23:59:59.999999+00'),
    (3, 'scored', '{"tie": 5}', 12.3, '2025-12-29 00:00+00'),
    (4, 'scored', '{"tie": 6}', 12.3, '1969-12-31 23:59:59.5+00'),
    (4, 'scored', '{"tie": 7}', 13.3, '1969-12-28 23:00+00'),
    (4, 'scored', '{"tie": 8}', 1e11, '1970-01-01 00:00+00'),
    (4, 'SCORED', '{"tie": 999}', 999, '2026-03-01 00:00+00'),
    (4, 'pending', '{"tie": 999}', 999, '2026-03-01 00:00+00'),
    (4, NULL, '{"tie": 999}', 999, '2026-03-01 00:00+00'),
    (5, 'scored', '{"tie": 9}', 1, 'infinity'),
    (5, 'scored', '{"tie": 9}', 1, '-infinity'),
    (5, 'scored', '{"tie": 9}', 1, NULL),
    (NULL, 'scored', '{"tie": 9, "x": true}', 1, '2026-03-01 00:00+00')) AS t (a, status, lanes, composite, at);
INSERT INTO submissions (agent_id, challenge_id, status, final_lane_scores, composite_score, created_at)
VALUES (u(1), NULL, 'scored', '{"tie": 9, "x": true}', 1, '2026-03-01 00:00+00');
-- Challenges 2 and 3: five agents win in the first, four in the second. Agent 15 wins its third bout, agent 16 never;
-- a result may name nobody, or somebody who was not there, and comes twice for agent 11.
INSERT INTO submissions (agent_id, challenge_id, bout_id, status, created_at)
SELECT u(a), u(c), u(b), 'scored', at::timestamptz
FROM (VALUES (11, 2, 101, '2026-01-01'), (12, 2, 102, '2026-01-01'), (12, 2, 103, '2026-01-02 06:00'),
             (13, 2, 104, '2026-01-03'), (14, 2, 105, '2026-01-04 00:00:00.000001'), (14, 2, 106, '2026-02-01'),
             (15, 2, 107, '2026-01-01'), (15, 2, 108, '2026-01-05'), (15, 2, 109, '2026-01-09'), (16, 2, 110, '2026-01-01'),
             (11, 3, 111, '2026-01-01'), (12, 3, 112, '2026-01-01'), (13, 3, 113, '2026-01-01'),
             (14, 3, 114, '2026-01-01'), (15, 3, 115, '2026-01-01')) AS t (a, c, b, at);
INSERT INTO bout_results
SELECT u(b), u(w)
FROM (VALUES (101, 11), (101, 11), (102, 99), (103, 12), (104, 13), (106, 14), (107, NULL), (109, 15), (110, 15),
             (111, 11), (112, 12), (113, 13), (114, 14), (115, NULL)) AS t (b, w);
-- Telemetry: the edges of the windows, sums beyond an integer, tied models, every value missing, empty names.
INSERT INTO chat_telemetry
    (domain, model, success, cost_usd, input_tokens, output_tokens, duration_ms, search_count, iteration_count, created_at)
VALUES
    ('edge', 'm', true, 0.0000005, 2147483647, 2147483647, 2147483647, 1, 1, '2026-03-09 12:00+00'),
    ('edge', 'm', true, 0.0000015, 2147483647, 2147483647, 1, 2, 1, '2026-03-09 12:00:00.000001+00'),
    ('edge', 'Z', false, 0.1, 1, NULL, 2, 3, 2, '2026-03-03 12:00+00'),
    ('edge', 'Z', NULL, 0.2, NULL, 1, 3, 4, NULL, '2026-03-03 12:00:00.000001+00'),
    ('edge', 'a', true, NULL, NULL, NULL, NULL, NULL, NULL, '2026-03-11 00:00+00'),
    ('edge', 'a', true, 'Infinity', 0, 0, 5, 0, 0, '2020-01-01 00:00+00'),
    ('empty', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('', '', true, 'NaN', 0, 0, 0, 0, 0, 'infinity'),
    ('', 'free', true, -1.5, 0, 0, 0, 0, 0, '2026-03-10 00:00+00'),
    (NULL, 'm', true, 7, 7, 7, 7, 7, 7, '2026-03-10 00:00+00'),
    ('tied', 'é', true, 1, 1, 1, 1, 1, 1, '2026-03-10 00:00+00'),
    ('tied', 'z', true, 1, 1, 1, 1, 1, 1, '2026-03-10 00:00+00'),
    ('tied', 'Q', true, 1, 1, 1, 1, 1, 1, '2026-03-10 00:00+00'),
    ('huge', 'm', true, 1e12, 1, 1, 1, 1, 1, '2026-03-10 00:00+00'),
    ('huge', 'm', true, 999999999999.999999999, 1, 1, 1, 1, 1, '2026-03-10 00:00+00');
\endif
