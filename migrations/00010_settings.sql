-- +goose Up

-- What the administrators decided for the whole installation. A setting that
-- nobody has changed has no row.
CREATE TABLE IF NOT EXISTS settings (
  name       VARCHAR(63) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  value      TEXT NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

INSERT IGNORE INTO turns (name, taken) VALUES ('settings', 0);
