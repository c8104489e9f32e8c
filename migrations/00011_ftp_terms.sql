-- +goose Up

-- What a login may do and take. Who could only read still can do no more.
ALTER TABLE ftp_logins CHANGE COLUMN IF EXISTS read_only rights VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL;
UPDATE ftp_logins SET rights = CASE rights WHEN '1' THEN 'read_only' ELSE 'read_write' END WHERE rights IN ('0', '1');
ALTER TABLE ftp_logins
  ADD COLUMN IF NOT EXISTS require_tls TINYINT(1) NOT NULL DEFAULT 0 AFTER rights,
  ADD COLUMN IF NOT EXISTS speed_kb INT NOT NULL DEFAULT 0 AFTER require_tls,
  ADD COLUMN IF NOT EXISTS sessions INT NOT NULL DEFAULT 0 AFTER speed_kb;
