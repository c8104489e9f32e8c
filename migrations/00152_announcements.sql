-- +goose Up

-- What the team tells associations: all of them, or those in
-- announcement_accounts. It stands in the panel until a moment, if any.
CREATE TABLE IF NOT EXISTS announcements (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  title_fr   VARCHAR(150) NOT NULL,
  text_fr    TEXT NOT NULL,
  title_en   VARCHAR(150) NOT NULL,
  text_en    TEXT NOT NULL,
  everyone   TINYINT(1) NOT NULL,
  mailed     TINYINT(1) NOT NULL,
  until      DATETIME(6) NULL,
  person_id  BIGINT UNSIGNED NOT NULL,
  author     VARCHAR(254) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  edited_at  DATETIME(6) NULL,
  PRIMARY KEY (id),
  KEY announcements_until (until)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS announcement_accounts (
  announcement_id BIGINT UNSIGNED NOT NULL,
  account_id      BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (announcement_id, account_id),
  KEY announcement_accounts_account (account_id),
  CONSTRAINT announcement_accounts_announcement FOREIGN KEY (announcement_id) REFERENCES announcements (id) ON DELETE CASCADE,
  CONSTRAINT announcement_accounts_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Who was written to, so that nobody is twice, and who does not want to see it
-- any more.
CREATE TABLE IF NOT EXISTS announcement_persons (
  announcement_id BIGINT UNSIGNED NOT NULL,
  person_id       BIGINT UNSIGNED NOT NULL,
  mailed          TINYINT(1) NOT NULL,
  dismissed       TINYINT(1) NOT NULL,
  PRIMARY KEY (announcement_id, person_id),
  KEY announcement_persons_person (person_id),
  CONSTRAINT announcement_persons_announcement FOREIGN KEY (announcement_id) REFERENCES announcements (id) ON DELETE CASCADE,
  CONSTRAINT announcement_persons_person FOREIGN KEY (person_id) REFERENCES persons (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
