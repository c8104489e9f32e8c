-- +goose Up

-- The browsers that a person has signed in with: a new one is told by mail.
CREATE TABLE IF NOT EXISTS known_devices (
  person_id  BIGINT UNSIGNED NOT NULL,
  token_hash BINARY(32) NOT NULL,
  seen_at    DATETIME(6) NOT NULL,
  PRIMARY KEY (person_id, token_hash),
  CONSTRAINT known_devices_person FOREIGN KEY (person_id) REFERENCES persons (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
