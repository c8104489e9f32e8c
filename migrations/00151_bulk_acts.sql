-- +goose Up

-- Acts on many associations at once: which, who asked for it, and what became
-- of each. A draft waits for its confirmation.
CREATE TABLE IF NOT EXISTS bulk_acts (
  id              BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  act             VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  plan            VARCHAR(31) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  announcement_id BIGINT UNSIGNED NOT NULL,
  person_id       BIGINT UNSIGNED NOT NULL,
  actor           VARCHAR(254) NOT NULL,
  source          VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  state           VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_at      DATETIME(6) NOT NULL,
  ended_at        DATETIME(6) NULL,
  PRIMARY KEY (id),
  KEY bulk_acts_state (state, id),
  KEY bulk_acts_created (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- name, label and expires are those that were shown when it was confirmed.
CREATE TABLE IF NOT EXISTS bulk_accounts (
  bulk_id    BIGINT UNSIGNED NOT NULL,
  account_id BIGINT UNSIGNED NOT NULL,
  name       VARCHAR(31) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  label      VARCHAR(120) NOT NULL,
  expires    DATETIME(6) NULL,
  state      VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  reason     VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (bulk_id, account_id),
  KEY bulk_accounts_state (bulk_id, state, account_id),
  CONSTRAINT bulk_accounts_bulk FOREIGN KEY (bulk_id) REFERENCES bulk_acts (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
