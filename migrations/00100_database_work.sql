-- +goose Up

-- Users of databases besides each database's own.
CREATE TABLE IF NOT EXISTS database_users (
  id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  account_id    BIGINT UNSIGNED NOT NULL,
  database_id   BIGINT UNSIGNED NOT NULL,
  name          VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  read_only     TINYINT(1) NOT NULL,
  password_hash VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_at    DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY database_users_name (name),
  KEY database_users_database (database_id, name),
  CONSTRAINT database_users_database FOREIGN KEY (database_id) REFERENCES hosted_databases (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Passwords of databases that live for one piece of work. The agent draws each
-- and writes its hash.
CREATE TABLE IF NOT EXISTS database_passes (
  id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  node_id       BIGINT UNSIGNED NOT NULL,
  account_id    BIGINT UNSIGNED NOT NULL,
  database_id   BIGINT UNSIGNED NOT NULL,
  password_hash VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_at    DATETIME(6) NOT NULL,
  expires_at    DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY database_passes_database (database_id),
  KEY database_passes_expiry (node_id, expires_at),
  CONSTRAINT database_passes_database FOREIGN KEY (database_id) REFERENCES hosted_databases (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- What is done to the content of databases: exports, imports, checks.
CREATE TABLE IF NOT EXISTS database_works (
  id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  node_id     BIGINT UNSIGNED NOT NULL,
  account_id  BIGINT UNSIGNED NOT NULL,
  database_id BIGINT UNSIGNED NOT NULL,
  kind        VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  state       VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  empty_first TINYINT(1) NOT NULL,
  file        VARCHAR(255) NOT NULL,
  size        BIGINT NOT NULL,
  done        BIGINT NOT NULL,
  actor       VARCHAR(320) NOT NULL,
  created_at  DATETIME(6) NOT NULL,
  seen_at     DATETIME(6) NOT NULL,
  ended_at    DATETIME(6) NULL,
  result      TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  report      MEDIUMTEXT NOT NULL,
  PRIMARY KEY (id),
  KEY database_works_database (database_id, id),
  KEY database_works_state (node_id, state),
  CONSTRAINT database_works_database FOREIGN KEY (database_id) REFERENCES hosted_databases (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
