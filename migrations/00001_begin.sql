-- +goose Up

CREATE TABLE IF NOT EXISTS nodes (
  id       BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  name     VARCHAR(63) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  next_uid INT UNSIGNED NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY nodes_name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- A row of this table is taken by whoever must be alone for the length of a
-- transaction. It is written to, not only locked, so that it also holds
-- between the nodes of a Galera cluster.
CREATE TABLE IF NOT EXISTS turns (
  name  VARCHAR(63) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  taken BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS plans (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  name       VARCHAR(31) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  label      VARCHAR(120) NOT NULL,
  sites      INT NOT NULL,
  `databases` INT NOT NULL,
  ftp_logins INT NOT NULL,
  disk_mb    INT NOT NULL,
  created_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY plans_name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS accounts (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  name       VARCHAR(31) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  label      VARCHAR(120) NOT NULL,
  plan_id    BIGINT UNSIGNED NOT NULL,
  suspended  TINYINT(1) NOT NULL,
  removing   TINYINT(1) NOT NULL,
  expires    DATETIME(6) NULL,
  note       TEXT NOT NULL,
  created_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY accounts_name (name),
  KEY accounts_label (label),
  KEY accounts_plan (plan_id),
  CONSTRAINT accounts_plan FOREIGN KEY (plan_id) REFERENCES plans (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS persons (
  id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  email         VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  name          VARCHAR(120) NOT NULL,
  password_hash VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  role          VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  language      VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  theme         VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  disabled      TINYINT(1) NOT NULL,
  created_at    DATETIME(6) NOT NULL,
  last_seen_at  DATETIME(6) NULL,
  PRIMARY KEY (id),
  UNIQUE KEY persons_email (email),
  KEY persons_role (role)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS memberships (
  person_id  BIGINT UNSIGNED NOT NULL,
  account_id BIGINT UNSIGNED NOT NULL,
  role       VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  until      DATETIME(6) NULL,
  created_at DATETIME(6) NOT NULL,
  PRIMARY KEY (person_id, account_id),
  KEY memberships_account (account_id),
  CONSTRAINT memberships_person FOREIGN KEY (person_id) REFERENCES persons (id),
  CONSTRAINT memberships_account FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS invitations (
  token_hash BINARY(32) NOT NULL,
  person_id  BIGINT UNSIGNED NOT NULL,
  reset      TINYINT(1) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  expires_at DATETIME(6) NOT NULL,
  PRIMARY KEY (token_hash),
  KEY invitations_person (person_id),
  KEY invitations_expires (expires_at),
  CONSTRAINT invitations_person FOREIGN KEY (person_id) REFERENCES persons (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS sessions (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  token_hash BINARY(32) NOT NULL,
  person_id  BIGINT UNSIGNED NOT NULL,
  account_id BIGINT UNSIGNED NOT NULL,
  csrf       VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  flash      TEXT NOT NULL,
  source     VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_at DATETIME(6) NOT NULL,
  seen_at    DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY sessions_token (token_hash),
  KEY sessions_person (person_id),
  KEY sessions_seen (seen_at),
  CONSTRAINT sessions_person FOREIGN KEY (person_id) REFERENCES persons (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Who has tried in vain to sign in: one row per address and per source, known
-- only by its hash, for the panel and the FTP service together.
CREATE TABLE IF NOT EXISTS throttles (
  subject  BINARY(32) NOT NULL,
  failures INT UNSIGNED NOT NULL,
  last_at  DATETIME(6) NOT NULL,
  until    DATETIME(6) NOT NULL,
  PRIMARY KEY (subject),
  KEY throttles_last (last_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS sites (
  id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  node_id       BIGINT UNSIGNED NOT NULL,
  account_id    BIGINT UNSIGNED NOT NULL,
  host          VARCHAR(253) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  document_root VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  php           VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  uid           INT UNSIGNED NOT NULL,
  home_token    CHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  socket_token  CHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  suspended     TINYINT(1) NOT NULL,
  held          TINYINT(1) NOT NULL,
  generation    BIGINT UNSIGNED NOT NULL,
  observed      BIGINT UNSIGNED NOT NULL,
  state         VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  problem       TEXT NOT NULL,
  attempts      INT UNSIGNED NOT NULL,
  due_at        DATETIME(6) NOT NULL,
  removing      TINYINT(1) NOT NULL,
  changed_at    DATETIME(6) NOT NULL,
  created_at    DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY sites_uid (node_id, uid),
  UNIQUE KEY sites_home (home_token),
  UNIQUE KEY sites_socket (socket_token),
  KEY sites_node_id_due_at (node_id, due_at),
  KEY sites_account_host (account_id, host),
  KEY sites_account_state (account_id, state, removing),
  KEY sites_host (host),
  KEY sites_state (state),
  CONSTRAINT sites_node FOREIGN KEY (node_id) REFERENCES nodes (id),
  CONSTRAINT sites_account FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Every name that a site answers to. reversed is "fr.asso.parc." for
-- parc.asso.fr: the names beneath another are those that begin with it.
-- dropped is the generation with which a site gave the name up (0: it has it);
-- the name is nobody else's before the machine has followed.
CREATE TABLE IF NOT EXISTS site_names (
  name       VARCHAR(253) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  reversed   VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  displayed  VARCHAR(253) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  site_id    BIGINT UNSIGNED NOT NULL,
  account_id BIGINT UNSIGNED NOT NULL,
  position   INT UNSIGNED NOT NULL,
  dropped    BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (name),
  KEY site_names_reversed (reversed),
  KEY site_names_site (site_id, position),
  KEY site_names_dropped (dropped),
  CONSTRAINT site_names_site FOREIGN KEY (site_id) REFERENCES sites (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS hosted_databases (
  id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  node_id       BIGINT UNSIGNED NOT NULL,
  account_id    BIGINT UNSIGNED NOT NULL,
  name          VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  password_hash CHAR(41) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  generation    BIGINT UNSIGNED NOT NULL,
  observed      BIGINT UNSIGNED NOT NULL,
  state         VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  problem       TEXT NOT NULL,
  attempts      INT UNSIGNED NOT NULL,
  due_at        DATETIME(6) NOT NULL,
  removing      TINYINT(1) NOT NULL,
  changed_at    DATETIME(6) NOT NULL,
  created_at    DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY hosted_databases_name (name),
  KEY hosted_databases_node_id_due_at (node_id, due_at),
  KEY hosted_databases_account_state (account_id, state, removing),
  KEY hosted_databases_state (state),
  CONSTRAINT hosted_databases_node FOREIGN KEY (node_id) REFERENCES nodes (id),
  CONSTRAINT hosted_databases_account FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- site_id is 0 when the login reaches every site of the account.
CREATE TABLE IF NOT EXISTS ftp_logins (
  id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  node_id       BIGINT UNSIGNED NOT NULL,
  account_id    BIGINT UNSIGNED NOT NULL,
  site_id       BIGINT UNSIGNED NOT NULL,
  login         VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  password_hash VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  path          VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  read_only     TINYINT(1) NOT NULL,
  disabled      TINYINT(1) NOT NULL,
  generation    BIGINT UNSIGNED NOT NULL,
  observed      BIGINT UNSIGNED NOT NULL,
  state         VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  problem       TEXT NOT NULL,
  attempts      INT UNSIGNED NOT NULL,
  due_at        DATETIME(6) NOT NULL,
  removing      TINYINT(1) NOT NULL,
  changed_at    DATETIME(6) NOT NULL,
  created_at    DATETIME(6) NOT NULL,
  last_used_at  DATETIME(6) NULL,
  PRIMARY KEY (id),
  UNIQUE KEY ftp_logins_login (login),
  KEY ftp_logins_node_id_due_at (node_id, due_at),
  KEY ftp_logins_account (account_id, login),
  KEY ftp_logins_site (site_id),
  CONSTRAINT ftp_logins_node FOREIGN KEY (node_id) REFERENCES nodes (id),
  CONSTRAINT ftp_logins_account FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- No foreign keys: the log outlives what it tells of.
CREATE TABLE IF NOT EXISTS audit_entries (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  at         DATETIME(6) NOT NULL,
  actor      VARCHAR(254) NOT NULL,
  source     VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  action     VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  account_id BIGINT UNSIGNED NOT NULL,
  target     VARCHAR(254) NOT NULL,
  `before`   MEDIUMTEXT NOT NULL,
  `after`    MEDIUMTEXT NOT NULL,
  PRIMARY KEY (id),
  KEY audit_entries_account (account_id, id),
  KEY audit_entries_at (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

INSERT IGNORE INTO turns (name, taken) VALUES ('host_names', 0);

INSERT IGNORE INTO nodes (name, next_uid) VALUES ('main', 30000);

-- One plan to begin with, so that the first account needs no set-up.
INSERT INTO plans (name, label, sites, `databases`, ftp_logins, disk_mb, created_at)
SELECT 'asso', 'Association', 5, 5, 10, 2048, UTC_TIMESTAMP(6) FROM DUAL
WHERE NOT EXISTS (SELECT 1 FROM plans);
