-- +goose Up

-- What people were told of by themselves: how full something is, that a
-- membership ends. what is "disk", "database:7" or "membership"; level is how
-- far it is; mark is what the level is about, such as the end that was told.
CREATE TABLE IF NOT EXISTS notices (
  account_id BIGINT UNSIGNED NOT NULL,
  what       VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  level      INT NOT NULL,
  mark       VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  PRIMARY KEY (account_id, what),
  KEY notices_level (level, changed_at),
  CONSTRAINT notices_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

ALTER TABLE accounts ADD KEY IF NOT EXISTS accounts_expires (expires);

ALTER TABLE tasks ADD KEY IF NOT EXISTS tasks_account (account_id);
