-- SPDX-License-Identifier: PostgreSQL
-- A view of orders by day, kept and filled. :groups days, each with :rows orders.
CREATE SCHEMA app;
CREATE SCHEMA kept;
CREATE TABLE app.orders (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, day integer, amount numeric);
INSERT INTO app.orders (day, amount) SELECT d, r FROM generate_series(1, :groups) AS d, generate_series(1, :rows) AS r;
CREATE INDEX ON app.orders (day);
SELECT chime.record_plugin('bench', '1', '', 'kept', 'app', 'installed', NULL, '{}');
SELECT chime.install_view('bench', 'kept', 'app', 'daily_orders', 'SELECT day, count(*) AS n, sum(amount) AS total FROM orders GROUP BY day',
                          '{day}', 'daily_orders_pk', '{day}', 'auto', '{}', NULL, NULL, '[]', NULL);
SELECT chime.install_keys('kept', 'app', 'daily_orders', '[{"table": "orders", "columns": ["day", "amount"]}]');
CALL chime.tend_capture();
SELECT chime.refresh('daily_orders');
SELECT chime.note_vetted('kept', 'daily_orders');
VACUUM ANALYZE;
