-- SPDX-License-Identifier: PostgreSQL
INSERT INTO peer (v) VALUES (0) RETURNING id \gset
SELECT v FROM peer WHERE id = :id;
UPDATE peer SET v = 1 WHERE id = :id;
