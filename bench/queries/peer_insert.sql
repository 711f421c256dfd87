-- SPDX-License-Identifier: PostgreSQL
INSERT INTO effect (v) VALUES (0);
