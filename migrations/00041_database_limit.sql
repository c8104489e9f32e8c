-- +goose Up

-- How large one database may grow, in megabytes; -1 is no limit.
ALTER TABLE plans ADD COLUMN IF NOT EXISTS database_mb INT NOT NULL DEFAULT -1;

-- How large each database is. stopped: nothing may be added to it until it is
-- below nine tenths of its limit.
CREATE TABLE IF NOT EXISTS database_usage (
  database_id BIGINT UNSIGNED NOT NULL,
  bytes       BIGINT NOT NULL,
  stopped     TINYINT(1) NOT NULL,
  measured_at DATETIME(6) NOT NULL,
  PRIMARY KEY (database_id),
  CONSTRAINT database_usage_database FOREIGN KEY (database_id) REFERENCES hosted_databases (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
