-- +goose Up

-- The second factor of a person: the secret of an authenticator, sealed. The
-- last step that was accepted is not accepted again.
CREATE TABLE IF NOT EXISTS authenticators (
  person_id  BIGINT UNSIGNED NOT NULL,
  sealed     BLOB NOT NULL,
  confirmed  TINYINT(1) NOT NULL,
  last_step  BIGINT UNSIGNED NOT NULL,
  created_at DATETIME(6) NOT NULL,
  PRIMARY KEY (person_id),
  CONSTRAINT authenticators_person FOREIGN KEY (person_id) REFERENCES persons (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Codes for whoever lost the authenticator, each good once.
CREATE TABLE IF NOT EXISTS recovery_codes (
  code_hash BINARY(32) NOT NULL,
  person_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (code_hash),
  KEY recovery_codes_person (person_id),
  CONSTRAINT recovery_codes_person FOREIGN KEY (person_id) REFERENCES persons (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- The browser of a session, as it names itself.
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS agent VARCHAR(300) NOT NULL DEFAULT '';
