-- +goose Up

-- What the pages of an association with thousands of things add up and list is
-- read from an index alone, or in its order.
ALTER TABLE disk_usage
  ADD INDEX IF NOT EXISTS disk_usage_account_sums (account_id, files, bin, drift),
  DROP INDEX IF EXISTS disk_usage_account;

ALTER TABLE ftp_logins
  ADD INDEX IF NOT EXISTS ftp_logins_account_removing (account_id, removing, login),
  DROP INDEX IF EXISTS ftp_logins_account;

ALTER TABLE hosted_databases
  ADD INDEX IF NOT EXISTS hosted_databases_account_name (account_id, name);

ALTER TABLE sites
  ADD INDEX IF NOT EXISTS sites_account_kept (account_id, kept_until);
