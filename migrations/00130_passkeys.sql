-- +goose Up

-- The passkeys of a person: the public half of keys that authenticators keep.
-- The sign count of one that counts never goes back.
CREATE TABLE IF NOT EXISTS passkeys (
  id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  person_id     BIGINT UNSIGNED NOT NULL,
  credential_id VARBINARY(1023) NOT NULL,
  public_key    VARBINARY(2048) NOT NULL,
  sign_count    INT UNSIGNED NOT NULL,
  flags         TINYINT UNSIGNED NOT NULL,
  transports    VARCHAR(120) NOT NULL,
  name          VARCHAR(120) NOT NULL,
  created_at    DATETIME(6) NOT NULL,
  last_used_at  DATETIME(6) NULL,
  PRIMARY KEY (id),
  UNIQUE KEY passkeys_credential (credential_id),
  KEY passkeys_person (person_id),
  CONSTRAINT passkeys_person FOREIGN KEY (person_id) REFERENCES persons (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
