-- +goose Up

-- How each machine was, for charts: every minute for a day, every hour for a
-- month, every day for a year. numbers is a JSON object.
CREATE TABLE IF NOT EXISTS samples (
  node_id BIGINT UNSIGNED NOT NULL,
  grain   VARCHAR(6) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  at      DATETIME(6) NOT NULL,
  numbers TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (node_id, grain, at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
