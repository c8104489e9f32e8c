-- +goose Up

-- What each site takes on the disk, in bytes. files and bin are what the agent
-- measured; drift is what was written and removed since, as far as it is known.
-- due_at is when it is to be measured again.
CREATE TABLE IF NOT EXISTS disk_usage (
  site_id     BIGINT UNSIGNED NOT NULL,
  node_id     BIGINT UNSIGNED NOT NULL,
  account_id  BIGINT UNSIGNED NOT NULL,
  files       BIGINT NOT NULL,
  bin         BIGINT NOT NULL,
  entries     BIGINT NOT NULL,
  drift       BIGINT NOT NULL,
  measured_at DATETIME(6) NULL,
  due_at      DATETIME(6) NOT NULL,
  PRIMARY KEY (site_id),
  KEY disk_usage_node_id_due_at (node_id, due_at),
  KEY disk_usage_account (account_id),
  CONSTRAINT disk_usage_site FOREIGN KEY (site_id) REFERENCES sites (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Accounts whose sites may no longer write, because what PHP wrote took more
-- than the plan allows.
CREATE TABLE IF NOT EXISTS account_space (
  account_id BIGINT UNSIGNED NOT NULL,
  stopped    TINYINT(1) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  PRIMARY KEY (account_id),
  CONSTRAINT account_space_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
