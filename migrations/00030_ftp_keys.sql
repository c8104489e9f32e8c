-- +goose Up
-- Public keys that open an FTP login by SFTP. A key may stand on several
-- logins; it goes with each of them.
CREATE TABLE IF NOT EXISTS ftp_keys (
  id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  ftp_login_id BIGINT UNSIGNED NOT NULL,
  label        VARCHAR(120) NOT NULL,
  kind         VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  fingerprint  VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  public_key   TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_at   DATETIME(6) NOT NULL,
  last_used_at DATETIME(6) NULL,
  PRIMARY KEY (id),
  UNIQUE KEY ftp_keys_login_fingerprint (ftp_login_id, fingerprint),
  CONSTRAINT ftp_keys_login FOREIGN KEY (ftp_login_id) REFERENCES ftp_logins (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
