-- +goose Up

-- What was removed can be brought back for a while. kept_until says until when;
-- a thing that is removing without it goes for good. removed_with is the kind of
-- the larger thing that it went with, and comes back with: '' is by itself.
ALTER TABLE accounts
  ADD COLUMN IF NOT EXISTS removed_at DATETIME(6) NULL,
  ADD COLUMN IF NOT EXISTS removed_by VARCHAR(254) NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS removed_with VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS kept_until DATETIME(6) NULL,
  ADD KEY IF NOT EXISTS accounts_kept_until (kept_until);

ALTER TABLE sites
  ADD COLUMN IF NOT EXISTS removed_at DATETIME(6) NULL,
  ADD COLUMN IF NOT EXISTS removed_by VARCHAR(254) NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS removed_with VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS kept_until DATETIME(6) NULL,
  ADD KEY IF NOT EXISTS sites_kept_until (kept_until);

ALTER TABLE hosted_databases
  ADD COLUMN IF NOT EXISTS removed_at DATETIME(6) NULL,
  ADD COLUMN IF NOT EXISTS removed_by VARCHAR(254) NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS removed_with VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS kept_until DATETIME(6) NULL,
  ADD KEY IF NOT EXISTS hosted_databases_kept_until (kept_until);

-- gone is 0 while the login is there and its own id once it is removed, so that
-- its name is free for another one.
ALTER TABLE ftp_logins
  ADD COLUMN IF NOT EXISTS removed_at DATETIME(6) NULL,
  ADD COLUMN IF NOT EXISTS removed_by VARCHAR(254) NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS removed_with VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS kept_until DATETIME(6) NULL,
  ADD COLUMN IF NOT EXISTS gone BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD KEY IF NOT EXISTS ftp_logins_kept_until (kept_until),
  ADD UNIQUE KEY IF NOT EXISTS ftp_logins_login_gone (login, gone),
  DROP KEY IF EXISTS ftp_logins_login;
