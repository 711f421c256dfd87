INSERT INTO effect (v) VALUES (0);
