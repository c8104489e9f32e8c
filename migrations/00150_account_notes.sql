-- +goose Up

-- What the team notes of an association, for itself alone.
CREATE TABLE IF NOT EXISTS account_notes (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  account_id BIGINT UNSIGNED NOT NULL,
  person_id  BIGINT UNSIGNED NOT NULL,
  author     VARCHAR(254) NOT NULL,
  text       TEXT NOT NULL,
  created_at DATETIME(6) NOT NULL,
  edited_at  DATETIME(6) NULL,
  PRIMARY KEY (id),
  KEY account_notes_account (account_id, id),
  CONSTRAINT account_notes_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
