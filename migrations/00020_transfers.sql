-- +goose Up

-- What was done to the files of an account, by FTP, SFTP and the file manager.
-- No foreign keys: a batch must not fail for one account that is on its way out.
CREATE TABLE IF NOT EXISTS transfers (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  at         DATETIME(6) NOT NULL,
  account_id BIGINT UNSIGNED NOT NULL,
  who        VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  protocol   VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  source     VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  action     VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  path       VARCHAR(1024) NOT NULL,
  target     VARCHAR(1024) NOT NULL,
  bytes      BIGINT UNSIGNED NOT NULL,
  took_ms    BIGINT UNSIGNED NOT NULL,
  result     VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (id),
  KEY transfers_account (account_id, at),
  KEY transfers_who (account_id, who, at),
  KEY transfers_at (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
