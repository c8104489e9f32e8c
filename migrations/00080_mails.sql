-- +goose Up

-- What is to be told to people. sealed holds what the places of the text and
-- the link are: the link of an invitation makes its reader the person.
CREATE TABLE IF NOT EXISTS mails (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  kind       VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  account_id BIGINT UNSIGNED NOT NULL,
  email      VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  name       VARCHAR(120) NOT NULL,
  language   VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  sealed     MEDIUMBLOB NOT NULL,
  state      VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  tries      INT UNSIGNED NOT NULL,
  due_at     DATETIME(6) NOT NULL,
  void_at    DATETIME(6) NOT NULL,
  problem    TEXT NOT NULL,
  detail     TEXT NOT NULL,
  subject    VARCHAR(500) NOT NULL,
  text       MEDIUMTEXT NOT NULL,
  created_at DATETIME(6) NOT NULL,
  sent_at    DATETIME(6) NULL,
  PRIMARY KEY (id),
  KEY mails_due (state, due_at),
  KEY mails_void (state, void_at),
  KEY mails_created (created_at),
  KEY mails_state (state, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- The words of the administrators, where they differ from those that we ship.
CREATE TABLE IF NOT EXISTS mail_texts (
  kind       VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  language   VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  subject    VARCHAR(500) NOT NULL,
  body       MEDIUMTEXT NOT NULL,
  PRIMARY KEY (kind, language)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Addresses whose owner wants another password, known or not: whether there is
-- such a person is looked up later, so that the answer takes as long.
CREATE TABLE IF NOT EXISTS forgotten (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  email      VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  source     VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
